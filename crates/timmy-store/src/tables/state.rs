//! Small values that outlive a run, and what was spent on each day.

use rusqlite::{OptionalExtension, params};

use crate::row::optional_text;
use crate::{Reader, StoreError, Tx};

/// What was spent on one day for one purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls of a model.
    pub calls: i64,
    /// Tokens read and written together.
    pub tokens: i64,
}

impl Reader<'_> {
    /// What was spent on `day` (`YYYY-MM-DD`) for `purpose`; nothing when no row says otherwise.
    ///
    /// # Errors
    /// What the disk said.
    pub fn spent(&self, day: &str, purpose: &str) -> Result<Spent, StoreError> {
        let spent = self
            .conn()
            .prepare_cached("SELECT calls, tokens FROM spending WHERE day = ?1 AND purpose = ?2")?
            .query_row([day, purpose], |row| Ok(Spent { calls: row.get(0)?, tokens: row.get(1)? }))
            .optional()?;
        Ok(spent.unwrap_or_default())
    }

    /// The value stored under `key`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn state(&self, key: &str) -> Result<Option<String>, StoreError> {
        let value = self
            .conn()
            .prepare_cached("SELECT value FROM state WHERE key = ?1")?
            .query_row([key], |row| optional_text(row, 0))
            .optional()?;
        Ok(value.flatten())
    }
}

impl Tx<'_> {
    /// Adds to what was spent on `day` (`YYYY-MM-DD`) for `purpose`, and answers the sum.
    ///
    /// # Errors
    /// What the disk said.
    pub fn spend(&mut self, day: &str, purpose: &str, calls: i64, tokens: i64) -> Result<Spent, StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO spending (day, purpose, calls, tokens) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (day, purpose) DO UPDATE
                 SET calls = calls + excluded.calls, tokens = tokens + excluded.tokens",
            )?
            .execute(params![day, purpose, calls, tokens])?;
        self.spent(day, purpose)
    }

    /// Stores `value` under `key`, in place of what was there.
    ///
    /// # Errors
    /// What the disk said.
    pub fn set_state(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO state (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute([key, value])?;
        Ok(())
    }

    /// Forgets what is stored under `key`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn clear_state(&mut self, key: &str) -> Result<(), StoreError> {
        self.conn().prepare_cached("DELETE FROM state WHERE key = ?1")?.execute([key])?;
        Ok(())
    }
}
