//! Writing rows: the one statement every event goes through.
//!
//! Most of what an insert costs is handing values to SQLite, which copies each. What events of one
//! burst have in common (their name, source, actor, and what is NULL) stays bound from one to the
//! next and is bound again only when it differs.

use rusqlite::{Connection, Statement};
use timmy_domain::{Seq, Timestamp};
use uuid::Uuid;

use super::marks::Marks;
use crate::StoreError;
use crate::chain::{Canonical, Head};
use crate::tx::Prepared;

/// What is bound already.
#[derive(Debug, Default)]
struct Bound {
    event_type: Option<String>,
    source: Option<&'static str>,
    actor: Option<&'static str>,
    cause: Option<Seq>,
    task_id: Option<String>,
    agent_id: Option<String>,
    severity: Option<i64>,
}

/// The statement, held for the life of the writer, with what it needs from one row to the next.
pub(crate) struct Inserter<'conn> {
    statement: Statement<'conn>,
    bound: Bound,
    marks: Marks,
    scratch: Vec<u8>,
}

impl<'conn> Inserter<'conn> {
    /// Prepares the statement.
    pub(crate) fn new(conn: &'conn Connection) -> Result<Self, StoreError> {
        let statement = conn.prepare(
            "INSERT INTO event_log (seq, id, event_type, source, actor, cause, task_id, agent_id, severity, data, timestamp, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        Ok(Self { statement, bound: Bound::default(), marks: Marks::default(), scratch: Vec::new() })
    }

    /// Writes `event` after `head` and answers the new head.
    pub(crate) fn insert(
        &mut self,
        conn: &Connection,
        head: &Head,
        event: &Prepared,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Head, StoreError> {
        let (seq, at) = (head.seq + 1, now.max(head.at));
        let row = Canonical {
            seq,
            id: id.as_bytes(),
            event_type: event.name.as_bytes(),
            source: event.source.as_bytes(),
            actor: event.actor.as_bytes(),
            cause: event.cause,
            task_id: event.task_id.as_deref().map(str::as_bytes),
            agent_id: event.agent_id.as_deref().map(str::as_bytes),
            severity: event.severity,
            data: event.data.as_bytes(),
            timestamp: at.micros(),
        };
        let hash = row.hash(&head.hash, &mut self.scratch);
        if let Err(error) = self.bind_shared(event) {
            // What is bound is uncertain now.
            self.statement.clear_bindings();
            self.bound = Bound::default();
            return Err(error);
        }
        let statement = &mut self.statement;
        statement.raw_bind_parameter(1, seq)?;
        statement.raw_bind_parameter(2, id.as_bytes().as_slice())?;
        statement.raw_bind_parameter(10, &event.data)?;
        statement.raw_bind_parameter(11, row.timestamp)?;
        statement.raw_bind_parameter(12, hash.as_slice())?;
        statement.raw_execute()?;
        self.marks.note(conn, seq, event)?;
        Ok(Head { seq, hash, at })
    }

    /// Binds what differs from the row before.
    fn bind_shared(&mut self, event: &Prepared) -> Result<(), StoreError> {
        let (bound, statement) = (&mut self.bound, &mut self.statement);
        if bound.event_type.as_deref() != Some(&*event.name) {
            statement.raw_bind_parameter(3, &*event.name)?;
            bound.event_type = Some(event.name.clone().into_owned());
        }
        if bound.source != Some(event.source) {
            statement.raw_bind_parameter(4, event.source)?;
            bound.source = Some(event.source);
        }
        if bound.actor != Some(event.actor) {
            statement.raw_bind_parameter(5, event.actor)?;
            bound.actor = Some(event.actor);
        }
        // NULL is what a parameter is before it is bound for the first time.
        if bound.cause != event.cause {
            statement.raw_bind_parameter(6, event.cause)?;
            bound.cause = event.cause;
        }
        if bound.task_id != event.task_id {
            statement.raw_bind_parameter(7, &event.task_id)?;
            bound.task_id.clone_from(&event.task_id);
        }
        if bound.agent_id != event.agent_id {
            statement.raw_bind_parameter(8, &event.agent_id)?;
            bound.agent_id.clone_from(&event.agent_id);
        }
        if bound.severity != Some(event.severity) {
            statement.raw_bind_parameter(9, event.severity)?;
            bound.severity = Some(event.severity);
        }
        Ok(())
    }
}
