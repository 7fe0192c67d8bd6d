//! Whose turn it is, and who works on what: picking, leases, and what became of workers that fell silent.

use rusqlite::{OptionalExtension, params};
use timmy_domain::task::Task;
use timmy_domain::{TaskId, Timestamp};

use super::lists::TaskPlace;
use crate::row::text;
use crate::{Reader, StoreError, Tx};

/// Tasks that one look wakes, or finds without a worker; the next look takes more.
pub const TURN_BATCH_MAX: usize = 200;

/// What can be begun, in the words of the indexes that hold it. A priority of a newer version is none that this one
/// could place.
pub(super) const READY: &str =
    "status = 'approved' AND unmet = 0 AND waits = 0 AND priority IN ('urgent', 'high', 'normal', 'low')";

fn place(row: &rusqlite::Row<'_>) -> rusqlite::Result<TaskPlace> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

impl Reader<'_> {
    /// The task whose turn it is for `agent`, leaving out the types in `skip`: urgent before low, then the owner's
    /// order, then the oldest. One that waits for a moment is passed over until [`Tx::tasks_wake`] saw it come.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_pick(&self, agent: &str, skip: &[&str]) -> Result<Option<Task>, StoreError> {
        let first = if skip.is_empty() { self.first_of_all(agent)? } else { self.first_of_others(agent, skip)? };
        let Some((.., seq)) = first else { return Ok(None) };
        Ok(self.tasks_where("WHERE seq = ?1", vec![seq.into()])?.pop())
    }

    fn first_of_all(&self, agent: &str) -> Result<Option<TaskPlace>, StoreError> {
        let sql = format!(
            "SELECT rank, position, seq FROM task_queue INDEXED BY task_turn WHERE assigned_to = ?1 AND {READY}
             ORDER BY rank, position, seq LIMIT 1"
        );
        Ok(self.conn().prepare_cached(&sql)?.query_row([agent], place).optional()?)
    }

    /// Asks for the first of each kind in turn, so that a long queue of kinds to be skipped costs nothing.
    fn first_of_others(&self, agent: &str, skip: &[&str]) -> Result<Option<TaskPlace>, StoreError> {
        let kinds = format!(
            "SELECT task_type FROM task_queue INDEXED BY task_kind WHERE assigned_to = ?1 AND task_type > ?2 AND {READY}
             ORDER BY task_type LIMIT 1"
        );
        let firsts = format!(
            "SELECT rank, position, seq FROM task_queue INDEXED BY task_kind
             WHERE assigned_to = ?1 AND task_type = ?2 AND {READY} ORDER BY rank, position, seq LIMIT 1"
        );
        let (mut kinds, mut firsts) = (self.conn().prepare_cached(&kinds)?, self.conn().prepare_cached(&firsts)?);
        let (mut kind, mut best) = (String::new(), None::<TaskPlace>);
        while let Some(next) = kinds.query_row([agent, &kind], |row| text(row, 0)).optional()? {
            if !skip.contains(&next.as_str()) {
                let first = firsts.query_row([agent, &next], place).optional()?;
                best = best.into_iter().chain(first).min();
            }
            kind = next;
        }
        Ok(best)
    }

    /// Tasks whose worker was not heard from until `now`, longest silent first without the first `past`, at most
    /// [`TURN_BATCH_MAX`]. With `all` every one that runs: at a start no worker is alive.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_abandoned(&self, now: Timestamp, all: bool, past: usize) -> Result<Vec<Task>, StoreError> {
        let until = if all { i64::MAX } else { now.micros() };
        let rest = "WHERE lease_until <= ?1 AND status = 'running' ORDER BY lease_until, seq LIMIT ?2 OFFSET ?3";
        self.tasks_where(rest, vec![until.into(), (TURN_BATCH_MAX as i64).into(), (past as i64).into()])
    }

    /// When the next task that waits for a moment may be begun.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_wake_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(not_before) FROM task_queue WHERE waits = 1";
        let at: Option<i64> = self.conn().prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(at.map(Timestamp::from_micros))
    }
}

impl Tx<'_> {
    /// Lets tasks whose moment has come stand in the queue again; answers how many, at most [`TURN_BATCH_MAX`].
    ///
    /// # Errors
    /// What the disk said.
    pub fn tasks_wake(&mut self) -> Result<usize, StoreError> {
        let now = self.now().micros();
        let woken = self
            .conn()
            .prepare_cached(
                "UPDATE task_queue SET waits = 0 WHERE seq IN
                 (SELECT seq FROM task_queue WHERE waits = 1 AND not_before <= ?1 ORDER BY not_before LIMIT ?2)",
            )?
            .execute(params![now, TURN_BATCH_MAX as i64])?;
        Ok(woken)
    }

    /// The worker is alive: its lease lasts until `until`. `false` when `holder` does not hold the task any more: it
    /// was stopped, or given to another.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_heartbeat(&mut self, id: TaskId, holder: &str, until: Timestamp) -> Result<bool, StoreError> {
        let now = self.now();
        let changed = self
            .conn()
            .prepare_cached(
                "UPDATE task_queue SET lease_until = ?3
                 WHERE id = ?1 AND lease_holder = ?2 AND lease_until > ?4 AND status = 'running'",
            )?
            .execute(params![id.to_string(), holder, until.micros(), now.micros()])?;
        Ok(changed > 0)
    }

    /// Renews a lease whose end came while its worker lives in this process, as when the machine slept: as long as
    /// the row bears its word, nobody else was given the task. `false` when `holder` does not hold it any more, or
    /// nothing has to be renewed.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_renew(&mut self, id: TaskId, holder: &str, until: Timestamp) -> Result<bool, StoreError> {
        let now = self.now();
        let changed = self
            .conn()
            .prepare_cached(
                "UPDATE task_queue SET lease_until = ?3
                 WHERE id = ?1 AND lease_holder = ?2 AND lease_until <= ?4 AND status = 'running'",
            )?
            .execute(params![id.to_string(), holder, until.micros(), now.micros()])?;
        Ok(changed > 0)
    }
}
