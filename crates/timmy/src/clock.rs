//! The machine's clock, and the owner's offset from UTC.

use std::sync::Mutex;
use std::time::Duration;

use time::UtcOffset;
use timmy_core::clock::{BoxFuture, Clock};
use timmy_domain::Timestamp;

/// The longest single sleep, in seconds: after a suspend or a set clock, time is looked at again this soon.
const SLEEP_SECONDS_MAX: u64 = 20;

/// The machine's clock.
pub struct SystemClock {
    /// The rules of the owner's time zone with its last answer; `None` when the machine has none, which means UTC.
    zone: Mutex<Option<tz::TimeZone>>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { zone: Mutex::new(tz::TimeZone::local().ok()) }
    }
}

/// The present moment of the machine's clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clock is read")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_micros(since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = at.since(now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(Duration::from_secs(SLEEP_SECONDS_MAX))).await;
            }
        })
    }

    fn offset_at(&self, at: Timestamp) -> UtcOffset {
        let zone = self.zone.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = zone.as_ref().and_then(|z| z.find_local_time_type(at.unix_seconds()).ok()).map_or(0, |t| t.ut_offset());
        UtcOffset::from_whole_seconds(seconds).unwrap_or(UtcOffset::UTC)
    }
}
