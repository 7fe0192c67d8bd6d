//! Figures about the store that the pages show.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use timmy_domain::Seq;

/// How the store fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStats {
    /// Where the file lies.
    pub path: PathBuf,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the write-ahead log beside it.
    pub wal_bytes: u64,
    /// Version of the schema.
    pub schema_version: i64,
    /// Commands that wait for the writer.
    pub writer_queue: usize,
    /// Batches committed since the start.
    pub batches: u64,
    /// Events appended since the start.
    pub rows: u64,
    /// How long the last commit took, in microseconds.
    pub last_commit_micros: i64,
    /// The last committed position.
    pub last_seq: Seq,
    /// Reader threads.
    pub readers: usize,
    /// Why writing has stopped, if it has.
    pub writes_stopped: Option<String>,
}

/// What the writer counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    batches: AtomicU64,
    rows: AtomicU64,
    last_commit_micros: AtomicI64,
}

impl Counters {
    /// Notes a committed batch of `rows` events whose commit took `commit_micros`.
    pub(crate) fn committed(&self, rows: u64, commit_micros: i64) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.last_commit_micros.store(commit_micros, Ordering::Relaxed);
    }

    /// Batches, rows, and microseconds of the last commit.
    pub(crate) fn read(&self) -> (u64, u64, i64) {
        (
            self.batches.load(Ordering::Relaxed),
            self.rows.load(Ordering::Relaxed),
            self.last_commit_micros.load(Ordering::Relaxed),
        )
    }
}
