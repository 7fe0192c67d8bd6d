//! Letting others in: login codes, the password and tokens.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::trust::access::Scope;
use timmy_core::trust::code::CODE_SECONDS;
use timmy_domain::{Problem, Secret};
use timmy_store::TokenRow;
use utoipa::ToSchema;

use super::{created, json as answer};
use crate::ask::{Fields, Named};
use crate::auth::{Via, Visit};
use crate::errors::Answer;
use crate::pages::login::secret;
use crate::web::Web;

/// `POST /api/login/code`: a one-time code, and a link that carries it in its fragment.
pub async fn code(State(web): State<Web>, _: Visit, headers: HeaderMap) -> Answer {
    let code = web.app.access.mint_code();
    // The host was let in at the door, so it is a name of this house.
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or("127.0.0.1").to_owned();
    let url = format!("http://{host}/login#code={code}");
    Ok(created(&json!({"code": code, "url": url, "expires_in_seconds": CODE_SECONDS})))
}

/// `GET /api/login/password`: whether one is set.
pub async fn password(State(web): State<Web>, _: Visit) -> Answer {
    Ok(answer(&json!({"set": web.app.access.has_password().await?})))
}

/// A password to set, or the one to take away.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct Password {
    /// The new one: at least 12 characters, at most 1,024 bytes, and none that a guesser tries first.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, examples("lantern orchard violet"))]
    password: Option<Secret>,
    /// The one that holds now. A browser has to show it; a token of scope `admin` need not.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    current: Option<Secret>,
}

/// A browser may be somebody else's for a moment, so it shows the current password. A token of scope `admin` need not:
/// that is how the owner comes in again who forgot it.
async fn proven(web: &Web, visit: &Visit, current: Option<Secret>) -> Result<(), Problem> {
    if visit.who.via == Via::Bearer {
        return Ok(());
    }
    web.app.access.prove_current(&current.unwrap_or_default()).await
}

/// `PUT /api/login/password` with `{"password", "current"?}`: every other session ends.
pub async fn set_password(State(web): State<Web>, visit: Visit, Fields(new): Fields<Password>) -> Answer {
    let password = new.password.unwrap_or_default();
    timmy_core::trust::password::check(password.expose())?;
    proven(&web, &visit, new.current).await?;
    let ended = web.app.access.set_password(&password, &visit.who.principal).await?;
    Ok(answer(&json!({"set": true, "sessions_ended": ended})))
}

/// `DELETE /api/login/password` with `{"current"?}`: every other session ends.
pub async fn remove_password(State(web): State<Web>, visit: Visit, Fields(old): Fields<Password>) -> Answer {
    proven(&web, &visit, old.current).await?;
    let ended = web.app.access.remove_password(&visit.who.principal).await?;
    Ok(answer(&json!({"set": false, "sessions_ended": ended})))
}

fn token(row: &TokenRow) -> Value {
    json!({
        "name": row.name,
        "scope": row.scope,
        "created_at": row.created_at,
        "used_at": row.used_at,
        "model_tokens_per_day": row.model_tokens_per_day,
    })
}

/// `GET /api/tokens`.
pub async fn tokens(State(web): State<Web>, _: Visit) -> Answer {
    let items: Vec<Value> = web.app.access.tokens().await?.iter().map(token).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TokenToMake)]
pub struct New {
    /// Who uses it.
    #[schema(min_length = 1, max_length = 64, examples("phone"))]
    name: String,
    /// What it may do; `read` when it is left out.
    #[schema(pattern = "^(models|read|operate|admin)$")]
    scope: Option<String>,
    /// Tokens of models it may have read and written in one day; no bound of its own when it is left out.
    #[schema(minimum = 1, maximum = 1000000000)]
    model_tokens_per_day: Option<u64>,
}

/// `POST /api/tokens`: the secret is in this answer and nowhere else.
pub async fn create(State(web): State<Web>, _: Visit, Fields(new): Fields<New>) -> Answer {
    let scope = Scope::named(new.scope.as_deref().unwrap_or("read")).ok_or_else(|| {
        Problem::invalid("bad_scope", "A scope is models, read, operate or admin.", "Leave it out for read.")
    })?;
    let secret = web.app.access.create_bounded_token(&new.name, scope, new.model_tokens_per_day).await?;
    let name = timmy_domain::text::one_line(&new.name);
    Ok(created(&json!({"name": name, "scope": scope.name(), "token": secret.expose()})))
}

/// `DELETE /api/tokens/{name}`.
pub async fn revoke(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    web.app.access.revoke_token(&name.0).await?;
    Ok(answer(&json!({"name": name.0, "revoked": true})))
}
