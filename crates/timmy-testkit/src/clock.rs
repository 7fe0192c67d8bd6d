//! A clock that is turned by hand.

use std::sync::Arc;
use std::time::Duration;

use time::UtcOffset;
use timmy_core::clock::{BoxFuture, Clock};
use timmy_domain::Timestamp;
use tokio::sync::watch;

/// Stands still until it is turned. Cheap to clone; all clones are one clock.
#[derive(Clone)]
pub struct FakeClock(Arc<watch::Sender<Timestamp>>);

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
        Self(Arc::new(watch::Sender::new(at)))
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = now.plus(by));
    }

    /// Sets the clock, also backwards.
    pub fn set(&self, at: Timestamp) {
        self.0.send_replace(at);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut hands = self.0.subscribe();
        Box::pin(async move {
            // The sender lives in `self`, so waiting cannot fail.
            let _ = hands.wait_for(|now| *now >= at).await;
        })
    }

    fn offset_at(&self, _: Timestamp) -> UtcOffset {
        UtcOffset::UTC
    }
}
