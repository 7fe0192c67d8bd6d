//! Lists of tasks and how many stand where, each read from an index.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params};
use timmy_domain::task::{POSITION_GAP, Priority, Status, Task};
use timmy_domain::{Seq, TaskId, Timestamp};

use super::turn::READY;
use crate::row::text;
use crate::tables::thoughts::LIST_LIMIT_MAX;
use crate::{Reader, StoreError, Tx};

/// Which tasks are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Only those that stand so.
    pub status: Option<Status>,
    /// Only those of this priority.
    pub priority: Option<Priority>,
    /// Only those of this agent.
    pub assigned_to: Option<String>,
    /// Only those that came from this one.
    pub parent: Option<TaskId>,
    /// Only those of this kind. Without one, thoughts that came due by themselves are left out.
    pub kind: Option<String>,
    /// Only those whose [`Task::seq`] lies before this.
    pub before: Option<Seq>,
    /// How many at most, up to [`LIST_LIMIT_MAX`].
    pub limit: usize,
}

/// A place in the order of the queue: rank of the priority, the owner's position, age.
pub type TaskPlace = (i64, i64, Seq);

/// How many tasks of one agent stand so. The status may be a word of a newer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCount {
    /// The agent.
    pub assigned_to: String,
    /// The status.
    pub status: String,
    /// How many.
    pub count: u64,
}

/// The index that serves `query`: without statistics the file's own choice between two that fit is a guess.
const fn index(query: &TaskQuery) -> &'static str {
    match (&query.parent, query.status, &query.assigned_to, query.priority) {
        (Some(_), ..) => "INDEXED BY task_parent",
        (None, Some(_), Some(_), _) => "INDEXED BY task_status_agent",
        (None, Some(_), None, Some(_)) => "INDEXED BY task_status_priority",
        (None, Some(_), None, None) => "INDEXED BY task_status",
        (None, None, Some(_), _) => "INDEXED BY task_agent",
        (None, None, None, Some(_)) => "INDEXED BY task_priority",
        (None, None, None, None) => "",
    }
}

/// Leaves out thoughts that came due by themselves.
const NO_OWN_THOUGHT: &str = " AND NOT (task_type = 'thought' AND created_by = 'system')";

impl Reader<'_> {
    /// The tasks that `query` wants, newest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_page(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        let limit = (query.limit.min(LIST_LIMIT_MAX) as i64).into();
        let mut values: Vec<Value> = vec![query.before.unwrap_or(Seq::MAX).into(), limit];
        let mut rest = format!("{} WHERE seq < ?1", index(query));
        let mut only = |column: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                rest.push_str(&format!(" AND {column} = ?{}", values.len()));
            }
        };
        only("status", query.status.map(|status| status.name().to_owned().into()));
        only("rank", query.priority.map(|priority| priority.rank().into()));
        only("priority", query.priority.map(|priority| priority.name().to_owned().into()));
        only("assigned_to", query.assigned_to.clone().map(Value::from));
        only("parent_task_id", query.parent.map(|id| id.to_string().into()));
        only("task_type", query.kind.clone().map(Value::from));
        if query.kind.is_none() {
            rest.push_str(NO_OWN_THOUGHT);
        }
        rest.push_str(" ORDER BY seq DESC LIMIT ?2");
        self.tasks_where(&rest, values)
    }

    /// The tasks with this status in the order of the queue, after `after`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_in_order(
        &self,
        status: Status,
        after: Option<TaskPlace>,
        limit: usize,
    ) -> Result<Vec<Task>, StoreError> {
        let (rank, position, seq) = after.unwrap_or((i64::MIN, i64::MIN, i64::MIN));
        let limit = limit.min(LIST_LIMIT_MAX) as i64;
        let values = vec![status.name().to_owned().into(), rank.into(), position.into(), seq.into(), limit.into()];
        let rest = format!(
            "WHERE status = ?1 AND (rank, position, seq) > (?2, ?3, ?4){NO_OWN_THOUGHT}
             ORDER BY rank, position, seq LIMIT ?5"
        );
        self.tasks_where(&rest, values)
    }

    /// What the owner does himself, is not over, and was wanted after `after` and until `now`; first the one that was
    /// wanted first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_due(&self, after: Timestamp, now: Timestamp, limit: usize) -> Result<Vec<Task>, StoreError> {
        let rest = "INDEXED BY task_due WHERE assigned_to = 'owner' AND due IS NOT NULL AND due > ?1 AND due <= ?2
                    AND status IN ('pending_approval', 'approved', 'running', 'paused') ORDER BY due, seq LIMIT ?3";
        let limit = limit.min(LIST_LIMIT_MAX) as i64;
        self.tasks_where(rest, vec![after.micros().into(), now.micros().into(), limit.into()])
    }

    /// How many tasks stand where, for each agent.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_counts(&self) -> Result<Vec<TaskCount>, StoreError> {
        let sql = "SELECT assigned_to, status, count FROM task_counts WHERE count > 0 LIMIT 10000";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let count = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
            Ok(TaskCount { assigned_to: text(row, 0)?, status: text(row, 1)?, count })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many are not over.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_open(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .conn()
            .prepare_cached(
                "SELECT coalesce(sum(count), 0) FROM task_counts WHERE status NOT IN ('completed', 'vetoed', 'failed')",
            )?
            .query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many of those made by `created_by`, who is not the owner, are not over; counting ends at `most`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_open_of(&self, created_by: &str, most: u64) -> Result<u64, StoreError> {
        let count: i64 = self
            .conn()
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM task_queue INDEXED BY task_own WHERE created_by = ?1
                 AND created_by <> 'owner' AND status NOT IN ('completed', 'vetoed', 'failed') LIMIT ?2)",
            )?
            .query_row(params![created_by, i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many tasks of its agent can be begun and come before `task`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_ahead(&self, task: &Task) -> Result<u64, StoreError> {
        let rank = super::rank(&task.priority);
        let count: i64 = self
            .conn()
            .prepare_cached(&format!(
                "SELECT count(*) FROM task_queue INDEXED BY task_turn WHERE {READY} AND assigned_to = ?1
                 AND (rank, position, seq) < (?2, ?3, ?4)"
            ))?
            .query_row(params![task.assigned_to, rank, task.position, task.seq], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The first open task of `priority` in the owner's order, or the first behind `after`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_behind(&self, priority: Priority, after: Option<&Task>) -> Result<Option<Task>, StoreError> {
        let (position, seq) = after.map_or((i64::MIN, i64::MIN), |task| (task.position, task.seq));
        let mut first: Option<Task> = None;
        for status in Status::ALL.into_iter().filter(|status| !status.is_over()) {
            let values: Vec<Value> =
                vec![status.name().to_owned().into(), priority.rank().into(), position.into(), seq.into()];
            let rest = "WHERE status = ?1 AND rank = ?2 AND (position, seq) > (?3, ?4) ORDER BY position, seq LIMIT 1";
            let found = self.tasks_where(rest, values)?.pop();
            first = first.into_iter().chain(found).min_by_key(|task| (task.position, task.seq));
        }
        Ok(first)
    }

    /// The position of a task that is to stand right before `next` (or last, for `None`) among those of `priority`;
    /// `None` when there is no room left between the two neighbours.
    fn room_before(&self, priority: Priority, next: Option<&Task>) -> Result<Option<i64>, StoreError> {
        let (order, edge) = match next {
            Some(next) => ("AND (position, seq) < (?2, ?3) ORDER BY position DESC", (next.position, next.seq)),
            None => ("AND ?2 = ?2 AND ?3 = ?3 ORDER BY position DESC", (0, 0)),
        };
        let sql = format!(
            "SELECT max(position) FROM (SELECT position FROM task_queue INDEXED BY task_order
             WHERE rank = ?1 AND status = ?4 {order}, seq DESC LIMIT 1)"
        );
        let mut last: Option<i64> = None;
        for status in Status::ALL.into_iter().filter(|status| !status.is_over()) {
            let found: Option<i64> = self
                .conn()
                .prepare_cached(&sql)?
                .query_row(params![priority.rank(), edge.0, edge.1, status.name()], |row| row.get(0))
                .optional()?
                .flatten();
            last = last.max(found);
        }
        Ok(match (last, next.map(|next| next.position)) {
            (None, None) => Some(0),
            (Some(last), None) => last.checked_add(POSITION_GAP),
            (None, Some(next)) => next.checked_sub(POSITION_GAP),
            (Some(last), Some(next)) => {
                let middle = last + (next - last) / 2;
                (middle > last && middle < next).then_some(middle)
            }
        })
    }
}

impl Tx<'_> {
    /// The position by which a task comes right before `next`, or last for `None`, among those of `priority`. Where
    /// there is no room between two neighbours, those before `next` make some.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_room(&mut self, priority: Priority, next: Option<&Task>) -> Result<i64, StoreError> {
        if let Some(position) = self.room_before(priority, next)? {
            return Ok(position);
        }
        let Some(next) = next else { return Ok(i64::MAX) };
        // Those with an equal position stand in the order of their age: everything before moves forward together, so
        // that nothing else about the order changes.
        self.conn()
            .prepare_cached(
                "UPDATE task_queue SET position = position - ?4 WHERE rank = ?1 AND (position, seq) < (?2, ?3)",
            )?
            .execute(params![priority.rank(), next.position, next.seq, POSITION_GAP])?;
        Ok(next.position - POSITION_GAP / 2)
    }
}
