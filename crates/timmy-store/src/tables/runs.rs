//! Where the runs of tasks stand, and what they produced.

use rusqlite::{OptionalExtension, Row, params};
use timmy_domain::text::cut;
use timmy_domain::{Seq, TaskId, Timestamp};

use super::thoughts::LIST_LIMIT_MAX;
use crate::row::{optional_text, text, time};
use crate::{Reader, StoreError, Tx};

/// Bytes the state of one run may take.
pub const RUN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Things that one task may keep; the oldest give way.
pub const ARTIFACTS_PER_TASK_MAX: usize = 100;
/// Characters of the owner's word about a thing.
const NOTE_CHARS_MAX: usize = 500;

/// Something a task produced, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRow {
    /// Tells it from others.
    pub seq: Seq,
    /// `before`, `made` or `output`.
    pub kind: String,
    /// A name for people.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// The hash of its bytes.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: i64,
    /// When it came.
    pub created_at: Timestamp,
    /// Whether the owner found it good.
    pub good: Option<bool>,
    /// The owner's word about it.
    pub note: Option<String>,
}

/// Something a task produced, about to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewArtifact {
    /// `before`, `made` or `output`.
    pub kind: String,
    /// A name for people.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// The hash of its bytes.
    pub sha256: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

fn artifact(row: &Row<'_>) -> rusqlite::Result<ArtifactRow> {
    Ok(ArtifactRow {
        seq: row.get(0)?,
        kind: text(row, 1)?,
        name: text(row, 2)?,
        media_type: text(row, 3)?,
        sha256: text(row, 4)?,
        bytes: row.get(5)?,
        created_at: time(row, 6)?,
        good: row.get::<_, Option<i64>>(7)?.map(|rating| rating > 0),
        note: optional_text(row, 8)?,
    })
}

impl Reader<'_> {
    /// Where the run of the task `id` stands.
    ///
    /// # Errors
    /// What the disk said.
    pub fn run_state(&self, id: TaskId) -> Result<Option<String>, StoreError> {
        let mut statement = self.conn().prepare_cached("SELECT state FROM agent_runs WHERE task_id = ?1")?;
        Ok(statement.query_row([id.to_string()], |row| text(row, 0)).optional()?)
    }

    /// What the task `id` produced, oldest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn artifacts(&self, id: TaskId) -> Result<Vec<ArtifactRow>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT seq, kind, name, media_type, sha256, length(bytes), created_at, rating, note FROM artifacts
             WHERE task_id = ?1 ORDER BY seq LIMIT ?2",
        )?;
        let rows = statement.query_map(params![id.to_string(), LIST_LIMIT_MAX as i64], artifact)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The bytes of one thing of the task `id`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn artifact_bytes(&self, id: TaskId, seq: Seq) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement =
            self.conn().prepare_cached("SELECT bytes FROM artifacts WHERE task_id = ?1 AND seq = ?2")?;
        Ok(statement.query_row(params![id.to_string(), seq], |row| row.get(0)).optional()?)
    }
}

impl Tx<'_> {
    /// Writes down where the run of the task `id` stands.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it takes more than [`RUN_BYTES_MAX`]; else what the disk said.
    pub fn set_run_state(&mut self, id: TaskId, state: &str) -> Result<(), StoreError> {
        if state.len() > RUN_BYTES_MAX {
            return Err(StoreError::Refused(timmy_domain::Problem::conflict(
                "run_too_large",
                format!("The run has grown over {RUN_BYTES_MAX} bytes and was not written down."),
                "Split the task into smaller ones.",
            )));
        }
        let now = self.now().micros();
        self.conn()
            .prepare_cached(
                "INSERT INTO agent_runs (task_id, state, updated_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET state = ?2, updated_at = ?3",
            )?
            .execute(params![id.to_string(), state, now])?;
        Ok(())
    }

    /// Forgets the run of the task `id`, so that it begins anew.
    ///
    /// # Errors
    /// What the disk said.
    pub fn clear_run(&mut self, id: TaskId) -> Result<(), StoreError> {
        self.conn().prepare_cached("DELETE FROM agent_runs WHERE task_id = ?1")?.execute([id.to_string()])?;
        Ok(())
    }

    /// Keeps something the task `id` produced, unless it is kept already.
    ///
    /// # Errors
    /// What the disk said.
    pub fn keep_artifact(&mut self, id: TaskId, new: &NewArtifact) -> Result<(), StoreError> {
        let (task, now) = (id.to_string(), self.now().micros());
        self.conn()
            .prepare_cached(
                "INSERT INTO artifacts (task_id, kind, name, media_type, sha256, bytes, created_at)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS
                 (SELECT 1 FROM artifacts WHERE task_id = ?1 AND name = ?3 AND sha256 = ?5 AND kind = ?2)",
            )?
            .execute(params![task, new.kind, new.name, new.media_type, new.sha256, new.bytes, now])?;
        self.conn()
            .prepare_cached(
                "DELETE FROM artifacts WHERE task_id = ?1 AND seq NOT IN
                 (SELECT seq FROM artifacts WHERE task_id = ?1 ORDER BY seq DESC LIMIT ?2)",
            )?
            .execute(params![task, ARTIFACTS_PER_TASK_MAX as i64])?;
        Ok(())
    }

    /// Notes what the owner thinks of a thing; `false` when there is none such.
    ///
    /// # Errors
    /// What the disk said.
    pub fn rate_artifact(&mut self, id: TaskId, seq: Seq, good: bool, note: &str) -> Result<bool, StoreError> {
        let changed = self
            .conn()
            .prepare_cached("UPDATE artifacts SET rating = ?3, note = ?4 WHERE task_id = ?1 AND seq = ?2")?
            .execute(params![id.to_string(), seq, if good { 1 } else { -1 }, cut(note, NOTE_CHARS_MAX)])?;
        Ok(changed == 1)
    }
}
