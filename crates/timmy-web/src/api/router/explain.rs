//! Who would be asked for something that is only supposed, and trying one provider out.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::router::trial::{Trial, TrialEnd};
use timmy_domain::thought::Place;
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::{Brief, ChatMessage, ChatRequest, Failure, Image, Part, Role, Sampling, TaskClass, ToolSpec};
use tokio_util::sync::CancellationToken;

use super::super::json as answer;
use crate::ask::{Asked, Named, switch};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

/// Tokens that can be supposed.
pub const TOKENS_MAX: u64 = 200_000;
/// Tokens that are supposed when nobody says.
pub const TOKENS_USUAL: u64 = 500;

/// What is supposed, as it stands in a query.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asking {
    pub(crate) task_class: Option<String>,
    pub(crate) sensitivity: Option<String>,
    pub(crate) tokens: Option<String>,
    pub(crate) tools: Option<String>,
    pub(crate) vision: Option<String>,
}

/// What is supposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supposed {
    /// What kind of work.
    pub class: TaskClass,
    /// How far it may travel.
    pub label: Sensitivity,
    /// How long it is, in tokens.
    pub tokens: u64,
    /// Whether tools are called.
    pub tools: bool,
    /// Whether a picture is part of it.
    pub vision: bool,
}

/// One rung of what would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WouldAsk {
    /// Which provider.
    pub provider: String,
    /// Which model; empty for its own while that is unknown.
    pub model: String,
    /// Where it runs.
    pub place: Place,
    /// Why it would not be asked; nothing when it would.
    pub failure: Option<Failure>,
}

impl Asking {
    /// Whether anything was supposed at all.
    #[must_use]
    pub fn is_some(&self) -> bool {
        [&self.task_class, &self.sensitivity, &self.tokens, &self.tools, &self.vision].into_iter().any(Option::is_some)
    }

    /// What is supposed, with the usual for what was left out.
    ///
    /// # Errors
    /// The field that makes no sense.
    pub fn supposed(&self) -> Result<Supposed, Problem> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let class = said(&self.task_class).map_or(Some(TaskClass::Chat), |name| TaskClass::parse(&name));
        let class = class.filter(|class| *class != TaskClass::Embedding).ok_or_else(|| {
            let message = "`task_class` is chat, thought, tool_use, code, vision or summary.";
            Problem::invalid("bad_task_class", message, "Leave it out for chat.")
        })?;
        let label = match said(&self.sensitivity).as_deref() {
            None | Some("open") => Sensitivity::Open,
            Some("local-only") => Sensitivity::LocalOnly,
            Some(_) => {
                let message = "`sensitivity` is open or local-only.";
                return Err(Problem::invalid("bad_sensitivity", message, "Leave it out for open."));
            }
        };
        let tokens = said(&self.tokens).map_or(Some(TOKENS_USUAL), |text| text.trim().parse().ok());
        let tokens = tokens.filter(|tokens| *tokens <= TOKENS_MAX).ok_or_else(|| {
            let message = format!("`tokens` is a whole number from 0 to {TOKENS_MAX}.");
            Problem::invalid("bad_tokens", message, "Leave it out for a short request.")
        })?;
        let flag = |name: &str, text: &Option<String>| switch(name, text.as_deref()).map_err(|refusal| refusal.0);
        Ok(Supposed { class, label, tokens, tools: flag("tools", &self.tools)?, vision: flag("vision", &self.vision)? })
    }
}

impl Supposed {
    /// A request like it, which is never sent.
    fn request(self) -> ChatRequest {
        // An estimate counts four bytes for a token.
        let text = "what ".repeat(usize::try_from(self.tokens.saturating_mul(4) / 5).unwrap_or(0));
        let image = || Image {
            media_type: "image/png".to_owned(),
            bytes: std::sync::Arc::from([0_u8]),
            sensitivity: self.label,
            droppable: false,
        };
        let tool = || ToolSpec { name: "tool".to_owned(), description: String::new(), parameters: json!({}) };
        let message = ChatMessage {
            role: Role::User,
            parts: vec![Part { text, sensitivity: self.label, droppable: false }],
            tool_calls: Vec::new(),
            tool_call_id: None,
            images: if self.vision { vec![image()] } else { Vec::new() },
        };
        ChatRequest {
            messages: vec![message],
            tools: if self.tools { vec![tool()] } else { Vec::new() },
            class: self.class,
            max_tokens: 100,
            temperature: None,
            model: None,
            sampling: Sampling::default(),
            brief: Brief::default(),
        }
    }

    /// Who would be asked, in order, and why others would not. Asks nobody.
    #[must_use]
    pub fn explain(self, web: &Web) -> Vec<WouldAsk> {
        let cascade = &web.app.ctx.cascade;
        let places = cascade.status();
        let would = |attempt: timmy_llm::Attempt| {
            let place = places.iter().find(|p| p.name == attempt.provider).map_or(Place::Local, |p| p.place);
            let speaks = matches!(self.class, TaskClass::Chat | TaskClass::Thought) && !self.tools && !self.vision;
            let failure = if place == Place::Reflex && !speaks {
                Some(Failure::Unsupported { what: "it answers chat and thoughts in words only".to_owned() })
            } else {
                Some(attempt.failure).filter(|failure| *failure != Failure::NothingToSay)
            };
            WouldAsk { provider: attempt.provider, model: attempt.model, place, failure }
        };
        cascade.explain(&self.request()).into_iter().map(would).collect()
    }
}

/// `GET /api/v1/router/explain`: who would be asked, in order, and why others would not.
pub async fn explain(State(web): State<Web>, _: Visit, Asked(asking): Asked<Asking>) -> Answer {
    let row = |would: &WouldAsk| {
        json!({
            "provider": would.provider,
            "model": would.model,
            "place": would.place,
            "asked": would.failure.is_none(),
            "reason": would.failure.as_ref().map_or("", Failure::word),
            "why": would.failure.as_ref().map(ToString::to_string).unwrap_or_default(),
        })
    };
    let items: Vec<Value> = asking.supposed()?.explain(&web).iter().map(row).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// `POST /api/v1/router/providers/{name}/test`: asks one provider a tiny question. Whoever goes away gives it up.
pub async fn test(State(web): State<Web>, _: Visit, Named(name): Named) -> Answer {
    let cancel = CancellationToken::new();
    let _cancels = cancel.clone().drop_guard();
    let trial = web.app.router.begin_trial(&name, cancel)?;
    let ended = tokio::select! {
        ended = trial => ended,
        () = web.stop.cancelled() => return Err(crate::api::chat::stops().into()),
    };
    let trial = ended.map_err(|_| Problem::unavailable("trial_broke_off", "The trial broke off.", "Try it again."))?;
    Ok(answer(&told(&trial)))
}

fn told(trial: &Trial) -> Value {
    let blank = json!({
        "provider": trial.provider, "answered": false, "model": "", "reason": "", "why": "", "hint": "",
        "first_token_ms": null, "duration_ms": 0,
    });
    let with = |fields: Value| {
        let mut all = blank;
        if let (Some(all), Value::Object(fields)) = (all.as_object_mut(), fields) {
            all.extend(fields);
        }
        all
    };
    match &trial.end {
        Some(TrialEnd::Answered { model, first_token_ms, took_ms }) => {
            with(json!({"answered": true, "model": model, "first_token_ms": first_token_ms, "duration_ms": took_ms}))
        }
        Some(TrialEnd::Failed { word, why, hint, took_ms }) => {
            with(json!({"reason": word, "why": why, "hint": hint, "duration_ms": took_ms}))
        }
        Some(TrialEnd::Cancelled) | None => with(json!({"reason": "cancelled", "why": "it was given up"})),
    }
}
