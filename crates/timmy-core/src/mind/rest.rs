//! Whether to think now or to rest, and why: a pure decision over values.

use std::time::Duration;

use timmy_domain::Timestamp;

/// A first thought begins this long after the start, in milliseconds.
pub const FIRST_THOUGHT_MS: u64 = 500;
/// A nudge (an injected thought, a new folder) makes the next thought come this soon, in seconds.
pub const NUDGE_SECONDS: u64 = 2;
/// The first wait after a failed thought, in seconds; it doubles with each failure up to the longest rest.
pub const FAILURE_SECONDS_MIN: u64 = 30;
/// Adaptive rest never stretches the interval beyond this factor.
pub const STRETCH_MAX: u32 = 8;
/// Similarity of the last two thoughts from which on Timmy repeats himself (share of common word triples).
pub const REPEAT_SIMILARITY: f64 = 0.6;
/// An owner who did nothing for this long is away, in hours.
pub const AWAY_HOURS: u64 = 12;
/// Load for each processor from which on the machine is busy.
pub const BUSY_LOAD: f64 = 1.5;
/// How many intervals a thought waits at most for a busy machine.
pub const BUSY_INTERVALS_MAX: u32 = 2;
/// How long to wait when the machine is busy, in seconds.
pub const BUSY_SECONDS: u64 = 60;

/// How long to wait before looking again at a thought that stands in the queue, in seconds.
pub const QUEUED_SECONDS: u64 = 15;

/// How long to wait when the disk is full, in seconds.
pub const FULL_SECONDS: u64 = 3;

/// Why Timmy rests when the owner paused it.
pub const PAUSED: &str = "you paused it";
/// Why Timmy rests when nothing stands in the way of the next thought but its time.
pub const USUAL: &str = "until the next thought is due";
/// Why Timmy rests while the next thought waits for a worker.
pub const QUEUED: &str = "the next thought waits for its turn among the tasks";
/// Why Timmy rests while the owner holds the next thought back on the list of tasks.
pub const HELD: &str = "you hold the next thought back on the page Tasks";
/// Why Timmy rests while the owner is being answered.
pub const TALKING: &str = "you are talking with me";
const OFF: &str = "thinking is switched off in the settings";
const QUIET: &str = "quiet hours";
const SPENT: &str = "today's thinking budget is spent";
const FULL: &str = "the disk is full";
const BUSY: &str = "the machine is busy";
const WAKING: &str = "waking up";
const FAILED: &str = "the last thought did not come";
const SILENT: &str = "nothing has changed since the last thought";
const ALIKE: &str = "the last two thoughts were alike";
const AWAY: &str = "you have been away for a while";

/// Every reason to rest, in its words and in the one word under which it is counted.
pub const REASONS: [(&str, &str); 15] = [
    (USUAL, "not_due"),
    (PAUSED, "paused"),
    (TALKING, "talking"),
    (OFF, "switched_off"),
    (QUIET, "quiet_hours"),
    (SPENT, "budget_spent"),
    (FULL, "disk_full"),
    (BUSY, "machine_busy"),
    (WAKING, "waking_up"),
    (FAILED, "thought_failed"),
    (SILENT, "nothing_new"),
    (ALIKE, "thoughts_alike"),
    (AWAY, "owner_away"),
    (QUEUED, "queued"),
    (HELD, "held"),
];

/// Everything the decision looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Situation {
    /// The present moment.
    pub now: Timestamp,
    /// Whether thinking is switched on.
    pub enabled: bool,
    /// Whether the owner paused it, and until when.
    pub paused: Option<Pause>,
    /// The end of the quiet hours, when they are now.
    pub quiet_until: Option<Timestamp>,
    /// Whether the disk is full, so that no thought could be stored.
    pub disk_full: bool,
    /// The next local midnight, when today's budget is spent.
    pub spent_until: Option<Timestamp>,
    /// When this run began.
    pub started_at: Timestamp,
    /// When the last attempt of this run began.
    pub last_try: Option<Timestamp>,
    /// Failed attempts since the last thought.
    pub failures: u32,
    /// Attempts since the last thought that had nothing new to say.
    pub silences: u32,
    /// When something happened that is worth a thought, and no thought has begun since.
    pub nudged_at: Option<Timestamp>,
    /// The usual time between two thoughts.
    pub interval: Duration,
    /// Whether rest adapts.
    pub adaptive: bool,
    /// How alike the last two thoughts are, from 0 to 1.
    pub similarity: f64,
    /// When the owner last did something.
    pub owner_seen: Timestamp,
    /// Load of the last minute divided by the number of processors.
    pub load: f64,
    /// The thought that stands in the queue of tasks already.
    pub queued: Option<Queued>,
}

/// How the thought stands that is in the queue already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It waits for a worker, or has one.
    Going,
    /// The owner paused it, laid it aside, or is asked.
    Held,
}

/// A pause the owner asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Until the owner ends it.
    Open,
    /// Until this moment.
    Until(Timestamp),
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Think now.
    Think,
    /// Rest until then (`None`: until the owner ends it), because of `why`.
    Rest {
        /// When to decide again.
        until: Option<Timestamp>,
        /// Why, in words that go after "resting:".
        why: String,
    },
}

fn rest(until: Timestamp, why: impl Into<String>) -> Decision {
    Decision::Rest { until: Some(until), why: why.into() }
}

/// Decides. The owner's word comes first, then budgets, then the rhythm.
#[must_use]
pub fn decide(s: &Situation) -> Decision {
    if let Some(forbidden) = forbidden(s) {
        return forbidden;
    }
    // Never more than one: while a thought stands in the queue, no other is put there.
    let look_again = s.now.plus(Duration::from_secs(QUEUED_SECONDS));
    match s.queued {
        Some(Queued::Going) => return rest(look_again, QUEUED),
        Some(Queued::Held) => return rest(look_again, HELD),
        None => {}
    }
    let (due, why) = due(s);
    if due > s.now {
        return rest(due, why);
    }
    // A machine that is always busy must not silence Timmy: he waits for it only so long.
    let patient = s.now < due.plus(s.interval.saturating_mul(BUSY_INTERVALS_MAX));
    if s.adaptive && s.load > BUSY_LOAD && s.last_try.is_some() && patient {
        return rest(s.now.plus(Duration::from_secs(BUSY_SECONDS)), BUSY);
    }
    Decision::Think
}

/// The rest that nothing but its end allows to break off, whatever is due: the owner's word, and budgets. Asked once
/// more when a thought that stood in the queue gets its turn.
#[must_use]
pub fn forbidden(s: &Situation) -> Option<Decision> {
    if !s.enabled {
        return Some(Decision::Rest { until: None, why: OFF.to_owned() });
    }
    match s.paused {
        Some(Pause::Open) => return Some(Decision::Rest { until: None, why: PAUSED.to_owned() }),
        Some(Pause::Until(until)) if until > s.now => return Some(rest(until, PAUSED)),
        _ => {}
    }
    if s.disk_full {
        return Some(rest(s.now.plus(Duration::from_secs(FULL_SECONDS)), FULL));
    }
    match (s.quiet_until, s.spent_until) {
        (Some(until), _) => Some(rest(until, QUIET)),
        (None, Some(until)) => Some(rest(until, SPENT)),
        (None, None) => None,
    }
}

/// When the next thought is due, and what it waits for.
fn due(s: &Situation) -> (Timestamp, String) {
    let Some(last) = s.last_try else {
        // A start that lies ahead of a clock set back since was long enough ago.
        let first = s.started_at.plus(Duration::from_millis(FIRST_THOUGHT_MS));
        return (if s.started_at > s.now { s.now } else { first }, WAKING.to_owned());
    };
    let nudged = s.nudged_at.map(|at| at.plus(Duration::from_secs(NUDGE_SECONDS)));
    if s.failures > 0 {
        let longest = s.interval.saturating_mul(STRETCH_MAX).max(s.interval);
        let wait = Duration::from_secs(FAILURE_SECONDS_MIN << (s.failures - 1).min(12)).max(s.interval).min(longest);
        let at = last.plus(wait);
        return (nudged.map_or(at, |n| n.min(at)), FAILED.to_owned());
    }
    let (factor, why) = stretch(s);
    let at = last.plus(s.interval.saturating_mul(factor));
    (nudged.map_or(at, |n| n.min(at)), why)
}

/// How much longer than usual the rest is, and why.
fn stretch(s: &Situation) -> (u32, String) {
    let usual = USUAL.to_owned();
    if !s.adaptive {
        return (1, usual);
    }
    if s.silences > 0 {
        // Nothing changed, so looking again costs nothing and finds news within one interval.
        return (1, SILENT.to_owned());
    }
    if s.similarity >= REPEAT_SIMILARITY {
        return (2, ALIKE.to_owned());
    }
    let away_hours = s.now.since(s.owner_seen).as_secs() / 3_600;
    if away_hours >= AWAY_HOURS {
        let factor = if away_hours >= 4 * AWAY_HOURS { 4 } else { 2 };
        return (factor, AWAY.to_owned());
    }
    (1, usual)
}

/// How alike two texts are: shared word triples over all word triples (Jaccard index), from 0 to 1.
#[must_use]
pub fn similarity(a: &str, b: &str) -> f64 {
    let triples = |t: &str| -> std::collections::HashSet<[String; 3]> {
        let words: Vec<String> =
            t.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
        words.windows(3).map(|w| [w[0].clone(), w[1].clone(), w[2].clone()]).collect()
    };
    let (a, b) = (triples(a), triples(b));
    let shared = a.intersection(&b).count();
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { count(shared) / count(all) }
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
