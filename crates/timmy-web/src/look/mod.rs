//! What people see: one struct for each page and fragment, filled by the handlers, drawn by the templates.
//!
//! Everything here is a value or a pure function over values. Text is escaped by the templates, always;
//! the one exception is [`icon`], which is made of names this crate owns.

pub mod absent;
pub mod approvals;
pub mod artifacts;
pub mod assets;
pub mod backups;
pub mod clock;
pub mod door;
pub mod event_page;
pub mod events;
pub mod failure;
pub mod filter;
pub mod folders;
pub mod health;
pub mod histogram;
pub mod home;
pub mod keys;
pub mod library;
pub mod markdown;
pub mod mind;
pub mod palette;
pub mod prose;
pub mod pulse;
pub mod router;
pub mod settings;
pub mod shell;
pub mod state;
pub mod talk;
pub mod tasks;
pub mod thinking;
pub mod words;

pub use absent::Absent;
pub use assets::{asset, icon};
pub use clock::{Clock, When};
pub use pulse::{Bar, Now, Pulse, PulsePart};
pub use shell::{Density, Notice, Shell, Side, Theme};
pub use state::{State, StatePart, Tone};

/// A link in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The words: a verb with its object where it acts.
    pub label: String,
    /// Where it leads: a path of this site.
    pub href: String,
}

impl Way {
    /// A link to `href`, called `label`.
    pub fn new(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into() }
    }
}

/// A figure with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// What it says.
    pub value: String,
    /// Where it leads, when it names something with a page of its own.
    pub href: Option<String>,
    /// Whether the value is an id, a path or a command, set in monospace.
    pub mono: bool,
}

impl Fact {
    /// A plain figure.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), href: None, mono: false }
    }

    /// The same, set in monospace.
    #[must_use]
    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// The same, leading to `href`.
    #[must_use]
    pub fn to(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }
}

/// An amount against its bound, drawn as a native meter.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// What is measured.
    pub label: String,
    /// The amount in words with its frame, such as `412 of 953 GB`.
    pub text: String,
    /// The amount; the unit is that of `max`.
    pub value: u64,
    /// The bound; at least 1, so that the meter has a length.
    pub max: u64,
    /// What the amount means: calm while there is room.
    pub tone: Tone,
}

impl Gauge {
    /// A gauge that turns amber from nine tenths of its bound on.
    pub fn new(label: impl Into<String>, text: impl Into<String>, value: u64, max: u64) -> Self {
        let max = max.max(1);
        let tone = if value.saturating_mul(10) >= max.saturating_mul(9) { Tone::Warn } else { Tone::Calm };
        Self { label: label.into(), text: text.into(), value: value.min(max), max, tone }
    }
}

/// One choice of several, as a link that keeps the others in the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The word.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// How many things it would show, when that is known.
    pub count: Option<u64>,
    /// Whether it is the one in force.
    pub current: bool,
}

#[cfg(test)]
mod tests;
