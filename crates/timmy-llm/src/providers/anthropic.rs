//! Any server that speaks the Messages format of Anthropic: the company's own, or one on this machine.

use std::time::Duration;

use timmy_domain::Secret;

use crate::failure::{Failure, Stage};
use crate::outbound::Outbound;
use crate::provider::{BoxFuture, Call, Capabilities, Completion, Health, Provider, ProviderInfo};
use crate::request::ChatRequest;
use crate::wire::address::{Address, BadAddress};
use crate::wire::lines::Events;
use crate::wire::{Login, Wire, within};

use super::catalog::Listed;
use super::preset::ApiSettings;

pub(crate) mod format;

/// A server that speaks the Messages format.
#[derive(Debug)]
pub struct Anthropic {
    info: ProviderInfo,
    wire: Wire,
    listed: Listed,
}

impl Anthropic {
    /// The server of `settings` with its key, which may be empty. Nothing is opened before the first request.
    ///
    /// # Errors
    /// When the address cannot be used, or the key would travel to another machine in the clear.
    pub fn new(settings: &ApiSettings, key: Secret) -> Result<Self, BadAddress> {
        let address = Address::parse(settings.url(), &settings.place, !key.is_empty())?;
        Ok(Self {
            info: ProviderInfo { name: settings.name.clone(), kind: settings.preset().kind, place: address.place },
            wire: Wire::new(address, key).showing(Login::Anthropic),
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

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        let outbound = request.for_place(self.wire.place())?;
        let model = match self.listed.choose(outbound.model()) {
            Some(model) => model,
            None => {
                within(call, self.listed.look(&self.wire)).await?;
                self.listed.choose(outbound.model()).ok_or_else(|| self.listed.no_model())?
            }
        };
        let write = |outbound: &Outbound| format::body(outbound, &model);
        let asked = self.wire.ask::<Events>("/messages", &outbound, write, format::read, &model, call).await;
        asked.map_err(|failure| self.listed.unless_gone(failure))
    }

    async fn health(&self) -> Result<Health, Failure> {
        let models = self.listed.look(&self.wire).await?;
        let model_in_use = self.listed.choose(None).ok_or_else(|| self.listed.no_model())?;
        Ok(Health { models, version: None, model_in_use })
    }
}

impl Provider for Anthropic {
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
        Capabilities { vision: true, ..Capabilities::default() }
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(async move {
            let timeout = Failure::Timeout { stage: Stage::Connect };
            tokio::time::timeout(deadline, self.health()).await.unwrap_or(Err(timeout))
        })
    }
}
