//! Models on this machine: what the owner registered, which agent works with which, and what there is to get.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

pub mod advice;
pub mod catalogue;
pub mod running;

/// Characters of the name of a model.
pub const NAME_CHARS_MAX: usize = 120;
/// How freely a model chooses its words when nothing was said, in its row of the register.
pub const TEMPERATURE_USUAL: f64 = 0.7;
/// Tokens of an answer when nothing was said, in its row of the register.
pub const ANSWER_TOKENS_USUAL: u64 = 2_048;
/// Models that can be registered.
pub const MODELS_MAX: usize = 500;

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $vdoc:literal])+ $variant:ident = $word:literal, )* }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $( $(#[doc = $vdoc])+ $variant, )*
        }

        impl $name {
            /// All of them, in the order of the house.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];

            /// Its word, in tables and on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }

            /// The one of that word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == word)
            }
        }
    };
}

words! {
    /// How a model lies on the disk.
    ModelFormat {
        /// One file with weights, words and template.
        Gguf = "gguf",
        /// Weights as they are published, beside other files.
        Safetensors = "safetensors",
        /// A folder as the hub of models has it.
        Hf = "hf",
        /// A model that an Ollama server keeps; it has no path here.
        Ollama = "ollama",
    }
}

words! {
    /// What a model is for.
    ModelRole {
        /// Answers, thoughts and work.
        General = "general",
        /// Scores answers.
        Reward = "reward",
        /// Shows how it is done.
        Teacher = "teacher",
        /// Compares answers.
        Judge = "judge",
    }
}

/// A model that is registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name, by which it is asked for.
    pub name: String,
    /// How it lies on the disk.
    pub format: ModelFormat,
    /// Where; empty for a model of an Ollama server.
    pub path: String,
    /// What it is for.
    pub role: ModelRole,
    /// Tokens it reads and writes in one request.
    pub context_window: u64,
    /// What it is, in words.
    pub description: String,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// Whether it may be asked. An inactive one stays registered.
    pub active: bool,
    /// How freely it chooses its words where whoever asks leaves that open; [`TEMPERATURE_USUAL`] leaves it open too.
    pub default_temperature: f64,
    /// Tokens of an answer where whoever asks leaves that open; [`ANSWER_TOKENS_USUAL`] leaves it open too.
    pub max_tokens: u64,
    /// Bytes of its file when it was registered; 0 when it has none.
    pub bytes: u64,
    /// The checksum of its file, where it was made when it came; else empty.
    pub sha256: String,
}

/// Which model an agent works with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The agent.
    pub agent_id: String,
    /// The model.
    pub model_name: String,
    /// Since when.
    pub assigned_at: Timestamp,
}

/// Whether `name` can be a model's: letters, digits and `. _ : / -`, and nothing that leads out of a folder.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '-');
    let edges = |c: char| c.is_ascii_alphanumeric();
    !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(good)
        && name.starts_with(edges)
        && name.ends_with(edges)
        && !name.contains("..")
        && !name.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_and_words_are_read_back() {
        for good in ["qwen3-0.6b", "llama3.1:8b-instruct", "org/model.gguf", "a"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "../x", "a..b", "/etc/passwd", "a b", "a\n", ".part", "a//b", "ü", "-x", &"x".repeat(121)] {
            assert!(!is_name(bad), "{bad}");
        }
        for role in ModelRole::ALL {
            assert_eq!(ModelRole::parse(role.name()), Some(*role));
        }
        for format in ModelFormat::ALL {
            assert_eq!(serde_json::to_value(format).ok(), Some(serde_json::json!(format.name())));
        }
    }
}
