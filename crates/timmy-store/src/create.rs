//! Making a new file, and opening connections to one.
//!
//! A new database is built under another name and moved into place once it is whole and on the
//! disk, so that no half-made file is ever found at the next start. It costs two syncs.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use timmy_domain::Timestamp;

use crate::{Random, StoreError, migrate, signing, wal};

/// How long a connection waits for another process, in milliseconds.
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// Bytes of a page. Against 4 KiB, half the writes for the same rows: appends are some 6 % faster
/// (measured with benches/append.rs, best of five).
const PAGE_BYTES: i64 = 8_192;

/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 4_096;

/// Page cache of one reader, in KiB.
pub(crate) const READER_CACHE_KIB: i64 = 1_024;

/// Bytes the write-ahead log keeps on the disk after a checkpoint.
const WAL_KEPT_BYTES_MAX: i64 = 32 * 1024 * 1024;

/// Prepared statements a connection keeps.
const STATEMENTS_KEPT_MAX: usize = 128;

/// `path` with `suffix` after its last character.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// Where SQLite keeps the write-ahead log of the database at `path`.
pub(crate) fn wal_path(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// Makes an empty database at `path`, where nothing or an empty file lies, signed from its birth.
pub(crate) fn create(path: &Path, random: &Random, now: Timestamp) -> Result<(), StoreError> {
    let draft = beside(path, ".new");
    let made = build(&draft, &|conn| {
        // A key that lies here belonged to a database that is gone; it may sign this one.
        signing::demote(path)?;
        signing::settle(conn, path, random, now).map(drop)
    });
    let made = made.and_then(|()| {
        File::open(&draft)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&draft, path))
            .and_then(|()| sync_folder(path))
            .map_err(|e| StoreError::io("the new database was not stored", &e))
    });
    if made.is_err() {
        // The draft is ours and incomplete; a failure to remove it changes nothing.
        let _ = fs::remove_file(&draft);
    }
    made
}

fn build(draft: &Path, sign: &dyn Fn(&Connection) -> Result<(), StoreError>) -> Result<(), StoreError> {
    for leftover in [draft.to_owned(), wal_path(draft), beside(draft, "-shm")] {
        // Left by a creation that was cut off. Usually there is none.
        let _ = fs::remove_file(leftover);
    }
    private_file(draft).map_err(|e| StoreError::io("no file can be made for the database", &e))?;
    let mut conn =
        Connection::open_with_flags(draft, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    // Freed pages can then be given back in small steps, instead of writing the whole file anew.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    migrate::to_latest(&mut conn)?;
    sign(&conn)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.close().map_err(|(_, error)| StoreError::from(error))
}

/// Makes an empty file that only its owner may read.
pub(crate) fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes the entry of `path` in its folder durable. Windows has no such call and needs none.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The connection of the writer.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    common(&conn, WRITER_CACHE_KIB)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", wal::MOVED_PAGES_MIN, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES_MAX, |_| Ok(()))?;
    Ok(conn)
}

/// The connection of a thread that only moves pages from the write-ahead log into the file.
pub(crate) fn open_mover(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    common(&conn, READER_CACHE_KIB)?;
    Ok(conn)
}

/// Lets SQLite take back a change that was cut off while the file was not yet in its usual mode: a copy
/// that somebody put in place, killed at its first start. A reader alone could not, and would refuse.
pub(crate) fn roll_back(path: &Path) -> Result<(), StoreError> {
    if beside(path, "-journal").exists() {
        migrate::version(&open_mover(path)?)?;
    }
    Ok(())
}

/// The connection of a reader.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    common(&conn, READER_CACHE_KIB)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// What every connection is told.
pub(crate) fn common(conn: &Connection, cache_kib: i64) -> Result<(), StoreError> {
    conn.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT_MAX);
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // A plan must not hang on the values that are bound, or each binding throws the prepared statement away.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Nothing in a file may make this program call functions it did not mean to.
    conn.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}
