//! The ledger of what left this machine for a model, by a tool or as traces, and what it cost. Never what was said.

use rusqlite::{OptionalExtension, params};
use timmy_domain::Timestamp;

use crate::row::{text, time};
use crate::{Reader, StoreError, Tx};

/// Lines that are kept; the oldest go first.
pub const EGRESS_LINES_MAX: i64 = 200_000;

/// Something about to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEgress {
    /// To which provider.
    pub provider: String,
    /// For which model; empty when the provider chooses.
    pub model: String,
    /// To which host.
    pub host: String,
    /// What for, as a word of the house.
    pub why: String,
    /// For which task; empty for none.
    pub task_id: String,
    /// Bytes of text and pictures.
    pub bytes: u64,
    /// The most it may cost, in millionths of a dollar.
    pub reserved_micros: u64,
}

/// What may be spent, in millionths of a dollar; `None` for no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpendingCaps {
    /// In one day.
    pub day: Option<u64>,
    /// For one task.
    pub task: Option<u64>,
    /// On one provider in one day.
    pub provider: Option<u64>,
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// To which provider.
    pub provider: String,
    /// For which model.
    pub model: String,
    /// To which host.
    pub host: String,
    /// What for.
    pub why: String,
    /// For which task; empty for none.
    pub task_id: String,
    /// Bytes of text and pictures.
    pub bytes: u64,
    /// What it cost, in millionths of a dollar; what is reserved while it is open.
    pub cost_micros: u64,
    /// `open`, `answered` or `failed`.
    pub state: String,
}

/// What left on one day, summed by the day, a provider or a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressSum {
    /// The day, the provider or the task.
    pub of: String,
    /// Questions to models. Looking whether a provider is there, fetching a file, what a tool does and traces are none.
    pub calls: u64,
    /// Bytes of text and pictures.
    pub bytes: u64,
    /// What is settled, in millionths of a dollar.
    pub cost_micros: u64,
    /// What open ones may still cost, in millionths of a dollar.
    pub reserved_micros: u64,
}

/// Which sum reached its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpentUp {
    /// That of the day.
    Day,
    /// That of the task.
    Task,
    /// That of the provider on this day.
    Provider,
}

/// What became of reserving more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extended {
    /// It is reserved.
    Reserved,
    /// A sum is used up.
    UsedUp {
        /// Which.
        which: SpentUp,
        /// The provider of the line.
        provider: String,
        /// Its task; empty for none.
        task_id: String,
    },
    /// The line is over.
    Over,
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Reader<'_> {
    /// The newest lines before the line `before` (0 for the newest of all), at most `limit`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress(&self, before: i64, limit: usize) -> Result<Vec<Egress>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT id, at, provider, model, host, why, task_id, bytes, COALESCE(cost_micros, reserved_micros), state
             FROM egress WHERE ?1 = 0 OR id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![before, count(limit.min(1_000) as u64)], |row| {
            let number = |at| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
            Ok(Egress {
                id: row.get(0)?,
                at: time(row, 1)?,
                provider: text(row, 2)?,
                model: text(row, 3)?,
                host: text(row, 4)?,
                why: text(row, 5)?,
                task_id: text(row, 6)?,
                bytes: number(7)?,
                cost_micros: number(8)?,
                state: text(row, 9)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What left on `day` (`YYYY-MM-DD`), by provider; at most 100 of them.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_by_provider(&self, day: &str) -> Result<Vec<EgressSum>, StoreError> {
        self.egress_sums("provider", "day = ?1 GROUP BY provider ORDER BY provider LIMIT 100", day)
    }

    /// What the dearest tasks of `day` (`YYYY-MM-DD`) cost on it; at most 3 of them.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_by_task(&self, day: &str) -> Result<Vec<EgressSum>, StoreError> {
        let by = "day = ?1 AND task_id <> '' GROUP BY task_id ORDER BY SUM(COALESCE(cost_micros, reserved_micros)) DESC LIMIT 3";
        self.egress_sums("task_id", by, day)
    }

    /// What left on each day from `day` (`YYYY-MM-DD`) on, newest first; at most 31 days.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_by_day(&self, day: &str) -> Result<Vec<EgressSum>, StoreError> {
        self.egress_sums("day", "day >= ?1 GROUP BY day ORDER BY day DESC LIMIT 31", day)
    }

    fn egress_sums(&self, of: &str, by: &str, day: &str) -> Result<Vec<EgressSum>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!(
            "SELECT {of}, SUM(why NOT IN ('look', 'pull', 'tool', 'trace')), SUM(bytes), SUM(COALESCE(cost_micros, 0)), SUM(IIF(cost_micros IS NULL, reserved_micros, 0))
             FROM egress WHERE {by}"
        ))?;
        let rows = statement.query_map([day], |row| {
            let number = |at| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
            Ok(EgressSum {
                of: text(row, 0)?,
                calls: number(1)?,
                bytes: number(2)?,
                cost_micros: number(3)?,
                reserved_micros: number(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What the calls of `day` (`YYYY-MM-DD`) cost, in millionths of a dollar, open ones as reserved; of one provider
    /// or, with an empty name, of all.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_cost_of_day(&self, day: &str, provider: &str) -> Result<u64, StoreError> {
        let sum: i64 = self
            .conn()
            .prepare_cached(
                "SELECT COALESCE(SUM(COALESCE(cost_micros, reserved_micros)), 0) FROM egress
                 WHERE day = ?1 AND (?2 = '' OR provider = ?2)",
            )?
            .query_row([day, provider], |row| row.get(0))?;
        Ok(u64::try_from(sum).unwrap_or(0))
    }

    /// What the calls for a task cost, in millionths of a dollar, open ones as reserved.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_cost_of_task(&self, task: &str) -> Result<u64, StoreError> {
        let sum: i64 = self
            .conn()
            .prepare_cached(
                "SELECT COALESCE(SUM(COALESCE(cost_micros, reserved_micros)), 0) FROM egress
                 WHERE task_id = ?1 AND task_id <> ''",
            )?
            .query_row([task], |row| row.get(0))?;
        Ok(u64::try_from(sum).unwrap_or(0))
    }
}

impl Tx<'_> {
    /// Writes down that something leaves, when no sum of reserved and settled costs goes over its cap with it. What
    /// costs nothing always fits. Answers the number of the line, or the sum that is used up.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_enter(&mut self, new: &NewEgress, caps: SpendingCaps) -> Result<Result<i64, SpentUp>, StoreError> {
        let now = self.now();
        let day = now.to_utc().date().to_string();
        if let Some(used_up) = self.used_up([&day, &new.provider, &new.task_id], new.reserved_micros, caps)? {
            return Ok(Err(used_up));
        }
        self.conn()
            .prepare_cached(
                "INSERT INTO egress (at, day, provider, model, host, why, task_id, bytes, reserved_micros)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                now.micros(),
                day,
                new.provider,
                new.model,
                new.host,
                new.why,
                new.task_id,
                count(new.bytes),
                count(new.reserved_micros)
            ])?;
        let line = self.conn().last_insert_rowid();
        self.conn().prepare_cached("DELETE FROM egress WHERE id <= ?1")?.execute([line - EGRESS_LINES_MAX])?;
        Ok(Ok(line))
    }

    /// The sum that would go over its cap with so much more, on a day, for a provider and a task.
    fn used_up(&self, of: [&str; 3], more_micros: u64, caps: SpendingCaps) -> Result<Option<SpentUp>, StoreError> {
        let [day, provider, task] = of;
        let over = |spent: u64, cap: Option<u64>| cap.is_some_and(|cap| spent.saturating_add(more_micros) > cap);
        if more_micros == 0 {
            return Ok(None);
        }
        if over(self.egress_cost_of_day(day, "")?, caps.day) {
            return Ok(Some(SpentUp::Day));
        }
        if over(self.egress_cost_of_day(day, provider)?, caps.provider) {
            return Ok(Some(SpentUp::Provider));
        }
        let task_over = !task.is_empty() && over(self.egress_cost_of_task(task)?, caps.task);
        Ok(task_over.then_some(SpentUp::Task))
    }

    /// Reserves more for a line, when no sum goes over its cap with it; else answers the sum that is used up, and the
    /// provider and the task of the line. A line that is over, or gone, gets nothing more.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_extend(&mut self, id: i64, more_micros: u64, caps: SpendingCaps) -> Result<Extended, StoreError> {
        let found = self
            .conn()
            .prepare_cached("SELECT day, provider, task_id FROM egress WHERE id = ?1 AND state = 'open'")?
            .query_row([id], |row| Ok((text(row, 0)?, text(row, 1)?, text(row, 2)?)))
            .optional()?;
        let Some((day, provider, task_id)) = found else { return Ok(Extended::Over) };
        if let Some(which) = self.used_up([&day, &provider, &task_id], more_micros, caps)? {
            return Ok(Extended::UsedUp { which, provider, task_id });
        }
        self.conn()
            .prepare_cached("UPDATE egress SET reserved_micros = reserved_micros + ?2 WHERE id = ?1")?
            .execute(params![id, count(more_micros)])?;
        Ok(Extended::Reserved)
    }

    /// Writes down that so many bytes more leave with a line that is still open. Answers whether it is.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_carry(&mut self, id: i64, more_bytes: u64) -> Result<bool, StoreError> {
        let carried = self
            .conn()
            .prepare_cached("UPDATE egress SET bytes = bytes + ?2 WHERE id = ?1 AND state = 'open'")?
            .execute(params![id, count(more_bytes)])?;
        Ok(carried == 1)
    }

    /// A line is over: what it cost in truth, and whether an answer came.
    ///
    /// # Errors
    /// What the disk said.
    pub fn egress_settle(&mut self, id: i64, cost_micros: u64, answered: bool) -> Result<(), StoreError> {
        let state = if answered { "answered" } else { "failed" };
        self.conn()
            .prepare_cached("UPDATE egress SET cost_micros = ?2, state = ?3 WHERE id = ?1 AND state = 'open'")?
            .execute(params![id, count(cost_micros), state])?;
        Ok(())
    }
}
