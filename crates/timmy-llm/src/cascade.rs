//! The cascade: providers in order, one deadline for all, and a typed reason for every one that did not answer.
//!
//! Models come in the order of the settings; one that let a call run into the void lately is asked after the others.
//! Reflex is asked only when every model failed. After the first word has reached the reader nothing is asked
//! again: the failure is told, with the part that came.

use std::sync::Arc;
use std::time::Duration;

use timmy_domain::settings;
use timmy_domain::thought::Place;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::provider::{Call, Completion, Finish, Provider, Usage};
use crate::request::{ChatRequest, ToolCall};

use attempt::Tried;
use member::Member;

mod attempt;
mod error;
mod figures;
mod member;

pub use error::CascadeError;
pub use figures::ProviderFigures;
pub use member::{ProviderState, ProviderStatus};

settings! {
    /// Who answers, and in which order.
    pub struct CascadeSettings in "cascade" {
        /// The providers in order. Reflex is asked only when every other one failed.
        providers: Vec<String> = vec!["ollama".to_owned(), "reflex".to_owned()], Free;
        /// The provider that is asked first, or "auto" for the order above.
        prefer: String = "auto".to_owned(), BytesMax(64);
    }
}

/// How long a provider that ran into the void is asked after the others, in milliseconds.
pub const REST_MS: u64 = 15_000;

/// Providers in order. A clone is another handle to the same cascade.
#[derive(Clone)]
pub struct Cascade {
    members: Arc<[Member]>,
}

/// An answer and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub content: String,
    /// Tools the model wants to be called.
    pub tool_calls: Vec<ToolCall>,
    /// Who answered.
    pub provider: String,
    /// Which model; empty for reflex.
    pub model: String,
    /// Where it was made.
    pub place: Place,
    /// What it cost.
    pub usage: Usage,
    /// Why it ended.
    pub finish: Finish,
    /// From the question to the end, failed attempts included, in milliseconds.
    pub duration_ms: u64,
    /// From the question to the first word, in milliseconds; `None` when there was none.
    pub first_token_ms: Option<u64>,
    /// Those who were asked before and failed.
    pub attempts: Vec<Attempt>,
}

/// A provider that was asked and failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who.
    pub provider: String,
    /// Why.
    pub failure: Failure,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A provider came or went since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeChange {
    /// Who.
    pub provider: String,
    /// Whether it answers now.
    pub up: bool,
    /// The models it offers.
    pub models: Vec<String>,
    /// Why it does not answer; empty when it does.
    pub why: String,
}

impl Cascade {
    /// The providers in the order in which they are asked. Reflex comes last wherever it stands.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Self {
        let (reflex, models): (Vec<_>, Vec<_>) = providers.into_iter().partition(|p| p.info().place == Place::Reflex);
        Self { members: models.into_iter().chain(reflex).map(Member::new).collect() }
    }

    /// Asks in order until one answers.
    ///
    /// Each model has what is left of the time. While another model comes after it, it has half of the
    /// time for its first token. Reflex takes no time and is asked even when none is left.
    ///
    /// # Errors
    /// The reason of each provider that was asked.
    pub async fn complete(&self, request: &ChatRequest, call: &Call) -> Result<Answer, CascadeError> {
        let began = Instant::now();
        let order = self.order(began);
        let mut attempts = Vec::new();
        for (n, member) in order.iter().enumerate() {
            let another = order.get(n + 1).is_some_and(|next| !next.is_reflex());
            let start = Instant::now();
            let half = start + call.begin_by().saturating_duration_since(start) / 2;
            let begin_by = if another { half } else { call.begin_by() };
            let Tried { done, partial, first_word } = attempt::attempt(member, request, call, begin_by).await;
            match done {
                Ok(completion) => return Ok(answer(member, completion, began, first_word, attempts)),
                Err(failure) => {
                    let over = failure == Failure::Cancelled || !partial.is_empty();
                    let provider = member.name().to_owned();
                    attempts.push(Attempt { provider, failure, duration_ms: millis(start.elapsed()) });
                    if over {
                        return Err(CascadeError { attempts, partial });
                    }
                }
            }
        }
        Err(CascadeError { attempts, partial: String::new() })
    }

    /// Models that rest go behind the others, not away: when the others fail too, they get their chance.
    fn order(&self, now: Instant) -> Vec<&Member> {
        let mut order: Vec<&Member> = self.members.iter().collect();
        order.sort_by_key(|m| (m.is_reflex(), m.rests(now)));
        order
    }

    /// Asks every provider whether it is there, all at once, `each` within its time, and tells which came or went
    /// since the last look. Reflex is always there and never told.
    pub async fn probe_all(&self, each: Duration) -> Vec<ProbeChange> {
        let asked = self.members.iter().filter(|m| !m.is_reflex());
        let looks = asked.map(|member| async move { member.looked(member.provider().probe(each).await) });
        futures_util::future::join_all(looks).await.into_iter().flatten().collect()
    }

    /// How each provider is, in order.
    #[must_use]
    pub fn status(&self) -> Vec<ProviderStatus> {
        self.members.iter().map(Member::status).collect()
    }

    /// What each provider was asked for and gave, in order.
    #[must_use]
    pub fn figures(&self) -> Vec<ProviderFigures> {
        self.members.iter().map(Member::read_figures).collect()
    }

    /// Whether a language model answered when it was last asked.
    #[must_use]
    pub fn has_model(&self) -> bool {
        self.members.iter().any(|m| !m.is_reflex() && m.is_up())
    }
}

fn answer(
    member: &Member,
    completion: Completion,
    began: Instant,
    first_word: Option<Instant>,
    attempts: Vec<Attempt>,
) -> Answer {
    let Completion { content, tool_calls, model, usage, finish } = completion;
    Answer {
        content,
        tool_calls,
        provider: member.name().to_owned(),
        model,
        place: member.provider().info().place,
        usage,
        finish,
        duration_ms: millis(began.elapsed()),
        first_token_ms: first_word.map(|at| millis(at.saturating_duration_since(began))),
        attempts,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
