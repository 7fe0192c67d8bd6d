//! Ollama through its own protocol, the only one that sets the context size and how long a model stays loaded.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::Secret;
use timmy_domain::settings;

use crate::failure::{Failure, Stage};
use crate::outbound::{OutTexts, Outbound};
use crate::provider::{
    BoxFuture, Call, Capabilities, Completion, Embedder, Embeddings, Health, Provider, ProviderInfo, Usage,
};
use crate::request::{ChatRequest, Part};
use crate::wire::address::{Address, BadAddress};
use crate::wire::lines::Lines;
use crate::wire::{Wire, within};

use super::vectors;
use installed::Installed;

pub(crate) mod format;
mod installed;
mod orders;

pub use orders::{Loaded, PullStep};

settings! {
    /// The Ollama server.
    pub struct OllamaSettings in "ollama" {
        /// The address of the server.
        url: String = "http://127.0.0.1:11434".to_owned(), BytesMax(2_000);
        /// The model to use. When it is not installed, the best installed one is used and named.
        model: String = "llama3.1:8b-instruct".to_owned(), BytesMax(200);
        /// The model that turns text into vectors; empty for the first installed one that is made for it.
        embed_model: String = String::new(), BytesMax(200);
        /// Tokens a model reads and writes at most, in one request.
        num_ctx: u64 = 8_192, Range(512, 1_048_576);
        /// How long a model stays loaded after its last answer, in minutes.
        keep_alive_minutes: u64 = 30, Range(0, 10_080);
        /// Whether the server is a machine of yours: "local" lets everything travel there, "remote" only what may
        /// leave, "auto" tells by the address.
        place: String = "auto".to_owned(), OneOf(&["auto", "local", "remote"]);
    }
}

/// An Ollama server.
#[derive(Debug)]
pub struct Ollama {
    info: ProviderInfo,
    settings: OllamaSettings,
    wire: Wire,
    installed: Mutex<Vec<Installed>>,
}

impl Ollama {
    /// The server of `settings`. Nothing is opened before the first request.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(settings: &OllamaSettings) -> Result<Self, BadAddress> {
        let address = Address::parse(&settings.url, &settings.place, false)?;
        Ok(Self {
            info: ProviderInfo { name: "ollama".to_owned(), kind: "ollama", place: address.place },
            settings: settings.clone(),
            wire: Wire::new(address, Secret::default()),
            installed: Mutex::default(),
        })
    }

    /// Bears `stall` of silence in the middle of an answer instead of
    /// [`STALL_MS`](crate::STALL_MS) milliseconds.
    #[must_use]
    pub fn bearing(mut self, stall: Duration) -> Self {
        self.wire.bear(stall);
        self
    }

    /// Asks which models are installed, and remembers it.
    async fn look(&self) -> Result<Vec<Installed>, Failure> {
        let found = installed::read(&self.wire.get("/api/tags").await?)?;
        *self.installed.lock().unwrap_or_else(PoisonError::into_inner) = found.clone();
        Ok(found)
    }

    fn known(&self) -> Vec<Installed> {
        self.installed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn no_model(&self) -> Failure {
        let model = self.settings.model.clone();
        Failure::NoModel { hint: format!("Run `ollama pull {model}`."), model }
    }

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        let outbound = request.for_place(self.wire.place())?;
        let choose = |installed: &[Installed]| installed::choose(installed, outbound.model(), &self.settings.model);
        let known = choose(&self.known());
        let model = match &known {
            Some(model) => model.clone(),
            None => choose(&within(call, self.look()).await?).ok_or_else(|| self.no_model())?,
        };
        match self.ask_model(&outbound, &model, call).await {
            // It was removed since the last look.
            Err(Failure::BadRequest { status: 404, .. }) if known.is_some() => {
                let next = choose(&within(call, self.look()).await?).filter(|next| *next != model);
                self.ask_model(&outbound, &next.ok_or_else(|| self.no_model())?, call).await
            }
            asked => asked,
        }
    }

    async fn ask_model(&self, outbound: &Outbound, model: &str, call: &Call) -> Result<Completion, Failure> {
        let write = |outbound: &Outbound| format::body(outbound, model, &self.settings);
        self.wire.ask::<Lines>("/api/chat", outbound, write, format::read, model, call).await
    }

    /// The model for vectors as far as it is known: the configured one, else the first installed one made for it.
    fn known_embed_model(&self) -> Option<String> {
        let configured = Some(self.settings.embed_model.clone()).filter(|model| !model.is_empty());
        configured.or_else(|| made_for_vectors(&self.known()))
    }

    /// The model for vectors. Looks which are installed when none is known.
    async fn embed_model(&self, call: &Call) -> Result<String, Failure> {
        let found = match self.known_embed_model() {
            Some(model) => Some(model),
            None => made_for_vectors(&within(call, self.look()).await?),
        };
        let model = "a model for vectors".to_owned();
        found.ok_or_else(|| Failure::NoModel { model, hint: "Run `ollama pull all-minilm`.".to_owned() })
    }

    async fn vectors(&self, model: Option<&str>, texts: &[Part], call: &Call) -> Result<Embeddings, Failure> {
        let model = match model {
            Some(model) => model.to_owned(),
            None => self.embed_model(call).await?,
        };
        let mut made = Embeddings { vectors: Vec::with_capacity(texts.len()), model, usage: Usage::default() };
        for some in texts.chunks(vectors::TEXTS_MAX) {
            let outbound = OutTexts::for_place(some, self.wire.place())?;
            let keep = format!("{}m", self.settings.keep_alive_minutes);
            let write = |out: &OutTexts| json!({ "model": made.model, "input": out.texts(), "keep_alive": keep });
            let answer = match self.wire.embed("/api/embed", &outbound, write, call).await {
                Err(Failure::BadRequest { status: 404, .. }) => {
                    let hint = format!("Run `ollama pull {}`.", made.model);
                    return Err(Failure::NoModel { model: made.model, hint });
                }
                asked => asked?,
            };
            let rows = answer.get("embeddings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            made.vectors.extend(vectors::read(rows.iter(), some.len())?);
            let read = answer.get("prompt_eval_count").and_then(Value::as_u64).unwrap_or(0);
            made.usage.prompt_tokens = made.usage.prompt_tokens.saturating_add(read);
        }
        vectors::alike(&made.vectors)?;
        Ok(made)
    }

    async fn health(&self) -> Result<Health, Failure> {
        let installed = self.look().await?;
        let model_in_use = installed::choose(&installed, None, &self.settings.model).ok_or_else(|| self.no_model())?;
        let version = self.wire.get("/api/version").await.ok();
        let version = version.and_then(|v| v.get("version")?.as_str().map(super::name));
        Ok(Health { models: installed.into_iter().map(|i| i.name).collect(), version, model_in_use })
    }
}

fn made_for_vectors(installed: &[Installed]) -> Option<String> {
    installed.iter().find(|i| !i.writes).map(|i| i.name.clone())
}

impl Provider for Ollama {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn host(&self) -> String {
        self.wire.host().to_owned()
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.ask(request, call))
    }

    fn capabilities(&self) -> Capabilities {
        let vision = self.known().iter().any(|i| i.writes && installed::sees(&i.name));
        Capabilities { vision, context_tokens: self.settings.num_ctx, ..Capabilities::default() }
    }

    fn embedder(&self) -> Option<&dyn Embedder> {
        Some(self)
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(async move {
            let timeout = Failure::Timeout { stage: Stage::Connect };
            tokio::time::timeout(deadline, self.health()).await.unwrap_or(Err(timeout))
        })
    }
}

impl Embedder for Ollama {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn model(&self) -> String {
        self.known_embed_model().unwrap_or_default()
    }

    fn embed<'a>(&'a self, texts: &'a [Part], call: &'a Call) -> BoxFuture<'a, Result<Embeddings, Failure>> {
        Box::pin(self.vectors(None, texts, call))
    }

    fn embed_by<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [Part],
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Embeddings, Failure>> {
        Box::pin(self.vectors(Some(model), texts, call))
    }
}
