//! Nobody answered: every reason, in words.

use std::fmt;

use timmy_domain::Problem;

use super::Attempt;
use crate::failure::Failure;

/// No provider gave a whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CascadeError {
    /// Who was asked and why each failed, in order.
    pub attempts: Vec<Attempt>,
    /// What had come when the answer broke off; empty when nothing had.
    pub partial: String,
}

impl CascadeError {
    /// Whether the caller gave the call up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.attempts.last().is_some_and(|a| a.failure == Failure::Cancelled)
    }

    /// What a person is told: `cancelled`, `broke_off` or `no_model`.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let message = self.to_string();
        // The first provider is the one the owner wants to answer, so its remedy comes first.
        let hint = |attempt: Option<&Attempt>| {
            attempt.map_or_else(|| "Name a provider under [cascade] in timmy.toml.".to_owned(), |a| a.failure.hint())
        };
        if self.is_cancelled() {
            Problem::conflict("cancelled", message, hint(self.attempts.last()))
        } else if self.partial.is_empty() {
            Problem::unavailable("no_model", message, hint(self.attempts.first()))
        } else {
            Problem::unavailable("broke_off", message, hint(self.attempts.last()))
        }
    }
}

impl fmt::Display for CascadeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_cancelled() {
            return f.write_str("The answer was stopped.");
        }
        f.write_str(match (self.attempts.is_empty(), self.partial.is_empty()) {
            (true, _) => "No provider of models is configured.",
            (_, true) => "No answer came.",
            (_, false) => "The answer broke off.",
        })?;
        // One that was asked several times is told once, with its last reason.
        let again = |n: usize, a: &Attempt| self.attempts.iter().skip(n + 1).any(|later| later.provider == a.provider);
        for (_, attempt) in self.attempts.iter().enumerate().filter(|(n, a)| !again(*n, a)) {
            write!(f, " {}: {}.", attempt.provider, attempt.failure.to_string().trim_end_matches('.'))?;
        }
        Ok(())
    }
}

impl std::error::Error for CascadeError {}
