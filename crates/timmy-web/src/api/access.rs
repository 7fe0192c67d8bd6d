//! Letting others in: login codes and tokens.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::trust::access::Scope;
use timmy_core::trust::code::CODE_SECONDS;
use timmy_domain::Problem;
use timmy_store::TokenRow;

use super::{created, json as answer};
use crate::ask::{Fields, Named};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

/// `POST /api/login/code`: a one-time code, and a link that carries it in its fragment.
pub async fn code(State(web): State<Web>, _: Visit, headers: HeaderMap) -> Answer {
    let code = web.app.access.mint_code();
    // The host was let in at the door, so it is a name of this house.
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or("127.0.0.1").to_owned();
    let url = format!("http://{host}/login#code={code}");
    Ok(created(&json!({"code": code, "url": url, "expires_in_seconds": CODE_SECONDS})))
}

fn token(row: &TokenRow) -> Value {
    json!({"name": row.name, "scope": row.scope, "created_at": row.created_at, "used_at": row.used_at})
}

/// `GET /api/tokens`.
pub async fn tokens(State(web): State<Web>, _: Visit) -> Answer {
    let items: Vec<Value> = web.app.access.tokens().await?.iter().map(token).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// A token to make.
#[derive(Debug, Deserialize)]
pub struct New {
    name: String,
    scope: Option<String>,
}

/// `POST /api/tokens`: the secret is in this answer and nowhere else.
pub async fn create(State(web): State<Web>, _: Visit, Fields(new): Fields<New>) -> Answer {
    let scope = Scope::named(new.scope.as_deref().unwrap_or("read"))
        .ok_or_else(|| Problem::invalid("bad_scope", "A scope is read, operate or admin.", "Leave it out for read."))?;
    let secret = web.app.access.create_token(&new.name, scope).await?;
    let name = timmy_domain::text::one_line(&new.name);
    Ok(created(&json!({"name": name, "scope": scope.name(), "token": secret.expose()})))
}

/// `DELETE /api/tokens/{name}`.
pub async fn revoke(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    web.app.access.revoke_token(&name.0).await?;
    Ok(answer(&json!({"name": name.0, "revoked": true})))
}
