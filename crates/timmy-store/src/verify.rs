//! The long checks: SQLite's own, and the chain from any position to the end.
//!
//! Where retention removed rows, the chain goes on over their checkpoints, and each row that is kept
//! is checked as if nothing were missing.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use timmy_domain::Seq;

use crate::chain::{Canonical, Hash, Head};
use crate::checkpoint::{Checkpoint, block_of, first_of};
use crate::log::{self, BLOCK_ROWS, columns};
use crate::signing::{self, Keys};
use crate::{Reader, StoreError};

/// Blocks checked in one step. Between steps the write-ahead log may be cleared away.
const STEP_BLOCKS: usize = 16;

/// Findings one report holds.
const FINDINGS_MAX: usize = 20;

/// What the integrity check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Pages of the file.
    pub pages: i64,
    /// What is wrong, in SQLite's words; at most 20. Empty when all is well.
    pub findings: Vec<String>,
}

/// What the check of the chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainReport {
    /// Rows that were looked at.
    pub rows: i64,
    /// Positions whose rows retention removed.
    pub removed: i64,
    /// Signed checkpoints that speak of them.
    pub checkpoints: i64,
    /// The last position that was looked at; 0 when the log is empty.
    pub last_seq: Seq,
    /// The keys the log was signed with, oldest first, by the first 16 digits of their hashes, each
    /// with the first position it signed. Empty when nothing was ever signed.
    pub keys: Vec<(String, Seq)>,
    /// The first bad row; `None` when all is well.
    pub bad: Option<BadRow>,
}

/// A row that does not fit into the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its position, also when it is missing.
    pub seq: Seq,
    /// What is wrong, in words.
    pub finding: String,
}

/// SQLite's integrity check and the check of foreign keys.
pub(crate) fn integrity(conn: &Connection) -> Result<CheckReport, StoreError> {
    let pages = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let mut findings: Vec<String> = Vec::new();
    let checked = conn
        .prepare(&format!("PRAGMA integrity_check({FINDINGS_MAX})"))?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>();
    match checked.map_err(StoreError::from) {
        Ok(lines) => findings.extend(lines.into_iter().filter(|line| line != "ok")),
        Err(StoreError::Damaged { finding }) => findings.push(finding),
        Err(other) => return Err(other),
    }
    if findings.is_empty() {
        let mut statement = conn.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (from, to) = (row.get::<_, String>(0)?, row.get::<_, String>(2)?);
            findings.push(format!("a row of {from} points at a row of {to} that is not there"));
            if findings.len() >= FINDINGS_MAX {
                break;
            }
        }
    }
    Ok(CheckReport { pages, findings })
}

/// Checks the chain from `from` (or the beginning of its block of 256) to its end, that it ends where
/// the store says, and that the end and every checkpoint are signed.
pub(crate) fn chain(conn: &Connection, from: Seq) -> Result<ChainReport, StoreError> {
    let mut walk = Walk::new();
    let outcome = walk.begin(conn, from.max(1)).and_then(|bad| match bad {
        Some(bad) => Ok(Some(bad)),
        None => walk.on(conn),
    });
    let bad = match outcome {
        // A damaged page is a finding of this check, at the row that could not be read.
        Err(StoreError::Damaged { finding }) => Some(BadRow { seq: walk.next, finding }),
        other => other?,
    };
    let keys = walk.keys.iter().flat_map(|keys| &keys.all).map(|key| (signing::id(&key.public), key.since)).collect();
    let Walk { rows, removed, checkpoints, next, .. } = walk;
    Ok(ChainReport { rows, removed, checkpoints, last_seq: next - 1, keys, bad })
}

/// The state of a walk along the chain.
pub(crate) struct Walk {
    next: Seq,
    previous: Hash,
    earliest: i64,
    rows: i64,
    removed: i64,
    checkpoints: i64,
    keys: Option<Keys>,
    scratch: Vec<u8>,
}

impl Walk {
    fn new() -> Self {
        Self {
            next: 1,
            previous: [0; 32],
            earliest: i64::MIN,
            rows: 0,
            removed: 0,
            checkpoints: 0,
            keys: None,
            scratch: Vec::new(),
        }
    }

    /// A walk that stands before the first row of `block`, or why it cannot stand there.
    pub(crate) fn at(conn: &Connection, block: Seq) -> Result<Result<Self, BadRow>, StoreError> {
        let mut walk = Self::new();
        Ok(walk.begin(conn, first_of(block))?.map_or(Ok(walk), Err))
    }

    /// The hash of the last row that was walked over.
    pub(crate) fn previous(&self) -> Hash {
        self.previous
    }

    /// Takes over the hash of the row before `from`; where rows of its block were removed, of the row
    /// before the block.
    fn begin(&mut self, conn: &Connection, from: Seq) -> Result<Option<BadRow>, StoreError> {
        self.keys = Keys::load(conn)?;
        let block = block_of(from);
        self.next = if self.checkpoint(conn, block)?.is_some() { first_of(block) } else { from };
        let before = self.next - 1;
        if before == 0 {
            return Ok(None);
        }
        if before < first_of(block)
            && let Some(checkpoint) = self.checkpoint(conn, block - 1)?
        {
            self.previous = checkpoint.after;
            return Ok(None);
        }
        match Reader::new(conn).event(before)? {
            Some(record) => self.previous = record.hash,
            None => return Ok(Some(missing(before))),
        }
        Ok(None)
    }

    fn checkpoint(&self, conn: &Connection, block: Seq) -> Result<Option<Checkpoint>, StoreError> {
        if self.keys.is_some() { Checkpoint::load(conn, block) } else { Ok(None) }
    }

    /// Walks to the end of the log, a few blocks in one state of the data.
    fn on(&mut self, conn: &Connection) -> Result<Option<BadRow>, StoreError> {
        loop {
            let step = conn.unchecked_transaction()?;
            let head = log::head(&step)?;
            let end = head.seq.max(Reader::new(&step).last_seq()?);
            for _ in 0..STEP_BLOCKS {
                if self.next > end {
                    return self.end(&step, &head);
                }
                let block = block_of(self.next);
                let checkpoint = self.checkpoint(&step, block)?;
                let last = end.min(first_of(block + 1) - 1);
                if let Some(bad) = self.block(&step, last, checkpoint.as_ref(), |_, _, _| Ok(()))? {
                    return Ok(Some(bad));
                }
            }
        }
    }

    /// Whether the log ends where the store says, and whether that is signed.
    fn end(&self, conn: &Connection, head: &Head) -> Result<Option<BadRow>, StoreError> {
        let last = self.next - 1;
        let bad = |seq: Seq, finding: &str| Ok(Some(BadRow { seq, finding: finding.to_owned() }));
        if head.seq != last {
            return bad(last, "the log goes on after the row that was stored as its last");
        }
        let first: Option<Seq> = conn.query_row("SELECT min(seq) FROM event_log", [], |row| row.get(0))?;
        if let Some(before) = first.filter(|&first| first < 1) {
            return bad(before, "the log has no such position");
        }
        if head.hash != self.previous {
            return bad(last, "the stored end of the log does not fit its last row");
        }
        let Some(keys) = &self.keys else { return Ok(None) };
        let stray: Option<Seq> = conn.query_row(
            "SELECT min(block) FROM event_checkpoints WHERE block < 0 OR (block + 1) * ?1 > ?2",
            [BLOCK_ROWS, last],
            |row| row.get(0),
        )?;
        if let Some(block) = stray {
            return bad(first_of(block), "a checkpoint speaks of rows that are not there");
        }
        Ok(keys.end_finding(conn, head)?.map(|finding| BadRow { seq: last, finding }))
    }

    /// Walks over one block up to position `last` and hands every row that is there to `each`, with
    /// its position and its hash. The first bad row, if there is one.
    pub(crate) fn block(
        &mut self,
        conn: &Connection,
        last: Seq,
        checkpoint: Option<&Checkpoint>,
        mut each: impl FnMut(Seq, &Hash, &Row<'_>) -> Result<(), StoreError>,
    ) -> Result<Option<BadRow>, StoreError> {
        let first = self.next;
        if let (Some(checkpoint), Some(keys)) = (checkpoint, &self.keys) {
            self.checkpoints += 1;
            let finding = checkpoint.finding(keys).or_else(|| {
                (checkpoint.before != self.previous).then_some("its checkpoint does not fit the row before it")
            });
            if let Some(finding) = finding {
                return Ok(Some(BadRow { seq: first, finding: finding.to_owned() }));
            }
        }
        let mut links = checkpoint.map(|c| c.links.iter()).into_iter().flatten();
        let mut statement = conn.prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM event_log WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq"
        ))?;
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            let seq: Seq = row.get(0)?;
            if let Some(gone) = self.pass(seq, checkpoint) {
                return Ok(Some(missing(gone)));
            }
            if seq > self.next {
                self.removed += seq - self.next;
                self.previous = links.next().copied().unwrap_or_default();
                self.next = seq;
            }
            if checkpoint.is_some_and(|c| !c.keeps(seq)) {
                return Ok(Some(BadRow { seq, finding: "the row is there, yet it was removed".to_owned() }));
            }
            if let Some(bad) = self.check(row)? {
                return Ok(Some(bad));
            }
            each(seq, &self.previous, row)?;
        }
        if let Some(gone) = self.pass(last + 1, checkpoint) {
            return Ok(Some(missing(gone)));
        }
        if let Some(checkpoint) = checkpoint {
            if self.next <= last {
                self.removed += last + 1 - self.next;
                self.previous = checkpoint.after;
            }
            if self.previous != checkpoint.after {
                let finding = "the rows before it do not end as their checkpoint says".to_owned();
                return Ok(Some(BadRow { seq: last, finding }));
            }
        }
        self.next = last + 1;
        Ok(None)
    }

    /// The first position from here to `upto`, without it, whose row should be there.
    fn pass(&self, upto: Seq, checkpoint: Option<&Checkpoint>) -> Option<Seq> {
        (self.next..upto).find(|&seq| checkpoint.is_none_or(|c| c.keeps(seq)))
    }

    fn check(&mut self, row: &Row<'_>) -> Result<Option<BadRow>, StoreError> {
        let seq: Seq = row.get(0)?;
        self.rows += 1;
        let bad = |finding: &str| Ok(Some(BadRow { seq, finding: finding.to_owned() }));
        let timestamp: i64 = row.get(10)?;
        let hash = Canonical {
            seq,
            id: bytes(row, 1)?.unwrap_or_default(),
            event_type: bytes(row, 2)?.unwrap_or_default(),
            source: bytes(row, 3)?.unwrap_or_default(),
            actor: bytes(row, 4)?.unwrap_or_default(),
            cause: row.get(5)?,
            task_id: bytes(row, 6)?,
            agent_id: bytes(row, 7)?,
            severity: row.get(8)?,
            data: bytes(row, 9)?.unwrap_or_default(),
            timestamp,
        }
        .hash(&self.previous, &mut self.scratch);
        if bytes(row, 11)? != Some(hash.as_slice()) {
            return bad("its hash does not fit its content and the row before it");
        }
        if timestamp < self.earliest {
            return bad("it is earlier than the row before it");
        }
        (self.next, self.previous, self.earliest) = (seq + 1, hash, timestamp);
        Ok(None)
    }
}

fn missing(seq: Seq) -> BadRow {
    BadRow { seq, finding: "the row is missing".to_owned() }
}

/// The bytes of a text or blob column; `None` for anything else.
fn bytes<'a>(row: &'a Row<'_>, index: usize) -> Result<Option<&'a [u8]>, StoreError> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    })
}
