//! What follows from each reason: who is asked next, and what it says about the one that failed.

use std::time::Duration;

use crate::failure::{Failure, Stage};

/// How long a server that failed is left alone before it is asked once more, in milliseconds; doubled each time.
pub const AGAIN_MS: u64 = 500;
/// How long one that is busy and did not say until when is left alone, in milliseconds; doubled each time.
pub const BUSY_MS: u64 = 1_000;
/// Times one model of one provider is asked within one call.
pub const TRIES_MAX: u32 = 3;

/// Who is asked after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next one.
    Next,
    /// The next one; when none answers, the same one again after this time, if the call has it.
    NextThenSame(Duration),
    /// The next one that reads more at once.
    NextLarger,
    /// Nobody.
    Fail,
}

/// What an attempt says about the health of who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing: the request was at fault, or nobody.
    None,
    /// One failure.
    Counts,
    /// It is not asked for this long, and is not ill.
    Rests(Duration),
    /// It is not asked until the date it told, or until its settings change: no key, or no credit.
    Holds,
}

/// What follows from `failure`, the `tries`-th of this model within the call, counted from one.
#[must_use]
pub fn decide(failure: &Failure, tries: u32) -> (Then, Harm) {
    let doubled = |ms: u64| Duration::from_millis(ms.saturating_mul(1 << tries.saturating_sub(1).min(16)));
    let same = |after| if tries < TRIES_MAX { Then::NextThenSame(after) } else { Then::Next };
    match failure {
        Failure::Unreachable { .. } | Failure::TooLarge { .. } => (Then::Next, Harm::Counts),
        // Words were coming; it was the caller who had no more time.
        Failure::Timeout { stage: Stage::Total } => (Then::Next, Harm::None),
        Failure::Timeout { .. } => (Then::Next, Harm::Counts),
        Failure::RateLimited { retry_after } => {
            let wait = retry_after.unwrap_or_else(|| doubled(BUSY_MS));
            (same(wait), Harm::Rests(wait))
        }
        Failure::ServerError { .. } | Failure::ServerFault { .. } | Failure::Malformed { .. } => {
            (same(doubled(AGAIN_MS)), Harm::Counts)
        }
        Failure::Auth | Failure::Billing { .. } => (Then::Next, Harm::Holds),
        Failure::ContextLength => (Then::NextLarger, Harm::None),
        Failure::ToolNotCalled if tries == 1 => (same(Duration::ZERO), Harm::None),
        Failure::Cancelled => (Then::Fail, Harm::None),
        Failure::ToolNotCalled
        | Failure::ContentPolicy
        | Failure::BadRequest { .. }
        | Failure::NoModel { .. }
        | Failure::Privacy { .. }
        | Failure::NothingToSay
        | Failure::Unsupported { .. }
        | Failure::NotBuiltIn { .. }
        | Failure::Resting { .. }
        | Failure::Budget { .. }
        | Failure::NoPrice { .. }
        | Failure::SpentUp { .. } => (Then::Next, Harm::None),
        // It was well; should the one that was faster fail after all, it is asked again.
        Failure::Outrun => (same(Duration::ZERO), Harm::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: models: each reason has its consequence: the same again, the next one, or an end
    #[test]
    fn each_reason_has_its_consequence() {
        use Failure as F;
        let what = || "x".to_owned();
        let timeout = |stage| F::Timeout { stage };
        let (ms, seconds) = (Duration::from_millis, Duration::from_secs);
        let rows = [
            (F::Unreachable { what: what() }, 1, Then::Next, Harm::Counts),
            (timeout(Stage::Connect), 1, Then::Next, Harm::Counts),
            (timeout(Stage::FirstToken), 1, Then::Next, Harm::Counts),
            (timeout(Stage::Stall), 1, Then::Next, Harm::Counts),
            (timeout(Stage::Total), 1, Then::Next, Harm::None),
            (
                F::RateLimited { retry_after: Some(seconds(7)) },
                1,
                Then::NextThenSame(seconds(7)),
                Harm::Rests(seconds(7)),
            ),
            (F::RateLimited { retry_after: None }, 2, Then::NextThenSame(seconds(2)), Harm::Rests(seconds(2))),
            (F::RateLimited { retry_after: None }, 3, Then::Next, Harm::Rests(seconds(4))),
            (F::ServerError { status: 502 }, 1, Then::NextThenSame(ms(500)), Harm::Counts),
            (F::ServerFault { detail: what() }, 2, Then::NextThenSame(ms(1_000)), Harm::Counts),
            (F::Malformed { what: what() }, 3, Then::Next, Harm::Counts),
            (F::TooLarge { what: what() }, 1, Then::Next, Harm::Counts),
            (F::Auth, 1, Then::Next, Harm::Holds),
            (F::Billing { until: None }, 1, Then::Next, Harm::Holds),
            (F::ContextLength, 1, Then::NextLarger, Harm::None),
            (F::ContentPolicy, 1, Then::Next, Harm::None),
            (F::BadRequest { status: 400, detail: what() }, 1, Then::Next, Harm::None),
            (F::ToolNotCalled, 1, Then::NextThenSame(ms(0)), Harm::None),
            (F::ToolNotCalled, 2, Then::Next, Harm::None),
            (F::Privacy { what: what() }, 1, Then::Next, Harm::None),
            (F::Budget { what: what() }, 1, Then::Next, Harm::None),
            (F::NoPrice { model: what() }, 1, Then::Next, Harm::None),
            (F::SpentUp { what: what() }, 1, Then::Next, Harm::None),
            (F::Outrun, 1, Then::NextThenSame(ms(0)), Harm::None),
            (F::Cancelled, 1, Then::Fail, Harm::None),
        ];
        for (failure, tries, then, harm) in rows {
            assert_eq!(decide(&failure, tries), (then, harm), "{failure:?} {tries}");
        }
    }
}
