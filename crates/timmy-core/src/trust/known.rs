//! Sessions that were looked up a moment ago, so that a page and the fragments it asks for do not each look again.
//!
//! A session that is withdrawn must not come in once more. Nothing takes a session away without an event in the same
//! transaction, so what was read when the log ended at some position holds for as long as it ends there.

use std::collections::VecDeque;

use timmy_domain::Seq;
use timmy_store::SessionRow;

/// Sessions that are remembered: one owner has a few browsers.
const SESSIONS_MAX: usize = 8;

/// The sessions that are known to stand while the log ends at one position.
#[derive(Debug, Default)]
pub(super) struct Known {
    end: Seq,
    rows: VecDeque<SessionRow>,
}

impl Known {
    /// The session of `key`, when it was read while the log ended at `end`, as it does now.
    pub(super) fn at(&self, end: Seq, key: &[u8; 32]) -> Option<SessionRow> {
        if end != self.end {
            return None;
        }
        self.rows.iter().find(|row| row.hash == *key).cloned()
    }

    /// Remembers `row`, which was read after the log had been seen to end at `end`.
    pub(super) fn note(&mut self, end: Seq, row: SessionRow) {
        if end < self.end {
            // Somebody was faster, and knows better.
            return;
        }
        if end > self.end {
            self.rows.clear();
            self.end = end;
        }
        if self.rows.iter().all(|known| known.hash != row.hash) {
            self.rows.truncate(SESSIONS_MAX - 1);
            self.rows.push_front(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use timmy_domain::Timestamp;

    use super::*;

    fn row(name: u8) -> SessionRow {
        SessionRow {
            hash: [name; 32],
            csrf: String::new(),
            created_at: Timestamp::EPOCH,
            expires_at: Timestamp::EPOCH,
            seen_at: Timestamp::EPOCH,
            label: String::new(),
        }
    }

    #[test]
    fn a_session_is_known_only_while_the_log_ends_where_it_did() {
        let mut known = Known::default();
        known.note(7, row(1));
        assert_eq!(known.at(7, &[1; 32]), Some(row(1)));
        assert_eq!(known.at(7, &[2; 32]), None, "another one");
        assert_eq!(known.at(8, &[1; 32]), None, "something has happened, perhaps its end");
        known.note(8, row(2));
        assert_eq!(known.at(8, &[1; 32]), None, "what was known before is forgotten");
        known.note(7, row(1));
        assert_eq!((known.at(8, &[1; 32]), known.at(7, &[1; 32])), (None, None), "a slow reader tells old news");
    }

    #[test]
    fn the_latest_few_are_remembered() {
        let mut known = Known::default();
        (0..20).chain([19]).for_each(|name| known.note(1, row(name)));
        assert_eq!(known.rows.len(), SESSIONS_MAX);
        assert!(known.at(1, &[19; 32]).is_some() && known.at(1, &[0; 32]).is_none());
    }
}
