//! Why a file of a model is not here.

use std::io;

use timmy_domain::Problem;
use timmy_domain::text::{cut, one_line};

/// Characters of what the system says.
const REASON_CHARS_MAX: usize = 200;

/// Why a file is not here. What came before stays for the next time, unless it is said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PullFailure {
    /// The owner stopped it.
    #[error("it was stopped")]
    Cancelled,
    /// It comes from elsewhere, and everything stays on this machine, or nobody could write down that it leaves.
    #[error("{what}")]
    Stays {
        /// Why, and for how long.
        what: String,
    },
    /// The network or the server was lost, again and again.
    #[error("the connection was lost: {what}")]
    Lost {
        /// How.
        what: &'static str,
    },
    /// The server does not give the file.
    #[error("{}", refused(*status))]
    Refused {
        /// The HTTP status; 0 when it led astray.
        status: u16,
    },
    /// The disk has no room.
    #[error("there is no room on the disk for the {missing} bytes that are missing")]
    DiskFull {
        /// Bytes that are missing.
        missing: u64,
    },
    /// The disk refused.
    #[error("the disk refused: {what}")]
    Disk {
        /// What it said.
        what: String,
    },
    /// What came, or would come, is not the file. Of that nothing is kept.
    #[error("what came is not what was asked for: {what}")]
    Wrong {
        /// How.
        what: String,
    },
    /// No connection can be made at all.
    #[error("no connection can be made: {0}")]
    Client(String),
}

fn refused(status: u16) -> String {
    match status {
        0 => "the server leads astray".to_owned(),
        401 | 403 => format!("the server gives it only to those it knows (status {status})"),
        404 | 410 => "the server does not have it any more".to_owned(),
        status => format!("the server refused with status {status}"),
    }
}

impl PullFailure {
    /// What the disk said. A full disk is told apart, with the bytes that are `missing`.
    pub(super) fn disk(error: &io::Error, missing: u64) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { missing }
            }
            _ => Self::Disk { what: cut(&one_line(&error.to_string()), REASON_CHARS_MAX) },
        }
    }

    /// What the owner can do, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Cancelled | Self::Lost { .. } => "Pull it again: it goes on where it stopped.",
            Self::Stays { .. } => "Pull it again when that is over: it goes on where it stopped.",
            Self::Refused { .. } => "Get the file elsewhere, and import it by its path.",
            Self::DiskFull { .. } => "Make room, then pull it again: it goes on where it stopped.",
            Self::Disk { .. } => "Look at the folder of models, then pull it again.",
            Self::Wrong { .. } => "Pull it again; when it happens twice, get the file elsewhere and import it.",
            Self::Client(_) => "Look at the certificates of this system.",
        }
    }

    /// The same for a person.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::unavailable("pull_failed", format!("The model is not here: {self}."), self.hint())
    }
}
