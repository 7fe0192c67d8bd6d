//! A clock that is turned by hand.

use std::sync::Arc;
use std::time::Duration;

use time::UtcOffset;
use timmy_core::clock::{BoxFuture, Clock};
use timmy_domain::Timestamp;
use tokio::sync::watch;

/// Stands still until it is turned. Cheap to clone; all clones are one clock.
#[derive(Clone)]
pub struct FakeClock(Arc<watch::Sender<Hands>>);

/// What the clock shows, and how much time has passed: setting the clock lets none pass.
#[derive(Clone, Copy)]
struct Hands {
    now: Timestamp,
    passed: Duration,
}

impl Default for FakeClock {
    /// A clock at 2026-11-21 08:00 UTC.
    fn default() -> Self {
        Self::at(Timestamp::from_micros(1_795_248_000_000_000))
    }
}

impl FakeClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(Hands { now: at, passed: Duration::ZERO })))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|hands| {
            hands.now = hands.now.plus(by);
            hands.passed += by;
        });
    }

    /// Sets the clock, also backwards, as somebody does who corrects it: no time passes by that.
    pub fn set(&self, at: Timestamp) {
        self.0.send_modify(|hands| hands.now = at);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut hands = self.0.subscribe();
        Box::pin(async move {
            let begun = *hands.borrow();
            // As the real one: a clock that is set back does not make a minute last a day.
            let enough = begun.passed + at.since(begun.now);
            // The sender lives in `self`, so waiting cannot fail.
            let _ = hands.wait_for(|hands| hands.now >= at || hands.passed >= enough).await;
        })
    }

    fn passed(&self) -> Duration {
        self.0.borrow().passed
    }

    fn offset_at(&self, _: Timestamp) -> UtcOffset {
        UtcOffset::UTC
    }
}
