//! Having undone what a rule let run. That is an act like any other: a task, with whatever it asks of the owner. It belongs
//! to the task in which it was done, so that the words it repeats keep their origin.

use axum::extract::State;
use serde::Deserialize;
use timmy_core::trust::digest::{DIGEST_MAX, Ruled, digest};
use timmy_domain::plan::PlanHash;
use timmy_domain::policy::show;
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::{Status, TITLE_CHARS_MAX, Task};
use timmy_domain::text::cut;
use timmy_domain::{Actor, Problem, TaskId};
use timmy_store::{Reader, StoreError};

use super::see;
use crate::ask::Fields;
use crate::auth::Visit;
use crate::did::Did;
use crate::errors::Answer;
use crate::web::Web;

/// How often the same thing may be asked to be undone: again after each time the owner vetoed it.
const TIMES_MAX: u32 = 5;

/// What is to be undone: the hash of its plan, as the digest names it.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default)]
    plan: String,
}

/// The word that makes the task of an undoing once only.
fn key(plan: &PlanHash, time: u32) -> String {
    format!("undo:{plan}:{time}")
}

/// The task that has it undone already, if one was asked for and not vetoed since, and the word for the next one.
///
/// # Errors
/// What the disk said.
pub fn asked(r: &Reader<'_>, plan: &PlanHash) -> Result<(Option<Task>, String), StoreError> {
    let mut found = None;
    for time in 1..=TIMES_MAX {
        found = r.task_by_key(&Actor::Owner.to_string(), &key(plan, time))?;
        if found.as_ref().is_none_or(|task| task.status.known != Some(Status::Vetoed)) {
            return Ok((found, key(plan, time)));
        }
    }
    Ok((found, key(plan, TIMES_MAX)))
}

/// The task that has it undone; `None` where nobody knows how, or it was done in no task.
fn task(one: &Ruled, key: String) -> Option<NewTask> {
    let parent: TaskId = one.task_id.as_deref()?.parse().ok()?;
    let (what, how) = (show::words(&one.title), show::words(one.undo.as_deref()?));
    Some(NewTask {
        description: format!(
            "The owner wants this taken back. It was done by the tool {}, by a rule of his, in the task {parent}:\n\n\
             > {what}\n\nHow it is undone: {how}",
            one.tool
        ),
        parent_task_id: Some(parent),
        idempotency_key: Some(key),
        ..NewTask::titled(cut(&format!("Undo: {what}"), TITLE_CHARS_MAX), Actor::Owner)
    })
}

/// Whether it can be asked to be undone.
#[must_use]
pub fn can_be(one: &Ruled) -> bool {
    task(one, String::new()).is_some()
}

/// `POST /tasks/undo`.
pub async fn undo(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let now = web.app.ctx.now();
    let read = web.app.ctx.store.read(move |r| {
        let one = digest(r, now, DIGEST_MAX)?.into_iter().find(|one| one.plan_hash.to_string() == form.plan);
        let Some(one) = one else { return Ok(None) };
        let (_, key) = asked(r, &one.plan_hash)?;
        Ok(task(&one, key))
    });
    let Some(new) = read.await? else {
        let message =
            "Nothing that your rules let run in the last day has this name, or nobody knows how it is undone.";
        return Err(Problem::unknown("not_in_digest", message, "Make a task that says what is to be undone.").into());
    };
    let made = web.app.queue.create(new).await?;
    let answer = see(&format!("/tasks/{}", made.task.id));
    // Asked for twice, it is the same task, which is not vetoed by taking the second time back.
    Ok(if made.is_new { Did::TaskMade(made.task.id).on(&visit, answer) } else { answer })
}
