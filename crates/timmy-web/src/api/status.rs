//! What Timmy is and does, in a word and a sentence; and the three small answers for watchdogs.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::json as answer;
use crate::api::router::provider;
use crate::auth::Visit;
use crate::errors::Answer;
use crate::pages;
use crate::web::Web;

/// `GET /api/status`.
pub async fn status(State(web): State<Web>, _: Visit) -> Answer {
    let (around, ()) = pages::gather(&web, |_| Ok(())).await?;
    let status = pages::status(&web, &around);
    let providers: Vec<_> = web.app.ctx.cascade.status().iter().map(provider).collect();
    Ok(answer(&json!({
        "state": status.state,
        "word": status.state.word(),
        "act": status.act,
        "waiting": status.waiting,
        "thinking": web.app.thinking.doing(),
        "answering": web.app.talk.turns.count(),
        "providers": {"items": providers, "next": null},
        "last_seq": around.last_seq,
        "version": web.version,
        "uptime_seconds": web.uptime_seconds(),
    })))
}

/// `GET /health`: for everybody, and therefore nothing else.
pub async fn health(State(web): State<Web>) -> Response {
    let status = if web.app.ctx.store.writes_refused().is_some() { "degraded" } else { "ok" };
    answer(&json!({"status": status, "version": web.version, "uptime_seconds": web.uptime_seconds()}))
}

/// `GET /healthz`: the process answers.
pub async fn alive() -> Response {
    answer(&json!({"status": "ok"}))
}

/// `GET /readyz`: the process can do its work.
pub async fn ready(State(web): State<Web>) -> Answer {
    if web.app.ctx.store.writes_refused().is_some() || web.stop.is_cancelled() {
        let problem =
            timmy_domain::Problem::unavailable("not_ready", "Timmy cannot write.", "Log in and look at Health.");
        return Err(problem.into());
    }
    Ok(answer(&json!({"status": "ready"})))
}
