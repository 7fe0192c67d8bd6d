//! Folders the owner points at, and what was seen in them.

use rusqlite::{OptionalExtension, Row, params};
use timmy_domain::Timestamp;
use timmy_domain::observation::{
    OBSERVATION_CHARS_MAX, Observation, ObservationKind, WATCHED_FOLDERS_MAX, WatchedFolder,
};
use timmy_domain::text::cut;

use super::thoughts::LIST_LIMIT_MAX;
use crate::row::{optional_text, optional_time, text, time};
use crate::{Reader, StoreError, Tx};

/// Observations kept of one folder; the oldest go first.
pub const OBSERVATIONS_PER_FOLDER_MAX: usize = 500;

const FOLDER: &str = "SELECT id, path, name, added_at, scanned_at, mark, error FROM watched_folders";
const OBSERVATION: &str = "SELECT o.id, o.folder_id, f.name, o.kind, o.summary, o.detail, o.seen_at
     FROM observations o JOIN watched_folders f ON f.id = o.folder_id";

/// Names a folder: by its number, or by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderKey {
    /// The number of its row.
    Id(i64),
    /// Its absolute, resolved path.
    Path(String),
}

impl From<i64> for FolderKey {
    fn from(id: i64) -> Self {
        Self::Id(id)
    }
}

impl From<String> for FolderKey {
    fn from(path: String) -> Self {
        Self::Path(path)
    }
}

impl From<&str> for FolderKey {
    fn from(path: &str) -> Self {
        Self::Path(path.to_owned())
    }
}

fn folder(row: &Row<'_>) -> rusqlite::Result<WatchedFolder> {
    Ok(WatchedFolder {
        id: row.get(0)?,
        path: text(row, 1)?,
        name: text(row, 2)?,
        added_at: time(row, 3)?,
        scanned_at: optional_time(row, 4)?,
        mark: optional_text(row, 5)?,
        error: text(row, 6)?,
    })
}

fn observation(row: &Row<'_>) -> rusqlite::Result<Observation> {
    let kind = text(row, 3)?;
    Ok(Observation {
        id: row.get(0)?,
        folder_id: row.get(1)?,
        folder: text(row, 2)?,
        // A kind of a newer version is shown as the most general one.
        kind: ObservationKind::ALL.into_iter().find(|k| k.name() == kind).unwrap_or(ObservationKind::Files),
        summary: text(row, 4)?,
        detail: text(row, 5)?,
        seen_at: time(row, 6)?,
    })
}

impl Reader<'_> {
    /// All folders, in the order they were added.
    ///
    /// # Errors
    /// What the disk said.
    pub fn folders(&self) -> Result<Vec<WatchedFolder>, StoreError> {
        Ok(self
            .conn()
            .prepare_cached(&format!("{FOLDER} ORDER BY id"))?
            .query_map([], folder)?
            .collect::<rusqlite::Result<_>>()?)
    }

    /// The folder with this number or path.
    ///
    /// # Errors
    /// What the disk said.
    pub fn folder(&self, key: impl Into<FolderKey>) -> Result<Option<WatchedFolder>, StoreError> {
        let (id, path) = match key.into() {
            FolderKey::Id(id) => (Some(id), None),
            FolderKey::Path(path) => (None, Some(path)),
        };
        Ok(self
            .conn()
            .prepare_cached(&format!("{FOLDER} WHERE id = ?1 OR path = ?2"))?
            .query_row(params![id, path], folder)
            .optional()?)
    }

    /// The newest observations of all folders, newest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn observations(&self, limit: usize) -> Result<Vec<Observation>, StoreError> {
        let limit = limit.min(LIST_LIMIT_MAX) as i64;
        Ok(self
            .conn()
            .prepare_cached(&format!("{OBSERVATION} ORDER BY o.id DESC LIMIT ?1"))?
            .query_map([limit], observation)?
            .collect::<rusqlite::Result<_>>()?)
    }
}

impl Tx<'_> {
    /// Adds the folder at `path` (absolute and resolved).
    ///
    /// # Errors
    /// [`StoreError::Exists`] when it is there already; [`StoreError::Full`] at
    /// [`WATCHED_FOLDERS_MAX`] folders.
    pub fn add_folder(&mut self, path: &str, name: &str) -> Result<WatchedFolder, StoreError> {
        if self.folder(path)?.is_some() {
            return Err(StoreError::Exists { what: format!("a watched folder {path}") });
        }
        let count: i64 =
            self.conn().prepare_cached("SELECT count(*) FROM watched_folders")?.query_row([], |row| row.get(0))?;
        if count >= WATCHED_FOLDERS_MAX as i64 {
            return Err(StoreError::Full { what: "watched folders", max: WATCHED_FOLDERS_MAX });
        }
        let added_at = self.now();
        let id = self
            .conn()
            .prepare_cached("INSERT INTO watched_folders (path, name, added_at) VALUES (?1, ?2, ?3)")?
            .insert(params![path, name, added_at.micros()])?;
        Ok(WatchedFolder {
            id,
            path: path.to_owned(),
            name: name.to_owned(),
            added_at,
            scanned_at: None,
            mark: None,
            error: String::new(),
        })
    }

    /// Removes a folder with its observations; answers it as it was.
    ///
    /// # Errors
    /// What the disk said.
    pub fn remove_folder(&mut self, key: impl Into<FolderKey>) -> Result<Option<WatchedFolder>, StoreError> {
        let Some(folder) = self.folder(key)? else { return Ok(None) };
        self.conn().prepare_cached("DELETE FROM watched_folders WHERE id = ?1")?.execute([folder.id])?;
        Ok(Some(folder))
    }

    /// Notes a look at the folder `id` that ended at `at`. Without a `mark` the earlier one stays;
    /// `error` is empty when the look succeeded. Answers whether there is such a folder.
    ///
    /// # Errors
    /// What the disk said.
    pub fn folder_scanned(
        &mut self,
        id: i64,
        mark: Option<&str>,
        error: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self
            .conn()
            .prepare_cached(
                "UPDATE watched_folders SET scanned_at = ?2, mark = coalesce(?3, mark), error = ?4 WHERE id = ?1",
            )?
            .execute(params![id, at.micros(), mark, error])?;
        Ok(changed > 0)
    }

    /// Stores what was seen in the folder `folder_id`, cut to its bound, and forgets the oldest
    /// beyond [`OBSERVATIONS_PER_FOLDER_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is no such folder.
    pub fn insert_observation(
        &mut self,
        folder_id: i64,
        kind: ObservationKind,
        summary: &str,
        detail: &str,
    ) -> Result<Observation, StoreError> {
        let folder = self
            .folder(folder_id)?
            .ok_or_else(|| StoreError::Unknown { what: format!("watched folder {folder_id}") })?;
        let mut seen = Observation {
            id: 0,
            folder_id,
            folder: folder.name,
            kind,
            summary: cut(summary, OBSERVATION_CHARS_MAX),
            detail: cut(detail, OBSERVATION_CHARS_MAX),
            seen_at: self.now(),
        };
        seen.id = self
            .conn()
            .prepare_cached(
                "INSERT INTO observations (folder_id, kind, summary, detail, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .insert(params![folder_id, kind.name(), seen.summary, seen.detail, seen.seen_at.micros()])?;
        self.conn()
            .prepare_cached(
                "DELETE FROM observations WHERE folder_id = ?1 AND id <=
                 (SELECT id FROM observations WHERE folder_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute([folder_id, OBSERVATIONS_PER_FOLDER_MAX as i64])?;
        Ok(seen)
    }
}
