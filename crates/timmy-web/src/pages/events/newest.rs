//! The newest rows of the log, drawn once: what most looks at the page show. Each look reads and draws only what is new.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Date, UtcOffset};
use timmy_domain::Seq;
use timmy_store::{EventQuery, Reader, StoreError};

use super::PAGE_EVENTS;
use crate::look::Clock;
use crate::look::events::{DrawnRow, EventRow};

/// The newest rows as they were last seen.
#[derive(Debug, Default)]
pub struct Newest(Mutex<Seen>);

/// Rows, newest first, one more than a page shows, and the day on which they were drawn.
#[derive(Clone, Debug, Default)]
struct Seen {
    rows: Vec<Arc<DrawnRow>>,
    place: Option<(Date, UtcOffset)>,
}

impl Newest {
    /// The rows of the first page, newest first, and the position before which older ones lie.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rows(&self, r: &Reader<'_>, clock: &Clock) -> Result<(Vec<Arc<DrawnRow>>, Option<Seq>), StoreError> {
        let place = Some(clock.place());
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let newest = |of: &Seen| of.rows.first().map_or(0, |drawn| drawn.row.seq);
        // On another day times are told in other words; a log that ends earlier is another log.
        if seen.place != place || newest(&seen) > r.last_seq()? {
            seen = Seen { rows: Vec::new(), place };
        }
        let query = EventQuery {
            after: Some(newest(&seen)),
            limit: PAGE_EVENTS + 1,
            newest_first: true,
            ..EventQuery::default()
        };
        let fresh = r.events(&query)?;
        if !fresh.is_empty() {
            let mut rows: Vec<_> =
                fresh.iter().map(|record| Arc::new(DrawnRow::of(EventRow::of(record, clock)))).collect();
            // As many as a query may give: then there may be a gap to what was known.
            if rows.len() <= PAGE_EVENTS {
                rows.append(&mut seen.rows);
            }
            rows.truncate(PAGE_EVENTS + 1);
            seen.rows = rows;
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = seen.clone();
        }
        let more = seen.rows.len() > PAGE_EVENTS;
        seen.rows.truncate(PAGE_EVENTS);
        let older = seen.rows.last().map(|drawn| drawn.row.seq).filter(|_| more);
        Ok((seen.rows, older))
    }
}
