//! Any server that speaks the OpenAI chat format, on this machine or elsewhere.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use timmy_domain::Secret;

use crate::failure::{Failure, Stage};
use crate::outbound::Outbound;
use crate::provider::{BoxFuture, Call, Completion, Health, Provider, ProviderInfo};
use crate::request::ChatRequest;
use crate::wire::address::{Address, BadAddress};
use crate::wire::lines::Events;
use crate::wire::{Wire, within};

use super::MODELS_MAX;

pub(crate) mod format;

/// One such server, as `[provider.NAME]` in `timmy.toml` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenAiSettings {
    /// Its name in the cascade.
    pub name: String,
    /// The base of its address, such as `https://api.example.com/v1`.
    pub url: String,
    /// The model to ask for; empty for the first one the server lists.
    pub model: String,
    /// `local` when the address is a machine of the owner, `remote` when it is not; empty tells by the address.
    pub place: String,
}

/// A server that speaks the OpenAI chat format.
#[derive(Debug)]
pub struct OpenAi {
    info: ProviderInfo,
    model: String,
    wire: Wire,
    listed: Mutex<Vec<String>>,
}

impl OpenAi {
    /// The server of `settings` with its key, which may be empty. Nothing is opened before the first request.
    ///
    /// # Errors
    /// When the address cannot be used, or the key would travel to another machine in the clear.
    pub fn new(settings: &OpenAiSettings, key: Secret) -> Result<Self, BadAddress> {
        let address = Address::parse(&settings.url, &settings.place, !key.is_empty())?;
        Ok(Self {
            info: ProviderInfo { name: settings.name.clone(), kind: "openai", place: address.place },
            model: settings.model.clone(),
            wire: Wire::new(address, key),
            listed: Mutex::default(),
        })
    }

    /// Bears `stall` of silence in the middle of an answer instead of
    /// [`STALL_MS`](crate::STALL_MS) milliseconds.
    #[must_use]
    pub fn bearing(mut self, stall: Duration) -> Self {
        self.wire.bear(stall);
        self
    }

    /// Asks which models are there, and remembers it. A server without such a list has the configured one.
    async fn look(&self) -> Result<Vec<String>, Failure> {
        let found = match self.wire.get("/models").await {
            Ok(body) => listed(&body)?,
            Err(Failure::BadRequest { status: 404 | 405, .. }) if !self.model.is_empty() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = found.clone();
        Ok(found)
    }

    /// The wished model when the server lists it, else the configured one, else the first listed.
    fn choose(&self, listed: &[String], wished: Option<&str>) -> Option<String> {
        let wished = wished.filter(|w| listed.iter().any(|l| l == w));
        let own = Some(self.model.as_str()).filter(|m| !m.is_empty());
        wished.or(own).map(str::to_owned).or_else(|| listed.first().cloned())
    }

    fn no_model(&self) -> Failure {
        let hint = format!("Set model in [provider.{}] of timmy.toml to one that the server has.", self.info.name);
        let model = if self.model.is_empty() { "any".to_owned() } else { self.model.clone() };
        Failure::NoModel { model, hint }
    }

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        let outbound = request.for_place(self.wire.place())?;
        let known = self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let model = match self.choose(&known, outbound.model()) {
            Some(model) => model,
            None => {
                let listed = within(call, self.look()).await?;
                self.choose(&listed, outbound.model()).ok_or_else(|| self.no_model())?
            }
        };
        let newer = self.wire.host_is("openai.com");
        let write = |outbound: &Outbound| format::body(outbound, &model, newer);
        let asked = self.wire.ask::<Events>("/chat/completions", &outbound, write, format::read, &model, call).await;
        match asked {
            Err(Failure::BadRequest { status: 404, detail }) if detail.contains("model") => Err(self.no_model()),
            asked => asked,
        }
    }

    async fn health(&self) -> Result<Health, Failure> {
        let models = self.look().await?;
        let model_in_use = self.choose(&models, None).ok_or_else(|| self.no_model())?;
        Ok(Health { models, version: None, model_in_use })
    }
}

/// Reads the answer of `/models`.
fn listed(body: &Value) -> Result<Vec<String>, Failure> {
    let Some(data) = body.get("data").and_then(Value::as_array) else {
        return Err(Failure::Malformed { what: "it does not list its models as OpenAI does".to_owned() });
    };
    let ids = data.iter().filter_map(|m| m.get("id")?.as_str());
    Ok(ids.take(MODELS_MAX).map(super::name).collect())
}

impl Provider for OpenAi {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.ask(request, call))
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(async move {
            let timeout = Failure::Timeout { stage: Stage::Connect };
            tokio::time::timeout(deadline, self.health()).await.unwrap_or(Err(timeout))
        })
    }
}
