//! The schema: numbered steps that only go forward, and the copy made before one of them runs.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use rusqlite_migration::{HookResult, M, Migrations};
use sha2::{Digest, Sha256};
use timmy_domain::Timestamp;

use crate::{StoreError, backup, create};

/// Every step, in order. A step that has been released is never edited.
const STEPS: [&str; 12] = [
    include_str!("../migrations/0001_events.sql"),
    include_str!("../migrations/0002_thoughts.sql"),
    include_str!("../migrations/0003_messages.sql"),
    include_str!("../migrations/0004_folders.sql"),
    include_str!("../migrations/0005_access.sql"),
    include_str!("../migrations/0006_state.sql"),
    include_str!("../migrations/0007_retention.sql"),
    include_str!("../migrations/0008_tasks.sql"),
    include_str!("../migrations/0009_approvals.sql"),
    include_str!("../migrations/0010_agent.sql"),
    include_str!("../migrations/0011_work.sql"),
    include_str!("../migrations/0012_router.sql"),
];

/// The version of the newest schema.
pub(crate) const LATEST: i64 = STEPS.len() as i64;

/// The first version whose logs are signed.
const SIGNED_SINCE: i64 = 7;

/// Whether a log of this version is signed.
pub(crate) const fn is_signed(version: i64) -> bool {
    version >= SIGNED_SINCE
}

/// Written into the header of the file (offset 68): the letters `Timy`.
pub(crate) const APPLICATION_ID: i64 = 0x5469_6D79;

/// What the name of a copy ends in while it is made; it never counts as one.
const DRAFT: &str = ".before.new";

/// Copies made before migrations that are kept.
const COPIES_KEPT_MAX: usize = 5;

fn migrations() -> Migrations<'static> {
    Migrations::new(STEPS.iter().map(|sql| M::up_with_hook(sql, remember)).collect())
}

/// Stores the hash of the schema, in the transaction that made it.
fn remember(tx: &rusqlite::Transaction<'_>) -> HookResult {
    tx.execute(
        "INSERT INTO store_meta (key, value) VALUES ('schema_hash', ?1)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [hash(tx)?],
    )?;
    Ok(())
}

/// Brings the file to the newest schema, in one transaction.
pub(crate) fn to_latest(conn: &mut Connection) -> Result<(), StoreError> {
    Ok(migrations().to_latest(conn)?)
}

/// The version of the file.
pub(crate) fn version(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// The statements that make the schema: tables, indexes, then what hangs on them, each by name.
pub(crate) fn statements(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, name",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// The hash of the schema as it stands, in hexadecimal.
fn hash(conn: &Connection) -> rusqlite::Result<String> {
    let mut hasher = Sha256::new();
    for statement in statements(conn)? {
        hasher.update(statement.as_bytes());
        hasher.update(b";\n");
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether the schema is the one that the last migration left.
pub(crate) fn check_hash(conn: &Connection) -> Result<(), StoreError> {
    let stored: Option<String> = conn
        .query_row("SELECT value FROM store_meta WHERE key = 'schema_hash'", [], |row| row.get(0))
        .optional()
        .map_err(|error| StoreError::damaged(format!("the schema cannot be read ({error})")))?;
    let Some(stored) = stored else {
        return Err(StoreError::damaged("the hash of the schema is gone"));
    };
    if stored == hash(conn)? { Ok(()) } else { Err(StoreError::damaged("the tables are not those that Timmy made")) }
}

/// Copies the file beside itself before a migration from `version`, and keeps the newest copies. A copy has its name
/// once it is whole and on the disk, readable by its owner alone; one that fails leaves nothing.
pub(crate) fn copy_before(conn: &Connection, path: &Path, version: i64, now: Timestamp) -> Result<(), StoreError> {
    let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let copy = create::beside(path, &format!(".before-{stamp}-v{version}"));
    let draft = create::beside(path, DRAFT);
    // Left by a copy that was cut off.
    backup::remove(&draft);
    let made = write_copy(conn, &draft).and_then(|()| {
        fs::rename(&draft, &copy)
            .and_then(|()| create::sync_folder(&copy))
            .map_err(|e| StoreError::io("the copy before the migration was not stored", &e))
    });
    if made.is_err() {
        backup::remove(&draft);
    }
    made?;
    tracing::info!(copy = %copy.display(), version, "a copy was made before the migration");
    let mut copies = copies(path)?;
    while copies.len() > COPIES_KEPT_MAX {
        // One copy too many harms nobody.
        let _ = fs::remove_file(copies.remove(0));
    }
    Ok(())
}

/// Writes the copy to `draft` and brings it onto the disk.
fn write_copy(conn: &Connection, draft: &Path) -> Result<(), StoreError> {
    let name = draft.to_str().ok_or_else(|| StoreError::Disk {
        message: "the path of the database is not Unicode, so no copy can be made".to_owned(),
    })?;
    // Closed to others before anything is in it: SQLite would make it as open as the process may.
    create::private_file(draft)
        .map_err(|e| StoreError::io("no file can be made for the copy before the migration", &e))?;
    conn.execute("VACUUM INTO ?1", params![name])?;
    let synced = fs::File::open(draft).and_then(|file| file.sync_all());
    synced.map_err(|e| StoreError::io("the copy before the migration was not stored", &e))
}

/// The copies made before migrations, oldest first: their names sort by time.
pub(crate) fn copies(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = create::beside(path, ".before-");
    let prefix = prefix.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let entries = fs::read_dir(folder).map_err(|e| StoreError::io("the folder of the database cannot be read", &e))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            // What a restore moved aside is named alike, and is never counted here nor removed.
            let name = entry.file_name().to_string_lossy().into_owned();
            name.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
