//! Slowing down whoever guesses. One counter for everybody, loopback included: a single-owner house has one door.

use std::time::Duration;

use timmy_domain::Timestamp;

/// Failures in a row that cost nothing yet.
pub const FREE_FAILURES: u32 = 5;
/// The longest wait after a failure, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 300;

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    failures: u32,
    closed_from: Timestamp,
    closed_until: Timestamp,
}

impl Throttle {
    /// How long nobody may try; zero when the door is open.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Duration {
        // A clock that was set back must not lock the owner out for as long.
        if now < self.closed_from { Duration::ZERO } else { self.closed_until.since(now) }
    }

    /// Failures in a row so far.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Somebody failed: after [`FREE_FAILURES`] the door closes for 1, 2, 4 … seconds up to [`WAIT_SECONDS_MAX`].
    #[must_use]
    pub fn failed(self, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        let over = failures.saturating_sub(FREE_FAILURES);
        let seconds = if over == 0 { 0 } else { (1_u64 << (over - 1).min(16)).min(WAIT_SECONDS_MAX) };
        Self { failures, closed_from: now, closed_until: now.plus(Duration::from_secs(seconds)) }
    }

    /// Somebody came in: the count starts again.
    #[must_use]
    pub fn succeeded(self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_gets_slower_and_slower() {
        let now = Timestamp::EPOCH;
        let mut throttle = Throttle::default();
        let mut waits = Vec::new();
        for _ in 0..16 {
            throttle = throttle.failed(now);
            waits.push(throttle.wait(now).as_secs());
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(throttle.succeeded().wait(now), Duration::ZERO);
        assert_eq!(throttle.wait(now.plus(Duration::from_secs(301))), Duration::ZERO);
    }
}
