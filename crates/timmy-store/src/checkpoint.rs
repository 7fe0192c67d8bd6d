//! Checkpoints: what is left of a block of the log from which rows were removed.
//!
//! A row is checked against the hash of the row before it, so where that one is gone its hash must
//! stay. A checkpoint holds these hashes for one block, says which of the positions are kept, and is
//! signed. It is written in the transaction that removes the rows, after their hashes were checked.

use rusqlite::{Connection, OptionalExtension, Row, params};
use timmy_domain::{Seq, Timestamp};

use crate::StoreError;
use crate::chain::Hash;
use crate::log::BLOCK_ROWS;
use crate::signing::{Keys, Signer};

/// What a signature of a checkpoint begins with, so that it can stand for nothing else.
const WORDS: &[u8] = b"timmy: what left the log, 1\0";

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// Which positions of a block are kept: one bit each, the first position first.
pub(crate) type Kept = [u8; BLOCK_ROWS as usize / 8];

/// What is left of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub block: Seq,
    /// The hash of the row before the block; zeros before the first.
    pub before: Hash,
    /// The hash of the last row of the block.
    pub after: Hash,
    pub kept: Kept,
    /// For each run of removed rows that a kept one follows within the block: the hash of its last row.
    pub links: Vec<Hash>,
    pub removed: i64,
    pub made_at: Timestamp,
    pub key: i64,
    pub signature: Vec<u8>,
}

/// The block that holds the position `seq`.
pub(crate) fn block_of(seq: Seq) -> Seq {
    (seq - 1).div_euclid(BLOCK_ROWS)
}

/// The first position of a block.
pub(crate) fn first_of(block: Seq) -> Seq {
    block * BLOCK_ROWS + 1
}

/// Where in its block the position `seq` lies.
pub(crate) fn place(seq: Seq) -> usize {
    usize::try_from((seq - 1).rem_euclid(BLOCK_ROWS)).unwrap_or(0)
}

/// Whether the place is kept.
pub(crate) fn is_kept(kept: &Kept, place: usize) -> bool {
    kept[place / 8] & (1 << (place % 8)) != 0
}

/// Marks a place as removed.
pub(crate) fn drop_place(kept: &mut Kept, place: usize) {
    kept[place / 8] &= !(1 << (place % 8));
}

const COLUMNS: &str = "block, before, after, kept, links, removed, made_at, key, signature";

fn read(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    let links: Vec<u8> = row.get(4)?;
    let links = links.chunks(HASH_BYTES).map(|chunk| {
        let mut hash = Hash::default();
        hash[..chunk.len()].copy_from_slice(chunk);
        hash
    });
    Ok(Checkpoint {
        block: row.get(0)?,
        before: row.get(1)?,
        after: row.get(2)?,
        kept: row.get(3)?,
        links: links.collect(),
        removed: row.get(5)?,
        made_at: Timestamp::from_micros(row.get(6)?),
        key: row.get(7)?,
        signature: row.get(8)?,
    })
}

impl Checkpoint {
    /// The checkpoint of `block`, if rows were removed from it.
    pub(crate) fn load(conn: &Connection, block: Seq) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM event_checkpoints WHERE block = ?1");
        Ok(conn.prepare_cached(&sql)?.query_row([block], read).optional()?)
    }

    /// The newest checkpoint.
    pub(crate) fn last(conn: &Connection) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM event_checkpoints ORDER BY block DESC LIMIT 1");
        Ok(conn.prepare_cached(&sql)?.query_row([], read).optional()?)
    }

    /// Signs and stores it, in place of the one before it.
    pub(crate) fn store(mut self, conn: &Connection, signer: &Signer) -> Result<(), StoreError> {
        self.key = signer.number;
        self.signature = signer.sign(&self.message());
        let sql =
            format!("INSERT OR REPLACE INTO event_checkpoints ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
        conn.prepare_cached(&sql)?.execute(params![
            self.block,
            self.before,
            self.after,
            self.kept,
            self.links.concat(),
            self.removed,
            self.made_at.micros(),
            self.key,
            self.signature
        ])?;
        Ok(())
    }

    /// What is wrong with it by itself, in words: its signature, and what it says of its own size.
    pub(crate) fn finding(&self, keys: &Keys) -> Option<&'static str> {
        if !keys.vouch(self.key, &self.message(), &self.signature) {
            return Some("the signature of its checkpoint does not fit");
        }
        let links = runs(&self.kept).filter(|run| run.end < BLOCK_ROWS as usize).count();
        let removed: i64 = BLOCK_ROWS - self.kept.iter().map(|byte| i64::from(byte.count_ones())).sum::<i64>();
        (links != self.links.len() || removed != self.removed).then_some("its checkpoint contradicts itself")
    }

    /// Whether the position, which lies in this block, is kept.
    pub(crate) fn keeps(&self, seq: Seq) -> bool {
        is_kept(&self.kept, place(seq))
    }

    /// The last position that was removed.
    pub(crate) fn last_removed(&self) -> Option<Seq> {
        let place = (0..BLOCK_ROWS).rev().find(|&place| !is_kept(&self.kept, usize::try_from(place).unwrap_or(0)))?;
        Some(first_of(self.block) + place)
    }

    /// How many positions up to and with `seq`, which lies in this block, were removed.
    pub(crate) fn removed_upto(&self, seq: Seq) -> i64 {
        (0..=place(seq)).map(|place| i64::from(!is_kept(&self.kept, place))).sum()
    }

    fn message(&self) -> Vec<u8> {
        let mut out = WORDS.to_vec();
        out.extend_from_slice(&self.block.to_be_bytes());
        out.extend_from_slice(&self.before);
        out.extend_from_slice(&self.after);
        out.extend_from_slice(&self.kept);
        out.extend_from_slice(&self.removed.to_be_bytes());
        out.extend_from_slice(&self.made_at.micros().to_be_bytes());
        out.extend_from_slice(&self.key.to_be_bytes());
        for link in &self.links {
            out.extend_from_slice(link);
        }
        out
    }
}

/// The runs of removed places, as half-open ranges.
pub(crate) fn runs(kept: &Kept) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let end = BLOCK_ROWS as usize;
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < end && is_kept(kept, at) {
            at += 1;
        }
        let start = at;
        while at < end && !is_kept(kept, at) {
            at += 1;
        }
        (start < at).then_some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_lies_between_kept_places() {
        let mut kept: Kept = [0xff; 32];
        assert_eq!(runs(&kept).count(), 0);
        for place in [0, 7, 8, 9, 254, 255] {
            drop_place(&mut kept, place);
        }
        assert_eq!(runs(&kept).collect::<Vec<_>>(), [0..1, 7..10, 254..256]);
        assert_eq!(runs(&[0; 32]).map(|run| (run.start, run.end)).collect::<Vec<_>>(), [(0, 256)]);
    }

    #[test]
    fn positions_and_blocks_fit_each_other() {
        for (seq, block, at) in [(1, 0, 0), (256, 0, 255), (257, 1, 0), (1_000, 3, 231)] {
            assert_eq!((block_of(seq), place(seq)), (block, at));
            assert_eq!(first_of(block) + i64::try_from(at).unwrap_or(0), seq);
        }
    }
}
