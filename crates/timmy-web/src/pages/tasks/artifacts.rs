//! What the owner does with the things of a task: takes them, rates them, sends them back.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use timmy_core::work::review;
use timmy_domain::{Problem, Seq, TaskId};

use crate::ask::{Fields, Named, Two};
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::Answer;
use crate::look::artifacts::file_name;
use crate::pages::see;
use crate::web::Web;

/// `GET /tasks/{id}/artifacts/{n}/file`: the bytes, to be stored and never shown as a page of this house.
pub async fn file(State(web): State<Web>, _: Visit, Two(task, thing): Two) -> Answer {
    let (id, seq) = (task.id::<TaskId>("task")?, thing.id::<Seq>("artifact")?);
    let read = web.app.ctx.store.read(move |r| Ok((r.artifact(id, seq)?, r.artifact_bytes(id, seq)?)));
    let (row, bytes) = read.await?;
    let (row, bytes) = row.zip(bytes).ok_or_else(|| review::no_artifact(id, seq))?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file_name(&row))),
    ];
    Ok((headers, bytes).into_response())
}

/// The owner's word about a thing.
#[derive(Debug, Default, Deserialize)]
pub struct Rating {
    good: Option<String>,
    #[serde(default)]
    note: String,
}

/// `POST /tasks/{id}/artifacts/{n}/rate`.
pub async fn rate(State(web): State<Web>, visit: Visit, Two(task, thing): Two, Fields(said): Fields<Rating>) -> Answer {
    let (id, seq) = (task.id::<TaskId>("task")?, thing.id::<Seq>("artifact")?);
    let good = match said.good.as_deref() {
        Some("yes") => true,
        Some("no") => false,
        _ => return Err(Problem::invalid("bad_rating", "A thing is good or not good.", "Use the buttons.").into()),
    };
    match review::rate(&web.app.ctx, id, seq, good, &said.note).await {
        Ok(_) => Ok(Did::Note(Note::Rated).on(&visit, see(&format!("/tasks/{id}#p-{seq}")))),
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => super::one::draw(&web, &visit, id, Some((None, problem))).await,
    }
}

/// What is to be different.
#[derive(Debug, Default, Deserialize)]
pub struct Remark {
    #[serde(default)]
    remark: String,
    artifact: Option<String>,
}

/// `POST /tasks/{id}/send-back`.
pub async fn send_back(State(web): State<Web>, visit: Visit, name: Named, Fields(said): Fields<Remark>) -> Answer {
    let id: TaskId = name.id("task")?;
    let artifact = said.artifact.filter(|n| !n.is_empty());
    let artifact = artifact.map(|n| Named(n).id::<Seq>("artifact")).transpose()?;
    match review::send_back(&web.app.ctx, id, artifact, &said.remark).await {
        Ok(made) => Ok(Did::Note(Note::SentBack).on(&visit, see(&format!("/tasks/{}", made.id)))),
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => super::one::draw(&web, &visit, id, Some((None, problem))).await,
    }
}
