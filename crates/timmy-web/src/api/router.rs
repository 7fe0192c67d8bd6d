//! The models for programs: who answers, and asking them without Timmy in between.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::thought::Place;
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::cascade::learned;
use timmy_llm::{
    Attempt, Brief, Call, ChatMessage, ChatRequest, Manner, ModelStatus, Part, ProviderState, ProviderStatus, Sampling,
    TaskClass,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::chat::{Spoken, spoken};
use super::json as answer;
use crate::ask::Fields;
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

pub mod desk;
pub mod explain;

/// Characters of all messages of one call together.
const TEXT_CHARS_MAX: usize = 400_000;

/// A provider as programs see it.
#[must_use]
pub fn provider(status: &ProviderStatus) -> Value {
    let (word, why, hint) = match &status.state {
        ProviderState::Unknown => ("unknown", "", ""),
        ProviderState::Up => ("up", "", ""),
        ProviderState::Down { why, hint } => ("down", why.as_str(), hint.as_str()),
    };
    let hint = match (word, status.kind) {
        ("down", _) if !hint.is_empty() => hint,
        ("down", "ollama") => "Start Ollama and run `ollama pull llama3.1:8b-instruct`.",
        ("down", "engine") => "Get a model: `timmy model list` shows them, `timmy model pull NAME` fetches one.",
        ("down", _) => "Check its url, and that its server runs.",
        _ => "",
    };
    json!({
        "name": status.name,
        "kind": status.kind,
        "place": status.place,
        "status": word,
        "circuit_state": status.circuit(),
        "enabled": !status.disabled,
        "held": status.held,
        "held_ms": status.held_ms,
        "circuits": status.known.iter().map(circuit).collect::<Vec<_>>(),
        "why": why,
        "hint": hint,
        "models": status.models,
        "model": status.model_in_use,
        "version": status.version,
        "calls": status.calls,
        "failures": status.failures,
        "last_failure": status.last_failure,
        "last_used_ms": status.last_used_ms,
    })
}

/// What is known of one model.
fn circuit(model: &ModelStatus) -> Value {
    let figure = |mean: &learned::Mean| if mean.count > 0 { json!(mean.mean.round()) } else { Value::Null };
    let sizes = learned::SIZES.iter().map(|bound| json!(bound)).chain([Value::Null]);
    let first: Vec<Value> = sizes
        .zip(&model.speeds.first_ms)
        .filter(|(_, mean)| mean.count > 0)
        .map(|(bound, mean)| json!({"prompt_tokens_max": bound, "first_token_ms": mean.mean.round(), "count": mean.count}))
        .collect();
    json!({
        "model": model.model,
        "state": model.circuit.name(),
        "opens_in_ms": model.opens_in_ms,
        "failures_in_a_row": model.in_a_row,
        "answers": model.answers,
        "failures": model.failures,
        "answer_ms": model.answer_ms,
        "first_token": first,
        "cold_start_ms": figure(&model.speeds.cold_ms),
        "tokens_per_second": figure(&model.speeds.tokens_per_second),
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
    #[schema(pattern = "^(chat|thought|tool_use|code|vision|summary)$")]
    task_class: Option<String>,
    /// The model; `auto`, or nothing, lets the cascade choose.
    #[schema(max_length = 200)]
    model: Option<String>,
}

fn request(web: &Web, wanted: Wanted) -> Result<ChatRequest, Problem> {
    let class = match wanted.task_class.as_deref() {
        None => TaskClass::Chat,
        Some(name) => TaskClass::parse(name).filter(|class| *class != TaskClass::Embedding).ok_or_else(|| {
            let message = "`task_class` is chat, thought, tool_use, code, vision or summary.";
            Problem::invalid("bad_task_class", message, "Leave it out.")
        })?,
    };
    let model = super::gateway::named(wanted.model)?;
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
        images: Vec::new(),
    };
    Ok(ChatRequest {
        messages: said.into_iter().map(message).collect(),
        tools: Vec::new(),
        class,
        max_tokens: u32::try_from(web.app.ctx.settings.talk.max_tokens).unwrap_or(u32::MAX),
        temperature: None,
        model,
        sampling: Sampling::default(),
        brief: Brief::default(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "provider": attempt.provider,
        "model": attempt.model,
        "reason": attempt.failure.word(),
        "why": attempt.failure.to_string(),
        "duration_ms": attempt.duration_ms,
    })
}

/// `POST /api/v1/router/complete`: an answer of a model. Reflex never answers here.
pub async fn complete(State(web): State<Web>, _: Visit, Fields(wanted): Fields<Wanted>) -> Answer {
    let request = request(&web, wanted)?;
    let cancel = CancellationToken::new();
    // Dropped with the request, when the caller goes away.
    let _cancels = cancel.clone().drop_guard();
    let deadline = Instant::now() + Duration::from_secs(web.app.ctx.settings.talk.deadline_seconds);
    let call = Call { cancel, deadline, first_word_by: None, deltas: None, manner: Manner::default() };
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
