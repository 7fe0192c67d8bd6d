//! The statements behind an import: rows with an identity and a time of their own.

use rusqlite::params;
use serde_json::Value;

use crate::{StoreError, Tx};

/// The field as text; empty when it is absent.
fn word<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The field as a number; 0 when it is absent.
fn number(row: &Value, name: &str) -> i64 {
    row.get(name).and_then(Value::as_i64).unwrap_or(0)
}

impl Tx<'_> {
    /// The place of the first thought; 1 when there is none.
    pub(super) fn first_thought(&self) -> Result<i64, StoreError> {
        Ok(self.conn().query_row("SELECT coalesce(min(seq), 1) FROM thoughts", [], |row| row.get(0))?)
    }

    /// The place of the first message; 1 when there is none.
    pub(super) fn first_message(&self) -> Result<i64, StoreError> {
        Ok(self.conn().query_row("SELECT coalesce(min(position), 1) FROM messages", [], |row| row.get(0))?)
    }

    pub(super) fn store_taken_thought(
        &mut self,
        row: &Value,
        place: i64,
        id: &str,
        parent: Option<&str>,
    ) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO thoughts (seq, id, content, seed_type, seed_note, parent_id, created_at, provider, model, place, duration_ms, tokens, kept, fewer)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute(params![
                place,
                id,
                word(row, "content"),
                word(row, "seed_type"),
                word(row, "seed_note"),
                parent,
                number(row, "created_at"),
                word(row, "provider"),
                word(row, "model"),
                word(row, "place"),
                number(row, "duration_ms"),
                number(row, "tokens"),
                i64::from(number(row, "kept") == 1),
                i64::from(number(row, "fewer") == 1),
            ])?;
        Ok(())
    }

    pub(super) fn store_taken_message(
        &mut self,
        row: &Value,
        place: i64,
        id: &str,
        status: &str,
        answers: Option<&str>,
        about: Option<&str>,
    ) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO messages (position, id, speaker, content, status, answers, about_thought, channel, created_at, provider, model, place, duration_ms, tokens, seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, NULL)",
            )?
            .execute(params![
                place,
                id,
                word(row, "speaker"),
                word(row, "content"),
                status,
                answers,
                about,
                word(row, "channel"),
                number(row, "created_at"),
                word(row, "provider"),
                word(row, "model"),
                row.get("place").and_then(Value::as_str),
                number(row, "duration_ms"),
                number(row, "tokens"),
            ])?;
        Ok(())
    }

    pub(super) fn has_observation(
        &self,
        folder: i64,
        kind: &str,
        summary: &str,
        seen_at: i64,
    ) -> Result<bool, StoreError> {
        Ok(self
            .conn()
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM observations WHERE folder_id = ?1 AND kind = ?2 AND summary = ?3 AND seen_at = ?4)",
            )?
            .query_row(params![folder, kind, summary, seen_at], |row| row.get(0))?)
    }

    pub(super) fn observation_count(&self, folder: i64) -> Result<i64, StoreError> {
        Ok(self
            .conn()
            .prepare_cached("SELECT count(*) FROM observations WHERE folder_id = ?1")?
            .query_row([folder], |row| row.get(0))?)
    }

    pub(super) fn store_taken_observation(
        &mut self,
        folder: i64,
        kind: &str,
        summary: &str,
        detail: &str,
        seen_at: i64,
    ) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO observations (folder_id, kind, summary, detail, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![folder, kind, summary, detail, seen_at])?;
        Ok(())
    }
}
