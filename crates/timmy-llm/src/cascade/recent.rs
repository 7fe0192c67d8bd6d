//! The last calls and their paths, for whoever looks at the router. No word of what was asked or answered.

use std::collections::VecDeque;

use timmy_domain::Sensitivity;
use tokio::time::Instant;

/// Calls that are remembered: as many as a rung of the router's page has beats.
pub const RECENT_MAX: usize = 60;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who.
    pub provider: String,
    /// Which model; empty for its own while that is unknown.
    pub model: String,
    /// `answered`, or why not, by [`Failure::word`](crate::Failure::word).
    pub word: &'static str,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// When it ended.
    pub ended: Instant,
    /// What it was for.
    pub purpose: &'static str,
    /// What kind of work.
    pub class: &'static str,
    /// Its strictest label.
    pub label: Sensitivity,
    /// Whether the answer was given before and kept.
    pub cached: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What it cost, in millionths of a dollar.
    pub cost_micros: u64,
    /// Who was asked, in order.
    pub path: Vec<Step>,
}

/// The last calls, the oldest go first.
#[derive(Debug, Default)]
pub struct Ring(VecDeque<Recent>);

impl Ring {
    /// Remembers a call.
    pub fn push(&mut self, recent: Recent) {
        if self.0.len() == RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(recent);
    }

    /// The calls, newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<Recent> {
        self.0.iter().rev().cloned().collect()
    }
}
