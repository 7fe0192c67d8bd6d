//! What can go wrong with a tool, with the words and the hint the owner reads.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use timmy_domain::{Problem, problem::Kind, text};

/// Characters of a child's last line of complaint that are kept.
pub const COMPLAINT_CHARS_MAX: usize = 200;

/// A tool could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The program is in none of the standard places.
    #[error("{program} is not installed")]
    NotInstalled {
        /// The program that was looked for.
        program: String,
    },
    /// The work took longer than it may; it was stopped.
    #[error("{what} took longer than {} seconds and was stopped", limit.as_secs_f32())]
    TimedOut {
        /// What took too long.
        what: String,
        /// The limit it ran under.
        limit: Duration,
    },
    /// The child wrote more than it may; it was stopped.
    #[error("{program} wrote more than {limit_bytes} bytes and was stopped")]
    TooMuchOutput {
        /// The program that wrote.
        program: String,
        /// The limit it ran under, in bytes.
        limit_bytes: usize,
    },
    /// The child ended with a failure.
    #[error("{program} failed with status {status}: {stderr_line}")]
    Failed {
        /// The program that failed.
        program: String,
        /// Its exit status; -1 when a signal ended it.
        status: i32,
        /// The last line of its complaint, made safe, at most [`COMPLAINT_CHARS_MAX`] characters.
        stderr_line: String,
    },
    /// The arguments are outside the read-only set.
    #[error("git {argument:?} is outside the read-only set")]
    NotAllowed {
        /// The argument that is not allowed.
        argument: String,
    },
    /// The path is not a folder that can be read.
    #[error("{} is not a folder that can be read: {}", path.display(), plain(source))]
    NotAFolder {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder of the house holds more than it may.
    #[error("{} holds more than {limit}", path.display())]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The limit in words.
        limit: String,
    },
    /// A backup is not what it should be.
    #[error("{} cannot be used: {finding}", path.display())]
    BadArchive {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        finding: String,
    },
    /// An argument does not fit what the tool takes.
    #[error("{argument} of {tool} {finding}")]
    BadArgument {
        /// The tool.
        tool: String,
        /// The argument, with its place in a list where it stands in one.
        argument: String,
        /// What is wrong with it, in words that follow its name.
        finding: String,
    },
    /// Timmy may not or must not do this; trying again changes nothing, another plan or the owner may.
    #[error("{message}")]
    Refused {
        /// A stable word for programs.
        code: &'static str,
        /// What is refused and why.
        message: String,
        /// What can be done about it.
        hint: String,
    },
    /// This cannot succeed as it stands.
    #[error("{message}")]
    Permanent {
        /// A stable word for programs.
        code: &'static str,
        /// What happened.
        message: String,
        /// What can be done about it.
        hint: String,
    },
    /// This did not succeed now, and may later.
    #[error("{message}")]
    Transient {
        /// A stable word for programs.
        code: &'static str,
        /// What happened.
        message: String,
        /// What can be done about it.
        hint: String,
        /// Seconds after which it is worth trying again, where that is known.
        retry_seconds: Option<u64>,
    },
    /// The owner gave the work up.
    #[error("the work was stopped; nothing of it is left")]
    Stopped,
    /// Reading or writing failed.
    #[error("{what} failed: {}", plain(source))]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What the system said, without the number that only programmers know.
fn plain(source: &io::Error) -> String {
    let said = source.to_string();
    said.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// What became of a piece of work that failed, which decides what is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// It cannot succeed as it stands.
    Permanent,
    /// It may succeed when it is tried again.
    Transient,
    /// It must not be done, or not without the owner.
    Refused,
}

impl ToolError {
    /// A refusal.
    pub fn refused(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into(), hint: hint.into() }
    }

    /// Something that cannot succeed as it stands.
    pub fn permanent(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Permanent { code, message: message.into(), hint: hint.into() }
    }

    /// Something that may succeed later.
    pub fn transient(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Transient { code, message: message.into(), hint: hint.into(), retry_seconds: None }
    }

    /// Whether trying again can help. Told by what happened, never by how it was worded.
    #[must_use]
    pub fn failing(&self) -> Failing {
        match self {
            Self::Refused { .. } | Self::NotAllowed { .. } => Failing::Refused,
            Self::TimedOut { .. } | Self::Transient { .. } | Self::Stopped => Failing::Transient,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::ResourceBusy
                | io::ErrorKind::StorageFull
                | io::ErrorKind::OutOfMemory => Failing::Transient,
                _ => Failing::Permanent,
            },
            _ => Failing::Permanent,
        }
    }

    /// An input or output error of `what`.
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// The same in the words of the house, with a hint.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (code, hint) = match self {
            Self::NotInstalled { program } => (
                "tool_not_installed",
                format!("Install {program} with the package manager of this system, then try again."),
            ),
            Self::TimedOut { .. } => {
                ("tool_timed_out", "Try again when the machine is less busy, or choose a smaller folder.".to_owned())
            }
            Self::TooMuchOutput { .. } => ("tool_too_much_output", "Choose a smaller folder.".to_owned()),
            Self::Failed { program, .. } => {
                ("tool_failed", format!("Run {program} in that folder yourself to see what is wrong with it."))
            }
            Self::NotAllowed { .. } => {
                ("tool_not_allowed", "Timmy only reads repositories; do this by hand.".to_owned())
            }
            Self::NotAFolder { .. } => (
                "folder_unreadable",
                "Check that the folder still exists and that Timmy's user may read it.".to_owned(),
            ),
            Self::TooLarge { .. } => ("folder_too_large", "Move what does not belong there out of it.".to_owned()),
            Self::BadArchive { .. } => {
                ("bad_backup", "Use another backup; `timmy backup list` shows what there is.".to_owned())
            }
            Self::BadArgument { tool, argument, .. } => {
                ("bad_argument", format!("Give {argument} as the description of {tool} says."))
            }
            Self::Refused { code, hint, .. }
            | Self::Permanent { code, hint, .. }
            | Self::Transient { code, hint, .. } => (*code, hint.clone()),
            Self::Stopped => ("stopped", "Start it again when it suits you.".to_owned()),
            Self::Io { .. } => ("tool_io", "Check the disk and the permissions of the files named here.".to_owned()),
        };
        let problem = Problem::unavailable(code, text::one_line(&self.to_string()), hint);
        match self {
            Self::BadArgument { .. } => Problem { kind: Kind::Invalid, ..problem },
            Self::Refused { .. } => Problem { kind: Kind::Forbidden, ..problem },
            Self::Transient { retry_seconds: Some(seconds), .. } => problem.retry_after(*seconds),
            _ => problem,
        }
    }
}
