//! Figures about the store that the pages show.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use timmy_domain::Seq;
use timmy_domain::tally::{Counter, Histogram, QUICK_MICROS, Spread};

/// Commits whose time is remembered one by one.
pub const COMMITS_REMEMBERED: usize = 32;

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

/// How fast the store is, and how much is asked of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorePace {
    /// How long commits took.
    pub commits: Spread,
    /// The last commits in microseconds, the shortest first; at most [`COMMITS_REMEMBERED`].
    pub latest_commits_micros: Vec<u64>,
    /// Commands the writer's queue holds at most.
    pub writer_queue_max: usize,
    /// Batches that could not be committed.
    pub failed_batches: u64,
    /// How long reads took, their waiting included.
    pub reads: Spread,
    /// Reads that ended with an error.
    pub failed_reads: u64,
    /// Reader threads at work.
    pub readers_busy: u64,
    /// Reads that wait for a thread.
    pub reads_waiting: usize,
}

/// What the writer counts.
#[derive(Debug)]
pub(crate) struct Counters {
    batches: AtomicU64,
    rows: AtomicU64,
    last_commit_micros: AtomicI64,
    commits: Histogram,
    /// The time of a commit in microseconds plus one, so that zero means none.
    latest: [AtomicU64; COMMITS_REMEMBERED],
    pub(crate) failed: Counter,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            batches: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            last_commit_micros: AtomicI64::new(0),
            commits: Histogram::new(QUICK_MICROS),
            latest: [const { AtomicU64::new(0) }; COMMITS_REMEMBERED],
            failed: Counter::default(),
        }
    }
}

impl Counters {
    /// Notes a committed batch of `rows` events whose commit took `commit_micros`.
    pub(crate) fn committed(&self, rows: u64, commit_micros: i64) {
        let number = self.batches.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(commit_micros).unwrap_or(0);
        self.commits.observe(Duration::from_micros(micros));
        let place = usize::try_from(number).unwrap_or(0) % COMMITS_REMEMBERED;
        self.latest[place].store(micros.saturating_add(1), Ordering::Relaxed);
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

    /// How long commits took: all in classes, and the latest one by one.
    pub(crate) fn commits(&self) -> (Spread, Vec<u64>) {
        let latest = self.latest.iter().filter_map(|micros| micros.load(Ordering::Relaxed).checked_sub(1));
        let mut latest: Vec<u64> = latest.collect();
        latest.sort_unstable();
        (self.commits.spread(), latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_commits_are_remembered_and_older_ones_only_in_their_class() {
        let counters = Counters::default();
        assert!(counters.commits().1.is_empty());
        (0..40).for_each(|micros| counters.committed(1, micros));
        let (spread, latest) = counters.commits();
        assert_eq!((spread.count, latest.len()), (40, COMMITS_REMEMBERED));
        assert_eq!((latest.first(), latest.last()), (Some(&8), Some(&39)));
    }
}
