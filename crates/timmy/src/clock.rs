//! The machine's clock, and the owner's offset from UTC.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use time::UtcOffset;
use timmy_core::clock::{BoxFuture, Clock};
use timmy_domain::Timestamp;

/// The longest single sleep, in seconds: after a suspend or a set clock, time is looked at again this soon.
const SLEEP_SECONDS_MAX: u64 = 20;

/// How long the rules of the time zone are believed, in seconds.
const ZONE_SECONDS: u64 = 3_600;

/// The machine's clock.
pub struct SystemClock {
    /// The rules of the owner's time zone, and when they were read; without rules it is UTC.
    zone: Mutex<(Option<tz::TimeZone>, Instant)>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { zone: Mutex::new((tz::TimeZone::local().ok(), Instant::now())) }
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
            // Measured too, so that a clock set back by a day does not make a minute last a day.
            let wait = at.since(now());
            let began = Instant::now();
            loop {
                let left = at.since(now()).min(wait.saturating_sub(began.elapsed()));
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(Duration::from_secs(SLEEP_SECONDS_MAX))).await;
            }
        })
    }

    fn passed(&self) -> Duration {
        // Counts the sleep of the machine too, which a plain `Instant` does not on Linux.
        #[cfg(target_os = "linux")]
        let passed = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        #[cfg(not(target_os = "linux"))]
        let passed = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::new(u64::try_from(passed.tv_sec).unwrap_or(0), u32::try_from(passed.tv_nsec).unwrap_or(0))
    }

    fn offset_at(&self, at: Timestamp) -> UtcOffset {
        let mut zone = self.zone.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if zone.1.elapsed() > Duration::from_secs(ZONE_SECONDS) {
            // The owner may have travelled.
            *zone = (tz::TimeZone::local().ok(), Instant::now());
        }
        let seconds =
            zone.0.as_ref().and_then(|z| z.find_local_time_type(at.unix_seconds()).ok()).map_or(0, |t| t.ut_offset());
        UtcOffset::from_whole_seconds(seconds).unwrap_or(UtcOffset::UTC)
    }
}
