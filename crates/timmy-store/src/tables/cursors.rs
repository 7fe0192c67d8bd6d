//! Cursors: how far each reactor has come along the log.

use rusqlite::{OptionalExtension, params};
use timmy_domain::Seq;

use crate::{Reader, StoreError, Tx};

impl Reader<'_> {
    /// How far `name` has come; 0 when it has not begun.
    ///
    /// # Errors
    /// What the disk said.
    pub fn cursor(&self, name: &str) -> Result<Seq, StoreError> {
        let seq = self
            .conn()
            .prepare_cached("SELECT seq FROM cursors WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(seq.unwrap_or(0))
    }
}

impl Tx<'_> {
    /// Notes that `name` has come to `seq`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn set_cursor(&mut self, name: &str, seq: Seq) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO cursors (name, seq) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
            )?
            .execute(params![name, seq])?;
        Ok(())
    }
}
