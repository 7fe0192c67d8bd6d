//! The checks at start. They only read: a file that fails one is left exactly as it is.

use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use rusqlite::Connection;

use crate::{StoreError, create, log, migrate, verify};

/// Rows of the chain that are checked at every start.
const CHAIN_ROWS_CHECKED: i64 = 1_000;

/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Bytes of the header (SQLite file format §1.3).
const HEADER_BYTES: usize = 100;

/// Bytes of the header of the write-ahead log, and of each frame in it (SQLite file format §4.1).
const WAL_HEADER_BYTES: usize = 32;
const WAL_FRAME_HEADER_BYTES: usize = 24;

/// What lies at the path of the database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing, or an empty file that nobody wrote to.
    Nothing,
    /// A file that looks like ours.
    File,
}

/// Looks at the raw file before SQLite does, for SQLite may repair what it opens.
pub(crate) fn file(path: &Path) -> Result<Found, StoreError> {
    let unreadable = |e: &std::io::Error| StoreError::io("the database cannot be read", e);
    let wal_bytes = std::fs::metadata(create::wal_path(path)).map_or(0, |m| m.len());
    let mut file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&error)),
    };
    let meta = file.as_ref().map(File::metadata).transpose().map_err(|e| unreadable(&e))?;
    if meta.as_ref().is_some_and(|m| !m.is_file()) {
        return Err(StoreError::Foreign);
    }
    let bytes = meta.map_or(0, |m| m.len());
    let Some(file) = file.as_mut().filter(|_| bytes > 0) else {
        return if wal_bytes > 0 {
            Err(StoreError::damaged("timmy.db is gone or empty, yet its write-ahead log is there"))
        } else {
            Ok(Found::Nothing)
        };
    };
    let mut header = [0; HEADER_BYTES];
    if let Err(error) = file.read_exact(&mut header) {
        return if error.kind() == ErrorKind::UnexpectedEof {
            Err(StoreError::damaged("the file ends within its header"))
        } else {
            Err(unreadable(&error))
        };
    }
    header_is_ours(&header)?;
    let page = page_bytes(&header)?;
    // While a write-ahead log waits, the file may rightly lag behind it; `content` looks then.
    if wal_bytes == 0 {
        let pages = u64::from(big_endian(&header, 28));
        if pages * page != bytes {
            return Err(StoreError::damaged(format!(
                "the file should hold {pages} pages of {page} bytes, yet it holds {bytes} bytes"
            )));
        }
    } else {
        wal_header(path, wal_bytes)?;
    }
    Ok(Found::File)
}

fn header_is_ours(header: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
    if header[..16] != MAGIC[..] {
        return Err(StoreError::damaged("the file does not begin as a database does"));
    }
    // Bytes 21 to 23 are fixed by the format; other values mean a torn header.
    if header[21..24] != [64, 32, 32] {
        return Err(StoreError::damaged("the header holds values that no database has"));
    }
    if i64::from(big_endian(header, 68)) != migrate::APPLICATION_ID {
        return Err(StoreError::Foreign);
    }
    Ok(())
}

fn page_bytes(header: &[u8; HEADER_BYTES]) -> Result<u64, StoreError> {
    match u16::from_be_bytes([header[16], header[17]]) {
        1 => Ok(65_536),
        n if n >= 512 && n.is_power_of_two() => Ok(u64::from(n)),
        _ => Err(StoreError::damaged("the header names a page size that no database has")),
    }
}

fn big_endian(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// SQLite would drop a write-ahead log with a damaged header without a word, and with it everything
/// committed lately. The header is synced before the first frame, so frames without it are damage.
fn wal_header(path: &Path, wal_bytes: u64) -> Result<(), StoreError> {
    if wal_bytes <= WAL_HEADER_BYTES as u64 {
        return Ok(());
    }
    let mut header = [0; WAL_HEADER_BYTES];
    File::open(create::wal_path(path))
        .and_then(|mut wal| wal.read_exact(&mut header))
        .map_err(|e| StoreError::io("the write-ahead log cannot be read", &e))?;
    if big_endian(&header, 0) & !1 == 0x377F_0682 {
        Ok(())
    } else {
        Err(StoreError::damaged("the write-ahead log does not begin as one does"))
    }
}

/// Looks at the content through a read-only connection and answers the version of the schema.
pub(crate) fn content(conn: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found = migrate::version(conn).map_err(as_damage)?;
    if found > migrate::LATEST {
        return Err(StoreError::NewerSchema { found, known: migrate::LATEST });
    }
    if found < 1 {
        return Err(StoreError::damaged("the schema has no version"));
    }
    migrate::check_hash(conn).map_err(as_damage)?;
    page_count(conn, path)?;
    let last = log::head(conn).map_err(as_damage)?.seq;
    let report = verify::chain(conn, (last - CHAIN_ROWS_CHECKED + 1).max(1)).map_err(as_damage)?;
    match report.bad {
        None => Ok(found),
        Some(bad) => Err(StoreError::damaged(format!("event {}: {}", bad.seq, bad.finding))),
    }
}

/// Every page must lie in the file or wait in the write-ahead log.
fn page_count(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let (pages, page) = (pages.unsigned_abs(), page.unsigned_abs().max(1));
    let unreadable = |e: &std::io::Error| StoreError::io("the database cannot be read", e);
    let held = std::fs::metadata(path).map_err(|e| unreadable(&e))?.len() / page;
    if held >= pages {
        return Ok(());
    }
    let waiting = wal_pages(path, page).map_err(|e| unreadable(&e))?;
    match (held + 1..=pages).find(|number| !waiting.contains(number)) {
        None => Ok(()),
        Some(number) => Err(StoreError::damaged(format!(
            "page {number} of {pages} is neither in the file nor in the write-ahead log"
        ))),
    }
}

/// The pages that wait in the write-ahead log: those of frames with the salt of its header.
fn wal_pages(path: &Path, page: u64) -> std::io::Result<HashSet<u64>> {
    let mut wal = match File::open(create::wal_path(path)) {
        Ok(wal) => wal,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(error) => return Err(error),
    };
    let frames = wal.metadata()?.len().saturating_sub(WAL_HEADER_BYTES as u64) / (page + WAL_FRAME_HEADER_BYTES as u64);
    let mut header = [0; WAL_HEADER_BYTES];
    let mut found = HashSet::new();
    if frames == 0 {
        return Ok(found);
    }
    wal.read_exact(&mut header)?;
    for _ in 0..frames {
        let mut frame = [0; WAL_FRAME_HEADER_BYTES];
        wal.read_exact(&mut frame)?;
        if frame[8..16] != header[16..24] {
            break;
        }
        found.insert(u64::from(big_endian(&frame, 0)));
        wal.seek(SeekFrom::Current(i64::try_from(page).unwrap_or(i64::MAX)))?;
    }
    Ok(found)
}

/// A statement that fails on a file at start fails because of the file.
fn as_damage(error: StoreError) -> StoreError {
    match error {
        StoreError::Statement { message } => StoreError::Damaged { finding: message },
        other => other,
    }
}
