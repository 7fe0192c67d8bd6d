//! What a provider was asked for and gave, in figures.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use timmy_domain::tally::{Counter, Held, Histogram, Level, SLOW_MICROS, Spread};
use timmy_domain::thought::Place;

use crate::failure::Failure;
use crate::provider::Usage;

/// What a provider was asked for and gave since the start.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderFigures {
    /// Its name.
    pub name: String,
    /// Where its answers are made.
    pub place: Place,
    /// Whether it answered when last asked; `None` when nobody has asked yet.
    pub up: Option<bool>,
    /// Calls in flight.
    pub busy: u64,
    /// Calls that ended with an answer.
    pub answers: u64,
    /// Calls that ended without one, by [`Failure::word`].
    pub failures: BTreeMap<&'static str, u64>,
    /// Tokens read and written, as it counted them.
    pub usage: Usage,
    /// How long it took to its first word.
    pub first_word: Spread,
    /// How long whole calls took, failed ones included.
    pub took: Spread,
}

/// What is counted of one provider.
pub struct Figures {
    busy: Arc<Level>,
    answers: Counter,
    failures: Mutex<BTreeMap<&'static str, u64>>,
    prompt_tokens: Counter,
    completion_tokens: Counter,
    first_word: Histogram,
    took: Histogram,
}

/// A call in flight, as long as it lives.
pub struct InFlight(#[expect(dead_code, reason = "held, never read: dropping it ends the call")] Held<Arc<Level>>);

impl Default for Figures {
    fn default() -> Self {
        Self {
            busy: Arc::default(),
            answers: Counter::default(),
            failures: Mutex::default(),
            prompt_tokens: Counter::default(),
            completion_tokens: Counter::default(),
            first_word: Histogram::new(SLOW_MICROS),
            took: Histogram::new(SLOW_MICROS),
        }
    }
}

impl Figures {
    /// A call begins.
    pub fn begin(&self) -> InFlight {
        InFlight(Level::hold(Arc::clone(&self.busy)))
    }

    /// A call ended after `took`; its first word came after `first_word`.
    pub fn ended(&self, done: Result<Usage, &Failure>, took: Duration, first_word: Option<Duration>) {
        self.took.observe(took);
        first_word.into_iter().for_each(|after| self.first_word.observe(after));
        match done {
            Ok(usage) => {
                self.answers.one();
                self.prompt_tokens.add(usage.prompt_tokens);
                self.completion_tokens.add(usage.completion_tokens);
            }
            Err(failure) => {
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                *failures.entry(failure.word()).or_default() += 1;
            }
        }
    }

    /// The figures now, of the provider `name`.
    pub fn read(&self, name: &str, place: Place, up: Option<bool>) -> ProviderFigures {
        ProviderFigures {
            name: name.to_owned(),
            place,
            up,
            busy: self.busy.get(),
            answers: self.answers.get(),
            failures: self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            usage: Usage { prompt_tokens: self.prompt_tokens.get(), completion_tokens: self.completion_tokens.get() },
            first_word: self.first_word.spread(),
            took: self.took.spread(),
        }
    }
}
