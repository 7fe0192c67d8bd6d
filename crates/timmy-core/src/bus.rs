//! The event bus: a doorbell over the log. It carries no data, so a lost wake-up costs time and never an event.

use timmy_domain::bus::Pattern;
use timmy_domain::{Record, Seq};
use timmy_store::{EventQuery, Store, StoreError};
use tokio::sync::watch;

/// Rows read from the log at once.
pub const BATCH_ROWS_MAX: usize = 500;

/// Reads the log from a position on, waiting for what is still to come.
pub struct Subscription {
    store: Store,
    patterns: Vec<Pattern>,
    after: Seq,
    head: watch::Receiver<Seq>,
}

/// What one look at the log brought.
#[derive(Debug)]
pub struct Batch {
    /// Events that match, oldest first. May be empty when only others were passed.
    pub records: Vec<Record>,
    /// Everything up to this position has been looked at.
    pub upto: Seq,
}

impl Subscription {
    /// Listens for `patterns` (any of them) to everything after position `after`.
    #[must_use]
    pub fn new(store: &Store, patterns: Vec<Pattern>, after: Seq) -> Self {
        Self { store: store.clone(), patterns, after, head: store.head() }
    }

    /// Whether no event is wanted at all.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The position up to which everything has been looked at.
    #[must_use]
    pub const fn position(&self) -> Seq {
        self.after
    }

    /// Wants other events from now on.
    pub fn set_patterns(&mut self, patterns: Vec<Pattern>) {
        self.patterns = patterns;
    }

    /// The next events in order; waits while there are none. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next(&mut self) -> Result<Batch, StoreError> {
        self.next_up_to(BATCH_ROWS_MAX).await
    }

    /// Like [`Self::next`] with at most `rows_max` rows looked at.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next_up_to(&mut self, rows_max: usize) -> Result<Batch, StoreError> {
        let after = self.after;
        // The sender lives as long as the store does; if it is gone the house stops and waiting forever is right.
        if self.head.wait_for(|head| *head > after).await.is_err() {
            std::future::pending::<()>().await;
        }
        let query = EventQuery { after: Some(after), limit: rows_max, ..EventQuery::default() };
        let rows = self.store.read(move |r| r.events(&query)).await?;
        self.after = rows.last().map_or(after, |r| r.seq);
        let records = rows.into_iter().filter(|r| self.patterns.iter().any(|p| p.matches(&r.name))).collect();
        Ok(Batch { records, upto: self.after })
    }
}
