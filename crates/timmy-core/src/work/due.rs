//! What the owner wanted to do himself by a time: when it comes, it is told once.

use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::TaskDue;
use timmy_domain::task::Task;
use timmy_domain::text::plural;
use timmy_domain::{NewEvent, Timestamp};
use timmy_store::{Reader, StoreError};

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// Seconds between two looks.
const LOOK_SECONDS: u64 = 15;
/// Tasks that are told at one look; the next look tells more.
const TOLD_MAX: usize = 200;
/// Where the store remembers up to which time everything was told.
const TOLD_KEY: &str = "tasks.due_told";
/// Tasks that are due and named among what waits for the owner.
pub const SHOWN_MAX: usize = 5;

/// Tells what is due.
pub struct Reminders;

/// What is due at `now` and not over, first what was wanted first, at most [`SHOWN_MAX`].
///
/// # Errors
/// What the disk said.
pub fn shown(r: &Reader<'_>, now: Timestamp) -> Result<Vec<Task>, StoreError> {
    r.tasks_due(Timestamp::EPOCH, now, SHOWN_MAX)
}

fn untold(r: &Reader<'_>, now: Timestamp) -> Result<Vec<Task>, StoreError> {
    let told =
        r.state(TOLD_KEY)?.and_then(|micros| micros.parse().ok()).map_or(Timestamp::EPOCH, Timestamp::from_micros);
    r.tasks_due(told, now, TOLD_MAX)
}

impl Reminders {
    async fn look(ctx: &Ctx) -> Result<Found, Fault> {
        let now = ctx.now();
        // Nearly always nothing is due, and nothing is written.
        let (due, shown) = ctx.store.read(move |r| Ok((untold(r, now)?.len(), shown(r, now)?.len()))).await?;
        if due > 0 {
            let told = ctx.store.write(move |tx| {
                for task in untold(tx, now)? {
                    let Some(due) = task.due else { continue };
                    let event = NewEvent::new("tasks", TaskDue { task_id: task.id, title: task.title, due });
                    let event = event.caused_by(task.seq).agent(&task.assigned_to);
                    tx.append(NewEvent { task_id: Some(task.id.to_string()), ..event })?;
                    tx.set_state(TOLD_KEY, &due.micros().to_string())?;
                }
                Ok(())
            });
            told.await?;
        }
        Ok(Found::Well(plural(shown as u64, "task of yours is due", "tasks of yours are due")))
    }
}

impl Reconciler for Reminders {
    fn name(&self) -> &'static str {
        "work.due"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(LOOK_SECONDS)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(Self::look(ctx))
    }
}
