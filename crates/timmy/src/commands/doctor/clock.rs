//! The clock of the machine, beside the times in the log.

use serde_json::Value;
use timmy_core::clock::Clock;
use timmy_domain::Timestamp;

use super::Finding;
use crate::clock::SystemClock;
use crate::commands::text;

/// Seconds that the clock may be behind the last event before it is told: events of one machine never are, but for a
/// clock that was set.
const BEHIND_SECONDS_MAX: u64 = 120;

/// What the newest event in `events`, a list of the interface, says about the clock.
pub(super) fn of_answer(events: &Value) -> Option<Finding> {
    let newest = events.get("items")?.as_array()?.first()?;
    look(Timestamp::parse(text(newest, "timestamp")).ok()?)
}

/// What the time of the last event says about the clock.
pub(super) fn look(last: Timestamp) -> Option<Finding> {
    compare(last, SystemClock::default().now())
}

fn compare(last: Timestamp, now: Timestamp) -> Option<Finding> {
    let behind = if last > now { last.since(now).as_secs() } else { 0 };
    (behind > BEHIND_SECONDS_MAX).then(|| {
        let minutes = behind.div_ceil(60);
        let what = format!(
            "the clock is {minutes} min behind the last event in the log; until it has caught up, events keep that time"
        );
        Finding::note("clock", what, "Set the clock of this machine, for instance by `timedatectl set-ntp true`.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: process: the doctor finds a clock that was set back, by the last event in the log
    #[test]
    fn a_clock_that_was_set_back_is_found() {
        let at = |seconds: i64| Timestamp::from_micros((1_800_000_000 + seconds) * 1_000_000);
        assert!(compare(at(0), at(0)).is_none() && compare(at(120), at(0)).is_none());
        assert!(compare(at(0), at(90_000)).is_none(), "a long rest is no fault of the clock");
        let found = compare(at(7_230), at(0)).expect("found");
        assert!(found.what.contains("121 min behind") && found.step.contains("timedatectl"), "{}", found.what);
        let listed = serde_json::json!({"items": [{"timestamp": "2999-01-01T00:00:00Z"}]});
        assert!(of_answer(&listed).is_some());
        assert!(of_answer(&serde_json::json!({"items": []})).is_none());
    }
}
