//! Health: the verdict first, then every part, the store, the machine and the models.

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
    /// When it last ran, or since when it is so.
    pub last: Option<When>,
    /// How often it was restarted since the server started; `None` where that has no meaning.
    pub restarts: Option<u64>,
    /// One line more; may be empty.
    pub note: String,
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
    /// Every part: components, reconcilers, reactors.
    pub parts: Vec<PartRow>,
    /// The providers of models.
    pub models: Vec<ModelRow>,
    /// The store: file, size, events, how far the chain is verified, last check.
    pub store: Vec<Fact>,
    /// The machine: load, memory, disk. Empty where the system does not tell.
    pub machine: Vec<Gauge>,
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
