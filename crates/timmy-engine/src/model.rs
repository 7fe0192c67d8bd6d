//! The trait at the heart: what a loaded model is asked, and what it says about itself.

use timmy_domain::model::running::Way;

use crate::error::EngineError;
use crate::vocabulary::Vocabulary;

/// A model that is loaded. One caller at a time: it remembers the tokens it has seen.
pub trait Model: Send {
    /// Reads `tokens`, which stand at `position` and after, and gives the logits for what follows the last of them:
    /// one number for each token of the vocabulary. What stood at `position` and after is forgotten first.
    ///
    /// # Errors
    /// No token, a token beyond the vocabulary, a position beyond what was read so far, a context that is full, or a
    /// file that can no longer be read.
    fn forward(&mut self, tokens: &[u32], position: usize) -> Result<Vec<f32>, EngineError>;

    /// Forgets what was read past the first `length` tokens, so that a common beginning need not be read again.
    fn truncate(&mut self, length: usize);

    /// Tokens read and remembered.
    fn length(&self) -> usize;

    /// Reads `tokens` from the beginning and gives the mean of the last hidden states, or what a model that makes vectors
    /// only is to take of them, scaled to length one. Forgets everything read before.
    ///
    /// # Errors
    /// As for [`Model::forward`].
    fn embed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError>;

    /// What the file says about the model.
    fn facts(&self) -> &ModelFacts;

    /// How it cuts text into tokens.
    fn vocabulary(&self) -> &Vocabulary;

    /// What it holds in memory, and how it reads the rest.
    fn memory(&self) -> MemoryReport;
}

/// What a file says about its model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelFacts {
    /// The name its maker gave it; empty where none is given. Text from outside.
    pub name: String,
    /// Its layout: `llama`, `qwen2`, `qwen3`, `qwen3moe`, `gemma3` or `phi3`, and for vectors
    /// `bert` or `nomic-bert`; with llama.cpp also others.
    pub architecture: String,
    /// Tokens it was made to look back on.
    pub trained_context_tokens: usize,
    /// Tokens it can look back on as it is loaded.
    pub context_tokens: usize,
    /// Tokens it knows.
    pub vocabulary_tokens: usize,
    /// Blocks one above the other.
    pub layers: usize,
    /// Length of a hidden state, and so of an embedding.
    pub embedding_length: usize,
    /// Size of the file.
    pub file_bytes: u64,
    /// Kinds of numbers most of it is stored in, for instance `Q8_0`.
    pub quantisation: String,
    /// The template that turns messages into text, in the language of Jinja. Text from outside.
    pub chat_template: Option<String>,
    /// The token a text begins with.
    pub bos: Option<u32>,
    /// Whether a text is to begin with [`ModelFacts::bos`].
    pub add_bos: bool,
    /// Tokens that end an answer.
    pub end: Vec<u32>,
}

impl ModelFacts {
    /// Whether tokens can be read that stand at `position` and after.
    ///
    /// # Errors
    /// No token, one beyond the vocabulary, or a context that is full.
    pub(crate) fn check(&self, tokens: &[u32], position: usize) -> Result<(), EngineError> {
        if tokens.is_empty() {
            return Err(EngineError::BadRequest("there is no token".to_owned()));
        }
        let end = position.saturating_add(tokens.len());
        if end > self.context_tokens {
            return Err(EngineError::OutOfContext { tokens: end, context_tokens: self.context_tokens });
        }
        let known = self.vocabulary_tokens;
        match tokens.iter().find(|token| **token as usize >= known) {
            Some(token) => Err(EngineError::BadRequest(format!("token {token} of a vocabulary of {known}"))),
            None => Ok(()),
        }
    }
}

/// What a model holds in memory, and how it reads the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    /// How the weights come.
    pub path: Way,
    /// Layers that stay in memory.
    pub resident_layers: usize,
    /// All layers.
    pub layers: usize,
    /// Bytes of weights that stay in memory, the ring of the reader included.
    pub weight_bytes: u64,
    /// Bytes of the memory of what was read (keys and values), as it is now.
    pub cache_bytes: u64,
    /// Bytes that each pass reads from the disk.
    pub bytes_read_per_pass: u64,
    /// Bytes read from the disk for passes so far.
    pub bytes_read: u64,
}
