//! What can go wrong with the store, each in words the owner can act on.

use std::io::ErrorKind;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use timmy_domain::Problem;

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file is damaged. It was left exactly as it is.
    #[error("the database is damaged: {finding}")]
    Damaged {
        /// What is wrong, in words.
        finding: String,
    },
    /// The file is a healthy SQLite database of some other program. It was left as it is.
    #[error("the file is a database of another program")]
    Foreign,
    /// A newer Timmy wrote the file. It was left as it is.
    #[error("the database has schema version {found}; this version of Timmy knows versions up to {known}")]
    NewerSchema {
        /// The version of the file.
        found: i64,
        /// The newest version this binary knows.
        known: i64,
    },
    /// The file needs a migration, and it was opened for reading only.
    #[error("the database has the older schema version {found}, and it was opened for reading only")]
    OlderSchema {
        /// The version of the file.
        found: i64,
    },
    /// The file is not there, and it was opened for reading only.
    #[error("there is no database at {path}")]
    Missing {
        /// Where it was expected.
        path: String,
    },
    /// Writing has been stopped, or the store was opened for reading only.
    #[error("the database is not written to: {finding}")]
    ReadOnly {
        /// Why, in words.
        finding: String,
    },
    /// The store has been closed.
    #[error("the database has been closed")]
    Closed,
    /// The disk is full. What was asked for was taken back; reading goes on.
    #[error("the disk is full")]
    DiskFull,
    /// The disk or the operating system refused.
    #[error("the disk refused: {message}")]
    Disk {
        /// What it said.
        message: String,
    },
    /// The work panicked; nothing of it was stored.
    #[error("the work failed inside: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// A statement failed; a fault of the house.
    #[error("a statement failed: {message}")]
    Statement {
        /// What SQLite said.
        message: String,
    },
    /// An event is over its bound.
    #[error("the event {name} holds {bytes} bytes; at most {max} are stored", max = timmy_domain::event::EVENT_DATA_BYTES_MAX)]
    EventTooLarge {
        /// The event's name.
        name: String,
        /// Bytes of its body.
        bytes: usize,
    },
    /// There is already such a thing.
    #[error("there is already {what}")]
    Exists {
        /// The thing, with its name.
        what: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    Unknown {
        /// The thing, with its name.
        what: String,
    },
    /// There is no room for one more.
    #[error("there are already {max} {what}, which is the most")]
    Full {
        /// The things, in the plural.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// The work itself refused, for a reason of the house; nothing of it was stored.
    #[error("{0}")]
    Refused(#[from] Problem),
}

impl StoreError {
    /// The same in the words of the house, with what the owner can do.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let message = sentence(&self.to_string());
        match self {
            Self::Refused(problem) => problem.clone(),
            Self::Damaged { .. } => Problem::unavailable(
                "store_damaged",
                message,
                "Stop Timmy, keep timmy.db as it is, run `timmy doctor`, and restore a backup.",
            ),
            Self::Foreign => Problem::unavailable(
                "store_foreign",
                message,
                "Point --home at Timmy's own folder, or move that file away.",
            ),
            Self::NewerSchema { .. } => Problem::unavailable(
                "store_newer",
                message,
                "Run the newer version of Timmy, or restore the copy made before the migration.",
            ),
            Self::OlderSchema { .. } => Problem::unavailable(
                "store_older",
                message,
                "Start `timmy serve` once; it migrates the file and keeps a copy of the old one.",
            ),
            Self::Missing { .. } => Problem::unavailable(
                "store_missing",
                message,
                "Start `timmy serve` once, or point --home at the right folder.",
            ),
            Self::ReadOnly { .. } => Problem::unavailable(
                "store_read_only",
                message,
                "Run `timmy doctor`; reading goes on, and nothing new is stored until then.",
            ),
            Self::Closed => Problem::unavailable("store_closed", message, "Timmy is stopping; start him again."),
            Self::DiskFull => Problem::unavailable(
                "disk_full",
                "The disk is full, so nothing new can be stored; nothing that was stored is lost.",
                "Make room on the disk. Reading goes on, and Timmy goes on by himself once there is room.",
            ),
            Self::Disk { .. } => Problem::unavailable(
                "store_disk",
                message,
                "Make room on the disk, check that Timmy may write to his folder, and try again.",
            ),
            Self::Panicked { .. } | Self::Statement { .. } => Problem::unavailable(
                "store_failed",
                message,
                "Nothing of it was stored; try again, and look at the log if it happens again.",
            ),
            Self::EventTooLarge { .. } => Problem::invalid("event_too_large", message, "Make the text shorter."),
            Self::Exists { .. } => Problem::conflict("exists", message, "Choose another name."),
            Self::Unknown { .. } => Problem::unknown("unknown", message, "Look at the list of what there is."),
            Self::Full { .. } => Problem::conflict("full", message, "Remove one first."),
        }
    }

    /// A finding of damage.
    pub(crate) fn damaged(finding: impl Into<String>) -> Self {
        Self::Damaged { finding: finding.into() }
    }

    /// What the operating system said about `what`.
    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Disk { message: format!("{what}: {error}") },
        }
    }
}

/// The text with a capital first letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let head = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{head}{}.", chars.as_str().trim_end_matches('.'))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let message = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::damaged(message),
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            // The index of the write-ahead log could not grow: also a full disk.
            Some(ErrorCode::SystemIoFailure)
                if error.sqlite_error().is_some_and(|e| e.extended_code == SQLITE_IOERR_SHMSIZE) =>
            {
                Self::DiskFull
            }
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory,
            ) => Self::Disk { message },
            _ => Self::Statement { message },
        }
    }
}

impl From<rusqlite_migration::Error> for StoreError {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => Self::from(err),
            other => Self::Statement { message: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timmy_domain::problem::Kind;

    #[test]
    fn damage_and_disk_are_unavailable_with_a_hint() {
        for error in [
            StoreError::damaged("page 3 is torn"),
            StoreError::Disk { message: "full".into() },
            StoreError::NewerSchema { found: 9, known: 6 },
        ] {
            let problem = error.problem();
            assert_eq!(problem.kind, Kind::Unavailable);
            assert!(!problem.hint.is_empty());
            assert!(problem.message.ends_with('.') && problem.message.starts_with('T'));
        }
    }

    #[test]
    fn a_refusal_of_the_work_keeps_its_own_words() {
        let mine = Problem::conflict("paused", "Timmy is paused.", "Resume him.");
        assert_eq!(StoreError::from(mine.clone()).problem(), mine);
    }
}
