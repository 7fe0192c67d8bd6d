//! Nothing to show has four different reasons, and each has its own picture.

use super::{Tone, Way};

/// Why there is nothing to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is nothing yet.
    Empty,
    /// It is switched off.
    Off,
    /// It does not answer.
    Unreachable,
    /// A rule forbids it.
    Forbidden,
}

impl Why {
    /// The symbol.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Empty => "idle",
            Self::Off => "off",
            Self::Unreachable => "degraded",
            Self::Forbidden => "lock",
        }
    }

    /// The tone.
    #[must_use]
    pub const fn tone(self) -> Tone {
        match self {
            Self::Empty | Self::Off => Tone::Calm,
            Self::Unreachable => Tone::Warn,
            Self::Forbidden => Tone::Bad,
        }
    }

    /// The class beside the tone; a thing that is off is drawn with dashes.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Off => "dash",
            Self::Empty | Self::Unreachable | Self::Forbidden => "",
        }
    }
}

/// A place where something would stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Why there is nothing.
    pub why: Why,
    /// The fact in a few words.
    pub title: String,
    /// What would stand here, since when it is missing, or which rule forbids it.
    pub text: String,
    /// The setting, or the last good value with its age, when there is one.
    pub was: Option<String>,
    /// The one act.
    pub act: Option<Way>,
}

impl Absent {
    /// Nothing yet.
    pub fn empty(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { why: Why::Empty, title: title.into(), text: text.into(), was: None, act: None }
    }

    /// Switched off.
    pub fn off(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { why: Why::Off, ..Self::empty(title, text) }
    }

    /// Does not answer.
    pub fn unreachable(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { why: Why::Unreachable, ..Self::empty(title, text) }
    }

    /// Forbidden by a rule.
    pub fn forbidden(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { why: Why::Forbidden, ..Self::empty(title, text) }
    }

    /// The same with the setting or the last good value.
    #[must_use]
    pub fn was(mut self, was: impl Into<String>) -> Self {
        self.was = Some(was.into());
        self
    }

    /// The same with one act.
    #[must_use]
    pub fn act(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.act = Some(Way::new(label, href));
        self
    }
}
