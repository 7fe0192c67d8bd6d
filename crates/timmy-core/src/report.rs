//! What each part of the house says about itself. Health page, `timmy doctor` and the state word read it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use timmy_domain::Timestamp;

/// What kind of part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// Runs all the time.
    Component,
    /// Makes something hold, again and again.
    Reconciler,
    /// Answers events, with a durable cursor.
    Reactor,
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PartState {
    /// It runs.
    Running,
    /// It failed and starts again at this time.
    Restarting {
        /// When.
        at: Timestamp,
        /// Why it failed.
        why: String,
    },
    /// It ended as it should.
    Stopped,
}

/// One part of the house as it reports itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name, such as `mind.thinking`.
    pub name: &'static str,
    /// What kind it is.
    pub kind: PartKind,
    /// How it is.
    pub state: PartState,
    /// Since when it is so.
    pub since: Timestamp,
    /// When it last did something.
    pub ran_at: Option<Timestamp>,
    /// What it last said about itself, in words.
    pub note: String,
    /// Whether what it last said is a complaint.
    pub troubled: bool,
    /// How many times it was restarted since the server started.
    pub restarts: u64,
    /// How many times it ran since the server started; 0 for what runs all the time.
    pub runs: u64,
    /// How long the last run took, in microseconds.
    pub took_micros: Option<u64>,
    /// When it runs again by itself, as far as that is known.
    pub next_at: Option<Timestamp>,
    /// When it last failed or complained.
    pub failed_at: Option<Timestamp>,
}

impl Part {
    /// A part that begins to run at `now` and has said nothing yet.
    #[must_use]
    pub const fn new(name: &'static str, kind: PartKind, now: Timestamp) -> Self {
        Self {
            name,
            kind,
            state: PartState::Running,
            since: now,
            ran_at: None,
            note: String::new(),
            troubled: false,
            restarts: 0,
            runs: 0,
            took_micros: None,
            next_at: None,
            failed_at: None,
        }
    }
}

/// The board on which the parts report. Cheap to clone.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<BTreeMap<&'static str, Part>>>);

impl Reports {
    fn change(&self, name: &'static str, kind: PartKind, now: Timestamp, change: impl FnOnce(&mut Part)) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let part = parts.entry(name).or_insert_with(|| Part::new(name, kind, now));
        let before = std::mem::discriminant(&part.state);
        change(part);
        if std::mem::discriminant(&part.state) != before {
            part.since = now;
        }
    }

    /// The part begins, or begins again.
    pub fn running(&self, name: &'static str, kind: PartKind, now: Timestamp) {
        self.change(name, kind, now, |p| p.state = PartState::Running);
    }

    /// The part says what it did or why it waits.
    pub fn note(&self, name: &'static str, kind: PartKind, now: Timestamp, note: impl Into<String>) {
        self.change(name, kind, now, |p| {
            p.ran_at = Some(now);
            p.note = note.into();
            p.troubled = false;
        });
    }

    /// The part complains, yet goes on.
    pub fn complain(&self, name: &'static str, kind: PartKind, now: Timestamp, note: impl Into<String>) {
        self.change(name, kind, now, |p| {
            p.ran_at = Some(now);
            p.note = note.into();
            p.troubled = true;
            p.failed_at = Some(now);
        });
    }

    /// The part has run once, for `took`; it runs again at `next_at`, as far as that is known.
    pub fn ran(&self, name: &'static str, kind: PartKind, now: Timestamp, took: Duration, next_at: Option<Timestamp>) {
        self.change(name, kind, now, |p| {
            p.runs += 1;
            p.took_micros = Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            p.next_at = next_at;
        });
    }

    /// The part failed and starts again at `at`.
    pub fn failed(&self, name: &'static str, kind: PartKind, now: Timestamp, at: Timestamp, why: &str) {
        self.change(name, kind, now, |p| {
            p.state = PartState::Restarting { at, why: why.to_owned() };
            p.restarts += 1;
            p.failed_at = Some(now);
            p.next_at = None;
        });
    }

    /// The part ended as it should.
    pub fn stopped(&self, name: &'static str, kind: PartKind, now: Timestamp) {
        self.change(name, kind, now, |p| p.state = PartState::Stopped);
    }

    /// All parts by name.
    #[must_use]
    pub fn all(&self) -> Vec<Part> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
