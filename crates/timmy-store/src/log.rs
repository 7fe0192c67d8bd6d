//! The log: writing one row, and finding rows again.
//!
//! The log itself has no index. Queries by type, severity, actor, source, task, agent and cause use
//! `event_blocks`: which of them occur in which block of 256 positions. It costs the write path a few small inserts
//! per block, where an index would cost every event.

use std::ops::RangeInclusive;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use timmy_domain::bus::Pattern;
use timmy_domain::{Record, Seq, Severity, Timestamp};

use crate::chain::Head;
use crate::row::{optional_text, text, time};
use crate::signing::Signer;
use crate::tx::id_text;
use crate::{Reader, StoreError};

mod batch;
mod blocks;
mod count;
mod insert;
mod marks;
mod select;
mod thin;

pub use count::EventCounts;
pub use thin::{Expiry, ROWS_KEPT_MIN, Removed, Thinned};

pub(crate) use batch::{begin, checkpoint, commit, release, rollback, rollback_to_savepoint, savepoint};
pub(crate) use insert::Inserter;

/// Events one query may return.
pub const EVENTS_LIMIT_MAX: usize = 1_000;

/// Positions in one block of `event_blocks`.
pub(crate) const BLOCK_ROWS: Seq = 256;

/// The columns of the log in the order of [`record`].
macro_rules! columns {
    () => {
        "seq, id, event_type, source, actor, cause, task_id, agent_id, severity, data, timestamp, hash"
    };
}
pub(crate) use columns;

/// Which events are wanted. The default wants the 100 oldest.
#[derive(Clone, Debug)]
pub struct EventQuery {
    /// Only events after this position.
    pub after: Option<Seq>,
    /// Only events before this position.
    pub before: Option<Seq>,
    /// Only events whose name matches.
    pub pattern: Pattern,
    /// No events whose name matches one of these.
    pub exclude: Vec<Pattern>,
    /// Only events at least this bad.
    pub severity_min: Option<Severity>,
    /// Only events of this actor, by its stored word.
    pub actor: Option<String>,
    /// Only events from this part of the house, by its stored word.
    pub source: Option<String>,
    /// Only events of this task.
    pub task_id: Option<String>,
    /// Only events of this agent.
    pub agent_id: Option<String>,
    /// Only events at or after this time.
    pub since: Option<Timestamp>,
    /// Only events at or before this time.
    pub until: Option<Timestamp>,
    /// Only events that the one at this position led to directly.
    pub cause: Option<Seq>,
    /// Only events whose name or body contains each of these texts; ASCII letters match in either case.
    pub texts: Vec<String>,
    /// How many at most; 1 to [`EVENTS_LIMIT_MAX`], other values are moved into that range.
    pub limit: usize,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self {
            after: None,
            before: None,
            pattern: Pattern::All,
            exclude: Vec::new(),
            severity_min: None,
            actor: None,
            source: None,
            task_id: None,
            agent_id: None,
            since: None,
            until: None,
            cause: None,
            texts: Vec::new(),
            limit: 100,
            newest_first: false,
        }
    }
}

/// What one look at the log found.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// The events, in the order that was asked for.
    pub records: Vec<Record>,
    /// How far the look went, when it ended before the log did: to go on, ask for what lies `after`
    /// this position, or `before` it when the newest come first.
    pub searched_to: Option<Seq>,
}

/// The part of `whole` that is looked at first, of at most `budget` positions.
fn part(whole: &RangeInclusive<Seq>, budget: Seq, newest_first: bool) -> RangeInclusive<Seq> {
    let (first, last) = (*whole.start(), *whole.end());
    if newest_first {
        first.max(last.saturating_sub(budget - 1))..=last
    } else {
        first..=last.min(first.saturating_add(budget - 1))
    }
}

/// Where the log ends, as stored.
pub(crate) fn head(conn: &Connection) -> Result<Head, StoreError> {
    let row = conn
        .prepare_cached("SELECT seq, hash, timestamp FROM event_head WHERE one = 1")?
        .query_row([], |row| Ok((row.get::<_, Seq>(0)?, row.get::<_, Vec<u8>>(1)?, time(row, 2)?)))
        .optional()?;
    let (seq, hash, at) = row.ok_or_else(|| StoreError::damaged("the row that says where the log ends is gone"))?;
    let hash =
        hash.try_into().map_err(|_| StoreError::damaged("the hash at the end of the log is not 32 bytes long"))?;
    Ok(Head { seq, hash, at })
}

/// Stores where the log ends, signed.
pub(crate) fn set_head(conn: &Connection, head: &Head, signer: Option<&Signer>) -> Result<(), StoreError> {
    let signature = signer.map(|signer| signer.end(head));
    conn.prepare_cached("UPDATE event_head SET seq = ?1, hash = ?2, timestamp = ?3, signature = ?4 WHERE one = 1")?
        .execute(params![head.seq, head.hash.as_slice(), head.at.micros(), signature])?;
    Ok(())
}

/// One row as people and programs read it. Never refuses what it does not know.
fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let mut hash = [0; 32];
    if let Ok(stored) = row.get_ref(11)?.as_blob()
        && stored.len() == hash.len()
    {
        hash.copy_from_slice(stored);
    }
    let severity: i64 = row.get(8)?;
    Ok(Record {
        seq: row.get(0)?,
        id: row.get_ref(1)?.as_blob().map(id_text).unwrap_or_default(),
        name: text(row, 2)?,
        source: text(row, 3)?,
        actor: text(row, 4)?,
        cause: row.get(5)?,
        task_id: optional_text(row, 6)?,
        agent_id: optional_text(row, 7)?,
        severity: Severity::ALL[usize::try_from(severity).unwrap_or(0).min(3)],
        data: text(row, 9)?,
        at: time(row, 10)?,
        hash,
    })
}

impl Reader<'_> {
    /// The last position of the log; 0 when it is empty.
    ///
    /// # Errors
    /// What the disk said.
    pub fn last_seq(&self) -> Result<Seq, StoreError> {
        Ok(self
            .conn()
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM event_log")?
            .query_row([], |row| row.get(0))?)
    }

    /// The event at `seq`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn event(&self, seq: Seq) -> Result<Option<Record>, StoreError> {
        let sql = concat!("SELECT ", columns!(), " FROM event_log WHERE seq = ?1");
        Ok(self.conn().prepare_cached(sql)?.query_row([seq], record).optional()?)
    }

    /// The events that led to the one at `seq`, oldest first, at most `max`; without that one itself.
    ///
    /// # Errors
    /// What the disk said.
    pub fn causes(&self, seq: Seq, max: usize) -> Result<Vec<Record>, StoreError> {
        let mut found = Vec::new();
        let mut at = self.event(seq)?;
        while let Some(record) = at.take() {
            let cause = record.cause;
            if record.seq != seq {
                found.push(record);
            }
            // A cause always lies before its effect; anything else is damage and would run in circles.
            let here = found.last().map_or(seq, |r: &Record| r.seq);
            if let Some(cause) = cause.filter(|&c| c < here && found.len() < max) {
                at = self.event(cause)?;
            }
        }
        found.reverse();
        Ok(found)
    }

    /// The events that the one at `seq` led to directly, oldest first, at most `max`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn effects(&self, seq: Seq, max: usize) -> Result<Vec<Record>, StoreError> {
        let limit = max.min(EVENTS_LIMIT_MAX) as i64;
        let mut statement = self.conn().prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM event_log WHERE seq BETWEEN ?1 AND ?2 AND cause = ?3 ORDER BY seq LIMIT ?4"
        ))?;
        let mut found = Vec::new();
        for range in blocks::of_effects(self.conn(), seq, &(1..=Seq::MAX), false)? {
            let room = limit - found.len() as i64;
            for row in statement.query_map([*range.start(), *range.end(), seq, room], record)? {
                found.push(row?);
            }
            if found.len() as i64 >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// The first position at or after `at`; one past the last when there is none. Halves the log
    /// until it is found, for times never decrease along it.
    ///
    /// # Errors
    /// What the disk said.
    pub fn seq_at(&self, at: Timestamp) -> Result<Seq, StoreError> {
        self.seq_at_from(at, 1)
    }

    /// The same, when it is known to be `first` or later.
    fn seq_at_from(&self, at: Timestamp, first: Seq) -> Result<Seq, StoreError> {
        let mut statement =
            self.conn().prepare_cached("SELECT seq, timestamp FROM event_log WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
        let (mut low, mut high) = (first, self.last_seq()? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let row = statement.query_row([middle], |row| Ok((row.get::<_, Seq>(0)?, time(row, 1)?))).optional()?;
            match row {
                Some((seq, time)) if time < at => low = seq + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The events that `query` wants.
    ///
    /// All conditions but texts are found through blocks; within them, and for texts, rows are tried
    /// one by one.
    ///
    /// # Errors
    /// What the disk said.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Record>, StoreError> {
        Ok(self.events_page(query, usize::MAX)?.records)
    }

    /// The events that `query` wants, as far as looking at `scan_rows_max` positions brings them.
    ///
    /// # Errors
    /// What the disk said.
    pub fn events_page(&self, query: &EventQuery, scan_rows_max: usize) -> Result<EventPage, StoreError> {
        let limit = query.limit.clamp(1, EVENTS_LIMIT_MAX);
        let (sql, values) = select::statement(query);
        let mut statement = self.conn().prepare_cached(&sql)?;
        let mut budget = Seq::try_from(scan_rows_max).unwrap_or(Seq::MAX).max(1);
        let mut page = EventPage { records: Vec::new(), searched_to: None };
        for whole in self.ranges(query)? {
            let range = part(&whole, budget, query.newest_first);
            budget -= range.end() - range.start() + 1;
            let mut all = vec![
                Value::Integer(*range.start()),
                Value::Integer(*range.end()),
                Value::Integer((limit - page.records.len()) as i64),
            ];
            all.extend(values.iter().cloned());
            for row in statement.query_map(params_from_iter(all), record)? {
                page.records.push(row?);
            }
            if page.records.len() >= limit {
                page.searched_to = page.records.last().map(|record| record.seq);
                break;
            }
            if budget <= 0 {
                page.searched_to = Some(if query.newest_first { *range.start() } else { *range.end() });
                break;
            }
        }
        Ok(page)
    }

    /// The stretches of the log that can hold what `query` wants, in the order of the answer.
    fn ranges(&self, query: &EventQuery) -> Result<Vec<RangeInclusive<Seq>>, StoreError> {
        let bounds = self.bounds(query)?;
        if bounds.is_empty() { Ok(Vec::new()) } else { blocks::of_query(self.conn(), query, &bounds) }
    }

    /// The positions that the query's positions and times leave.
    fn bounds(&self, query: &EventQuery) -> Result<RangeInclusive<Seq>, StoreError> {
        let mut first = query.after.map_or(1, |s| s.saturating_add(1)).max(1);
        let mut last = query.before.map_or(Seq::MAX, |s| s.saturating_sub(1)).min(self.last_seq()?);
        if let Some(since) = query.since {
            first = first.max(self.seq_at(since)?);
        }
        if let Some(until) = query.until {
            last = last.min(self.seq_at(until.plus(Duration::from_micros(1)))? - 1);
        }
        Ok(first..=last)
    }
}
