//! Reflex: what Timmy can say without a language model. Always there, always labelled.

use std::time::Duration;

use timmy_domain::thought::Place;

use crate::deltas::Deltas;
use crate::failure::Failure;
use crate::provider::{BoxFuture, Call, Completion, Finish, Health, Provider, ProviderInfo, Usage};
use crate::request::ChatRequest;

pub mod compose;

/// Speaks from the brief of a request, by rules.
#[derive(Debug)]
pub struct Reflex {
    info: ProviderInfo,
    model: String,
}

impl Reflex {
    /// `model` is the one it tells the owner to get.
    #[must_use]
    pub fn new(model: &str) -> Self {
        let info = ProviderInfo { name: "reflex".to_owned(), kind: "reflex", place: Place::Reflex };
        Self { info, model: model.to_owned() }
    }

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        if call.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let content = compose::compose(&request.brief, request.class, &self.model)?;
        let mut deltas = Deltas::new(call.deltas.clone());
        for line in content.split_inclusive('\n') {
            deltas.push(line);
        }
        deltas.flush(&call.cancel).await;
        let (model, usage) = (String::new(), Usage::default());
        Ok(Completion { content, tool_calls: Vec::new(), model, usage, finish: Finish::Stop })
    }
}

impl Provider for Reflex {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.ask(request, call))
    }

    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(async { Ok(Health::default()) })
    }
}
