//! One part of a filter: a key with its value, or words.

use std::fmt;

use crate::bus::Pattern;
use crate::{Actor, Seq, Severity};

use super::Moment;

/// What a token is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The names that are wanted.
    Type,
    /// Names that are left out.
    NotType,
    /// The mildest severity.
    Severity,
    /// Who did it.
    Actor,
    /// Which part of the house says so.
    Source,
    /// The task it belongs to.
    Task,
    /// The agent it belongs to.
    Agent,
    /// The event that led to it.
    Cause,
    /// The earliest time.
    Since,
    /// The latest time.
    Until,
    /// The position it lies after.
    After,
    /// The position it lies before.
    Before,
    /// Words that occur in it.
    Text,
}

/// Every key with an example and what it finds, in the order of the help.
pub const KEYS: [(Key, &str, &str); 13] = [
    (Key::Type, "type:watch.*", "events of this name, or all below it"),
    (Key::NotType, "-type:thinking.rested", "leaves these out; as often as you like"),
    (Key::Severity, "severity:warning", "at least this bad: debug, info, warning, error"),
    (Key::Actor, "actor:owner", "done by owner, timmy, system, stranger or program"),
    (Key::Source, "source:thinking", "said by this part of the house"),
    (Key::Task, "task:ID", "belongs to this task"),
    (Key::Agent, "agent:ID", "belongs to this agent"),
    (Key::Cause, "cause:123", "came directly of event 123"),
    (Key::Since, "since:1h", "from then on: 30s, 15m, 1h, 7d, 2w ago, 14:00, or a date"),
    (Key::Until, "until:2026-11-21T10:00", "up to then, in the same words"),
    (Key::After, "after:1000", "behind this position in the log"),
    (Key::Before, "before:2000", "ahead of this position"),
    (Key::Text, "text:\"disk full\"", "these words in the event; plain words do the same"),
];

impl Key {
    /// The word before the colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::NotType => "-type",
            Self::Severity => "severity",
            Self::Actor => "actor",
            Self::Source => "source",
            Self::Task => "task",
            Self::Agent => "agent",
            Self::Cause => "cause",
            Self::Since => "since",
            Self::Until => "until",
            Self::After => "after",
            Self::Before => "before",
            Self::Text => "text",
        }
    }

    /// Whether a filter says it at most once.
    #[must_use]
    pub const fn once(self) -> bool {
        !matches!(self, Self::NotType | Self::Text)
    }
}

/// One part of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Only these names.
    Type(Pattern),
    /// None of these names.
    NotType(Pattern),
    /// At least this bad.
    Severity(Severity),
    /// Done by.
    Actor(Actor),
    /// Said by this part of the house.
    Source(String),
    /// Of this task.
    Task(String),
    /// Of this agent.
    Agent(String),
    /// Led by this event.
    Cause(Seq),
    /// At this time or later.
    Since(Moment),
    /// At this time or earlier.
    Until(Moment),
    /// Behind this position.
    After(Seq),
    /// Ahead of this position.
    Before(Seq),
    /// With this text in it; ASCII letters match in either case.
    Text(String),
}

impl Token {
    /// What it is about.
    #[must_use]
    pub const fn key(&self) -> Key {
        match self {
            Self::Type(_) => Key::Type,
            Self::NotType(_) => Key::NotType,
            Self::Severity(_) => Key::Severity,
            Self::Actor(_) => Key::Actor,
            Self::Source(_) => Key::Source,
            Self::Task(_) => Key::Task,
            Self::Agent(_) => Key::Agent,
            Self::Cause(_) => Key::Cause,
            Self::Since(_) => Key::Since,
            Self::Until(_) => Key::Until,
            Self::After(_) => Key::After,
            Self::Before(_) => Key::Before,
            Self::Text(_) => Key::Text,
        }
    }
}

/// As it is typed.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key().name();
        match self {
            Self::Type(pattern) | Self::NotType(pattern) => write!(f, "{key}:{pattern}"),
            Self::Severity(severity) => write!(f, "{key}:{}", severity.name()),
            Self::Actor(actor) => write!(f, "{key}:{actor}"),
            Self::Source(name) | Self::Task(name) | Self::Agent(name) => {
                write!(f, "{key}:")?;
                word(f, name, name.starts_with('"') || name.contains(char::is_whitespace))
            }
            Self::Cause(seq) | Self::After(seq) | Self::Before(seq) => write!(f, "{key}:{seq}"),
            Self::Since(moment) | Self::Until(moment) => write!(f, "{key}:{moment}"),
            Self::Text(text) => {
                let plain = |c: char| !c.is_whitespace() && !matches!(c, ':' | '"');
                word(f, text, text.starts_with('-') || !text.chars().all(plain))
            }
        }
    }
}

fn word(f: &mut fmt::Formatter<'_>, text: &str, quoted: bool) -> fmt::Result {
    if quoted || text.is_empty() {
        write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        f.write_str(text)
    }
}
