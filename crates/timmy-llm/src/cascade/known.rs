//! What is known of one model of one provider: its circuit, how fast it was, and how often it answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::Harm;
use super::breaker::{Admit, Breaker, Circuit, HOLD_MS, HOLD_MS_MAX, Stored};
use super::learned::{COLD_MS, Speeds};
use super::member::{Ended, Turn, resting};
use super::millis;
use crate::failure::{Failure, Stage};

/// A provider is held back: no key, or no credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why, in words.
    pub why: String,
    /// Until when, in milliseconds of the cascade's clock.
    pub until: u64,
}

impl Hold {
    /// Until when: as it was told, within bounds.
    pub fn until(now: u64, told: Option<u64>) -> u64 {
        let least = now.saturating_add(1_000);
        told.map_or(now.saturating_add(HOLD_MS), |at| at.clamp(least, now.saturating_add(HOLD_MS_MAX)))
    }
}

/// One model.
#[derive(Debug)]
pub struct Known {
    /// Whether it is asked.
    pub breaker: Breaker,
    /// How fast it was.
    pub speeds: Speeds,
    /// When it was last asked, in milliseconds of the cascade's clock.
    pub last_used: Option<u64>,
    /// Until when it wants no more requests.
    busy_until: u64,
    answers: u64,
    failures: u64,
    /// Milliseconds of whole answers. Failures say nothing about how long an answer takes.
    took_ms: Average,
}

/// A plain mean over all answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Average {
    sum: u64,
    count: u64,
}

impl Average {
    fn mean(self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }
}

/// One model as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelStatus {
    /// Its name; empty while unknown.
    pub model: String,
    /// How its circuit stands.
    pub circuit: Circuit,
    /// What is left of its rest, in milliseconds.
    pub opens_in_ms: u64,
    /// Failures in a row.
    pub in_a_row: u32,
    /// Answers.
    pub answers: u64,
    /// Failures.
    pub failures: u64,
    /// How long a whole answer takes on average, in milliseconds; nothing before the first one.
    pub answer_ms: Option<u64>,
    /// What was learned of its speed.
    pub speeds: Speeds,
}

/// One model as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredModel {
    /// Of which provider.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// How its circuit stood, in one word.
    pub circuit: &'static str,
    /// All of it, as JSON.
    pub known: String,
    /// Answers.
    pub answers: u64,
    /// Failures.
    pub failures: u64,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    breaker: Stored,
    #[serde(default)]
    speeds: Speeds,
    #[serde(default)]
    took_ms: Average,
    #[serde(default)]
    hold: Option<KeptHold>,
}

#[derive(Serialize, Deserialize)]
struct KeptHold {
    why: String,
    left_ms: u64,
    made_of: u64,
}

impl Known {
    /// Nothing is known yet.
    pub fn new(threshold: u32) -> Self {
        Self {
            breaker: Breaker::new(threshold),
            speeds: Speeds::default(),
            last_used: None,
            busy_until: 0,
            answers: 0,
            failures: 0,
            took_ms: Average::default(),
        }
    }

    /// Whether it has to be loaded before it answers, as far as can be told from here.
    pub fn is_cold(&self, now: u64) -> bool {
        self.last_used.is_none_or(|at| now.saturating_sub(at) >= COLD_MS)
    }

    /// Leave to ask it; the number of the call that tries it out.
    pub fn admit(&mut self, now: u64) -> Result<Option<u64>, Failure> {
        if now < self.busy_until {
            let after = Duration::from_millis(self.busy_until - now);
            return Err(Failure::RateLimited { retry_after: Some(after) });
        }
        match self.breaker.admit(now) {
            Admit::Go => Ok(None),
            Admit::Probe(number) => Ok(Some(number)),
            Admit::Wait(ms) => Err(resting(ms)),
            Admit::Tried => Err(Failure::Resting {
                what: "it failed too often, and another call tries it out right now".to_owned(),
            }),
        }
    }

    /// Remembers how a call went, and says what that changed.
    pub fn ended(&mut self, probe: Option<u64>, ended: &Ended<'_>) -> Option<Turn> {
        let before = self.breaker.circuit(ended.now);
        if let Err(Failure::Timeout { stage: Stage::FirstToken }) = ended.done {
            let cold = self.is_cold(ended.now.saturating_sub(millis(ended.took)));
            self.speeds.learn_late(ended.prompt_tokens, cold, ended.took);
        }
        let Err(_) = ended.done else {
            self.answered(ended);
            self.breaker.succeeded(ended.now, probe);
            let closed = before == Circuit::HalfOpen && self.breaker.circuit(ended.now) == Circuit::Closed;
            return closed.then_some(Turn::Closed);
        };
        match ended.harm {
            Harm::Counts => {
                self.failures += 1;
                let opened = self.breaker.failed(ended.now, probe, ended.roll);
                return opened.then(|| Turn::Opened(self.breaker.left_ms(ended.now)));
            }
            Harm::Rests(wait) => self.busy_until = ended.now.saturating_add(millis(wait)),
            Harm::None | Harm::Holds => {}
        }
        probe.into_iter().for_each(|number| self.breaker.gave_up(number));
        None
    }

    fn answered(&mut self, ended: &Ended<'_>) {
        let cold = self.is_cold(ended.now.saturating_sub(millis(ended.took)));
        self.last_used = Some(ended.now);
        self.answers += 1;
        self.took_ms.sum = self.took_ms.sum.saturating_add(millis(ended.took));
        self.took_ms.count += 1;
        if let (Ok(completion), Some(first)) = (ended.done, ended.first_word) {
            let told = completion.usage.prompt_tokens;
            let prompt = if told > 0 { told } else { ended.prompt_tokens };
            self.speeds.learn(prompt, cold, first, completion.usage.completion_tokens, ended.took);
        }
    }

    /// As it is stored.
    pub fn store(&self, provider: &str, model: &str, now: u64, hold: Option<&Hold>, made_of: u64) -> StoredModel {
        let hold = hold.map(|h| KeptHold { why: h.why.clone(), left_ms: h.until.saturating_sub(now), made_of });
        let breaker = self.breaker.store(now);
        let kept = Kept { breaker, speeds: self.speeds.clone(), took_ms: self.took_ms, hold };
        StoredModel {
            provider: provider.to_owned(),
            model: model.to_owned(),
            circuit: breaker.circuit.name(),
            // These are plain numbers and words, which JSON can always hold.
            known: serde_json::to_string(&kept).unwrap_or_default(),
            answers: self.answers,
            failures: self.failures,
        }
    }

    /// As it was stored `ago` milliseconds ago. A hold counts only for the settings it came with.
    pub fn restore(&mut self, stored: &StoredModel, now: u64, ago: u64, made_of: u64) -> Option<Hold> {
        self.answers = stored.answers;
        self.failures = stored.failures;
        // What cannot be read is learned anew.
        let kept: Kept = serde_json::from_str(&stored.known).ok()?;
        self.breaker.restore(kept.breaker, now, ago);
        self.speeds = kept.speeds;
        self.took_ms = kept.took_ms;
        let hold = kept.hold.filter(|hold| hold.made_of == made_of)?;
        let left = hold.left_ms.min(HOLD_MS_MAX).saturating_sub(ago);
        (left > 0).then(|| Hold { why: hold.why, until: now.saturating_add(left) })
    }

    /// As it is shown.
    pub fn status(&self, model: &str, now: u64) -> ModelStatus {
        ModelStatus {
            model: model.to_owned(),
            circuit: self.breaker.circuit(now),
            opens_in_ms: self.breaker.left_ms(now),
            in_a_row: self.breaker.in_a_row(now),
            answers: self.answers,
            failures: self.failures,
            answer_ms: self.took_ms.mean(),
            speeds: self.speeds.clone(),
        }
    }
}
