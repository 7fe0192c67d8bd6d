//! The one conversation between the owner and Timmy.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::thought::Place;
use crate::{MessageId, ThoughtId, Timestamp};

/// Characters one message of the owner may hold.
pub const MESSAGE_CHARS_MAX: usize = 32_000;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The owner.
    Owner,
    /// Timmy.
    Timmy,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// The owner's words, waiting for an answer.
    Open,
    /// The owner's words, answered.
    Answered,
    /// Timmy's words, whole.
    Done,
    /// Timmy's words up to the point where the owner pressed stop. May be empty.
    Stopped,
    /// No answer came. The text says why; it is not Timmy's words.
    Failed,
}

impl MessageStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Open, Self::Answered, Self::Done, Self::Stopped, Self::Failed];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for MessageStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(())
    }
}

/// One message as it is stored and served.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Who speaks.
    pub speaker: Speaker,
    /// The text. For [`MessageStatus::Failed`] it is the reason, in the words of the house.
    pub content: String,
    /// What became of it.
    pub status: MessageStatus,
    /// For an answer: the message it answers.
    pub answers: Option<MessageId>,
    /// The thought the owner replied to with this message.
    pub about_thought: Option<ThoughtId>,
    /// Through which door it came: `browser`, `cli` or `api`.
    pub channel: String,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Who answered, as the cascade names it; empty for the owner's words.
    pub provider: String,
    /// Which model answered; empty when none did.
    pub model: String,
    /// Where the answer was made; `None` for a failure.
    pub place: Option<Place>,
    /// How long the answer took, in milliseconds.
    pub duration_ms: i64,
    /// Tokens read and written together, as far as the provider told.
    pub tokens: i64,
}
