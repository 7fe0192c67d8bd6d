//! The log: writing one row, and finding rows again.
//!
//! The log itself has no index. Queries by type, severity, task, agent and cause use `event_blocks`:
//! which of them occur in which block of 256 positions. It costs the write path a few small inserts
//! per block, where an index would cost every event.

use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, OptionalExtension, Row, Statement, params, params_from_iter};
use timmy_domain::bus::Pattern;
use timmy_domain::{Record, Seq, Severity, Timestamp};
use uuid::Uuid;

use crate::chain::{Canonical, Head};
use crate::row::{optional_text, text, time};
use crate::tx::{Prepared, id_text};
use crate::{Reader, StoreError};

mod batch;
mod blocks;
mod select;

pub(crate) use batch::{begin, checkpoint, commit, release, rollback, rollback_to_savepoint, savepoint};

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
    /// Only events at least this bad.
    pub severity_min: Option<Severity>,
    /// Only events of this actor, by its stored word.
    pub actor: Option<String>,
    /// Only events of this task.
    pub task_id: Option<String>,
    /// Only events of this agent.
    pub agent_id: Option<String>,
    /// Only events at or after this time.
    pub since: Option<Timestamp>,
    /// Only events at or before this time.
    pub until: Option<Timestamp>,
    /// Only events whose name or body contains this text; ASCII letters match in either case.
    pub text: Option<String>,
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
            severity_min: None,
            actor: None,
            task_id: None,
            agent_id: None,
            since: None,
            until: None,
            text: None,
            limit: 100,
            newest_first: false,
        }
    }
}

/// The statement that writes one row. It is held for the life of the writer.
pub(crate) fn prepare_insert(conn: &Connection) -> Result<Statement<'_>, StoreError> {
    Ok(conn.prepare(
        "INSERT INTO event_log (seq, id, event_type, source, actor, cause, task_id, agent_id, severity, data, timestamp, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?)
}

/// Writes `event` after `head` and answers the new head.
pub(crate) fn insert(
    conn: &Connection,
    statement: &mut Statement<'_>,
    head: &Head,
    event: &Prepared,
    id: Uuid,
    now: Timestamp,
    scratch: &mut Vec<u8>,
) -> Result<Head, StoreError> {
    let new = &event.new;
    let (seq, at) = (head.seq + 1, now.max(head.at));
    let (name, actor) = (new.event.name(), new.actor.name());
    let severity = new.event.severity() as i64;
    let hash = Canonical {
        seq,
        id: id.as_bytes(),
        event_type: name.as_bytes(),
        source: new.source.as_bytes(),
        actor: actor.as_bytes(),
        cause: new.cause,
        task_id: new.task_id.as_deref().map(str::as_bytes),
        agent_id: new.agent_id.as_deref().map(str::as_bytes),
        severity,
        data: event.data.as_bytes(),
        timestamp: at.micros(),
    }
    .hash(&head.hash, scratch);
    let values: [&dyn ToSql; 12] = [
        &seq,
        &id.as_bytes().as_slice(),
        &name,
        &new.source,
        &actor,
        &new.cause,
        &new.task_id,
        &new.agent_id,
        &severity,
        &event.data,
        &at.micros(),
        &hash.as_slice(),
    ];
    statement.execute(values)?;
    if seq % BLOCK_ROWS == 0 {
        blocks::summarise(conn, seq / BLOCK_ROWS - 1)?;
    }
    Ok(Head { seq, hash, at })
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

/// Stores where the log ends.
pub(crate) fn set_head(conn: &Connection, head: &Head) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE event_head SET seq = ?1, hash = ?2, timestamp = ?3 WHERE one = 1")?
        .execute(params![head.seq, head.hash.as_slice(), head.at.micros()])?;
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
        for range in blocks::of_effects(self.conn(), seq)? {
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
        let mut statement =
            self.conn().prepare_cached("SELECT seq, timestamp FROM event_log WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
        let (mut low, mut high) = (1, self.last_seq()? + 1);
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
    /// Type, severity, task and agent are found through blocks; the other conditions are tried row by
    /// row.
    ///
    /// # Errors
    /// What the disk said.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Record>, StoreError> {
        let limit = query.limit.clamp(1, EVENTS_LIMIT_MAX);
        let mut bounds = query.after.map_or(1, |s| s.saturating_add(1)).max(1)
            ..=query.before.map_or(Seq::MAX, |s| s.saturating_sub(1));
        if let Some(since) = query.since {
            bounds = self.seq_at(since)?.max(*bounds.start())..=*bounds.end();
        }
        if let Some(until) = query.until {
            let past = self.seq_at(until.plus(std::time::Duration::from_micros(1)))?;
            bounds = *bounds.start()..=(past - 1).min(*bounds.end());
        }
        let (sql, values) = select::statement(query);
        let mut statement = self.conn().prepare_cached(&sql)?;
        let mut found = Vec::new();
        for range in blocks::of_query(self.conn(), query, &bounds)? {
            let mut all: Vec<Value> = vec![
                Value::Integer(*range.start()),
                Value::Integer(*range.end()),
                Value::Integer((limit - found.len()) as i64),
            ];
            all.extend(values.iter().cloned());
            for row in statement.query_map(params_from_iter(all), record)? {
                found.push(row?);
            }
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }
}
