//! Thoughts for programs.

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use timmy_domain::ThoughtId;
use timmy_domain::thought::Thought;
use timmy_store::{LIST_LIMIT_MAX, ThoughtQuery};
use utoipa::ToSchema;

use super::{created, json as answer};
use crate::ask::{Asked, Fields, Named, Window, list, no_such, whole};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal};
use crate::pages::thinking::seed_of;
use crate::web::Web;

/// Thoughts in a list when nobody says how many.
const USUAL: usize = 20;

/// `GET /thinking/api?limit=&before=`: newest first; `before` is the `next` of the page before.
pub async fn thoughts(State(web): State<Web>, _: Visit, Asked(window): Asked<Window>) -> Answer {
    let limit = window.limit(USUAL)?;
    let query =
        ThoughtQuery { before: window.before()?, limit: (limit + 1).min(LIST_LIMIT_MAX), ..ThoughtQuery::default() };
    let thoughts = web.app.ctx.store.read(move |r| r.thoughts(&query)).await?;
    Ok(answer(&list(thoughts, limit, |t: &Thought| json!(t.seq))))
}

async fn one(web: &Web, name: &Named) -> Result<Thought, Refusal> {
    let id: ThoughtId = name.id("thought")?;
    web.app.ctx.store.read(move |r| r.thought(id)).await?.ok_or_else(|| no_such("thought", &name.0))
}

/// `GET /thinking/api/{id}`.
pub async fn thought(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&one(&web, &name).await?))
}

/// `GET /thinking/api/{id}/chain`: oldest first, at most 20, the thought itself last.
pub async fn chain(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let id: ThoughtId = name.id("thought")?;
    let links = web.app.ctx.store.read(move |r| r.chain(id)).await?;
    if links.is_empty() {
        return Err(no_such("thought", &name.0));
    }
    Ok(answer(&json!({"items": links, "next": null})))
}

/// The owner's own thought.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Injected {
    /// The words; at most 2,000 characters are left when control characters are taken out.
    #[schema(min_length = 1, examples("The kelp sways because the tide does."))]
    content: String,
}

/// `POST /thinking/api/inject`.
pub async fn inject(State(web): State<Web>, _: Visit, Fields(new): Fields<Injected>) -> Answer {
    Ok(created(&web.app.thinking.inject(&new.content).await?))
}

/// What the next thought shall grow from.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Wanted)]
pub struct Wanted {
    /// The seed; Timmy chooses when it is left out or empty.
    #[schema(pattern = "^(existential|swarm|scripture|creative|memory|freeform)?$")]
    seed_type: Option<String>,
}

/// `POST /thinking/api/think`: makes one thought now and answers with it.
pub async fn think(State(web): State<Web>, _: Visit, Fields(wanted): Fields<Wanted>) -> Answer {
    let seed = seed_of(wanted.seed_type.as_deref())?;
    Ok(created(&web.app.thinking.think_now(seed).await?))
}

/// `POST /thinking/api/stop`: gives up the thought in the making.
pub async fn stop(State(web): State<Web>, _: Visit) -> Answer {
    web.app.thinking.stop_thought()?;
    Ok(answer(&json!({"stopped": true})))
}

/// How long to pause.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Pause {
    /// Minutes, at most thirty days; without them until the owner ends it.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 43200)]
    minutes: Option<u64>,
}

/// `POST /thinking/api/pause`.
pub async fn pause(State(web): State<Web>, _: Visit, Fields(pause): Fields<Pause>) -> Answer {
    let until = web.app.thinking.pause(pause.minutes).await?;
    Ok(answer(&json!({"paused": true, "until": until})))
}

/// `POST /thinking/api/resume`.
pub async fn resume(State(web): State<Web>, _: Visit) -> Answer {
    web.app.thinking.resume().await?;
    Ok(answer(&json!({"paused": false, "until": null})))
}

/// `POST /thinking/api/{id}/keep`.
pub async fn keep(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.thinking.keep_thought(name.id("thought")?, true).await?))
}

/// `POST /thinking/api/{id}/release`.
pub async fn release(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.thinking.keep_thought(name.id("thought")?, false).await?))
}

/// `POST /thinking/api/{id}/fewer`.
pub async fn fewer(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.thinking.fewer_like(name.id("thought")?, true).await?))
}

/// `POST /thinking/api/{id}/unfewer`.
pub async fn unfewer(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.thinking.fewer_like(name.id("thought")?, false).await?))
}
