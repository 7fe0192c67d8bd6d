//! Looking over the shoulder of the readers: which statements ran, and how many rows each took from a table without
//! an index that leads there. Off unless a store is opened with [`Options::watched`](crate::Options::watched).

use std::sync::{Mutex, PoisonError};

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, StatementStatus};

/// Statements that are noted until somebody takes them.
const NOTED_MAX: usize = 10_000;

static NOTED: Mutex<Vec<Ran>> = Mutex::new(Vec::new());

/// A statement that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The statement, with its parameters as they are written.
    pub sql: String,
    /// Rows it took by walking through a table, since it was prepared.
    pub walked: i32,
}

/// Notes what `conn` runs from now on.
pub(crate) fn begin(conn: &Connection) {
    conn.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(note));
}

fn note(event: TraceEvent<'_>) {
    let TraceEvent::Profile(statement, _) = event else { return };
    let ran = Ran { sql: statement.sql().into_owned(), walked: statement.get_status(StatementStatus::FullscanStep) };
    let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.len() < NOTED_MAX {
        noted.push(ran);
    }
}

/// What ran since the last call, in every watched store of this process.
#[must_use]
pub fn take() -> Vec<Ran> {
    std::mem::take(&mut *NOTED.lock().unwrap_or_else(PoisonError::into_inner))
}
