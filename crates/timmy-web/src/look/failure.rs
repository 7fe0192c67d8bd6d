//! When something cannot be done: what happened, what Timmy did about it, what the owner can do.

use askama::Template;
use timmy_domain::Problem;
use timmy_domain::problem::Kind;

use super::{Density, Shell, State, Theme, Way, When, asset, icon};
use crate::nav;

/// A refusal or a fault, in three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// Shape, word and tone.
    pub state: State,
    /// What happened, in one line.
    pub title: String,
    /// What happened, in a sentence.
    pub what: String,
    /// What Timmy did about it.
    pub did: String,
    /// What the owner can do.
    pub can: String,
    /// The event that recorded it.
    pub event: Option<i64>,
    /// When.
    pub at: When,
    /// Ways back, the likeliest first.
    pub ways: Vec<Way>,
}

impl Failure {
    /// The page for a problem. Nothing was changed: every refusal comes before the act.
    #[must_use]
    pub fn of(problem: &Problem, at: When) -> Self {
        let (state, title, did) = match problem.kind {
            Kind::Unknown => {
                (State::off("Not here"), "There is nothing at this address", "Looked for it and changed nothing.")
            }
            Kind::Forbidden => (
                State::new(super::Tone::Bad, "lock", "Refused"),
                "This is not allowed from here",
                "Refused it before anything happened.",
            ),
            Kind::Unauthenticated => {
                (State::new(super::Tone::Ember, "lock", "Who is there"), "Nobody is logged in", "Kept the door closed.")
            }
            Kind::Invalid => (State::degraded("Not understood"), "That cannot be read", "Changed nothing."),
            Kind::Conflict => {
                (State::degraded("Not now"), "This cannot be done at the moment", "Left everything as it is.")
            }
            Kind::TooLarge => (State::degraded("Too large"), "That is more than fits", "Refused it before reading it."),
            Kind::TooMany => {
                (State::degraded("Too often"), "That was tried too often", "Waits before it listens again.")
            }
            Kind::Unavailable => (
                State::failed("Not available"),
                "Something Timmy needs is not there",
                "Recorded it and goes on with the rest.",
            ),
        };
        Self {
            status: problem.kind.http_status(),
            state,
            title: title.to_owned(),
            what: problem.message.clone(),
            did: did.to_owned(),
            can: problem.hint.clone(),
            event: None,
            at,
            ways: vec![Way::new("Go home", "/"), Way::new("Open events", "/swarm/events")],
        }
    }

    /// The page for a fault of the house itself.
    #[must_use]
    pub fn fault(what: impl Into<String>, event: Option<i64>, at: When) -> Self {
        Self {
            status: 500,
            state: State::failed("Failed"),
            title: "This page could not be put together".to_owned(),
            what: what.into(),
            did: "Recorded the fault and kept everything else running.".to_owned(),
            can: "Load the page again. If it comes back, the event tells where to look.".to_owned(),
            event,
            at,
            ways: vec![Way::new("Go home", "/"), Way::new("See Health", "/health/page")],
        }
    }
}

/// A failure for somebody who is logged in.
#[derive(Template)]
#[template(path = "failure.html")]
pub struct FailurePage {
    /// What surrounds it.
    pub shell: Shell,
    /// The failure.
    pub failure: Failure,
}

/// A failure for somebody who is not, or when the shell itself cannot be drawn.
#[derive(Template)]
#[template(path = "failure_bare.html")]
pub struct BareFailurePage {
    /// The look.
    pub theme: Theme,
    /// The density.
    pub density: Density,
    /// The failure.
    pub failure: Failure,
}
