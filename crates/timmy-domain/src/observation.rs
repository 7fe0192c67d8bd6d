//! What Timmy saw in the folders the owner pointed at.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Characters one observation may hold.
pub const OBSERVATION_CHARS_MAX: usize = 1_200;

/// Folders the owner may point at.
pub const WATCHED_FOLDERS_MAX: usize = 64;

/// A folder the owner pointed at. It is read, never executed and never written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedFolder {
    /// Number of the row.
    pub id: i64,
    /// The absolute, resolved path.
    pub path: String,
    /// The last part of the path, as people name the project.
    pub name: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was last looked at.
    pub scanned_at: Option<Timestamp>,
    /// Where the last look ended, as the scanner wrote it; opaque to everybody else.
    pub mark: Option<String>,
    /// Why the last look failed, in words; empty when it did not.
    pub error: String,
}

/// What kind of thing was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservationKind {
    /// What a folder is: size, kinds of files, read-me line.
    Survey,
    /// Commits of a git repository.
    Commits,
    /// Work in a git repository that is not committed.
    Uncommitted,
    /// Text files that changed.
    Files,
}

impl ObservationKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Survey, Self::Commits, Self::Uncommitted, Self::Files];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::Commits => "commits",
            Self::Uncommitted => "uncommitted",
            Self::Files => "files",
        }
    }
}

/// Something seen. Always tainted (it can inform, never instruct) and always local-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// Number of the row; 0 before it is stored.
    pub id: i64,
    /// The folder it was seen in.
    pub folder_id: i64,
    /// That folder's name.
    pub folder: String,
    /// What kind of thing was seen.
    pub kind: ObservationKind,
    /// One sentence in the words of the house, safe to show.
    pub summary: String,
    /// The detail, quoted from outside: data, at most [`OBSERVATION_CHARS_MAX`] characters.
    pub detail: String,
    /// When it was seen.
    pub seen_at: Timestamp,
}
