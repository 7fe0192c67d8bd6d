//! The statements around a batch: begin, savepoint, commit, rollback, checkpoint.

use rusqlite::Connection;

use super::{head, set_head};
use crate::StoreError;
use crate::chain::Head;
use crate::signing::Signer;

/// Opens a batch and answers where the log ends. Read anew each time, so that even another
/// process's rows are continued, never overwritten.
pub(crate) fn begin(conn: &Connection) -> Result<Head, StoreError> {
    run(conn, "BEGIN IMMEDIATE")?;
    head(conn)
}

/// Makes the batch durable; `end` is where the log ends now, if that has changed.
pub(crate) fn commit(conn: &Connection, end: Option<&Head>, signer: Option<&Signer>) -> Result<(), StoreError> {
    if let Some(end) = end {
        set_head(conn, end, signer)?;
    }
    run(conn, "COMMIT")
}

/// Takes the batch back. SQLite does so by itself after some faults; then nothing is left to do.
pub(crate) fn rollback(conn: &Connection) -> Result<(), StoreError> {
    if conn.is_autocommit() { Ok(()) } else { run(conn, "ROLLBACK") }
}

/// Begins one piece of work inside the batch.
pub(crate) fn savepoint(conn: &Connection) -> Result<(), StoreError> {
    run(conn, "SAVEPOINT work")
}

/// Ends one piece of work inside the batch.
pub(crate) fn release(conn: &Connection) -> Result<(), StoreError> {
    run(conn, "RELEASE work")
}

/// Takes back one piece of work inside the batch.
pub(crate) fn rollback_to_savepoint(conn: &Connection) -> Result<(), StoreError> {
    run(conn, "ROLLBACK TO work")?;
    run(conn, "RELEASE work")
}

/// Moves everything from the write-ahead log into the file.
pub(crate) fn checkpoint(conn: &Connection) -> Result<(), StoreError> {
    // Answers a row; whether it got to the end does not matter, for the next one goes on.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn run(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
