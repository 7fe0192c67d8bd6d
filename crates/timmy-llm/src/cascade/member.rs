//! A provider in the cascade and what is known of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_domain::thought::Place;
use tokio::time::Instant;

use super::figures::{Figures, ProviderFigures};
use super::{ProbeChange, REST_MS, millis};
use crate::failure::{Failure, Stage};
use crate::provider::{Completion, Health, Provider};

/// Whether a provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// Nobody has asked yet.
    Unknown,
    /// It answered when last asked.
    Up,
    /// It did not.
    Down {
        /// Why, in words.
        why: String,
    },
}

/// How a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderStatus {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: &'static str,
    /// Where its answers are made.
    pub place: Place,
    /// Whether it answers.
    pub state: ProviderState,
    /// The models it offers.
    pub models: Vec<String>,
    /// The model it would use now; empty while unknown.
    pub model_in_use: String,
    /// How long ago it was last asked for an answer, in milliseconds; `None` when it never was.
    pub last_used_ms: Option<u64>,
    /// How often it was asked for an answer.
    pub calls: u64,
    /// How often it gave none; calls that were given up are not counted.
    pub failures: u64,
    /// Why the last call failed, in words; empty when it did not.
    pub last_failure: String,
}

/// A provider in the cascade.
pub struct Member {
    provider: Arc<dyn Provider>,
    record: Mutex<Record>,
    figures: Figures,
}

struct Record {
    state: ProviderState,
    /// What the last look told, so that only changes are told.
    told: Option<bool>,
    health: Health,
    rests_until: Option<Instant>,
    last_used: Option<Instant>,
    calls: u64,
    failures: u64,
    last_failure: String,
}

impl Member {
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        let reflex = provider.info().place == Place::Reflex;
        let record = Record {
            state: if reflex { ProviderState::Up } else { ProviderState::Unknown },
            told: None,
            health: Health::default(),
            rests_until: None,
            last_used: None,
            calls: 0,
            failures: 0,
            last_failure: String::new(),
        };
        Self { provider, record: Mutex::new(record), figures: Figures::default() }
    }

    pub fn provider(&self) -> &dyn Provider {
        self.provider.as_ref()
    }

    pub fn name(&self) -> &str {
        &self.provider.info().name
    }

    pub fn is_reflex(&self) -> bool {
        self.provider.info().place == Place::Reflex
    }

    pub fn is_up(&self) -> bool {
        self.record().state == ProviderState::Up
    }

    pub fn rests(&self, now: Instant) -> bool {
        self.record().rests_until.is_some_and(|until| now < until)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted of its calls.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What was counted of its calls, for whoever looks from outside.
    pub fn read_figures(&self) -> ProviderFigures {
        let info = self.provider.info();
        let up = match self.record().state {
            ProviderState::Unknown => None,
            ProviderState::Up => Some(true),
            ProviderState::Down { .. } => Some(false),
        };
        self.figures.read(&info.name, info.place, up)
    }

    /// Remembers how a call went.
    pub fn called(&self, done: &Result<Completion, Failure>) {
        if matches!(done, Err(Failure::Privacy { .. })) {
            return; // It was not asked.
        }
        let now = Instant::now();
        let mut record = self.record();
        record.calls += 1;
        record.last_used = Some(now);
        match done {
            Ok(completion) => {
                record.state = ProviderState::Up;
                record.rests_until = None;
                record.last_failure.clear();
                if !completion.model.is_empty() {
                    record.health.model_in_use.clone_from(&completion.model);
                }
            }
            Err(Failure::Cancelled) => {}
            Err(failure) => {
                record.failures += 1;
                record.last_failure = failure.to_string();
                if is_away(failure) {
                    record.state = ProviderState::Down { why: failure.to_string() };
                }
                if ran_into_the_void(failure) {
                    record.rests_until = Some(now + Duration::from_millis(REST_MS));
                }
            }
        }
    }

    /// Remembers whether it is there, and tells when that changed since the last look.
    pub fn looked(&self, found: Result<Health, Failure>) -> Option<ProbeChange> {
        let provider = self.name().to_owned();
        let mut record = self.record();
        let (state, why) = match found {
            Ok(health) => {
                record.health = health;
                (ProviderState::Up, String::new())
            }
            Err(failure) => (ProviderState::Down { why: failure.to_string() }, failure.to_string()),
        };
        let up = state == ProviderState::Up;
        record.state = state;
        let changed = record.told.replace(up) != Some(up);
        let models = if up { record.health.models.clone() } else { Vec::new() };
        changed.then_some(ProbeChange { provider, up, models, why })
    }

    pub fn status(&self) -> ProviderStatus {
        let info = self.provider.info();
        let record = self.record();
        ProviderStatus {
            name: info.name.clone(),
            kind: info.kind,
            place: info.place,
            state: record.state.clone(),
            models: record.health.models.clone(),
            model_in_use: record.health.model_in_use.clone(),
            last_used_ms: record.last_used.map(|at| millis(at.elapsed())),
            calls: record.calls,
            failures: record.failures,
            last_failure: record.last_failure.clone(),
        }
    }
}

/// Whether the failure means that nobody can answer there until something changes.
fn is_away(failure: &Failure) -> bool {
    let unreached = matches!(failure, Failure::Timeout { stage: Stage::Connect } | Failure::Unreachable { .. });
    unreached || matches!(failure, Failure::Auth | Failure::Billing | Failure::NoModel { .. })
}

/// Whether the failure cost the caller's time without a word. A refused connection costs none.
fn ran_into_the_void(failure: &Failure) -> bool {
    matches!(failure, Failure::Timeout { stage: Stage::Connect | Stage::FirstToken | Stage::Stall })
}
