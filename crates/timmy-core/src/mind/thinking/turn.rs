//! The next thought's turn: a thought that is due becomes a task in the queue, and is made when its turn comes.
//!
//! There is never more than one of them: it is looked for and made in one transaction, and there is one writer. Those
//! that are over leave with the next one.

use std::time::Duration;

use timmy_domain::Actor;
use timmy_domain::task::birth::{AGENT, NewTask};
use timmy_domain::task::{Priority, Status, THOUGHT, THOUGHT_TASK_HOURS, Task};

use super::{Queued, Thinking};
use crate::fault::Fault;
use crate::mind::rest::{self, Decision};

/// How the task of a thought stands, for the decision to think.
pub(super) fn standing(task: &Task) -> Queued {
    match task.status.known {
        Some(Status::Approved | Status::Running) => Queued::Going,
        _ => Queued::Held,
    }
}

impl Thinking {
    /// Puts the thought that is due into the queue, unless one stands there.
    pub(super) async fn queue_up(&self) -> Result<(), Fault> {
        let ctx = &self.0.ctx;
        let before = ctx.now().minus(Duration::from_secs(THOUGHT_TASK_HOURS * 3_600));
        let made = ctx.store.write(move |tx| {
            tx.prune_thought_tasks(before)?;
            if tx.thought_task()?.is_some() {
                return Ok(());
            }
            let new = NewTask {
                task_type: THOUGHT.to_owned(),
                assigned_to: AGENT.to_owned(),
                priority: Priority::Low,
                ..NewTask::titled("Think a thought", Actor::System)
            };
            tx.task_create(&new).map(drop)
        });
        Ok(made.await?)
    }

    /// Why a thought whose turn has come is not made all the same; `None` when it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn forbidden(&self) -> Result<Option<String>, Fault> {
        Ok(match rest::forbidden(&self.situation().await?) {
            Some(Decision::Rest { why, .. }) => Some(why),
            _ => None,
        })
    }

    /// Lets the loop decide anew: the task of a thought is over.
    pub fn look_again(&self) {
        self.0.look_again.notify_one();
    }
}
