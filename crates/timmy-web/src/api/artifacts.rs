//! What tasks produced, for programs: reading it, rating it, sending it back.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::work::review;
use timmy_domain::policy::show;
use timmy_domain::{Problem, Seq, TaskId};
use timmy_store::ArtifactRow;
use utoipa::ToSchema;

use super::{created, json as answer};
use crate::ask::{Fields, Named, Two};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

/// Bytes of a text that are shown with one thing; the file has all of them.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A thing as it travels. Its words are made harmless here, so that every door shows the same.
fn shown(row: &ArtifactRow, text: Option<&str>) -> Value {
    json!({
        "n": row.seq,
        "kind": row.kind,
        "name": show::words(&row.name),
        "media_type": show::words(&row.media_type),
        "sha256": row.sha256,
        "bytes": row.bytes,
        "created_at": row.created_at,
        "good": row.good,
        "note": row.note.as_deref().map(show::words),
        "text": text,
    })
}

/// The things of a task, or the refusal when there is no such task.
async fn of(web: &Web, id: TaskId) -> Result<Vec<ArtifactRow>, Problem> {
    web.app.queue.get(id).await?;
    web.app.ctx.store.read(move |r| r.artifacts(id)).await.map_err(|e| e.problem())
}

/// `GET /api/tasks/{id}/artifacts`: oldest first.
pub async fn artifacts(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let rows = of(&web, name.id("task")?).await?;
    let items: Vec<Value> = rows.iter().map(|row| shown(row, None)).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// `GET /api/tasks/{id}/artifacts/{n}`: one, with its text when it is words.
pub async fn artifact(State(web): State<Web>, _: Visit, Two(task, thing): Two) -> Answer {
    let (id, seq) = (task.id::<TaskId>("task")?, thing.id::<Seq>("artifact")?);
    web.app.queue.get(id).await?;
    let read =
        web.app.ctx.store.read(move |r| Ok((r.artifact(id, seq)?, r.artifact_beginning(id, seq, TEXT_BYTES_MAX)?)));
    let (row, beginning) = read.await.map_err(|e| e.problem())?;
    let row = row.ok_or_else(|| review::no_artifact(id, seq))?;
    let text = beginning.as_deref().and_then(review::words);
    Ok(answer(&shown(&row, text.as_deref())))
}

/// A word about a thing.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ArtifactRating)]
pub struct Rating {
    /// Whether it is good; it can be said anew at any time.
    good: bool,
    /// Why; at most 500 characters of it are kept.
    note: Option<String>,
}

/// `POST /api/tasks/{id}/artifacts/{n}/rate`.
pub async fn rate(State(web): State<Web>, _: Visit, Two(task, thing): Two, Fields(said): Fields<Rating>) -> Answer {
    let (id, seq) = (task.id::<TaskId>("task")?, thing.id::<Seq>("artifact")?);
    let row = review::rate(&web.app.ctx, id, seq, said.good, said.note.as_deref().unwrap_or_default()).await?;
    Ok(answer(&shown(&row, None)))
}

/// What is to be different.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SentBack)]
pub struct Remark {
    /// What is wrong, in words.
    #[schema(min_length = 1, max_length = 2000)]
    remark: String,
    /// Which of its things, by its number; none is what came of the task.
    artifact: Option<Seq>,
}

/// `POST /api/tasks/{id}/send-back`: makes the task that is to do it better.
pub async fn send_back(State(web): State<Web>, _: Visit, name: Named, Fields(said): Fields<Remark>) -> Answer {
    let made = review::send_back(&web.app.ctx, name.id("task")?, said.artifact, &said.remark).await?;
    Ok(created(&made))
}
