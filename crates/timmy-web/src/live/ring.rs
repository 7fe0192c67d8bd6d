//! The newest events, read from the log once and serialized once for all sockets.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use timmy_core::bus::Subscription;
use timmy_domain::bus::Pattern;
use timmy_domain::{Record, Seq};
use timmy_store::{EventQuery, Store, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Events the ring holds.
pub const RING_ROWS_MAX: usize = 2_048;
/// Bytes of serialized events the ring holds.
pub const RING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long to wait after the log could not be read, in milliseconds.
const RETRY_MS: u64 = 500;

/// One event, ready to be sent.
#[derive(Debug)]
pub struct Line {
    /// Its position.
    pub seq: Seq,
    /// Its dotted name.
    pub name: String,
    /// Its envelope.
    pub json: String,
}

impl Line {
    /// The event as it goes out.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self { seq: record.seq, name: record.name.clone(), json: record.envelope().to_string() }
    }
}

/// Lines without a gap: each follows the one before it, and the first follows `base`.
#[derive(Debug, Default)]
struct Lines {
    /// The position before the first line.
    base: Seq,
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
}

impl Lines {
    fn last(&self) -> Seq {
        self.lines.back().map_or(self.base, |line| line.seq)
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.json.len();
        self.lines.push_back(Arc::new(line));
        while self.lines.len() > RING_ROWS_MAX || (self.bytes > RING_BYTES_MAX && self.lines.len() > 1) {
            if let Some(gone) = self.lines.pop_front() {
                self.bytes -= gone.json.len();
                self.base = gone.seq;
            }
        }
    }

    /// At most `max` lines after `after`, oldest first; `None` when the ring does not reach back that far.
    fn after(&self, after: Seq, max: usize) -> Option<Vec<Arc<Line>>> {
        if after < self.base {
            return None;
        }
        let from = self.lines.partition_point(|line| line.seq <= after);
        Some(self.lines.range(from..).take(max).cloned().collect())
    }
}

/// The ring. Cheap to clone.
#[derive(Clone)]
pub struct Ring(Arc<Inside>);

struct Inside {
    store: Store,
    lines: Mutex<Lines>,
    head: watch::Sender<Seq>,
    begun: AtomicBool,
    stop: CancellationToken,
}

impl Ring {
    /// A ring over `store`. It begins to turn with the first socket, and ends with `stop`.
    #[must_use]
    pub fn new(store: &Store, stop: CancellationToken) -> Self {
        let base = store.last_seq();
        Self(Arc::new(Inside {
            store: store.clone(),
            lines: Mutex::new(Lines { base, ..Lines::default() }),
            head: watch::Sender::new(base),
            begun: AtomicBool::new(false),
            stop,
        }))
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to read the log, once.
    pub fn begin(&self) {
        if self.0.begun.swap(true, Ordering::AcqRel) {
            return;
        }
        // Nobody listened until now, so the ring may begin here.
        let base = self.0.store.last_seq();
        *self.lines() = Lines { base, ..Lines::default() };
        self.0.head.send_replace(base);
        tokio::spawn(self.clone().turn());
    }

    async fn turn(self) {
        let mut log = Subscription::new(&self.0.store, vec![Pattern::All], self.lines().last());
        loop {
            let batch = tokio::select! {
                batch = log.next() => batch,
                () = self.0.stop.cancelled() => return,
            };
            match batch {
                Ok(batch) => {
                    let fresh: Vec<Line> = batch.records.iter().map(Line::of).collect();
                    let mut lines = self.lines();
                    fresh.into_iter().for_each(|line| lines.push(line));
                    drop(lines);
                    self.0.head.send_replace(batch.upto);
                }
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the live feed cannot read the log");
                    tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
                }
            }
        }
    }

    /// Tells the last position the ring has seen, as it moves.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Seq> {
        self.0.head.subscribe()
    }

    /// The last position the ring has seen.
    #[must_use]
    pub fn last(&self) -> Seq {
        *self.0.head.borrow()
    }

    /// At most `max` events after `after`, oldest first: from the ring, or from the store when they lie further back.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn after(&self, after: Seq, max: usize) -> Result<Vec<Arc<Line>>, StoreError> {
        if let Some(lines) = self.lines().after(after, max) {
            return Ok(lines);
        }
        let query = EventQuery { after: Some(after), limit: max, ..EventQuery::default() };
        let records = self.0.store.read(move |r| r.events(&query)).await?;
        Ok(records.iter().map(|record| Arc::new(Line::of(record))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: Seq, bytes: usize) -> Line {
        Line { seq, name: "a.b".into(), json: "x".repeat(bytes) }
    }

    fn seqs(lines: &Lines, after: Seq, max: usize) -> Option<Vec<Seq>> {
        lines.after(after, max).map(|found| found.iter().map(|l| l.seq).collect())
    }

    #[test]
    fn the_ring_gives_what_follows_and_says_when_it_does_not_reach_back() {
        let mut lines = Lines { base: 10, ..Lines::default() };
        assert_eq!((seqs(&lines, 10, 5), seqs(&lines, 9, 5)), (Some(vec![]), None));
        (11..=14).for_each(|seq| lines.push(line(seq, 1)));
        assert_eq!(seqs(&lines, 10, 2), Some(vec![11, 12]));
        assert_eq!(seqs(&lines, 12, 9), Some(vec![13, 14]));
        assert_eq!(seqs(&lines, 14, 9), Some(vec![]));
        assert_eq!(seqs(&lines, 99, 9), Some(vec![]));
    }

    #[test]
    fn the_ring_is_bounded_by_rows_and_by_bytes() {
        let mut lines = Lines::default();
        (1..=3_000).for_each(|seq| lines.push(line(seq, 1)));
        assert_eq!(lines.lines.len(), RING_ROWS_MAX);
        assert_eq!(lines.base, 3_000 - RING_ROWS_MAX as Seq);
        assert_eq!(seqs(&lines, lines.base - 1, 1), None);
        lines.push(line(3_001, RING_BYTES_MAX));
        assert_eq!((lines.lines.len(), lines.base), (1, 3_000));
    }
}
