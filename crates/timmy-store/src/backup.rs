//! Copying the database while it is used, and looking at a copy before anybody relies on it.
//!
//! A copy is made with `VACUUM INTO` on a reading connection of its own: it holds one state of the data,
//! the writer goes on meanwhile, and what was deleted long ago is not in it. Sessions are taken out of
//! it, for a copy leaves the house and a cookie must not. Hashes of tokens stay: they are made from 256
//! random bits, so nobody finds the token, and programs go on working after a restore.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use serde_json::{Map, Value};
use timmy_domain::{Problem, Seq};

use crate::area::Area;
use crate::readers::in_snapshot;
use crate::store::in_background;
use crate::{Reader, Store, StoreError, check, create, log, migrate, signing, verify};

/// Called now and then with the bytes that are done and the bytes there are; `false` gives the work up.
pub type OnProgress = Arc<dyn Fn(u64, u64) -> bool + Send + Sync>;

/// Steps of SQLite's machine between two calls of [`OnProgress`]: some milliseconds.
const PROGRESS_STEPS: i32 = 50_000;

/// What a database holds, in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The version of its schema.
    pub schema_version: i64,
    /// The last position of its log.
    pub last_seq: Seq,
    /// The hash of the last row of its log, in hexadecimal.
    pub head_hash: String,
    /// Rows of each table.
    pub tables: BTreeMap<String, i64>,
}

/// What the full check of a database found when all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What it holds.
    pub contents: Contents,
    /// Pages of the file.
    pub pages: i64,
    /// Events whose chain was verified.
    pub events: i64,
}

impl Store {
    /// Copies the database as it is now to `to`, where nothing may lie, while others read and write.
    /// Sessions and the values stored under `forget` are not in the copy. It is on the disk when this
    /// answers, and readable by its owner alone. A copy that fails or is given up leaves nothing.
    ///
    /// # Errors
    /// What the disk said; [`StoreError::Refused`] with the code `stopped` when it was given up.
    pub async fn copy_to(
        &self,
        to: PathBuf,
        forget: &'static [&'static str],
        on_progress: OnProgress,
    ) -> Result<Contents, StoreError> {
        let from = self.path().to_owned();
        in_background("store-copy", move || {
            let made = copy(&from, &to, &on_progress).and_then(|()| settle(&to, forget));
            if made.is_err() {
                remove(&to);
            }
            made
        })
        .await
    }
}

/// Removes a database with what SQLite keeps beside it.
pub(crate) fn remove(path: &Path) {
    for file in
        [path.to_owned(), create::wal_path(path), create::beside(path, "-shm"), create::beside(path, "-journal")]
    {
        // What is gone already is what is wanted.
        let _ = fs::remove_file(file);
    }
}

fn copy(from: &Path, to: &Path, on_progress: &OnProgress) -> Result<(), StoreError> {
    create::private_file(to).map_err(|e| StoreError::io("no file can be made for the copy", &e))?;
    let name = text_of(to)?;
    let conn = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    create::common(&conn, create::READER_CACHE_KIB)?;
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let total = u64::try_from(pages.saturating_mul(page)).unwrap_or(0);
    let (watch, target) = (Arc::clone(on_progress), to.to_owned());
    if !watch(0, total) {
        return Err(stopped());
    }
    conn.progress_handler(
        PROGRESS_STEPS,
        Some(move || !watch(fs::metadata(&target).map_or(0, |m| m.len()).min(total), total)),
    )?;
    let done = conn.execute("VACUUM INTO ?1", params![name]);
    match done {
        Ok(_) if on_progress(total, total) => Ok(()),
        Ok(_) => Err(stopped()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Err(stopped()),
        Err(error) => Err(error.into()),
    }
}

fn stopped() -> StoreError {
    Problem::conflict("stopped", "The work was stopped; nothing of it is left.", "Start it again when it suits you.")
        .into()
}

/// Takes out of a fresh copy what must not leave the house, brings it onto the disk and counts it.
fn settle(copy: &Path, forget: &[&str]) -> Result<Contents, StoreError> {
    let conn = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    create::common(&conn, create::READER_CACHE_KIB)?;
    // In memory: if this breaks off, the copy is thrown away as a whole.
    conn.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    conn.execute("DELETE FROM sessions", [])?;
    for key in forget {
        conn.execute("DELETE FROM state WHERE key = ?1", [key])?;
    }
    let contents = contents(&conn)?;
    // The mode in which it is used: changing it in place at the first start would be one more thing to cut off.
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.close().map_err(|(_, error)| StoreError::from(error))?;
    File::open(copy)
        .and_then(|file| file.sync_all())
        .and_then(|()| create::sync_folder(copy))
        .map_err(|e| StoreError::io("the copy was not stored", &e))?;
    Ok(contents)
}

fn contents(conn: &Connection) -> Result<Contents, StoreError> {
    let head = log::head(conn)?;
    let names: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut tables = BTreeMap::new();
    for name in names {
        // Names come from the schema, whose hash was checked; the quotes are for form.
        let sql = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        tables.insert(name, conn.query_row(&sql, [], |row| row.get(0))?);
    }
    Ok(Contents { schema_version: migrate::version(conn)?, last_seq: head.seq, head_hash: hex(&head.hash), tables })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text_of(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| StoreError::Disk {
        message: "the path of the copy is not Unicode, so no copy can be made".to_owned(),
    })
}

/// A database that nobody uses, opened to look at it. Neither the file nor its folder is changed, so this
/// also works on a disk that cannot be written.
#[derive(Debug)]
pub struct Still {
    conn: Connection,
    path: PathBuf,
}

impl Still {
    /// Opens the database at `path` after the quick checks of every start. When a write-ahead log lies
    /// beside it (its server was killed), both are copied into `scratch`, a folder the caller removes, and
    /// the copy is opened.
    ///
    /// # Errors
    /// As [`Store::open`] for reading only, yet an older schema is taken.
    pub fn open(path: &Path, scratch: &Path) -> Result<Self, StoreError> {
        if check::file(path)? == check::Found::Nothing {
            return Err(StoreError::Missing { path: path.display().to_string() });
        }
        let wal = create::wal_path(path);
        let (conn, path) = if fs::metadata(&wal).is_ok_and(|m| m.len() > 0) {
            let copy = scratch.join("timmy.db");
            let both = fs::copy(path, &copy).and_then(|_| fs::copy(&wal, create::wal_path(&copy)));
            both.map_err(|e| StoreError::io("the database could not be copied to look at it", &e))?;
            (create::open_reader(&copy)?, copy)
        } else {
            (open_unmoving(path)?, path.to_owned())
        };
        check::content(&conn, &path)?;
        Ok(Self { conn, path })
    }

    /// Checks everything there is to check: pages, references, the whole chain.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what is wrong; else what the disk said.
    pub fn inspect(&self) -> Result<Inspection, StoreError> {
        let pages = verify::integrity(&self.conn)?;
        if !pages.findings.is_empty() {
            return Err(StoreError::damaged(pages.findings.join("; ")));
        }
        let chain = verify::chain(&self.conn, 1)?;
        if let Some(bad) = chain.bad {
            return Err(StoreError::damaged(format!("event {}: {}", bad.seq, bad.finding)));
        }
        Ok(Inspection { contents: contents(&self.conn)?, pages: pages.pages, events: chain.rows })
    }

    /// Runs `work` over the data.
    ///
    /// # Errors
    /// What `work` said; what the disk said.
    pub fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        in_snapshot(&self.conn, work)
    }

    /// Writes the rows of `area` as JSON, one a line, and answers how many.
    ///
    /// # Errors
    /// What the disk said.
    pub fn export(&self, area: Area, out: &mut dyn Write) -> Result<u64, StoreError> {
        in_snapshot(&self.conn, |r| export(r.conn(), area, out))
    }

    /// Where the file lies that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens a file that is promised not to change: SQLite then makes no lock and no file beside it.
fn open_unmoving(path: &Path) -> Result<Connection, StoreError> {
    let mut uri = String::from("file:");
    for byte in text_of(path)?.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(format!("{uri}?immutable=1"), flags)?;
    create::common(&conn, create::READER_CACHE_KIB)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// Writes what `area` selects, one row a line.
fn export(conn: &Connection, area: Area, out: &mut dyn Write) -> Result<u64, StoreError> {
    let mut lines = 0;
    for sql in area.selects() {
        let mut statement = conn.prepare(sql)?;
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut object = Map::new();
            for (index, name) in names.iter().enumerate() {
                object.insert(name.clone(), json(row.get_ref(index)?));
            }
            let written = serde_json::to_writer(&mut *out, &Value::Object(object))
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"));
            written.map_err(|e| StoreError::io("the export was not stored", &e))?;
            lines += 1;
        }
    }
    Ok(lines)
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::from(i),
        ValueRef::Real(r) => Value::from(r),
        ValueRef::Text(text) => Value::String(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Value::String(hex(blob)),
    }
}

/// The copies that Timmy made of the database at `path` before he changed its schema or put another in
/// its place, oldest first.
///
/// # Errors
/// What the disk said; none when there is no such folder.
pub fn copies_beside(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    match migrate::copies(path) {
        Err(StoreError::Disk { .. }) if path.parent().is_some_and(|p| !p.exists()) => Ok(Vec::new()),
        other => other,
    }
}

/// Lets the key beside the database at `path` sign what was just put there in place of another: when it
/// has not signed it before, it takes over and the list of keys says so.
///
/// # Errors
/// What the disk said.
pub fn adopt(path: &Path) -> Result<(), StoreError> {
    signing::demote(path)
}

/// Whether the database at `path` cannot be written because of where it lies: a disk mounted for reading
/// only, or rights that this user lacks.
#[must_use]
pub fn is_read_only(path: &Path) -> bool {
    match fs::OpenOptions::new().append(true).open(path) {
        Ok(_) => false,
        Err(error) => matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied),
    }
}
