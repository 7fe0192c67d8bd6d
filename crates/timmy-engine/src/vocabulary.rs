//! How a model cuts text into tokens, and what bytes each token stands for.

mod byte_letters;
mod merges;
mod pieces;
mod wordpieces;

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::EngineError;
use crate::gguf::{Header, Value};
use merges::Merges;
use pieces::Pieces;
use wordpieces::WordPieces;

/// Most tokens of a vocabulary.
pub const TOKENS_MAX: usize = 2 << 20;
/// Most bytes of text that are cut at once.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// What kind of thing a token is, by the numbers of the format.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const BY_HAND: i64 = 4;
const BYTE: i64 = 6;

/// Names of tokens that end an answer in families whose files do not always say so.
const ENDS: [&str; 9] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|endoftext|>",
    "<end_of_turn>",
    "<EOT>",
    "</s>",
    "<|end_of_text|>",
];

/// The tokens of a model. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vocabulary(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The bytes each token is written with.
    written: Vec<Vec<u8>>,
    /// Tokens that stand for no text.
    control: Vec<bool>,
    /// Tokens that are found in text as a whole before it is cut, by their text; `true` for control tokens.
    marks: HashMap<Vec<u8>, (u32, bool)>,
    /// Lengths of marks by first byte, longest first.
    mark_lengths: HashMap<u8, Vec<usize>>,
    cutter: Cutter,
    bos: Option<u32>,
    adds_bos: bool,
    end: Vec<u32>,
}

#[derive(Debug)]
enum Cutter {
    Merges(Box<Merges>),
    Pieces(Pieces),
    Words(Box<WordPieces>),
}

impl Vocabulary {
    /// Reads the vocabulary of a file.
    ///
    /// # Errors
    /// A list that is missing or does not fit the others, and a way of cutting that is not known.
    pub fn read(header: &Header) -> Result<Self, EngineError> {
        let model = header.text("tokenizer.ggml.model").ok_or_else(|| corrupt("it has no tokenizer"))?;
        let tokens = header.metadata.get("tokenizer.ggml.tokens").and_then(Value::as_texts);
        let tokens = tokens.ok_or_else(|| corrupt("it has no tokens"))?;
        if tokens.is_empty() || tokens.len() > TOKENS_MAX {
            return Err(corrupt(&format!("it has {} tokens", tokens.len())));
        }
        let kinds = header.metadata.get("tokenizer.ggml.token_type").and_then(Value::as_wholes).unwrap_or_default();
        if !kinds.is_empty() && kinds.len() != tokens.len() {
            return Err(corrupt("its tokens and their kinds are not as many"));
        }
        let kind = |token: usize| kinds.get(token).copied().unwrap_or(1);
        let cutter = match model {
            "gpt2" => Cutter::Merges(Box::new(Merges::read(header, tokens)?)),
            "llama" => Cutter::Pieces(Pieces::read(header, tokens)?),
            "bert" => Cutter::Words(Box::new(WordPieces::read(header, tokens, &|token| kind(token) != 1)?)),
            other => return Err(EngineError::UnsupportedTokenizer(other.chars().take(64).collect())),
        };
        let by_letters = matches!(cutter, Cutter::Merges(_));
        let written = tokens.iter().enumerate().map(|(token, text)| written(text, kind(token), by_letters)).collect();
        let control = (0..tokens.len()).map(|token| matches!(kind(token), UNKNOWN | CONTROL)).collect();
        let mut inner = Inner {
            written,
            control,
            marks: HashMap::new(),
            mark_lengths: HashMap::new(),
            bos: match &cutter {
                Cutter::Words(words) => Some(words.first),
                Cutter::Merges(_) | Cutter::Pieces(_) => named(header, "bos_token_id", tokens.len()),
            },
            adds_bos: header.flag("tokenizer.ggml.add_bos_token").unwrap_or(match &cutter {
                Cutter::Merges(merges) => merges.adds_bos(),
                Cutter::Pieces(_) | Cutter::Words(_) => true,
            }),
            end: ends(header, tokens, &kind),
            cutter,
        };
        for (token, text) in tokens.iter().enumerate() {
            if matches!(kind(token), UNKNOWN | CONTROL | BY_HAND) && !text.is_empty() {
                inner.mark(text.as_bytes(), token as u32, kind(token) != BY_HAND);
            }
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Cuts text into tokens. With `special`, marks such as `<|im_end|>` in the text become their one token; without,
    /// they are text like any other, which is what text from outside must be. Adds no token of its own.
    ///
    /// # Errors
    /// When the text is longer than [`TEXT_BYTES_MAX`] or the tokenizer refuses it.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, EngineError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(EngineError::BadRequest(format!("a text of {} bytes", text.len())));
        }
        let mut tokens = Vec::new();
        let mut start = 0;
        let mut at = 0;
        let mut after_mark = true;
        while at < text.len() {
            match self.0.mark_at(&text.as_bytes()[at..], special) {
                Some((token, length)) => {
                    self.0.cut(&text[start..at], after_mark, &mut tokens)?;
                    tokens.push(token);
                    after_mark = true;
                    at += length;
                    start = at;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        self.0.cut(&text[start..], after_mark, &mut tokens)?;
        Ok(tokens)
    }

    /// The bytes a token adds to the text: empty for control tokens and beyond the vocabulary. A letter may be cut in
    /// two, so pieces are joined before they are read as UTF-8.
    #[must_use]
    pub fn decode_piece(&self, token: u32) -> &[u8] {
        if self.is_control(token) { &[] } else { self.token_bytes(token).unwrap_or_default() }
    }

    /// The bytes a token is written with, also when it is a control token; `None` beyond the vocabulary.
    #[must_use]
    pub fn token_bytes(&self, token: u32) -> Option<&[u8]> {
        self.0.written.get(token as usize).map(Vec::as_slice)
    }

    /// Whether the token is a mark that stands for no text, such as the end of an answer.
    #[must_use]
    pub fn is_control(&self, token: u32) -> bool {
        self.0.control.get(token as usize).copied().unwrap_or(true)
    }

    /// The mark that is written exactly like this: a control token, or one that its maker added by hand.
    #[must_use]
    pub fn token(&self, written: &str) -> Option<u32> {
        self.0.marks.get(written.as_bytes()).map(|(token, _)| *token)
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.written.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.written.is_empty()
    }

    /// The token a text begins with.
    #[must_use]
    pub fn bos(&self) -> Option<u32> {
        self.0.bos
    }

    /// Whether a text is to begin with [`Vocabulary::bos`].
    #[must_use]
    pub fn adds_bos(&self) -> bool {
        self.0.adds_bos && self.0.bos.is_some()
    }

    /// The token that each text ends with, in a vocabulary of words and their parts.
    pub(crate) fn separator(&self) -> Option<u32> {
        match &self.0.cutter {
            Cutter::Words(words) => Some(words.separator),
            Cutter::Merges(_) | Cutter::Pieces(_) => None,
        }
    }

    /// Tokens that end an answer.
    #[must_use]
    pub fn end(&self) -> Vec<u32> {
        self.0.end.clone()
    }
}

impl Inner {
    fn mark(&mut self, text: &[u8], token: u32, control: bool) {
        self.marks.insert(text.to_vec(), (token, control));
        if let Some(first) = text.first() {
            let lengths = self.mark_lengths.entry(*first).or_default();
            if let Err(place) = lengths.binary_search_by(|length| text.len().cmp(length)) {
                lengths.insert(place, text.len());
            }
        }
    }

    /// The longest mark that text begins with. Control marks count only with `special`.
    fn mark_at(&self, text: &[u8], special: bool) -> Option<(u32, usize)> {
        let lengths = self.mark_lengths.get(text.first()?)?;
        lengths.iter().find_map(|length| {
            let (token, control) = self.marks.get(text.get(..*length)?)?;
            (special || !control).then_some((*token, *length))
        })
    }

    fn cut(&self, text: &str, after_mark: bool, tokens: &mut Vec<u32>) -> Result<(), EngineError> {
        if text.is_empty() {
            return Ok(());
        }
        match &self.cutter {
            Cutter::Merges(merges) => merges.cut(text, tokens),
            Cutter::Words(words) => words.cut(text, tokens),
            Cutter::Pieces(pieces) => {
                pieces.cut(text, after_mark, tokens);
                Ok(())
            }
        }
    }
}

fn written(text: &str, kind: i64, by_letters: bool) -> Vec<u8> {
    if matches!(kind, UNKNOWN | CONTROL | BY_HAND) {
        return text.as_bytes().to_vec();
    }
    if by_letters {
        return byte_letters::bytes(text);
    }
    if kind == BYTE {
        let hex = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            return vec![byte];
        }
    }
    text.replace(pieces::SPACE, " ").into_bytes()
}

fn named(header: &Header, key: &str, tokens: usize) -> Option<u32> {
    let token = header.count(&format!("tokenizer.ggml.{key}")).filter(|token| *token < tokens)?;
    u32::try_from(token).ok()
}

fn ends(header: &Header, tokens: &[String], kind: &dyn Fn(usize) -> i64) -> Vec<u32> {
    let mut end: Vec<u32> = ["eos_token_id", "eot_token_id", "eom_token_id"]
        .iter()
        .filter_map(|key| named(header, key, tokens.len()))
        .collect();
    let by_name = tokens
        .iter()
        .enumerate()
        .filter(|(token, text)| matches!(kind(*token), CONTROL | BY_HAND) && ENDS.contains(&text.as_str()));
    end.extend(by_name.map(|(token, _)| token as u32));
    end.sort_unstable();
    end.dedup();
    end
}

fn corrupt(reason: &str) -> EngineError {
    EngineError::Corrupt(reason.to_owned())
}
