//! Asking the models, with a trace of it.

use timmy_domain::model::ModelRole;
use timmy_domain::task::birth::AGENT;
use timmy_domain::thought::Place;
use timmy_llm::{Answer, Call, CascadeError, ChatRequest, Manner};

use crate::ctx::Ctx;
use crate::models::tell_files;
use crate::telemetry::{Kind, Live, Value};

impl Ctx {
    /// Asks the cascade for Timmy, as [`Cascade::complete`](timmy_llm::Cascade::complete) does; `purpose` is a word of
    /// the house that says what for. The word of a role of the register asks the model that has it.
    ///
    /// # Errors
    /// The reason of each provider that was asked.
    pub async fn ask(&self, purpose: &'static str, request: &ChatRequest, call: &Call) -> Result<Answer, CascadeError> {
        self.ask_for(AGENT, purpose, request, call).await
    }

    /// The same for `agent`, who may have a model of his own.
    ///
    /// # Errors
    /// The reason of each provider that was asked.
    pub async fn ask_for(
        &self,
        agent: &str,
        purpose: &'static str,
        request: &ChatRequest,
        call: &Call,
    ) -> Result<Answer, CascadeError> {
        let mut span = self.telemetry.begin("model call", Kind::Client);
        span.set("timmy.purpose", Value::Word(purpose));
        span.set("gen_ai.operation.name", Value::Word("chat"));
        // A call that is dropped half-way leaves a span that says so.
        span.fail("given_up");
        let manner = Manner { purpose, ..call.manner.clone() };
        // Who asks for a model by name gets that; else the model the owner gave the agent.
        let own = match request.model.as_deref() {
            None => self.wish_of(agent).await,
            Some(name) => self.in_role(name).await,
        };
        let with_own = own.map(|model| ChatRequest { model: Some(model), ..request.clone() });
        let request = with_own.as_ref().unwrap_or(request);
        let asked = self.cascade.complete(request, &Call { manner, ..call.clone() }).await;
        told(&mut span, &asked);
        asked
    }

    /// What is asked for to get the model of the role called `name`; nothing when that is no role, or nobody has it.
    async fn in_role(&self, name: &str) -> Option<String> {
        ModelRole::parse(name).filter(|role| *role != ModelRole::General)?;
        // What the owner said a moment ago counts. Without an answer of the store, what is known does.
        if let Err(fault) = tell_files(self).await {
            tracing::warn!(%fault, "the register of models could not be read");
        }
        self.cascade.rules().registered.for_role(name).map(|said| said.asked_as)
    }
}

/// Says in figures how it went. What was asked and answered stays here.
fn told(span: &mut Live, asked: &Result<Answer, CascadeError>) {
    let failed_before = match asked {
        Ok(answer) => {
            span.well();
            span.set("gen_ai.provider.name", Value::name(&answer.provider));
            if answer.place != Place::Reflex {
                span.set("gen_ai.response.model", Value::name(&answer.model));
            }
            span.set("timmy.place", Value::Word(answer.place.name()));
            span.set("gen_ai.usage.input_tokens", Value::count(answer.usage.prompt_tokens));
            span.set("gen_ai.usage.output_tokens", Value::count(answer.usage.completion_tokens));
            if let Some(first) = answer.first_token_ms {
                span.set("timmy.first_token_ms", Value::count(first));
            }
            answer.attempts.len()
        }
        Err(error) => {
            let last = error.attempts.last();
            span.fail(last.map_or("no_provider", |attempt| attempt.failure.word()));
            error.attempts.len()
        }
    };
    span.set("timmy.failed_attempts", Value::count(failed_before as u64));
}
