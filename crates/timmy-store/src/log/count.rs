//! Counting events by time: what a histogram draws.
//!
//! When every event counts, counting is subtracting positions and what retention removed between
//! them. Else the rows of the blocks that can hold one are looked at.

use rusqlite::params_from_iter;
use rusqlite::types::Value;
use timmy_domain::{Seq, Timestamp};

use super::{EventQuery, blocks, part, select};
use crate::{Reader, StoreError};

/// How many events fell into each stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCounts {
    /// For each edge but the last, the events from that edge up to, and without, the next one.
    pub counts: Vec<u64>,
    /// Whether everything was counted. When it was not, what is missing are the oldest events.
    pub complete: bool,
}

impl Reader<'_> {
    /// Counts the events that `query` wants between `edges`, which ascend. Its limit and order do not matter. At
    /// most `scan_rows_max` positions are looked at, the newest first; none when every event counts.
    ///
    /// # Errors
    /// What the disk said.
    pub fn event_counts(
        &self,
        query: &EventQuery,
        edges: &[Timestamp],
        scan_rows_max: usize,
    ) -> Result<EventCounts, StoreError> {
        let mut positions: Vec<Seq> = Vec::with_capacity(edges.len());
        for &edge in edges {
            let from = positions.last().copied().unwrap_or(1);
            positions.push(self.seq_at_from(edge, from)?);
        }
        let mut counts = vec![0; edges.len().saturating_sub(1)];
        let (Some(&begin), Some(&end)) = (positions.first(), positions.last()) else {
            return Ok(EventCounts { counts, complete: true });
        };
        let bounds = self.bounds(query)?;
        let bounds = begin.max(*bounds.start())..=(end - 1).min(*bounds.end());
        if bounds.is_empty() {
            return Ok(EventCounts { counts, complete: true });
        }
        if !select::is_picky(query) {
            let within = |&position: &Seq| position.clamp(*bounds.start(), bounds.end() + 1);
            let before = self.rows_before(&positions.iter().map(within).collect::<Vec<_>>())?;
            for (count, pair) in counts.iter_mut().zip(before.windows(2)) {
                *count = u64::try_from(pair[1] - pair[0]).unwrap_or(0);
            }
            return Ok(EventCounts { counts, complete: true });
        }
        let query = EventQuery { newest_first: true, ..query.clone() };
        let (sql, values) = select::positions(&query);
        let mut statement = self.conn().prepare_cached(&sql)?;
        let mut budget = Seq::try_from(scan_rows_max).unwrap_or(Seq::MAX).max(1);
        let ranges = blocks::of_query(self.conn(), &query, &bounds)?;
        let mut left = ranges.len();
        for whole in &ranges {
            let range = part(whole, budget, true);
            budget -= range.end() - range.start() + 1;
            let mut all = vec![Value::Integer(*range.start()), Value::Integer(*range.end())];
            all.extend(values.iter().cloned());
            let mut rows = statement.query(params_from_iter(all))?;
            while let Some(row) = rows.next()? {
                let seq: Seq = row.get(0)?;
                let place = positions.partition_point(|&position| position <= seq);
                if let Some(count) = place.checked_sub(1).and_then(|place| counts.get_mut(place)) {
                    *count += 1;
                }
            }
            if range.start() > whole.start() {
                break;
            }
            left -= 1;
            if budget <= 0 {
                break;
            }
        }
        Ok(EventCounts { counts, complete: left == 0 })
    }
}
