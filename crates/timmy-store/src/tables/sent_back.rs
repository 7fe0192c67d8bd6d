//! What the owner reads of the things that tasks produced, and what was sent back.

use rusqlite::{OptionalExtension, params};
use timmy_domain::{Seq, TaskId};

use super::runs::ArtifactRow;
use super::thoughts::LIST_LIMIT_MAX;
use crate::row::id;
use crate::{Reader, StoreError, Tx};

impl Reader<'_> {
    /// One thing of the task `id`, without its bytes.
    ///
    /// # Errors
    /// What the disk said.
    pub fn artifact(&self, id: TaskId, seq: Seq) -> Result<Option<ArtifactRow>, StoreError> {
        Ok(self.artifacts(id)?.into_iter().find(|one| one.seq == seq))
    }

    /// The first bytes of the newest things of the task `id`: at most `bytes_max` of each of at most `most`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn artifact_beginnings(
        &self,
        id: TaskId,
        most: usize,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT seq, substr(bytes, 1, ?3) FROM artifacts WHERE task_id = ?1 ORDER BY seq DESC LIMIT ?2",
        )?;
        let values = params![id.to_string(), most.min(LIST_LIMIT_MAX) as i64, bytes_max as i64];
        let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The first `bytes_max` bytes of one thing of the task `id`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn artifact_beginning(&self, id: TaskId, seq: Seq, bytes_max: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement =
            self.conn().prepare_cached("SELECT substr(bytes, 1, ?3) FROM artifacts WHERE task_id = ?1 AND seq = ?2")?;
        let values = params![id.to_string(), seq, bytes_max as i64];
        Ok(statement.query_row(values, |row| row.get(0)).optional()?)
    }

    /// The task that is still to do better what the task `of` came to, or its thing `artifact`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn sent_back_open(&self, of: TaskId, artifact: Option<Seq>) -> Result<Option<TaskId>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT s.task_id FROM sent_back s JOIN task_queue q ON q.id = s.task_id
             WHERE s.from_task = ?1 AND s.artifact IS ?2 AND q.status NOT IN ('completed', 'vetoed', 'failed')
             LIMIT 1",
        )?;
        Ok(statement.query_row(params![of.to_string(), artifact], |row| id(row, 0)).optional()?.flatten())
    }
}

impl Tx<'_> {
    /// Notes that the task `id` was made because the owner sent back what the task `of` came to.
    ///
    /// # Errors
    /// What the disk said.
    pub fn note_sent_back(&mut self, id: TaskId, of: TaskId, artifact: Option<Seq>) -> Result<(), StoreError> {
        let now = self.now().micros();
        self.conn()
            .prepare_cached("INSERT INTO sent_back (task_id, from_task, artifact, created_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id.to_string(), of.to_string(), artifact, now])?;
        Ok(())
    }
}
