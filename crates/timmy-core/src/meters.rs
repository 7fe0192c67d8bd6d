//! What the engine counts since it started, for whoever measures the house from outside.

use std::sync::{Arc, OnceLock};

use timmy_domain::tally::Counter;
use timmy_domain::thought::Place;
use timmy_domain::{Record, Severity};

use crate::mind::rest::REASONS;

/// Where a thought may be made.
pub const PLACES: [Place; 4] = [Place::Local, Place::Remote, Place::Reflex, Place::Owner];
/// How a turn of the conversation may end: the event that says so, and the word under which it is counted.
pub const TURNS: [(&str, &str); 3] =
    [("message.replied", "answered"), ("message.stopped", "stopped"), ("message.failed", "failed")];

/// The counters. Cheap to clone.
#[derive(Clone, Default)]
pub struct Meters(Arc<Inside>);

/// What is counted.
#[derive(Default)]
pub struct Inside {
    events: [Counter; 4],
    thoughts: [Counter; PLACES.len()],
    rests: [Counter; REASONS.len()],
    turns: [Counter; TURNS.len()],
    /// Thoughts that were due and did not come.
    pub missed: Counter,
    /// Thoughts that were given up because the owner spoke or wanted it.
    pub given_up: Counter,
    /// Times that Timmy had nothing new to say.
    pub silent: Counter,
    /// Log lines that found no place in the queue; counted by whoever writes the log.
    pub log_lines_dropped: OnceLock<Arc<Counter>>,
}

impl std::ops::Deref for Meters {
    type Target = Inside;
    fn deref(&self) -> &Inside {
        &self.0
    }
}

impl Inside {
    /// An event was written.
    pub fn event(&self, record: &Record) {
        self.events[record.severity as usize % self.events.len()].one();
        TURNS.iter().position(|(name, _)| *name == record.name).into_iter().for_each(|at| self.turns[at].one());
    }

    /// A thought was made at `place`.
    pub fn thought(&self, place: Place) {
        PLACES.iter().position(|p| *p == place).into_iter().for_each(|at| self.thoughts[at].one());
    }

    /// A rest began, with its reason in words.
    pub fn rested(&self, why: &str) {
        REASONS.iter().position(|(words, _)| *words == why).into_iter().for_each(|at| self.rests[at].one());
    }

    /// Events so far, by the word of their severity.
    #[must_use]
    pub fn events(&self) -> Vec<(&'static str, u64)> {
        Severity::ALL.iter().zip(&self.events).map(|(severity, count)| (severity.name(), count.get())).collect()
    }

    /// Thoughts so far, by the word of their place.
    #[must_use]
    pub fn thoughts(&self) -> Vec<(&'static str, u64)> {
        PLACES.iter().zip(&self.thoughts).map(|(place, count)| (place.name(), count.get())).collect()
    }

    /// Rests so far, by the word of their reason.
    #[must_use]
    pub fn rests(&self) -> Vec<(&'static str, u64)> {
        REASONS.iter().zip(&self.rests).map(|((_, word), count)| (*word, count.get())).collect()
    }

    /// Turns so far, by the word of their end.
    #[must_use]
    pub fn turns(&self) -> Vec<(&'static str, u64)> {
        TURNS.iter().zip(&self.turns).map(|((_, word), count)| (*word, count.get())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, severity: Severity) -> Record {
        Record {
            seq: 1,
            id: String::new(),
            name: name.to_owned(),
            source: String::new(),
            actor: String::new(),
            cause: None,
            task_id: None,
            agent_id: None,
            severity,
            data: String::new(),
            at: timmy_domain::Timestamp::EPOCH,
            hash: [0; 32],
        }
    }

    #[test]
    fn each_thing_is_counted_under_its_own_word_and_unknown_words_nowhere() {
        let meters = Meters::default();
        meters.event(&record("message.stopped", Severity::Error));
        meters.event(&record("message.received", Severity::Info));
        meters.thought(Place::Reflex);
        meters.rested(REASONS[0].0);
        meters.rested("for a reason of its own");
        let ones = |counts: Vec<(&'static str, u64)>| counts.into_iter().filter(|(_, n)| *n > 0).collect::<Vec<_>>();
        assert_eq!(ones(meters.events()), [("info", 1), ("error", 1)]);
        assert_eq!(ones(meters.thoughts()), [("reflex", 1)]);
        assert_eq!(ones(meters.rests()), [("not_due", 1)]);
        assert_eq!(ones(meters.turns()), [("stopped", 1)]);
    }
}
