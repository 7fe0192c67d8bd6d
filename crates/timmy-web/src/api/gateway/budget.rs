//! What each key may ask of the models in one day, and what it has asked.
//!
//! The day is that of UTC, as for money: a bound must not grow with a change of the clock. A call is let in while
//! anything is left and is counted when it is over, so the last one of a day may go over the bound by its own length.

use timmy_core::trust::access::Principal;
use timmy_domain::Problem;
use timmy_domain::problem::Kind;
use timmy_llm::Usage;

use crate::web::Web;

/// Under which word the spending of a key stands.
#[must_use]
pub fn key(principal: &Principal) -> String {
    format!("gateway {}", principal.name)
}

fn day(web: &Web) -> String {
    web.app.ctx.now().to_utc().date().to_string()
}

/// Whether the key still may.
///
/// # Errors
/// When its tokens of today are used up, or the store cannot be read.
pub async fn check(web: &Web, principal: &Principal) -> Result<(), Problem> {
    let Some(bound) = principal.model_tokens_per_day else { return Ok(()) };
    let (day, key) = (day(web), key(principal));
    let spent = web.app.ctx.store.read_here(move |r| r.spent(&day, &key)).await.map_err(|e| e.problem())?;
    if u64::try_from(spent.tokens).unwrap_or(0) < bound {
        return Ok(());
    }
    let now = web.app.ctx.now().unix_seconds();
    let left = u64::try_from(86_400 - now.rem_euclid(86_400)).unwrap_or(86_400);
    Err(Problem::new(
        Kind::TooMany,
        "token_budget",
        format!("This key has used its {bound} tokens of today ({} asked).", spent.calls),
        "It may ask again after midnight UTC; a key with another bound is made by `timmy token create`.",
    )
    .retry_after(left))
}

/// Adds a call to what the key has used. A count that cannot be written is told in the log and holds nobody up.
pub async fn note(web: &Web, key: String, usage: Usage) {
    let day = day(web);
    let tokens = i64::try_from(usage.prompt_tokens.saturating_add(usage.completion_tokens)).unwrap_or(i64::MAX);
    if let Err(error) = web.app.ctx.store.write(move |tx| tx.spend(&day, &key, 1, tokens).map(|_| ())).await {
        tracing::warn!(%error, "what a key asked of the models could not be counted");
    }
}
