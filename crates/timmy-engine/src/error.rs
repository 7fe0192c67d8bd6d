//! Why the engine refuses, one variant for each reason that somebody treats differently.

/// What went wrong with a model file, with memory, or with a request. No variant carries text of the owner.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file is not what a GGUF file must be. The text names the place and the rule.
    #[error("the model file is damaged: {0}")]
    Corrupt(String),
    /// The file ends before what its header promises.
    #[error("the model file is cut short: {needed_bytes} bytes are announced, {file_bytes} are there")]
    Truncated {
        /// Bytes the header needs.
        needed_bytes: u64,
        /// Bytes the file has.
        file_bytes: u64,
    },
    /// A layout of model this engine cannot run.
    #[error(
        "the architecture {0:?} is not supported; supported are llama, qwen2, qwen3, qwen3moe, gemma3 and phi3, and for vectors bert and nomic-bert"
    )]
    UnsupportedArchitecture(String),
    /// A way of storing numbers this engine cannot read.
    #[error("the quantisation {0} is not supported")]
    UnsupportedQuantisation(String),
    /// A way of cutting text into tokens this engine does not know.
    #[error("the tokenizer {0:?} is not supported")]
    UnsupportedTokenizer(String),
    /// It was asked for words, and makes vectors of texts only.
    #[error("this model turns texts into vectors and writes none; name another one with [engine] model")]
    OnlyVectors,
    /// Something else in the file asks for what this engine does not do.
    #[error("the model file asks for {0}, which is not supported")]
    Unsupported(String),
    /// What is to run the model is an optional part that this program was built without.
    #[error("llama.cpp is not built into this Timmy, and [engine] runner asks for it")]
    NotBuiltIn,
    /// The budget of memory is below what even streaming needs.
    #[error("the model needs at least {needed_bytes} bytes of memory, and {budget_bytes} are allowed")]
    TooLarge {
        /// The least that is needed, in bytes.
        needed_bytes: u64,
        /// What is allowed, in bytes.
        budget_bytes: u64,
    },
    /// The text no longer fits into what the model can look back on.
    #[error("{tokens} tokens do not fit into the context of {context_tokens}")]
    OutOfContext {
        /// Tokens that were to be held.
        tokens: usize,
        /// Tokens that can be held.
        context_tokens: usize,
    },
    /// The caller asked for something that makes no sense, such as a token beyond the vocabulary.
    #[error("the request makes no sense to the model: {0}")]
    BadRequest(String),
    /// The caller gave the work up.
    #[error("the work was given up")]
    Cancelled,
    /// The operating system refused a read.
    #[error("the model file could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// The arithmetic failed, which is a fault of the engine.
    #[error("the model could not be computed: {0}")]
    Compute(String),
}

impl EngineError {
    /// Whether the file is sound as far as it was read, and of a kind that this engine does not know.
    #[must_use]
    pub const fn is_unknown_kind(&self) -> bool {
        matches!(self, Self::UnsupportedArchitecture(_) | Self::UnsupportedQuantisation(_) | Self::Unsupported(_))
    }
}

impl From<candle_core::Error> for EngineError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute(error.to_string())
    }
}
