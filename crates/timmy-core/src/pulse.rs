//! The Pulse: the last sixty minutes as sixty bars.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::{Event, Record, Severity, Timestamp};
use timmy_store::EventQuery;

use crate::bus::Subscription;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::PartKind;
use crate::supervisor::Component;

/// Bars of the Pulse, one a minute.
pub const MINUTES: usize = 60;
/// Events of the past hour that are read at start.
const CATCH_UP_ROWS_MAX: usize = 1_000;

/// The colour of a bar: the worst that happened in its minute. Ordered from calm to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Nothing.
    #[default]
    Calm,
    /// Timmy thought.
    Voice,
    /// Timmy worked for the owner.
    Live,
    /// Something was off.
    Warn,
    /// Something failed.
    Bad,
}

/// One minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// The worst that happened.
    pub tone: Tone,
    /// How much happened, in steps from 0 to 10.
    pub steps: u8,
    /// Whether something asked for the owner.
    pub asked: bool,
    weight: u32,
}

/// Sixty minutes, the present one last.
#[derive(Clone, Debug)]
pub struct Hour {
    minutes: [Minute; MINUTES],
    /// Minutes since the epoch of the last bar.
    last: i64,
}

impl Default for Hour {
    fn default() -> Self {
        Self { minutes: [Minute::default(); MINUTES], last: 0 }
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.unix_seconds().div_euclid(60)
}

impl Hour {
    /// The hour seen from `now`: older minutes have moved out.
    pub fn turn_to(&mut self, now: Timestamp) {
        let minute = minute_of(now);
        let passed = usize::try_from(minute - self.last).unwrap_or(0).min(MINUTES);
        self.minutes.rotate_left(passed);
        self.minutes[MINUTES - passed..].fill(Minute::default());
        self.last = self.last.max(minute);
    }

    /// Notes what happened at `at`; what is older than an hour is left out.
    pub fn note(&mut self, at: Timestamp, tone: Tone, weight: u32, asked: bool) {
        if minute_of(at) > self.last {
            self.turn_to(at);
        }
        let back = usize::try_from(self.last - minute_of(at)).unwrap_or(usize::MAX);
        let Some(bar) = (MINUTES - 1).checked_sub(back).and_then(|i| self.minutes.get_mut(i)) else { return };
        bar.tone = bar.tone.max(tone);
        bar.asked |= asked;
        bar.weight = bar.weight.saturating_add(weight);
        // Twice as much is one and a half steps more, so that a busy minute does not flatten the others.
        let high = f64::from(bar.weight).log2().mul_add(1.5, 2.0);
        bar.steps = if bar.weight == 0 {
            0
        } else {
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].into_iter().rfind(|s| f64::from(*s) <= high).unwrap_or(1)
        };
    }

    /// The bars, oldest first.
    #[must_use]
    pub const fn bars(&self) -> &[Minute; MINUTES] {
        &self.minutes
    }
}

/// What an event means for the Pulse: tone, weight, whether it asked for the owner.
fn meaning(record: &Record) -> Option<(Tone, u32, bool)> {
    let event = record.event();
    if record.severity == Severity::Error {
        return Some((Tone::Bad, 6, true));
    }
    if record.severity == Severity::Warning {
        return Some((Tone::Warn, 3, false));
    }
    match event {
        Event::Thought(_) => Some((Tone::Voice, 6, false)),
        Event::MessageReceived(_) => Some((Tone::Live, 3, false)),
        Event::MessageReplied(_) | Event::MessageStopped(_) => Some((Tone::Live, 6, false)),
        Event::Observed(_) => Some((Tone::Live, 2, false)),
        Event::ThinkingRested(_) | Event::StoreChecked(_) => None,
        _ => Some((Tone::Calm, 1, false)),
    }
}

/// The Pulse of this run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Pulse(Arc<Mutex<Hour>>);

impl Pulse {
    /// The hour seen from `now`.
    #[must_use]
    pub fn hour(&self, now: Timestamp) -> Hour {
        let mut hour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hour.turn_to(now);
        hour.clone()
    }

    fn take(&self, records: &[Record]) {
        let mut hour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            if let Some((tone, weight, asked)) = meaning(record) {
                hour.note(record.at, tone, weight, asked);
            }
        }
    }

    /// The part of the house that feeds the Pulse from the log.
    #[must_use]
    pub fn component(&self) -> Component {
        let pulse = self.clone();
        Component::new("pulse", PartKind::Component, move |ctx| {
            let pulse = pulse.clone();
            async move { pulse.run(ctx).await }
        })
    }

    async fn run(self, ctx: Ctx) -> Result<(), Fault> {
        let hour_ago = ctx.now().minus(Duration::from_secs(3_600));
        let mut past = ctx
            .store
            .read(move |r| {
                let after = Some(r.seq_at(hour_ago)? - 1);
                r.events(&EventQuery { after, limit: CATCH_UP_ROWS_MAX, newest_first: true, ..EventQuery::default() })
            })
            .await?;
        past.reverse();
        let caught_up = past.last().map_or_else(|| ctx.store.last_seq(), |r| r.seq);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Hour::default();
        self.take(&past);
        let mut log = Subscription::new(&ctx.store, vec![Pattern::All], caught_up);
        loop {
            tokio::select! {
                batch = log.next() => {
                    let records = batch?.records;
                    records.iter().for_each(|record| ctx.meters.event(record));
                    self.take(&records);
                }
                () = ctx.stop.cancelled() => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(minute * 60 + 5))
    }

    #[test]
    fn bars_move_left_as_minutes_pass_and_fall_out_after_an_hour() {
        let mut hour = Hour::default();
        hour.note(at(1_000), Tone::Voice, 6, false);
        assert_eq!(hour.bars()[59].tone, Tone::Voice);
        hour.turn_to(at(1_010));
        assert_eq!((hour.bars()[49].tone, hour.bars()[59].tone), (Tone::Voice, Tone::Calm));
        hour.note(at(1_005), Tone::Bad, 1, true);
        assert!(hour.bars()[54].asked);
        hour.note(at(100), Tone::Bad, 1, true);
        hour.turn_to(at(1_071));
        assert!(hour.bars().iter().all(|b| b.steps == 0));
    }

    #[test]
    fn the_worst_tone_wins_and_height_is_bounded() {
        let mut hour = Hour::default();
        for _ in 0..10_000 {
            hour.note(at(7), Tone::Warn, 6, false);
            hour.note(at(7), Tone::Voice, 6, false);
        }
        assert_eq!((hour.bars()[59].tone, hour.bars()[59].steps), (Tone::Warn, 10));
    }
}
