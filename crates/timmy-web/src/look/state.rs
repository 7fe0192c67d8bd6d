//! A state is a shape, a word and a tone together; a tone never stands alone.

use std::fmt;

use askama::Template;
use timmy_domain::{Life, Severity};

use super::icon;

/// What a colour means. It is never decoration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to say: grey.
    #[default]
    Calm,
    /// Timmy's own voice: violet.
    Voice,
    /// Running or connected: cyan.
    Live,
    /// A person is needed: ember.
    Ember,
    /// Verified or well: green.
    Ok,
    /// Degraded, or near a bound: amber.
    Warn,
    /// Failed or dangerous: red.
    Bad,
}

impl Tone {
    /// Its class in the style sheet.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Voice => "voice",
            Self::Live => "live",
            Self::Ember => "ember",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// The tone of Timmy's state.
    #[must_use]
    pub const fn of_life(life: Life) -> Self {
        match life {
            Life::Idle => Self::Calm,
            Life::Thinking => Self::Voice,
            Life::Working => Self::Live,
            Life::Waiting => Self::Ember,
            Life::Degraded => Self::Warn,
        }
    }
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A state as it is shown: shape, word, tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The tone.
    pub tone: Tone,
    /// The symbol; each has its own outline, so that it reads without colour.
    pub icon: &'static str,
    /// The word.
    pub word: String,
}

impl State {
    /// A state of any shape.
    pub fn new(tone: Tone, icon: &'static str, word: impl Into<String>) -> Self {
        Self { tone, icon, word: word.into() }
    }

    /// Well: a tick in green.
    pub fn well(word: impl Into<String>) -> Self {
        Self::new(Tone::Ok, "done", word)
    }

    /// Running: a half disc in cyan.
    pub fn running(word: impl Into<String>) -> Self {
        Self::new(Tone::Live, "working", word)
    }

    /// Degraded: a triangle in amber.
    pub fn degraded(word: impl Into<String>) -> Self {
        Self::new(Tone::Warn, "degraded", word)
    }

    /// Failed: an octagon in red.
    pub fn failed(word: impl Into<String>) -> Self {
        Self::new(Tone::Bad, "failed", word)
    }

    /// Off, by choice: a struck circle.
    pub fn off(word: impl Into<String>) -> Self {
        Self::new(Tone::Calm, "off", word)
    }

    /// Resting or not known yet: a ring.
    pub fn resting(word: impl Into<String>) -> Self {
        Self::new(Tone::Calm, "idle", word)
    }

    /// Timmy's own state, in one of the five words.
    #[must_use]
    pub fn of_life(life: Life) -> Self {
        Self::new(Tone::of_life(life), life.name(), life.word())
    }

    /// How bad an event is.
    #[must_use]
    pub fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Debug => Self::new(Tone::Calm, "queued", "debug"),
            Severity::Info => Self::new(Tone::Calm, "idle", "info"),
            Severity::Warning => Self::new(Tone::Warn, "degraded", "warning"),
            Severity::Error => Self::new(Tone::Bad, "failed", "error"),
        }
    }
}

/// A state alone, as a fragment.
#[derive(Template)]
#[template(path = "parts/state.html")]
pub struct StatePart {
    /// The state.
    pub state: State,
}
