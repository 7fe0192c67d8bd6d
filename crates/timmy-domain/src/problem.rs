//! What a person is told when something cannot be done.

use serde::Serialize;

/// A refusal or failure in the words of the house: what happened and what the owner can do.
///
/// On the wire it stands as `{"error":{"code","message","hint"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// A stable snake-case word for programs, such as `unknown_thought`.
    pub code: &'static str,
    /// What happened, in one sentence.
    pub message: String,
    /// What the owner can do about it, in one sentence.
    pub hint: String,
    /// Which kind of refusal this is; decides the HTTP status and the exit code.
    #[serde(skip)]
    pub kind: Kind,
    /// Seconds after which it is worth trying again, when that is known; travels as `Retry-After`.
    #[serde(skip)]
    pub retry_seconds: Option<u64>,
}

/// The kinds of refusal, each with one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The input does not fit its form (422).
    Invalid,
    /// Nobody is logged in (401).
    Unauthenticated,
    /// Logged in, yet not allowed: origin or scope (403).
    Forbidden,
    /// No such thing (404).
    Unknown,
    /// The state forbids the act (409).
    Conflict,
    /// The body is over its bound (413).
    TooLarge,
    /// Too many tries (429).
    TooMany,
    /// No model, or no disk (503).
    Unavailable,
}

impl Kind {
    /// The HTTP status of this kind.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::Unknown => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Unavailable => 503,
        }
    }
}

impl Problem {
    /// A problem of `kind`.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into(), kind, retry_seconds: None }
    }

    /// The same problem, which may be gone after `seconds`.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_seconds: Some(seconds), ..self }
    }

    /// The input does not fit its form.
    pub fn invalid(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message, hint)
    }

    /// No such thing.
    pub fn unknown(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Unknown, code, message, hint)
    }

    /// The state forbids the act.
    pub fn conflict(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message, hint)
    }

    /// No model, or no disk.
    pub fn unavailable(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, code, message, hint)
    }
}
