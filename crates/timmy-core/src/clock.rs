//! Time as the engine sees it: a value from the context, so that days can be simulated.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use time::{OffsetDateTime, UtcOffset};
use timmy_domain::Timestamp;

/// A boxed future that may cross threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The only source of time for everything Timmy does.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Completes once [`Clock::now`] has reached `at`; at once when it already has.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;

    /// How much time has passed since some moment in the past, sleep of the machine included. It never
    /// jumps, whatever the wall clock is set to. A clock that cannot tell gives its wall time.
    fn passed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now().micros()).unwrap_or(0))
    }

    /// How far the owner's wall clock is from UTC at `at`.
    fn offset_at(&self, at: Timestamp) -> UtcOffset;
}

/// The owner's wall-clock time at `at`.
#[must_use]
pub fn local(clock: &dyn Clock, at: Timestamp) -> OffsetDateTime {
    at.to_utc().to_offset(clock.offset_at(at))
}

/// The owner's calendar day at `at`, as `2026-11-21`.
#[must_use]
pub fn local_day(clock: &dyn Clock, at: Timestamp) -> String {
    let t = local(clock, at);
    format!("{:04}-{:02}-{:02}", t.year(), u8::from(t.month()), t.day())
}

/// The owner's time of day at `at`, as `14:09`.
#[must_use]
pub fn local_time(clock: &dyn Clock, at: Timestamp) -> String {
    let t = local(clock, at);
    format!("{:02}:{:02}", t.hour(), t.minute())
}

/// The next time the owner's clock shows `minute_of_day` minutes after midnight; always later than `at`.
#[must_use]
pub fn next_local_minute(clock: &dyn Clock, at: Timestamp, minute_of_day: u32) -> Timestamp {
    let t = local(clock, at);
    let now_seconds = i64::from(t.hour()) * 3_600 + i64::from(t.minute()) * 60 + i64::from(t.second());
    let ahead = i64::from(minute_of_day) * 60 - now_seconds;
    let ahead = if ahead > 0 { ahead } else { ahead + 86_400 };
    let target = Timestamp::from_micros((at.unix_seconds() + ahead) * 1_000_000);
    // On a day on which the clocks change, the offset there is another one.
    let shift = clock.offset_at(at).whole_seconds() - clock.offset_at(target).whole_seconds();
    Timestamp::from_micros(target.micros() + i64::from(shift) * 1_000_000)
}
