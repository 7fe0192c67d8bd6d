//! Marks: what occurs in the block that is being filled, gathered row by row.
//!
//! Gathering costs some comparisons a row; reading the rows again when the block is full would cost
//! several times that. Where not all rows of a block were seen (after a start, or after work that was
//! taken back), they are read after all.

use rusqlite::{Connection, params};
use timmy_domain::Seq;

use super::{BLOCK_ROWS, blocks};
use crate::StoreError;
use crate::checkpoint::{block_of, first_of};
use crate::tx::Prepared;

/// The kinds of marks, as stored. `cause` comes last; its values are numbers of blocks.
const KINDS: [&str; 6] = ["type", "source", "actor", "agent", "task", "cause"];

/// The values of one kind.
#[derive(Debug, Default)]
struct Values {
    /// Each value, with the worst severity beside it.
    found: Vec<(String, i64)>,
    /// Which of them the row before had.
    last: usize,
}

impl Values {
    fn note(&mut self, value: &str, severity: i64) {
        if self.found.get(self.last).is_none_or(|(known, _)| known != value) {
            self.last = self.found.iter().position(|(known, _)| known == value).unwrap_or_else(|| {
                self.found.push((value.to_owned(), severity));
                self.found.len() - 1
            });
        }
        if let Some((_, worst)) = self.found.get_mut(self.last) {
            *worst = (*worst).max(severity);
        }
    }
}

/// What occurs in the block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The position of the next row, when every row of its block before it was seen.
    next: Option<Seq>,
    kinds: [Values; KINDS.len()],
}

impl Marks {
    /// Notes a row that was just written; when it fills its block, what the block holds is stored.
    pub(crate) fn note(&mut self, conn: &Connection, seq: Seq, event: &Prepared) -> Result<(), StoreError> {
        let block = block_of(seq);
        if self.next != Some(seq) {
            self.clear();
            self.next = (seq == first_of(block)).then_some(seq);
        }
        let full = seq % BLOCK_ROWS == 0;
        if self.next.is_none() {
            return if full { blocks::summarise(conn, block) } else { Ok(()) };
        }
        self.see(event);
        self.next = Some(seq + 1);
        if full {
            let stored = self.store(conn, block);
            self.clear();
            return stored;
        }
        Ok(())
    }

    fn clear(&mut self) {
        for values in &mut self.kinds {
            values.found.clear();
        }
    }

    fn see(&mut self, event: &Prepared) {
        let (agent, task, severity) = (event.agent_id.as_deref(), event.task_id.as_deref(), event.severity);
        let texts = [Some(&*event.name), Some(event.source), Some(event.actor), agent, task];
        for (values, text) in self.kinds.iter_mut().zip(texts) {
            if let Some(text) = text {
                values.note(text, severity);
            }
        }
        if let Some(cause) = event.cause {
            let block = (cause.saturating_sub(1) / BLOCK_ROWS).to_string();
            self.kinds[KINDS.len() - 1].note(&block, severity);
        }
    }

    fn store(&self, conn: &Connection, block: Seq) -> Result<(), StoreError> {
        let mut statement =
            conn.prepare_cached("INSERT INTO event_blocks (kind, value, block, severity_max) VALUES (?1, ?2, ?3, ?4)")?;
        for (kind, values) in KINDS.iter().zip(&self.kinds) {
            for (value, severity) in &values.found {
                statement.execute(params![kind, value, block, severity])?;
            }
        }
        Ok(())
    }
}
