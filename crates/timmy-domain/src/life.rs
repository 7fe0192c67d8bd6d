//! The five words for Timmy's state, used everywhere: Pulse, favicon, tab title, command line.

use serde::{Deserialize, Serialize};

/// What Timmy is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// Nothing runs and nothing needs the owner.
    Idle,
    /// A thought is being made.
    Thinking,
    /// Timmy works for the owner: he answers, or a task runs.
    Working,
    /// Something needs the owner.
    Waiting,
    /// Something Timmy relies on is broken.
    Degraded,
}

impl Life {
    /// All five, calm ones first.
    pub const ALL: [Self; 5] = [Self::Idle, Self::Thinking, Self::Working, Self::Waiting, Self::Degraded];

    /// The word as people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Thinking => "Thinking",
            Self::Working => "Working",
            Self::Waiting => "Waiting for you",
            Self::Degraded => "Degraded",
        }
    }

    /// The same state as a short name for icons, classes and the wire: `idle`, `thinking`, `working`, `waiting`, `degraded`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Thinking => "thinking",
            Self::Working => "working",
            Self::Waiting => "waiting",
            Self::Degraded => "degraded",
        }
    }
}
