//! Whether one model of one provider is asked: closed, open for a while, or tried out by one call at a time.
//!
//! A function of values: time is handed in as milliseconds of any clock that does not run backwards. Nothing here is
//! for ever: every rest and every hold has an end, and a call that tries the model out gives its place back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How long the first rest is, in milliseconds. Each further one doubles, up to [`OPEN_MS_MAX`].
pub const OPEN_MS: u64 = 60_000;
/// How long a rest may be, in milliseconds, before chance moves it.
pub const OPEN_MS_MAX: u64 = 600_000;
/// By how much chance moves a rest, in percent, so that many do not come back at once.
const JITTER_PERCENT: u64 = 20;
/// Attempts in a row that must succeed before it counts as healthy.
pub const CLOSE_SUCCESSES: u32 = 2;
/// Attempts that are looked back at, or twice the threshold where that is more.
const WINDOW_MAX: usize = 20;
/// Attempts without which a share says nothing, or the threshold where that is more.
const WINDOW_MIN: usize = 5;
/// Older attempts say nothing, in milliseconds.
const WINDOW_MS: u64 = 300_000;
/// Without a failure for this long, in milliseconds, half of those in a row are forgotten, whether it was asked or not.
const ROW_MS: u64 = 1_800_000;
/// Healthy for this long, in milliseconds, the next rest is half as long again.
const FORGIVE_MS: u64 = 600_000;
/// A call that tries it out and says nothing for this long, in milliseconds, has given its place back.
const PROBE_MS_MAX: u64 = 3_600_000;
/// How long a hold lasts that came without a date, in milliseconds. Then one call tries again.
pub const HOLD_MS: u64 = 6 * 3_600_000;
/// How long a hold may last whatever date was told, in milliseconds: 35 days.
pub const HOLD_MS_MAX: u64 = 35 * 24 * 3_600_000;

/// How it stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// It is asked.
    Closed,
    /// It rests.
    Open,
    /// One call at a time tries it out.
    HalfOpen,
}

impl Circuit {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Whether it may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Yes.
    Go,
    /// Yes, as the one call that tries it out; the number tells it from others.
    Probe(u64),
    /// Not before this many milliseconds from now.
    Wait(u64),
    /// Another call tries it out right now.
    Tried,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: u64 },
    HalfOpen { well: u32, probe: Option<Probe> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    number: u64,
    since: u64,
}

/// The breaker of one model of one provider.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    threshold: u32,
    in_a_row: u32,
    /// Since when none was added to those in a row, and how long it had been so before, in an earlier run.
    quiet_since: u64,
    quiet_before: u64,
    window: VecDeque<(u64, bool)>,
    /// Rests since it was last forgiven.
    rests: u32,
    well_since: u64,
    probes: u64,
}

/// A breaker as it is stored: times are lengths, so that a clock that was set in between changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// How it stood.
    pub circuit: Circuit,
    /// Failures in a row.
    #[serde(default)]
    pub in_a_row: u32,
    /// Rests since it was last forgiven.
    #[serde(default)]
    pub rests: u32,
    /// What was left of its rest, in milliseconds.
    #[serde(default)]
    pub left_ms: u64,
}

impl Breaker {
    /// A closed breaker that opens after `threshold` failures in a row.
    #[must_use]
    pub fn new(threshold: u32) -> Self {
        Self {
            state: State::Closed,
            threshold: threshold.max(1),
            in_a_row: 0,
            quiet_since: 0,
            quiet_before: 0,
            window: VecDeque::new(),
            rests: 0,
            well_since: 0,
            probes: 0,
        }
    }

    /// How it stands at `now`.
    #[must_use]
    pub fn circuit(&self, now: u64) -> Circuit {
        match self.state {
            State::Closed => Circuit::Closed,
            State::Open { until } if now < until => Circuit::Open,
            State::Open { .. } | State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    /// What is left of its rest, in milliseconds.
    #[must_use]
    pub fn left_ms(&self, now: u64) -> u64 {
        if let State::Open { until } = self.state { until.saturating_sub(now) } else { 0 }
    }

    /// Failures in a row that still count at `now`.
    #[must_use]
    pub const fn in_a_row(&self, now: u64) -> u32 {
        faded(self.in_a_row, now.saturating_sub(self.quiet_since).saturating_add(self.quiet_before))
    }

    /// Whether it would be asked, without taking the place of the call that tries it out.
    #[must_use]
    pub fn would_admit(&self, now: u64) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } => now >= until,
            State::HalfOpen { probe, .. } => free(probe, now),
        }
    }

    /// Asks whether it may be asked now. [`Admit::Probe`] has to be given back with [`Self::succeeded`],
    /// [`Self::failed`] or [`Self::gave_up`].
    pub fn admit(&mut self, now: u64) -> Admit {
        let well = match self.state {
            State::Closed => return Admit::Go,
            State::Open { until } if now < until => return Admit::Wait(until - now),
            State::Open { .. } => 0,
            State::HalfOpen { probe, .. } if !free(probe, now) => return Admit::Tried,
            State::HalfOpen { well, .. } => well,
        };
        self.probes += 1;
        self.state = State::HalfOpen { well, probe: Some(Probe { number: self.probes, since: now }) };
        Admit::Probe(self.probes)
    }

    /// It answered. `probe` is the number of the call that tried it out, if it was one.
    pub fn succeeded(&mut self, now: u64, probe: Option<u64>) {
        self.in_a_row = 0;
        match self.state {
            State::Closed => {
                self.note(now, true);
                self.forgive(now);
            }
            State::HalfOpen { well, probe: Some(of) } if probe == Some(of.number) => {
                if well + 1 >= CLOSE_SUCCESSES {
                    self.close(now);
                } else {
                    self.state = State::HalfOpen { well: well + 1, probe: None };
                }
            }
            // An answer to a question from before the rest says nothing about now.
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
    }

    /// It failed in a way that counts; `roll` is a random number, for the length of the rest. Says whether it opened.
    pub fn failed(&mut self, now: u64, probe: Option<u64>, roll: u64) -> bool {
        match self.state {
            State::Closed => {
                self.one_more(now);
                self.forgive(now);
                self.note(now, false);
                let bad = self.window.iter().filter(|(_, well)| !well).count();
                let half = self.window.len() >= WINDOW_MIN.max(self.threshold()) && bad * 2 >= self.window.len();
                let opens = self.in_a_row >= self.threshold || half;
                if opens {
                    self.open(now, roll);
                }
                opens
            }
            State::HalfOpen { probe: Some(of), .. } if probe == Some(of.number) => {
                self.one_more(now);
                self.open(now, roll);
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }

    /// The call that tried it out ended without saying anything about its health.
    pub fn gave_up(&mut self, probe: u64) {
        if let State::HalfOpen { well, probe: Some(of) } = self.state
            && of.number == probe
        {
            self.state = State::HalfOpen { well, probe: None };
        }
    }

    /// It was away and a look found it there again: it may be tried out at once.
    pub fn came_back(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.state = State::HalfOpen { well: 0, probe: None };
        }
    }

    /// The owner says that it is well.
    pub fn reset(&mut self, now: u64) {
        self.rests = 0;
        self.in_a_row = 0;
        self.close(now);
    }

    /// As it is stored.
    #[must_use]
    pub fn store(&self, now: u64) -> Stored {
        let (circuit, left_ms) = (self.circuit(now), self.left_ms(now));
        // What has faded is stored as such, so that the store is written when something changed and not each time.
        Stored { circuit, in_a_row: self.in_a_row(now), rests: self.rests, left_ms }
    }

    /// As it was stored `ago` milliseconds ago. A rest that is longer than any rest may be is cut.
    pub fn restore(&mut self, stored: Stored, now: u64, ago: u64) {
        (self.in_a_row, self.quiet_since, self.quiet_before) = (stored.in_a_row, now, ago);
        self.rests = stored.rests.min(32);
        self.well_since = now;
        let left = stored.left_ms.min(with_jitter(OPEN_MS_MAX, u64::MAX)).saturating_sub(ago);
        self.state = match stored.circuit {
            Circuit::Closed => State::Closed,
            Circuit::Open if left > 0 => State::Open { until: now.saturating_add(left) },
            Circuit::Open | Circuit::HalfOpen => State::HalfOpen { well: 0, probe: None },
        };
    }

    /// A share says nothing sooner than a row does, or a higher threshold would change nothing.
    fn threshold(&self) -> usize {
        usize::try_from(self.threshold).unwrap_or(usize::MAX / 2)
    }

    fn one_more(&mut self, now: u64) {
        (self.in_a_row, self.quiet_since, self.quiet_before) = (self.in_a_row(now).saturating_add(1), now, 0);
    }

    fn open(&mut self, now: u64, roll: u64) {
        let base = OPEN_MS.saturating_mul(1 << self.rests.min(16)).min(OPEN_MS_MAX);
        self.rests = self.rests.saturating_add(1);
        self.state = State::Open { until: now.saturating_add(with_jitter(base, roll)) };
    }

    /// The past is not held against it: what opened it once must not open it again.
    fn close(&mut self, now: u64) {
        self.state = State::Closed;
        self.window.clear();
        self.well_since = now;
    }

    fn note(&mut self, now: u64, well: bool) {
        self.window.push_back((now, well));
        let most = WINDOW_MAX.max(2 * self.threshold());
        while self.window.len() > most || self.window.front().is_some_and(|(at, _)| at + WINDOW_MS < now) {
            self.window.pop_front();
        }
    }

    fn forgive(&mut self, now: u64) {
        while self.rests > 0 && now.saturating_sub(self.well_since) >= FORGIVE_MS {
            self.rests -= 1;
            self.well_since += FORGIVE_MS;
        }
        if self.rests == 0 {
            self.well_since = now;
        }
    }
}

/// What is left of `in_a_row` failures when the last one was `quiet_ms` milliseconds ago: halved with each [`ROW_MS`].
const fn faded(in_a_row: u32, quiet_ms: u64) -> u32 {
    let halvings = quiet_ms / ROW_MS;
    if halvings < 32 { in_a_row >> halvings } else { 0 }
}

fn free(probe: Option<Probe>, now: u64) -> bool {
    probe.is_none_or(|probe| now.saturating_sub(probe.since) >= PROBE_MS_MAX)
}

fn with_jitter(base: u64, roll: u64) -> u64 {
    let span = base * JITTER_PERCENT * 2 / 100;
    base - base * JITTER_PERCENT / 100 + if roll == u64::MAX { span } else { roll % (span + 1) }
}

#[cfg(test)]
mod tests;
