//! Pieces with scores, as in Llama 2, Mistral and Gemma: neighbours are joined while the joined text is a piece, the
//! best score first. Letters without a piece become their bytes. After SentencePiece as llama.cpp does it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use crate::error::EngineError;
use crate::gguf::{Header, Value};

/// What stands for a space.
pub(super) const SPACE: char = '\u{2581}';

/// A tokenizer that joins pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    tokens: HashMap<String, (u32, f32)>,
    bytes: Vec<Option<u32>>,
    unknown: Option<u32>,
    space_first: bool,
}

/// A pair that could be joined.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

/// A run of the text that is one piece so far, and its neighbours.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    length: usize,
    left: Option<usize>,
    right: Option<usize>,
}

impl Pieces {
    /// Reads the scores.
    pub(super) fn read(header: &Header, tokens: &[String]) -> Result<Self, EngineError> {
        let scores = header.metadata.get("tokenizer.ggml.scores").and_then(Value::as_numbers);
        let scores = scores.ok_or_else(|| super::corrupt("it has no scores"))?;
        if scores.len() != tokens.len() {
            return Err(super::corrupt("its tokens and their scores are not as many"));
        }
        let scored = tokens.iter().zip(scores).enumerate();
        let tokens: HashMap<String, (u32, f32)> =
            scored.map(|(token, (text, score))| (text.clone(), (token as u32, *score))).collect();
        let byte = |byte: u8| tokens.get(&format!("<0x{byte:02X}>")).map(|(token, _)| *token);
        Ok(Self {
            bytes: (0..=255).map(byte).collect(),
            unknown: super::named(header, "unknown_token_id", tokens.len()),
            space_first: header.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true),
            tokens,
        })
    }

    /// Appends the tokens of a text without marks.
    pub(super) fn cut(&self, text: &str, after_mark: bool, tokens: &mut Vec<u32>) {
        let mut spaced = String::with_capacity(text.len() + 8);
        if self.space_first && after_mark {
            spaced.push(SPACE);
        }
        spaced.extend(text.chars().map(|letter| if letter == ' ' { SPACE } else { letter }));
        let mut runs: Vec<Run> = Vec::new();
        for (start, letter) in spaced.char_indices() {
            let number = runs.len();
            let left = number.checked_sub(1);
            runs.push(Run { start, length: letter.len_utf8(), left, right: Some(number + 1) });
        }
        if let Some(last) = runs.last_mut() {
            last.right = None;
        }
        self.join(&spaced, &mut runs);
        let mut at = (!runs.is_empty()).then_some(0);
        while let Some(number) = at {
            let run = runs[number];
            self.name(&spaced[run.start..run.start + run.length], tokens);
            at = run.right;
        }
    }

    fn join(&self, text: &str, runs: &mut [Run]) {
        let mut pairs = BinaryHeap::new();
        for right in 1..runs.len() {
            self.consider(text, runs, right - 1, right, &mut pairs);
        }
        while let Some(pair) = pairs.pop() {
            let (left, right) = (runs[pair.left], runs[pair.right]);
            // One of the two has since been joined with another.
            if left.length == 0 || right.length == 0 || left.length + right.length != pair.length {
                continue;
            }
            runs[pair.left].length = pair.length;
            runs[pair.left].right = right.right;
            runs[pair.right].length = 0;
            if let Some(next) = right.right {
                runs[next].left = Some(pair.left);
                self.consider(text, runs, pair.left, next, &mut pairs);
            }
            if let Some(before) = left.left {
                self.consider(text, runs, before, pair.left, &mut pairs);
            }
        }
    }

    fn consider(&self, text: &str, runs: &[Run], left: usize, right: usize, pairs: &mut BinaryHeap<Pair>) {
        let length = runs[left].length + runs[right].length;
        let start = runs[left].start;
        if let Some((_, score)) = self.tokens.get(&text[start..start + length]) {
            pairs.push(Pair { score: *score, left, right, length });
        }
    }

    fn name(&self, piece: &str, tokens: &mut Vec<u32>) {
        if let Some((token, _)) = self.tokens.get(piece) {
            tokens.push(*token);
            return;
        }
        for byte in piece.bytes() {
            tokens.extend(self.bytes.get(usize::from(byte)).copied().flatten().or(self.unknown));
        }
    }
}
