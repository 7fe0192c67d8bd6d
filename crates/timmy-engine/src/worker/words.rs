//! What Timmy tells the worker, and what it tells him.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use timmy_domain::model::running::Way;

use crate::ask::Ask;
use crate::error::EngineError;
use crate::generate::Answer;
use crate::runner::Runner;

/// What the worker is told. One question at a time; `Cancel` may come in the middle of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Loads this model in place of the one before.
    Load {
        /// The GGUF file.
        path: PathBuf,
        /// Bytes the model may hold.
        memory_bytes: u64,
        /// Threads to compute with.
        threads: usize,
        /// Tokens to look back on; `None` for what the model was made for.
        context_tokens: Option<usize>,
        /// Which engine runs it.
        runner: Runner,
    },
    /// Answers.
    Ask {
        /// Tells this question from others.
        id: u64,
        /// The question.
        ask: Box<Ask>,
    },
    /// Turns texts into vectors.
    Embed {
        /// Tells this question from others.
        id: u64,
        /// The texts.
        texts: Vec<String>,
    },
    /// Gives the question up.
    Cancel {
        /// Which one.
        id: u64,
    },
    /// Forgets the model.
    Unload,
    /// Says what it holds.
    Report,
}

/// What the worker tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Word {
    /// The model is there.
    Loaded(Loaded),
    /// So many tokens of the prompt are read, of so many.
    Read {
        /// The question.
        id: u64,
        /// Tokens read.
        tokens: usize,
        /// Tokens in all.
        of: usize,
    },
    /// The first token is there.
    Begun {
        /// The question.
        id: u64,
    },
    /// More of the text.
    Text {
        /// The question.
        id: u64,
        /// The piece.
        text: String,
    },
    /// The answer is whole.
    Answered {
        /// The question.
        id: u64,
        /// The answer.
        answer: Answer,
    },
    /// Some of the vectors are there, at least one; more come.
    Vectors {
        /// The question.
        id: u64,
        /// One for each of the next texts.
        vectors: Vec<Vec<f32>>,
    },
    /// The last vectors are there.
    Embedded {
        /// The question.
        id: u64,
        /// One for each text that is left.
        vectors: Vec<Vec<f32>>,
        /// Tokens read.
        tokens: u64,
    },
    /// It cannot be done. Without an id it is about the model.
    Refused {
        /// The question.
        id: Option<u64>,
        /// What kind of reason it is.
        kind: Refusal,
        /// The reason in words, a clause.
        what: String,
    },
    /// The model is forgotten.
    Unloaded,
    /// What it holds.
    Holds(Held),
}

impl Word {
    /// The question it is about, where it is about one.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        match self {
            Self::Read { id, .. }
            | Self::Begun { id }
            | Self::Text { id, .. }
            | Self::Answered { id, .. }
            | Self::Vectors { id, .. }
            | Self::Embedded { id, .. } => Some(*id),
            Self::Refused { id, .. } => *id,
            Self::Loaded(_) | Self::Unloaded | Self::Holds(_) => None,
        }
    }
}

/// A model that was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// The name its maker gave it. Text from outside.
    pub name: String,
    /// Its layout.
    pub architecture: String,
    /// Tokens it can look back on.
    pub context_tokens: usize,
    /// Length of its vectors.
    pub embedding_length: usize,
    /// How the weights come to the arithmetic.
    pub way: Way,
    /// Layers that stay in memory.
    pub resident_layers: usize,
    /// All layers.
    pub layers: usize,
    /// Threads it computes with.
    pub threads: usize,
    /// Whether the file has no chat template, so that ChatML stands in.
    pub fallback_template: bool,
}

/// What a worker holds in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Bytes of what was read, keys and values.
    pub cache_bytes: u64,
    /// Bytes read from the disk for passes so far.
    pub read_bytes: u64,
}

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The question does not fit into the context.
    Context,
    /// The question makes no sense.
    Question,
    /// The file cannot be used.
    Model,
    /// It was given up.
    Cancelled,
    /// The engine failed.
    Fault,
}

impl Refusal {
    /// What kind of reason `error` is.
    #[must_use]
    pub const fn of(error: &EngineError) -> Self {
        match error {
            EngineError::OutOfContext { .. } => Self::Context,
            EngineError::BadRequest(_) => Self::Question,
            EngineError::Cancelled => Self::Cancelled,
            EngineError::Compute(_) | EngineError::Io(_) => Self::Fault,
            EngineError::Corrupt(_)
            | EngineError::Truncated { .. }
            | EngineError::UnsupportedArchitecture(_)
            | EngineError::UnsupportedQuantisation(_)
            | EngineError::UnsupportedTokenizer(_)
            | EngineError::Unsupported(_)
            | EngineError::NotBuiltIn
            | EngineError::OnlyVectors
            | EngineError::TooLarge { .. } => Self::Model,
        }
    }
}
