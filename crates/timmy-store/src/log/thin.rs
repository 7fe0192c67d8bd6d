//! Retention: rows that were kept long enough leave the log, and what is left is still proven.
//!
//! Rows leave by blocks of 256 positions, once a whole block is old enough for those who read it. Of
//! each block the hashes that its other rows need stay in a signed checkpoint. The hashes are checked
//! before anything is removed: a block that does not fit is left as it is, as evidence.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use timmy_domain::event::{Audience, StorePruned};
use timmy_domain::{Event, NewEvent, Seq, Timestamp};

use super::{BLOCK_ROWS, blocks};
use crate::chain::Hash;
use crate::checkpoint::{self, Checkpoint, Kept, block_of, drop_place, first_of, is_kept, place};
use crate::verify::Walk;
use crate::{Reader, StoreError, Tx};

/// Positions at the end of the log that always stay: the live feed and the check at start read them.
pub const ROWS_KEPT_MIN: Seq = 2_048;

/// How long one step of retention may hold the writer before it takes no further block, in milliseconds.
const STEP_MS_MAX: u64 = 3;

/// Which events may leave the log. What concerns the owner never does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Those for the operator before this time; `None` keeps them.
    pub operator_before: Option<Timestamp>,
    /// Those for whoever looks for a fault before this time; `None` keeps them.
    pub debug_before: Option<Timestamp>,
    /// Nothing at or after this position, whatever its age: somebody has not read it yet.
    pub stay_from: Seq,
}

/// Blocks that retention looks at: for each audience all that lie below a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    operator: Seq,
    debug: Seq,
}

impl Ends {
    fn of(self, name: &str) -> Seq {
        match Event::audience_of(name) {
            Audience::Person => 0,
            Audience::Operator => self.operator,
            Audience::Debug => self.debug,
        }
    }
}

/// What one step of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thinned {
    /// Blocks that were dealt with, from the first of those that were given.
    pub blocks: usize,
    /// Rows removed that were for the operator.
    pub operator: i64,
    /// Rows removed that were for whoever looks for a fault.
    pub debug: i64,
    /// The first position removed; 0 when there is none.
    pub first: Seq,
    /// The last position removed; 0 when there is none.
    pub last: Seq,
}

/// What retention has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Signed checkpoints.
    pub checkpoints: i64,
    /// Rows that left the log.
    pub rows: i64,
    /// The last position that was removed; 0 when there is none.
    pub last: Seq,
}

impl Reader<'_> {
    /// The blocks from which rows may leave, oldest first; at most `max`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn expired_blocks(&self, expiry: &Expiry, max: usize) -> Result<Vec<Seq>, StoreError> {
        let ends = self.ends(expiry)?;
        let mut statement =
            self.conn().prepare_cached("SELECT value, block FROM event_blocks WHERE kind = 'type' AND block < ?1")?;
        let mut rows = statement.query([ends.operator.max(ends.debug)])?;
        let mut found = BTreeSet::new();
        while let Some(row) = rows.next()? {
            let block: Seq = row.get(1)?;
            if block < ends.of(&String::from_utf8_lossy(bytes(row.get_ref(0)?))) {
                found.insert(block);
            }
        }
        Ok(found.into_iter().take(max).collect())
    }

    /// Whole blocks that are old enough, and far enough from the end.
    fn ends(&self, expiry: &Expiry) -> Result<Ends, StoreError> {
        let stays = (self.last_seq()? + 1 - ROWS_KEPT_MIN).min(expiry.stay_from).max(1);
        let end = |before: Option<Timestamp>| {
            let position = before.map_or(Ok(1), |at| self.seq_at(at))?.min(stays);
            Ok::<_, StoreError>(block_of(position))
        };
        Ok(Ends { operator: end(expiry.operator_before)?, debug: end(expiry.debug_before)? })
    }

    /// What retention has removed so far.
    ///
    /// # Errors
    /// What the disk said.
    pub fn removed(&self) -> Result<Removed, StoreError> {
        let (checkpoints, rows) = self
            .conn()
            .prepare_cached("SELECT count(*), coalesce(sum(removed), 0) FROM event_checkpoints")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Removed { checkpoints, rows, last: self.last_removed()? })
    }

    /// The last position that retention removed; 0 when there is none. Who has read up to there or
    /// further has missed nothing.
    ///
    /// # Errors
    /// What the disk said.
    pub fn last_removed(&self) -> Result<Seq, StoreError> {
        Ok(Checkpoint::last(self.conn())?.and_then(|c| c.last_removed()).unwrap_or(0))
    }

    /// By when the event at `seq` had left the log; `None` when retention did not remove it.
    ///
    /// # Errors
    /// What the disk said.
    pub fn removed_by(&self, seq: Seq) -> Result<Option<Timestamp>, StoreError> {
        if seq < 1 {
            return Ok(None);
        }
        let found = Checkpoint::load(self.conn(), block_of(seq))?;
        Ok(found.filter(|checkpoint| !checkpoint.keeps(seq)).map(|checkpoint| checkpoint.made_at))
    }

    /// How many events lie before each of `positions`, which ascend.
    ///
    /// # Errors
    /// What the disk said.
    pub(super) fn rows_before(&self, positions: &[Seq]) -> Result<Vec<i64>, StoreError> {
        let mut statement =
            self.conn().prepare_cached("SELECT block, removed FROM event_checkpoints ORDER BY block")?;
        let checkpoints = statement
            .query_map([], |row| Ok((row.get::<_, Seq>(0)?, row.get::<_, i64>(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let (mut next, mut removed) = (checkpoints.iter().peekable(), 0);
        let mut found = Vec::with_capacity(positions.len());
        for &position in positions {
            let block = block_of(position);
            while let Some((_, count)) = next.next_if(|(other, _)| *other < block) {
                removed += count;
            }
            let here = if next.peek().is_some_and(|(other, _)| *other == block) && place(position) > 0 {
                Checkpoint::load(self.conn(), block)?.map_or(0, |checkpoint| checkpoint.removed_upto(position - 1))
            } else {
                0
            };
            found.push(position - 1 - removed - here);
        }
        Ok(found)
    }
}

impl Tx<'_> {
    /// Removes what may leave from as many of `blocks` as fit into a few milliseconds, at least from
    /// one, and appends `store.pruned` when anything was removed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a row of a block does not fit into the chain; nothing is removed
    /// then. Else what the disk said.
    pub fn thin(&mut self, expiry: &Expiry, blocks: &[Seq]) -> Result<Thinned, StoreError> {
        let begun = Instant::now();
        let ends = self.ends(expiry)?;
        let mut done = Thinned::default();
        for &block in blocks {
            if done.blocks > 0 && begun.elapsed() >= Duration::from_millis(STEP_MS_MAX) {
                break;
            }
            self.thin_block(block, ends, &mut done)?;
            done.blocks += 1;
        }
        if done.last > 0 {
            let Thinned { operator, debug, first, last, .. } = done;
            self.append(NewEvent::new("store", StorePruned { operator, debug, first, last }))?;
        }
        Ok(done)
    }

    fn thin_block(&mut self, block: Seq, ends: Ends, done: &mut Thinned) -> Result<(), StoreError> {
        if block < 0 || block >= ends.operator.max(ends.debug) {
            return Ok(());
        }
        let conn = self.conn();
        let before = Checkpoint::load(conn, block)?;
        let Sifted { mut hashes, kept, operator, debug, previous, after } = sift(conn, block, ends, before.as_ref())?;
        if operator + debug == 0 {
            return Ok(());
        }
        // A run that was removed before still ends where its link says, unless it has grown.
        if let Some(before) = &before {
            for (run, link) in checkpoint::runs(&before.kept).zip(&before.links) {
                hashes[run.end - 1] = *link;
            }
        }
        let inner = checkpoint::runs(&kept).filter(|run| run.end < hashes.len());
        let links = inner.map(|run| hashes[run.end - 1]).collect();
        let removed = checkpoint::runs(&kept).map(|run| i64::try_from(run.len()).unwrap_or(0)).sum();
        let now = self.now();
        let signer =
            self.signer().ok_or_else(|| StoreError::Statement { message: "there is no signing key".into() })?;
        let checkpoint = Checkpoint {
            block,
            before: previous,
            after,
            kept,
            links,
            removed,
            made_at: now,
            key: signer.number,
            signature: Vec::new(),
        };
        blocks::forget(conn, block)?;
        let was = before.map_or([0xff; BLOCK_ROWS as usize / 8], |b| b.kept);
        for run in checkpoint::runs(&kept) {
            let run = first_of(block) + seq(run.start)..=first_of(block) + seq(run.end - 1);
            conn.prepare_cached("DELETE FROM event_log WHERE seq BETWEEN ?1 AND ?2")?
                .execute(params![run.start(), run.end()])?;
        }
        blocks::summarise(conn, block)?;
        checkpoint.store(conn, signer)?;
        let fresh: Vec<Seq> = (0..hashes.len())
            .filter(|&at| is_kept(&was, at) && !is_kept(&kept, at))
            .map(|at| first_of(block) + seq(at))
            .collect();
        (done.operator, done.debug) = (done.operator + operator, done.debug + debug);
        if let (Some(&first), Some(&last)) = (fresh.first(), fresh.last()) {
            done.first = if done.first == 0 { first } else { done.first };
            done.last = last;
        }
        Ok(())
    }
}

fn seq(place: usize) -> Seq {
    Seq::try_from(place).unwrap_or(Seq::MAX)
}

/// What a look at one block found.
struct Sifted {
    /// The hash of each row that is there, by its place.
    hashes: Vec<Hash>,
    /// What shall be kept.
    kept: Kept,
    operator: i64,
    debug: i64,
    /// The hash before the block.
    previous: Hash,
    /// The hash of its last row.
    after: Hash,
}

/// Checks every hash of the block and decides which rows leave it.
fn sift(conn: &Connection, block: Seq, ends: Ends, before: Option<&Checkpoint>) -> Result<Sifted, StoreError> {
    let damaged = |seq: Seq, finding: &str| StoreError::damaged(format!("event {seq}: {finding}"));
    let mut walk = Walk::at(conn, block)?.map_err(|bad| damaged(bad.seq, &bad.finding))?;
    let mut found = Sifted {
        hashes: vec![Hash::default(); BLOCK_ROWS as usize],
        kept: before.map_or([0xff; BLOCK_ROWS as usize / 8], |checkpoint| checkpoint.kept),
        operator: 0,
        debug: 0,
        previous: walk.previous(),
        after: Hash::default(),
    };
    let bad = walk.block(conn, first_of(block + 1) - 1, before, |seq, hash, row| {
        found.hashes[place(seq)] = *hash;
        let name = String::from_utf8_lossy(bytes(row.get_ref(2)?));
        if block < ends.of(&name) {
            drop_place(&mut found.kept, place(seq));
            match Event::audience_of(&name) {
                Audience::Debug => found.debug += 1,
                Audience::Operator | Audience::Person => found.operator += 1,
            }
        }
        Ok(())
    })?;
    found.after = walk.previous();
    bad.map_or(Ok(found), |bad| Err(damaged(bad.seq, &bad.finding)))
}

fn bytes<'a>(value: ValueRef<'a>) -> &'a [u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
