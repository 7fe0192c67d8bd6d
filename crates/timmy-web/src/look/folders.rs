//! The folders the owner pointed at, and what was seen in them.

use askama::Template;
use timmy_domain::observation::{Observation, ObservationKind, WatchedFolder};

use super::{Clock, State, When, icon};

/// One watched folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderView {
    /// Number of the row.
    pub id: i64,
    /// The project's name.
    pub name: String,
    /// The whole path; wraps, is never cut.
    pub path: String,
    /// Well, not looked at yet, or unreadable.
    pub state: State,
    /// When it was last looked at.
    pub looked: Option<When>,
    /// Why the last look failed; empty when it did not.
    pub error: String,
}

impl FolderView {
    /// A folder as it is stored.
    #[must_use]
    pub fn of(folder: &WatchedFolder, clock: &Clock) -> Self {
        let state = if !folder.error.is_empty() {
            State::degraded("Cannot be read")
        } else if folder.scanned_at.is_none() {
            State::new(super::Tone::Calm, "queued", "Not looked at yet")
        } else {
            State::well("Watched")
        };
        Self {
            id: folder.id,
            name: folder.name.clone(),
            path: folder.path.clone(),
            state,
            looked: folder.scanned_at.map(|at| clock.ago(at)),
            error: folder.error.clone(),
        }
    }
}

/// Something seen, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenView {
    /// The folder's name.
    pub folder: String,
    /// The symbol of its kind.
    pub icon: &'static str,
    /// The sentence.
    pub summary: String,
    /// When.
    pub at: When,
}

impl SeenView {
    /// An observation as it is stored.
    #[must_use]
    pub fn of(seen: &Observation, clock: &Clock) -> Self {
        let icon = match seen.kind {
            ObservationKind::Survey => "folder",
            ObservationKind::Commits => "commit",
            ObservationKind::Uncommitted => "edit",
            ObservationKind::Files => "file",
        };
        // The name stands before the sentence already.
        let summary = seen.summary.strip_prefix(&format!("{}: ", seen.folder)).unwrap_or(&seen.summary).to_owned();
        Self { folder: seen.folder.clone(), icon, summary, at: clock.short(seen.seen_at) }
    }
}

/// The folders with their forms, as a fragment: `GET /watch/rows`.
#[derive(Template)]
#[template(path = "parts/folders.html")]
pub struct FoldersPart {
    /// The folders, in the order they were added.
    pub folders: Vec<FolderView>,
    /// The secret of the session.
    pub csrf: String,
}
