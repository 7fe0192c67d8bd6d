//! The hash chain: each row of the log is bound to all rows before it.
//!
//! `hash = SHA-256(previous hash ‖ canonical row)`; before the first row stand 32 zero bytes.
//!
//! The canonical row is the columns in the order of the table, without the hash:
//! numbers as 8 bytes big-endian; texts and blobs as their length in 4 bytes big-endian, then their
//! bytes; a column that may be NULL has one byte before it, 0 for NULL (and nothing more) or 1.
//! Every length is given, so two different rows never have the same canonical bytes.

use sha2::{Digest, Sha256};
use timmy_domain::{Seq, Timestamp};

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last position; 0 when the log is empty.
    pub seq: Seq,
    /// The hash of the last row; zeros when the log is empty.
    pub hash: Hash,
    /// The time of the last row; no later row is earlier.
    pub at: Timestamp,
}

/// One row of the log as bytes, without its hash. Bytes, because a damaged row need not be UTF-8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical<'a> {
    pub seq: Seq,
    pub id: &'a [u8],
    pub event_type: &'a [u8],
    pub source: &'a [u8],
    pub actor: &'a [u8],
    pub cause: Option<Seq>,
    pub task_id: Option<&'a [u8]>,
    pub agent_id: Option<&'a [u8]>,
    pub severity: i64,
    pub data: &'a [u8],
    pub timestamp: i64,
}

impl Canonical<'_> {
    /// The hash of this row after `previous`. `scratch` is only there to be used again.
    pub(crate) fn hash(&self, previous: &Hash, scratch: &mut Vec<u8>) -> Hash {
        scratch.clear();
        scratch.extend_from_slice(previous);
        number(scratch, self.seq);
        bytes(scratch, self.id);
        bytes(scratch, self.event_type);
        bytes(scratch, self.source);
        bytes(scratch, self.actor);
        match self.cause {
            None => scratch.push(0),
            Some(cause) => {
                scratch.push(1);
                number(scratch, cause);
            }
        }
        optional(scratch, self.task_id);
        optional(scratch, self.agent_id);
        number(scratch, self.severity);
        bytes(scratch, self.data);
        number(scratch, self.timestamp);
        Sha256::digest(&*scratch).into()
    }
}

fn number(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    // SQLite refuses values over 10^9 bytes, so the length always fits.
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

fn optional(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            bytes(out, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Canonical<'static> {
        Canonical {
            seq: 1,
            id: &[7; 16],
            event_type: b"a.b",
            source: b"c",
            actor: b"owner",
            cause: None,
            task_id: None,
            agent_id: None,
            severity: 1,
            data: b"{}",
            timestamp: 5,
        }
    }

    #[test]
    fn the_bytes_are_those_the_header_describes() {
        let mut scratch = Vec::new();
        let hash = row().hash(&[0; 32], &mut scratch);
        let mut expected = vec![0; 32];
        expected.extend(1i64.to_be_bytes());
        for text in [&[7u8; 16][..], b"a.b", b"c", b"owner"] {
            expected.extend((text.len() as u32).to_be_bytes());
            expected.extend(text);
        }
        expected.extend([0, 0, 0]);
        expected.extend(1i64.to_be_bytes());
        expected.extend(2u32.to_be_bytes());
        expected.extend(b"{}");
        expected.extend(5i64.to_be_bytes());
        assert_eq!(scratch, expected);
        assert_eq!(hash, <Hash>::from(Sha256::digest(&expected)));
    }

    #[test]
    fn shifting_bytes_between_columns_changes_the_hash() {
        let hash = |r: Canonical<'_>| r.hash(&[0; 32], &mut Vec::new());
        let base = hash(row());
        let others = [
            Canonical { event_type: b"a.bc", source: b"", ..row() },
            Canonical { task_id: Some(b""), ..row() },
            Canonical { agent_id: Some(b""), ..row() },
            Canonical { cause: Some(0), ..row() },
            Canonical { severity: 2, ..row() },
        ];
        for other in others {
            assert_ne!(hash(other), base, "{other:?}");
        }
        assert_ne!(row().hash(&[1; 32], &mut Vec::new()), base);
    }
}
