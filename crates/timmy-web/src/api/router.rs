//! The models for programs: who answers, and asking them without Timmy in between.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::thought::Place;
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::{Attempt, Brief, Call, ChatMessage, ChatRequest, Part, ProviderState, ProviderStatus, TaskClass};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::chat::{Spoken, spoken};
use super::json as answer;
use crate::ask::Fields;
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

/// Characters of all messages of one call together.
const TEXT_CHARS_MAX: usize = 400_000;
/// The word for a model that the cascade chooses.
const AUTO: &str = "auto";

/// A provider as programs see it.
#[must_use]
pub fn provider(status: &ProviderStatus) -> Value {
    let (word, why) = match &status.state {
        ProviderState::Unknown => ("unknown", String::new()),
        ProviderState::Up => ("up", String::new()),
        ProviderState::Down { why } => ("down", why.clone()),
    };
    let hint = match (word, status.kind) {
        ("down", "ollama") => "Start Ollama and fetch a model with `ollama pull`.",
        ("down", _) => "Check its url, and that its server runs.",
        _ => "",
    };
    json!({
        "name": status.name,
        "kind": status.kind,
        "place": status.place,
        "status": word,
        // A provider that failed is asked last for a while; nothing else is switched off.
        "circuit_state": "closed",
        "why": why,
        "hint": hint,
        "models": status.models,
        "model": status.model_in_use,
        "calls": status.calls,
        "failures": status.failures,
        "last_failure": status.last_failure,
        "last_used_ms": status.last_used_ms,
    })
}

/// `GET /api/v1/router/providers`.
pub async fn providers(State(web): State<Web>, _: Visit) -> Answer {
    let items: Vec<Value> = web.app.ctx.cascade.status().iter().map(provider).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// A call of the models.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Complete, examples(json!({"messages": [{"role": "user", "content": "Good morning"}]})))]
pub struct Wanted {
    /// The messages, at most 400,000 characters together.
    #[schema(min_items = 1, max_items = 1000)]
    messages: Vec<Spoken>,
    /// What the answer is for.
    #[schema(pattern = "^(chat|thought)$")]
    task_class: Option<String>,
    /// The model; `auto`, or nothing, lets the cascade choose.
    model: Option<String>,
}

fn request(web: &Web, wanted: Wanted) -> Result<ChatRequest, Problem> {
    let class = match wanted.task_class.as_deref() {
        None | Some("chat") => TaskClass::Chat,
        Some("thought") => TaskClass::Thought,
        Some(_) => return Err(Problem::invalid("bad_task_class", "`task_class` is chat or thought.", "Leave it out.")),
    };
    let said = spoken(wanted.messages)?;
    if said.iter().map(|(_, text)| text.chars().count()).sum::<usize>() > TEXT_CHARS_MAX {
        let message = format!("The messages hold more than {TEXT_CHARS_MAX} characters together.");
        return Err(Problem::new(timmy_domain::problem::Kind::TooLarge, "too_large", message, "Send less at once."));
    }
    let message = |(role, text)| ChatMessage {
        role,
        // Whoever calls chose the words and the providers; nothing of the house is added to them.
        parts: vec![Part { text, sensitivity: Sensitivity::Open, droppable: false }],
        tool_calls: Vec::new(),
        tool_call_id: None,
    };
    Ok(ChatRequest {
        messages: said.into_iter().map(message).collect(),
        tools: Vec::new(),
        class,
        max_tokens: u32::try_from(web.app.ctx.settings.talk.max_tokens).unwrap_or(u32::MAX),
        temperature: None,
        model: wanted.model.filter(|m| !m.is_empty() && m != AUTO),
        brief: Brief::default(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    json!({"provider": attempt.provider, "why": attempt.failure.to_string(), "duration_ms": attempt.duration_ms})
}

/// `POST /api/v1/router/complete`: an answer of a model. Reflex never answers here.
pub async fn complete(State(web): State<Web>, _: Visit, Fields(wanted): Fields<Wanted>) -> Answer {
    let request = request(&web, wanted)?;
    let cancel = CancellationToken::new();
    // Dropped with the request, when the caller goes away.
    let _cancels = cancel.clone().drop_guard();
    let deadline = Instant::now() + Duration::from_secs(web.app.ctx.settings.talk.deadline_seconds);
    let call = Call { cancel, deadline, first_word_by: None, deltas: None };
    let asked = tokio::select! {
        asked = web.app.ctx.ask("api", &request, &call) => asked.map_err(|error| error.problem())?,
        () = web.stop.cancelled() => return Err(super::chat::stops().into()),
    };
    if asked.place == Place::Reflex {
        let tried: Vec<String> = asked.attempts.iter().map(|a| format!("{}: {}.", a.provider, a.failure)).collect();
        let hint = asked.attempts.first().map_or_else(
            || "Start Ollama, then run `ollama pull llama3.1:8b-instruct`.".to_owned(),
            |a| a.failure.hint(),
        );
        return Err(Problem::unavailable(
            "no_model",
            format!("No language model answered. {}", tried.join(" ")).trim().to_owned(),
            hint,
        )
        .into());
    }
    Ok(answer(&json!({
        "content": asked.content,
        "provider": asked.provider,
        "model": asked.model,
        "place": asked.place,
        "latency_ms": asked.duration_ms,
        "attempts": asked.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })))
}
