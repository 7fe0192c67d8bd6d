//! Byte-level byte-pair encoding, as in GPT-2, Llama 3, Qwen and Phi: text is split by a pattern, each part becomes
//! letters for its bytes, and pairs are merged in the order of a list.

use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

use crate::error::EngineError;
use crate::gguf::{Header, Value};

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// What llama.cpp splits by where a file names no pattern: marks, words, runs of digits, threes of digits.
const DEFAULT: [&str; 4] = [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"];

/// A way of splitting text before it is merged.
struct Splitting {
    patterns: &'static [&'static str],
    /// Whether a part that is a token as it stands is taken so.
    whole_first: bool,
    adds_bos: bool,
}

fn splitting(name: &str) -> Result<Splitting, EngineError> {
    let usual = |patterns| Splitting { patterns, whole_first: false, adds_bos: false };
    Ok(match name {
        "default" => usual(&DEFAULT),
        "gpt-2" | "gpt2" | "phi-2" | "mpt" | "olmo" | "roberta-bpe" | "jina-en" => usual(&[GPT2]),
        "smollm" | "starcoder" | "refact" | "command-r" => usual(&[r"\p{N}", GPT2]),
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" => {
            Splitting { patterns: &[LLAMA3], whole_first: true, adds_bos: true }
        }
        "dbrx" | "smaug-bpe" => usual(&[LLAMA3]),
        "qwen2" | "deepseek-r1-qwen" | "stablelm2" => usual(&[QWEN2]),
        "tekken" => Splitting { patterns: &[TEKKEN], whole_first: true, adds_bos: true },
        "gpt-4o" | "llama4" => usual(&[GPT4O]),
        other => {
            let name: String = other.chars().take(64).collect();
            return Err(EngineError::UnsupportedTokenizer(format!("gpt2 with the splitting {name}")));
        }
    })
}

/// A tokenizer that merges.
#[derive(Debug)]
pub(super) struct Merges {
    tokenizer: Tokenizer,
    adds_bos: bool,
}

impl Merges {
    /// Reads the list of merges and the way of splitting.
    pub(super) fn read(header: &Header, tokens: &[String]) -> Result<Self, EngineError> {
        let splitting = splitting(header.text("tokenizer.ggml.pre").unwrap_or("default"))?;
        let merges = header.metadata.get("tokenizer.ggml.merges").and_then(Value::as_texts);
        let merges = merges.ok_or_else(|| super::corrupt("it has no merges"))?;
        let merges = merges.iter().map(|merge| {
            let (left, right) = merge.split_once(' ').ok_or_else(|| super::corrupt("a merge is no pair"))?;
            Ok((left.to_owned(), right.to_owned()))
        });
        let merges = merges.collect::<Result<Vec<_>, EngineError>>()?;
        let vocabulary: Vocab = tokens.iter().enumerate().map(|(token, text)| (text.clone(), token as u32)).collect();
        let model = BPE::builder().vocab_and_merges(vocabulary, merges).ignore_merges(splitting.whole_first).build();
        let mut tokenizer = Tokenizer::new(model.map_err(refused)?);
        let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
        for pattern in splitting.patterns {
            let pattern = SplitPattern::Regex((*pattern).to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(refused)?;
            steps.push(split.into());
        }
        steps.push(ByteLevel::new(false, false, false).into());
        tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
        Ok(Self { tokenizer, adds_bos: splitting.adds_bos })
    }

    /// Whether texts begin with the first token where the file does not say.
    pub(super) fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    /// Appends the tokens of a text without marks.
    pub(super) fn cut(&self, text: &str, tokens: &mut Vec<u32>) -> Result<(), EngineError> {
        let cut = self.tokenizer.encode_fast(text, false).map_err(refused)?;
        tokens.extend_from_slice(cut.get_ids());
        Ok(())
    }
}

pub(super) fn refused(error: impl std::fmt::Display) -> EngineError {
    let reason: String = error.to_string().chars().take(200).collect();
    EngineError::Corrupt(format!("its tokenizer does not fit together: {reason}"))
}
