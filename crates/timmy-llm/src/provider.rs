//! The final trait: what every provider of answers is asked, and what it gives.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use timmy_domain::model::running::Weighed;
use timmy_domain::thought::Place;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::request::{ChatRequest, Part, ToolCall};

/// A future that can be sent to another thread, as a trait object needs it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who a provider is. Fixed for its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderInfo {
    /// Its name in the cascade.
    pub name: String,
    /// What it speaks: `ollama`, `openai`, `scripted` or `reflex`.
    pub kind: &'static str,
    /// Where its answers are made. Decides what it may read.
    pub place: Place,
}

/// How a call is made: until when, how to give it up, and where the words go while they come.
#[derive(Clone, Debug)]
pub struct Call {
    /// Gives the call up; the connection is dropped, so the model stops too.
    pub cancel: CancellationToken,
    /// Until when everything must be done.
    pub deadline: Instant,
    /// Until when the model must have begun, when that is earlier than the deadline. A cascade gives each model but
    /// the last such a time, so that the next one gets its chance.
    pub first_word_by: Option<Instant>,
    /// Where the text goes as it comes. A slow reader never holds up the model: what does not fit now is joined to
    /// what comes next, so that fewer and longer pieces arrive and none is lost. At the end the provider waits
    /// [`FLUSH_MS`](crate::deltas::FLUSH_MS) for a reader that is still behind; the whole text is in the result
    /// anyway. An empty piece says that the model has begun, yet has no words for the reader (it reasons or calls a
    /// tool). [`Cascade`](crate::Cascade) keeps those to itself.
    pub deltas: Option<mpsc::Sender<String>>,
    /// What the caller allows the cascade to do for it.
    pub manner: Manner,
}

/// What a caller of the cascade says about itself and allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// What the call is for, as a word of the house. It stands in the ledger of what left.
    pub purpose: &'static str,
    /// The task the call belongs to, for its budget; empty for none.
    pub task: String,
    /// Whether a person waits, so that a second provider may be asked when the first one is slow.
    pub interactive: bool,
    /// Whether, when an answer breaks off, another provider begins it again behind [`AGAIN_MARK`].
    pub again_after_break: bool,
    /// Whether only models may answer: reflex is not asked.
    pub models_only: bool,
    /// The one provider that may answer, when somebody wants to know about that one alone.
    pub only: Option<String>,
    /// Where the name of the provider stands as soon as its first word has come. Set once.
    pub answering: Option<Arc<OnceLock<String>>>,
}

/// What stands between an answer that broke off and the one that begins again. A reader shows it as it is.
pub const AGAIN_MARK: &str = "\n\n[The answer broke off here. Another model begins again.]\n\n";

impl Call {
    /// A call until `deadline`, without a reader.
    #[must_use]
    pub fn until(deadline: Instant, cancel: CancellationToken) -> Self {
        Self { cancel, deadline, first_word_by: None, deltas: None, manner: Manner::default() }
    }

    /// Until when the model must have begun.
    #[must_use]
    pub fn begin_by(&self) -> Instant {
        self.first_word_by.map_or(self.deadline, |by| by.min(self.deadline))
    }
}

/// Tokens as the provider counted them; zero where it did not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    #[default]
    Stop,
    /// It reached the most tokens it may write.
    Length,
    /// It wants tools to be called.
    ToolCalls,
}

/// A whole answer of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The text, without the model's reasoning.
    pub content: String,
    /// Tools it wants to be called.
    pub tool_calls: Vec<ToolCall>,
    /// The model that answered.
    pub model: String,
    /// What it cost.
    pub usage: Usage,
    /// Why it stopped.
    pub finish: Finish,
}

/// What a provider says when it is asked whether it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The models it offers.
    pub models: Vec<String>,
    /// Its version, where it tells; of the engine, what runs its models.
    pub version: Option<String>,
    /// The model it would use now. Differs from the configured one when that one is not installed.
    pub model_in_use: String,
}

/// Vectors of texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One vector for each text, in order, all of one length.
    pub vectors: Vec<Vec<f32>>,
    /// The model that made them. Vectors of different models cannot be compared.
    pub model: String,
    /// Tokens read.
    pub usage: Usage,
}

/// What a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// It calls tools.
    pub tools: bool,
    /// It sees pictures.
    pub vision: bool,
    /// Its answer can be held to JSON or a schema.
    pub json: bool,
    /// Tokens it reads and writes at most in one request; 0 while unknown.
    pub context_tokens: u64,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { tools: true, vision: false, json: true, context_tokens: 0 }
    }
}

/// Something that turns text into vectors. One at [`Place::Remote`] takes only what may leave.
pub trait Embedder: Send + Sync {
    /// Who it is.
    fn info(&self) -> &ProviderInfo;

    /// The model it would make vectors with now; empty while unknown. Asks nobody.
    fn model(&self) -> String {
        String::new()
    }

    /// A vector for each text, in order.
    ///
    /// # Errors
    /// The reason why there are none.
    fn embed<'a>(&'a self, texts: &'a [Part], call: &'a Call) -> BoxFuture<'a, Result<Embeddings, Failure>>;

    /// The same by this very model.
    ///
    /// # Errors
    /// The reason why there are none; [`Failure::Unsupported`] from one that has no choice of models.
    fn embed_by<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [Part],
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Embeddings, Failure>> {
        let _ = (texts, call);
        Box::pin(async move { Err(Failure::Unsupported { what: format!("it makes no vectors by {model}") }) })
    }
}

/// Something that answers.
///
/// A provider at [`Place::Remote`] sends only what [`ChatRequest::for_remote`] gives it. Dropping a future gives the
/// call up: the connection closes.
pub trait Provider: Send + Sync {
    /// Who it is.
    fn info(&self) -> &ProviderInfo;

    /// Asks for an answer.
    ///
    /// # Errors
    /// The reason why none came. Text that came before is in the deltas.
    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>>;

    /// The host it sends to, as the ledger of what left shows it; empty for one that sends nothing.
    fn host(&self) -> String {
        String::new()
    }

    /// The model it asks in truth when `wished` is asked for, `None` being its own; empty while it does not know. Asks
    /// nobody.
    fn asks(&self, wished: Option<&str>) -> String {
        wished.unwrap_or_default().to_owned()
    }

    /// Whether its calls are paid for, as far as that can be told: it is elsewhere and asked with a key.
    fn is_billed(&self) -> bool {
        false
    }

    /// What its models can do, where that is known without asking. By default what every chat model can.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// The same provider as a maker of vectors, when it is one.
    fn embedder(&self) -> Option<&dyn Embedder> {
        None
    }

    /// What a model file means for it, from the file's header alone: how it would be run with the memory that may be
    /// taken, or a clause that says why it cannot be. `None` from one that runs no files, which is the usual.
    fn weigh(&self, file: PathBuf) -> Option<BoxFuture<'_, Result<Weighed, String>>> {
        let _ = file;
        None
    }

    /// Asks whether it is there, within `deadline`. Costs no tokens.
    ///
    /// # Errors
    /// The reason why it cannot answer.
    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<Health, Failure>>;
}
