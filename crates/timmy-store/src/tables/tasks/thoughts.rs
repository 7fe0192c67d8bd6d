//! Thoughts in the queue: the one that waits or runs, and how those that are over leave.

use rusqlite::params;
use timmy_domain::event::ThinkingTask;
use timmy_domain::task::{THOUGHT, Task};
use timmy_domain::{Actor, Event, TaskId, Timestamp};

use crate::{Reader, StoreError, Tx};

/// Tasks of thoughts that leave at once.
const GONE_MAX: i64 = 100;

/// What is told about an act on a task. A thought that goes its way by itself is told in one quiet word each, which
/// does not stay for ever: there are hundreds a day, and what lasts is the thought.
pub(super) fn told(event: Event, task_type: &str, created_by: &str, by: &Actor, task_id: TaskId) -> Event {
    let own = task_type == THOUGHT && created_by == Actor::System.name() && *by == Actor::System;
    let act = event.name().strip_prefix("task.").map(str::to_owned);
    match act.filter(|act| own && act != "quarantined") {
        Some(act) => ThinkingTask { task_id, act }.into(),
        None => event,
    }
}

impl Reader<'_> {
    /// The thought of the house that waits, runs or was laid aside. There is never more than one.
    ///
    /// # Errors
    /// What the disk said.
    pub fn thought_task(&self) -> Result<Option<Task>, StoreError> {
        let rest = "INDEXED BY task_thought_open WHERE task_type = 'thought' AND created_by = 'system'
                    AND status NOT IN ('completed', 'vetoed', 'failed') ORDER BY seq LIMIT 1";
        Ok(self.tasks_where(rest, Vec::new())?.pop())
    }
}

impl Tx<'_> {
    /// Removes tasks of thoughts that were over before `before`, a few at a time; answers how many.
    ///
    /// # Errors
    /// What the disk said.
    pub fn prune_thought_tasks(&mut self, before: Timestamp) -> Result<usize, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "DELETE FROM task_queue WHERE seq IN (SELECT seq FROM task_queue INDEXED BY task_thought_over
             WHERE task_type = 'thought' AND created_by = 'system' AND status IN ('completed', 'vetoed', 'failed')
             AND completed_at < ?1 ORDER BY completed_at LIMIT ?2)",
        )?;
        Ok(statement.execute(params![before.micros(), GONE_MAX])?)
    }
}
