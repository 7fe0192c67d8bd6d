//! Any server that speaks the OpenAI format, on this machine or elsewhere.

use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::Secret;

use crate::failure::{Failure, Stage};
use crate::outbound::{OutTexts, Outbound};
use crate::provider::{
    BoxFuture, Call, Capabilities, Completion, Embedder, Embeddings, Health, Provider, ProviderInfo, Usage,
};
use crate::request::{ChatRequest, Part};
use crate::wire::address::{Address, BadAddress};
use crate::wire::lines::Events;
use crate::wire::{Wire, within};

use super::catalog::Listed;
use super::preset::ApiSettings;
use super::vectors;

pub(crate) mod format;

/// A server that speaks the OpenAI format.
#[derive(Debug)]
pub struct OpenAi {
    info: ProviderInfo,
    embed_model: String,
    vision: bool,
    wire: Wire,
    listed: Listed,
}

impl OpenAi {
    /// The server of `settings` with its key, which may be empty. Nothing is opened before the first request.
    ///
    /// # Errors
    /// When the address cannot be used, or the key would travel to another machine in the clear.
    pub fn new(settings: &ApiSettings, key: Secret) -> Result<Self, BadAddress> {
        let address = Address::parse(settings.url(), &settings.place, !key.is_empty())?;
        let preset = settings.preset();
        Ok(Self {
            info: ProviderInfo { name: settings.name.clone(), kind: preset.kind, place: address.place },
            embed_model: settings.embed_model.clone(),
            vision: preset.wants_key,
            wire: Wire::new(address, key),
            listed: Listed::new(&settings.name, &settings.model),
        })
    }

    /// Bears `stall` of silence in the middle of an answer instead of
    /// [`STALL_MS`](crate::STALL_MS) milliseconds.
    #[must_use]
    pub fn bearing(mut self, stall: Duration) -> Self {
        self.wire.bear(stall);
        self
    }

    async fn model(&self, wished: Option<&str>, call: &Call) -> Result<String, Failure> {
        if let Some(model) = self.listed.choose(wished) {
            return Ok(model);
        }
        within(call, self.listed.look(&self.wire)).await?;
        self.listed.choose(wished).ok_or_else(|| self.listed.no_model())
    }

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        let outbound = request.for_place(self.wire.place())?;
        let model = self.model(outbound.model(), call).await?;
        let newer = self.wire.host_is("openai.com");
        let write = |outbound: &Outbound| format::body(outbound, &model, newer);
        let asked = self.wire.ask::<Events>("/chat/completions", &outbound, write, format::read, &model, call).await;
        asked.map_err(|failure| self.listed.unless_gone(failure))
    }

    async fn vectors(&self, model: Option<&str>, texts: &[Part], call: &Call) -> Result<Embeddings, Failure> {
        let model = match model.unwrap_or(self.embed_model.as_str()) {
            "" => self.model(None, call).await?,
            model => model.to_owned(),
        };
        let mut made = Embeddings { vectors: Vec::with_capacity(texts.len()), model, usage: Usage::default() };
        for some in texts.chunks(vectors::TEXTS_MAX) {
            let outbound = OutTexts::for_place(some, self.wire.place())?;
            let write = |out: &OutTexts| json!({ "model": made.model, "input": out.texts() });
            let answer = self.wire.embed("/embeddings", &outbound, write, call).await;
            let answer = answer.map_err(|failure| self.listed.unless_gone(failure))?;
            made.vectors.extend(ordered(&answer, some.len())?);
            let read = answer.pointer("/usage/prompt_tokens").and_then(Value::as_u64).unwrap_or(0);
            made.usage.prompt_tokens = made.usage.prompt_tokens.saturating_add(read);
        }
        vectors::alike(&made.vectors)?;
        Ok(made)
    }

    async fn health(&self) -> Result<Health, Failure> {
        let models = self.listed.look(&self.wire).await?;
        let model_in_use = self.listed.choose(None).ok_or_else(|| self.listed.no_model())?;
        Ok(Health { models, version: None, model_in_use })
    }
}

/// The vectors of `data`, each at the place its index says.
fn ordered(answer: &Value, count: usize) -> Result<Vec<Vec<f32>>, Failure> {
    let rows = answer.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<(u64, &Value)> = rows
        .iter()
        .enumerate()
        .map(|(n, row)| (row.get("index").and_then(Value::as_u64).unwrap_or(n as u64), &row["embedding"]))
        .collect();
    rows.sort_by_key(|(index, _)| *index);
    vectors::read(rows.into_iter().map(|(_, vector)| vector), count)
}

impl Provider for OpenAi {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn host(&self) -> String {
        self.wire.host().to_owned()
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.ask(request, call))
    }

    fn asks(&self, wished: Option<&str>) -> String {
        self.listed.choose(wished).unwrap_or_default()
    }

    fn is_billed(&self) -> bool {
        self.wire.is_billed()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { vision: self.vision, ..Capabilities::default() }
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

impl Embedder for OpenAi {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn model(&self) -> String {
        let own = || self.listed.choose(None).unwrap_or_default();
        if self.embed_model.is_empty() { own() } else { self.embed_model.clone() }
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
