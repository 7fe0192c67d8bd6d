//! Thoughts: what Timmy thinks when nobody asks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Seq, ThoughtId, Timestamp};

/// Characters a thought may hold; a longer answer of a model is cut at a word.
pub const THOUGHT_CHARS_MAX: usize = 2_000;

/// The longest chain that is ever walked or shown.
pub const CHAIN_LINKS_MAX: usize = 20;

/// What a thought grows from. Exactly six, as in the first version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedType {
    /// A question about being such a thing as Timmy.
    Existential,
    /// What happened in the house lately: events, work, folders.
    Swarm,
    /// A verse to dwell on.
    Scripture,
    /// A prompt to make something.
    Creative,
    /// What was kept, seen and said.
    Memory,
    /// Nothing: pure continuation.
    Freeform,
}

impl SeedType {
    /// All six, in the order of the first version.
    pub const ALL: [Self; 6] =
        [Self::Existential, Self::Swarm, Self::Scripture, Self::Creative, Self::Memory, Self::Freeform];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Existential => "existential",
            Self::Swarm => "swarm",
            Self::Scripture => "scripture",
            Self::Creative => "creative",
            Self::Memory => "memory",
            Self::Freeform => "freeform",
        }
    }
}

impl fmt::Display for SeedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SeedType {
    type Err = NotASeed;
    fn from_str(text: &str) -> Result<Self, NotASeed> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(NotASeed)
    }
}

/// The word is none of the six seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a seed: use existential, swarm, scripture, creative, memory or freeform")]
pub struct NotASeed;

/// Where a thought or an answer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// By a model on this machine.
    Local,
    /// By a model elsewhere.
    Remote,
    /// By rules, without a model.
    Reflex,
    /// Said by the owner.
    Owner,
}

impl Place {
    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Reflex => "reflex",
            Self::Owner => "owner",
        }
    }

    /// The place as people read it.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Local => "on this machine",
            Self::Remote => "on another machine",
            Self::Reflex => "by reflex, no model",
            Self::Owner => "from you",
        }
    }
}

impl FromStr for Place {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Local, Self::Remote, Self::Reflex, Self::Owner].into_iter().find(|p| p.name() == text).ok_or(())
    }
}

/// One thought as it is stored and served.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thought {
    /// Its id.
    pub id: ThoughtId,
    /// The text, at most [`THOUGHT_CHARS_MAX`] characters.
    pub content: String,
    /// What it grew from.
    pub seed_type: SeedType,
    /// One line that says what exactly the seed was, for people.
    pub seed_note: String,
    /// The thought before it; `None` only for the first one ever.
    pub parent_id: Option<ThoughtId>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Who made it, as the cascade names it; `owner` for an injected one.
    pub provider: String,
    /// Which model; empty when none was used.
    pub model: String,
    /// Where it was made.
    pub place: Place,
    /// How long the making took, in milliseconds.
    pub duration_ms: i64,
    /// Tokens read and written together, as far as the provider told.
    pub tokens: i64,
    /// Whether the owner kept it.
    pub kept: bool,
    /// Whether the owner asked for fewer like it.
    pub fewer: bool,
    /// The event that reported it.
    pub seq: Seq,
}
