//! Notices that the machine's clock was set, and tells it once.
//!
//! Nothing depends on being told: each part of the house clamps what lies in its future, and the log keeps
//! its order by position. The event is for whoever wonders about times later.

use std::sync::Mutex;
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::ClockJumped;
use timmy_domain::{NewEvent, Timestamp};

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// Seconds between two looks.
const LOOK_SECONDS: u64 = 20;
/// Smaller jumps, in seconds, are the clock being corrected.
const JUMP_SECONDS_MIN: i64 = 120;

/// By how many seconds the wall clock moved more than the time that passed, when that is a jump.
#[must_use]
pub fn jump(before: (Timestamp, Duration), now: (Timestamp, Duration)) -> Option<i64> {
    let wall = now.0.micros().saturating_sub(before.0.micros());
    let passed = i64::try_from(now.1.saturating_sub(before.1).as_micros()).unwrap_or(i64::MAX);
    let seconds = wall.saturating_sub(passed) / 1_000_000;
    (seconds.abs() >= JUMP_SECONDS_MIN).then_some(seconds)
}

/// Compares the wall clock with the time that passed.
#[derive(Default)]
pub struct ClockWatch {
    before: Mutex<Option<(Timestamp, Duration)>>,
}

impl ClockWatch {
    async fn look(&self, ctx: &Ctx) -> Result<Found, Fault> {
        let now = (ctx.now(), ctx.clock.passed());
        let before = self.before.lock().unwrap_or_else(std::sync::PoisonError::into_inner).replace(now);
        let Some(seconds) = before.and_then(|before| jump(before, now)) else {
            return Ok(Found::Well("the clock goes as time does".to_owned()));
        };
        match ctx.tell(NewEvent::new("system", ClockJumped { seconds })).await {
            Ok(_) => Ok(Found::Well(format!("the clock was set by {seconds} s"))),
            Err(fault) => {
                // Not told, so it is found again.
                *self.before.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = before;
                Err(fault)
            }
        }
    }
}

impl Reconciler for ClockWatch {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(LOOK_SECONDS)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(self.look(ctx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_was_set_is_a_jump() {
        let at = |wall: i64, passed: u64| (Timestamp::from_micros(wall * 1_000_000), Duration::from_secs(passed));
        for (before, now, found) in [
            (at(1_000, 5), at(1_020, 25), None),           // as it should
            (at(1_000, 5), at(90_000, 89_005), None),      // the machine slept, and time passed
            (at(1_000, 5), at(1_139, 25), None),           // corrected by less than two minutes
            (at(1_000, 5), at(1_140, 25), Some(120)),      // set forward
            (at(1_000, 5), at(87_420, 25), Some(86_400)),  // by a day
            (at(90_000, 5), at(3_620, 25), Some(-86_400)), // back by a day
            (at(0, 5), (Timestamp::from_micros(i64::MAX), Duration::from_secs(25)), Some(i64::MAX / 1_000_000 - 20)),
        ] {
            assert_eq!(jump(before, now), found, "{before:?} {now:?}");
        }
    }
}
