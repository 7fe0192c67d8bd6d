//! The long checks: SQLite's own, and the chain from any position to the end.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use timmy_domain::Seq;

use crate::chain::{Canonical, Hash};
use crate::log::{self, columns};
use crate::{Reader, StoreError};

/// Rows checked in one step. Between steps the write-ahead log may be cleared away.
const STEP_ROWS: i64 = 4_096;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Rows that were looked at.
    pub rows: i64,
    /// The last position that was looked at; 0 when the log is empty.
    pub last_seq: Seq,
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

/// Checks the chain from `from` to its end, and that it ends where the store says.
pub(crate) fn chain(conn: &Connection, from: Seq) -> Result<ChainReport, StoreError> {
    let mut walk = Walk { next: from.max(1), previous: [0; 32], earliest: i64::MIN, rows: 0, scratch: Vec::new() };
    let outcome = walk.start(conn).and_then(|bad| match bad {
        Some(bad) => Ok(Some(bad)),
        None => walk.walk_on(conn),
    });
    let bad = match outcome {
        // A damaged page is a finding of this check, at the row that could not be read.
        Err(StoreError::Damaged { finding }) => Some(BadRow { seq: walk.next, finding }),
        other => other?,
    };
    Ok(ChainReport { rows: walk.rows, last_seq: walk.next - 1, bad })
}

/// The state of a walk along the chain.
struct Walk {
    next: Seq,
    previous: Hash,
    earliest: i64,
    rows: i64,
    scratch: Vec<u8>,
}

impl Walk {
    /// Takes over the hash of the row before the first.
    fn start(&mut self, conn: &Connection) -> Result<Option<BadRow>, StoreError> {
        if self.next == 1 {
            return Ok(None);
        }
        let before = self.next - 1;
        let hash = Reader::new(conn).event(before)?.map(|record| record.hash);
        match hash {
            Some(hash) => self.previous = hash,
            None => return Ok(Some(missing(before))),
        }
        Ok(None)
    }

    fn walk_on(&mut self, conn: &Connection) -> Result<Option<BadRow>, StoreError> {
        loop {
            let step = conn.unchecked_transaction()?;
            let mut statement = step.prepare_cached(concat!(
                "SELECT ",
                columns!(),
                " FROM event_log WHERE seq >= ?1 ORDER BY seq LIMIT ?2"
            ))?;
            let mut rows = statement.query([self.next, STEP_ROWS])?;
            let mut seen = 0;
            while let Some(row) = rows.next()? {
                seen += 1;
                if let Some(bad) = self.check(row)? {
                    return Ok(Some(bad));
                }
            }
            if seen < STEP_ROWS {
                let head = log::head(&step)?;
                return Ok(if head.seq >= self.next {
                    Some(missing(self.next))
                } else if head.seq != self.next - 1 || head.hash != self.previous {
                    let finding = "the log goes on after the row that was stored as its last";
                    Some(BadRow { seq: self.next - 1, finding: finding.to_owned() })
                } else {
                    None
                });
            }
        }
    }

    fn check(&mut self, row: &Row<'_>) -> Result<Option<BadRow>, StoreError> {
        let seq: Seq = row.get(0)?;
        if seq != self.next {
            return Ok(Some(missing(self.next)));
        }
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
