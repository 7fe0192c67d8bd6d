//! Who is logged in with a browser, and ending that.

use axum::extract::State;
use serde_json::{Value, json};
use timmy_core::trust::sessions::Seen;

use super::json as answer;
use crate::ask::Named;
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

fn session(seen: &Seen) -> Value {
    json!({"id": seen.handle, "browser": seen.browser, "created_at": seen.created_at, "seen_at": seen.seen_at,
        "expires_at": seen.expires_at, "own": seen.own})
}

/// `GET /api/sessions`, used last first.
pub async fn sessions(State(web): State<Web>, visit: Visit) -> Answer {
    let seen = web.app.access.sessions(&visit.who.principal).await?;
    let items: Vec<Value> = seen.iter().map(session).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// `DELETE /api/sessions/{id}`: what it had open is closed at once.
pub async fn end(State(web): State<Web>, _: Visit, id: Named) -> Answer {
    web.app.access.end_session(&id.0).await?;
    Ok(answer(&json!({"sessions_ended": 1})))
}

/// `DELETE /api/sessions`: every session but that of whoever asks.
pub async fn end_others(State(web): State<Web>, visit: Visit) -> Answer {
    let ended = web.app.access.end_other_sessions(&visit.who.principal).await?;
    Ok(answer(&json!({"sessions_ended": ended})))
}
