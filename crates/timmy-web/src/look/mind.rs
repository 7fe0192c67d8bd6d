//! What Timmy thinks with: models, the day's budget, the weights of the seeds.

use askama::Template;
use timmy_domain::SeedType;
use timmy_domain::thought::Place;

use super::{Gauge, State, icon, words};

/// One provider of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRow {
    /// Its name, as the cascade names it.
    pub name: String,
    /// Whether it answers, in a word.
    pub state: State,
    /// Where it runs.
    pub place: Place,
    /// The model it would answer with; empty when there is none.
    pub model: String,
    /// Why it does not answer, or what it is; may be empty.
    pub note: String,
}

impl ModelRow {
    /// The second line: model, place and note, as far as there are any.
    #[must_use]
    pub fn sub(&self) -> String {
        // Reflex is named like its place; saying so twice tells nothing.
        let place = if self.place == Place::Reflex { "rules, no model" } else { self.place.phrase() };
        let parts = [self.model.as_str(), place, self.note.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }
}

/// What Timmy may spend on thinking in a day, and has spent.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Calls of models.
    pub calls: Gauge,
    /// Tokens read and written.
    pub tokens: Gauge,
}

impl Budget {
    /// Spent and allowed calls and tokens of one day.
    #[must_use]
    pub fn new(calls: u64, calls_max: u64, tokens: u64, tokens_max: u64) -> Self {
        let of = |value, max| format!("{} of {}", words::count(value), words::count(max));
        Self {
            calls: Gauge::new("Calls", of(calls, calls_max), calls, calls_max),
            tokens: Gauge::new("Tokens", of(tokens, tokens_max), tokens, tokens_max),
        }
    }
}

/// How likely a seed is, against its usual chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedWeight {
    /// The seed.
    pub seed: SeedType,
    /// Percent of its usual chance, 0 to 200.
    pub percent: u64,
}

/// The seeds with their weights: `GET /thinking/seeds`.
#[derive(Template)]
#[template(path = "parts/seeds.html")]
pub struct SeedsPart {
    /// How likely each seed is.
    pub weights: Vec<SeedWeight>,
}

/// The symbol of a seed.
#[must_use]
pub const fn seed_icon(seed: SeedType) -> &'static str {
    match seed {
        SeedType::Existential => "seed-existential",
        SeedType::Swarm => "seed-swarm",
        SeedType::Scripture => "seed-scripture",
        SeedType::Creative => "seed-creative",
        SeedType::Memory => "seed-memory",
        SeedType::Freeform => "seed-freeform",
    }
}

/// The symbol of a place.
#[must_use]
pub const fn place_icon(place: Place) -> &'static str {
    match place {
        Place::Local => "local",
        Place::Remote => "remote",
        Place::Reflex => "reflex",
        Place::Owner => "owner",
    }
}
