//! Health: the verdict first, then what Timmy lives on, every part, what is done regularly, and what may leave.

use askama::Template;

use super::mind::ModelRow;
use super::{Fact, Gauge, Shell, State, When, asset, icon};
use crate::nav;

/// What kind of part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Something supervised that runs all the time.
    Component,
    /// Something that brings the house towards a wish, again and again.
    Reconciler,
    /// Something that answers to events.
    Reactor,
    /// Something that offers models.
    Provider,
}

impl PartKind {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Reconciler => "reconciler",
            Self::Reactor => "reactor",
            Self::Provider => "provider",
        }
    }
}

/// One part of Timmy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// Its name.
    pub name: String,
    /// What kind of part it is.
    pub kind: PartKind,
    /// How it is.
    pub state: State,
    /// Since when it is so.
    pub since: Option<When>,
    /// When it last ran, or since when it is so.
    pub last: Option<When>,
    /// How long its last run took; empty where that has no meaning.
    pub took: String,
    /// When it runs again by itself.
    pub next: Option<When>,
    /// How often it was restarted since the server started; `None` where that has no meaning.
    pub restarts: Option<u64>,
    /// One line more; may be empty.
    pub note: String,
    /// The event that tells its last fault: a path of this site.
    pub cause: Option<String>,
}

/// Something Timmy lives on: how much of it is taken, what waits for it, what went wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRow {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// How much is in use, in words.
    pub used: String,
    /// The same drawn, where there is a bound.
    pub gauge: Option<Gauge>,
    /// What waits for it; may be empty.
    pub waits: String,
    /// What went wrong with it; may be empty.
    pub faults: String,
}

/// Something that is done regularly, with what became of it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutineRow {
    /// What.
    pub name: String,
    /// How it went.
    pub state: State,
    /// When; `None` when it never happened.
    pub when: Option<When>,
    /// What came of it, or why there is nothing.
    pub text: String,
    /// The event that tells it.
    pub href: Option<String>,
}

/// A way by which something may leave this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveRow {
    /// What would leave.
    pub name: String,
    /// Whether it may.
    pub state: State,
    /// Where to and what of it, or why not.
    pub text: String,
}

/// The whole in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Shape, word and tone; lights the panel.
    pub state: State,
    /// The sentence, with its full stop.
    pub sentence: String,
    /// What Timmy does about it, or what was looked at; may be empty.
    pub detail: String,
    /// When it was looked at.
    pub checked: When,
}

/// What changes on the page. As a fragment: `GET /health/page/parts`.
#[derive(Template)]
#[template(path = "parts/health.html")]
pub struct HealthPart {
    /// The whole.
    pub verdict: Verdict,
    /// What Timmy lives on.
    pub resources: Vec<ResourceRow>,
    /// Every part: components, reconcilers, reactors.
    pub parts: Vec<PartRow>,
    /// What is done regularly.
    pub routines: Vec<RoutineRow>,
    /// The providers of models.
    pub models: Vec<ModelRow>,
    /// The store: file, size, events, how far the chain is verified.
    pub store: Vec<Fact>,
    /// What may leave this machine.
    pub leaves: Vec<LeaveRow>,
    /// The secret of the session.
    pub csrf: String,
}

/// Health. `GET /health/page`.
#[derive(Template)]
#[template(path = "health.html")]
pub struct HealthPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What changes.
    pub part: HealthPart,
    /// The house: home folder, version, build, up since.
    pub house: Vec<Fact>,
}
