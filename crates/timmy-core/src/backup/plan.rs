//! When the nightly backup is due, and which of the old ones go: pure decisions over values.

use std::collections::BTreeSet;
use std::time::Duration;

use time::{Date, OffsetDateTime, UtcOffset};
use timmy_domain::Timestamp;

use super::proof::Proof;

/// What the names of the nightly backups begin with. Only these are ever removed by Timmy himself.
pub const NIGHTLY: &str = "timmy-nightly-";
/// What the names of backups the owner asked for begin with.
pub const ASKED: &str = "timmy-backup-";
/// What the names of backups end in.
pub const ENDING: &str = ".tar.gz";
/// Bytes of the time in a name: `2026-11-21T0330Z`.
const STAMP_BYTES: usize = 16;
/// A nightly backup that is overdue at the start waits this long, in seconds: the owner comes first.
pub const SETTLE_SECONDS: u64 = 120;
/// After a backup that failed the next try waits this long, in seconds; it doubles with each failure.
pub const RETRY_SECONDS_MIN: u64 = 3_600;
/// The longest wait after a backup that failed, in seconds.
pub const RETRY_SECONDS_MAX: u64 = 12 * 3_600;
/// Nightly backups that would not restore and are kept to be looked at.
pub const FAILED_KEPT_MAX: usize = 2;
/// A time this far ahead is no time of a backup but a clock that was wrong, in seconds.
const AHEAD_SECONDS_MAX: u64 = 86_400;

/// The name of a backup made at `at`: `timmy-backup-2026-11-21T0330Z.tar.gz`. `again` above 0 tells two
/// of the same minute apart.
#[must_use]
pub fn file_name(beginning: &str, at: Timestamp, again: u32) -> String {
    let text = at.to_string();
    let (day, hour, minute) = (&text[..10], &text[11..13], &text[14..16]);
    let again = if again == 0 { String::new() } else { format!("-{}", again + 1) };
    format!("{beginning}{day}T{hour}{minute}Z{again}{ENDING}")
}

/// The beginning of a backup's name and the minute it names; `None` when it is no name of a backup.
#[must_use]
pub fn read_name(name: &str) -> Option<(&str, Timestamp)> {
    let stem = name.strip_suffix(ENDING)?;
    let at = stem.find("-2").map(|at| at + 1)?;
    let (beginning, rest) = stem.split_at(at);
    let stamp = rest.get(..STAMP_BYTES)?;
    let again = rest.get(STAMP_BYTES..)?;
    if !(again.is_empty() || again.strip_prefix('-').is_some_and(|n| n.parse::<u32>().is_ok())) {
        return None;
    }
    let (day, time) = stamp.split_once('T')?;
    let time = time.strip_suffix('Z').filter(|t| t.len() == 4 && t.bytes().all(|b| b.is_ascii_digit()))?;
    let at = Timestamp::parse(&format!("{day}T{}:{}:00Z", &time[..2], &time[2..])).ok()?;
    beginning.starts_with("timmy-").then_some((beginning, at))
}

/// What sorts backups by their age: the minute a name tells, then which of that minute it was.
#[must_use]
pub fn age(name: &str) -> Option<(Timestamp, u32)> {
    let (beginning, at) = read_name(name)?;
    let again = name.get(beginning.len() + STAMP_BYTES..)?.strip_suffix(ENDING)?;
    Some((at, again.strip_prefix('-').and_then(|n| n.parse().ok()).unwrap_or(1)))
}

/// The night a moment belongs to: the local day whose backup hour it is past. Comparing nights instead of
/// moments keeps a day of 23 or 25 hours from having no backup or two.
#[must_use]
pub fn night_of(at: Timestamp, offset: UtcOffset, minute_of_day: u32) -> Date {
    let local: OffsetDateTime = at.to_utc().to_offset(offset);
    let minute = u32::from(local.hour()) * 60 + u32::from(local.minute());
    let today = local.date();
    if minute >= minute_of_day { today } else { today.previous_day().unwrap_or(today) }
}

/// Everything the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// The present moment.
    pub now: Timestamp,
    /// The owner's offset from UTC now.
    pub offset: UtcOffset,
    /// When it is to be made, in minutes after local midnight; `None` when it is switched off.
    pub minute_of_day: Option<u32>,
    /// When the last nightly backup was made (or when this home was first seen), and the offset then.
    pub last: Option<(Timestamp, UtcOffset)>,
    /// When the last try failed, when it did since the last backup.
    pub failed_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// When this run began.
    pub started_at: Timestamp,
}

/// What to do about the nightly backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing now.
    Rest,
    /// Note the present moment as that of the last backup: there is none yet, or it lies ahead, because
    /// the clock was wrong then.
    Note,
    /// Make it.
    Make,
}

/// Decides. A night that was slept through is made up for once, however many there were.
#[must_use]
pub fn decide(s: &Situation) -> Step {
    let Some(minute) = s.minute_of_day else { return Step::Rest };
    let Some((last, offset)) = s.last.filter(|(at, _)| *at <= s.now.plus(Duration::from_secs(AHEAD_SECONDS_MAX)))
    else {
        return Step::Note;
    };
    if night_of(s.now, s.offset, minute) <= night_of(last, offset, minute) {
        return Step::Rest;
    }
    let may = !settles(s.now, s.started_at) && !waits(s.now, s.failed_at, s.failures);
    if may { Step::Make } else { Step::Rest }
}

/// Whether this run has begun so lately that the owner comes first.
#[must_use]
pub fn settles(now: Timestamp, started_at: Timestamp) -> bool {
    now >= started_at && now.since(started_at) < Duration::from_secs(SETTLE_SECONDS)
}

/// Whether it is too early to try again what failed last at `failed_at`, as the last of `failures` in a row. A failure
/// that lies ahead of a clock set back counts as none.
#[must_use]
pub fn waits(now: Timestamp, failed_at: Option<Timestamp>, failures: u32) -> bool {
    failed_at.is_some_and(|at| at <= now && now.since(at) < retry(failures))
}

/// How long to wait after `failures` in a row.
#[must_use]
pub fn retry(failures: u32) -> Duration {
    let doubled = RETRY_SECONDS_MIN.saturating_mul(1 << failures.saturating_sub(1).min(8));
    Duration::from_secs(doubled.min(RETRY_SECONDS_MAX))
}

/// Which of the backups go, given by name with what is known of each. Of the nightly ones that proved good the newest
/// of each of the last `daily` days that have one stays, and the newest of each of the last `weekly` weeks; what did not
/// prove good never counts among these, so that it pushes none of them out. One that nobody has checked stays by the
/// same rule over both. Of those that failed the newest [`FAILED_KEPT_MAX`] stay. The newest always stays, the newest
/// that proved good always stays, and so does what lies ahead of the clock or has a name of another kind.
#[must_use]
pub fn superfluous(
    backups: &[(String, Proof)],
    now: Timestamp,
    offset_at: impl Fn(Timestamp) -> UtcOffset,
    daily: usize,
    weekly: usize,
) -> Vec<String> {
    let limit = now.plus(Duration::from_secs(AHEAD_SECONDS_MAX));
    let mut nightly: Vec<(Timestamp, &String, Proof)> = backups
        .iter()
        .filter_map(|(name, proof)| {
            let (_, at) = read_name(name).filter(|(beginning, _)| *beginning == NIGHTLY)?;
            Some((at, name, *proof))
        })
        .filter(|(at, ..)| *at <= limit)
        .collect();
    nightly.sort_by_key(|(_, name, _)| std::cmp::Reverse((age(name), *name)));
    let (mut good, mut either) = (Slots::new(daily, weekly), Slots::new(daily, weekly));
    let (mut failed, mut gone) = (0, Vec::new());
    for (index, (at, name, proof)) in nightly.into_iter().enumerate() {
        let date = at.to_utc().to_offset(offset_at(at)).date();
        let stays = match proof {
            Proof::Proven => {
                either.take(date);
                good.take(date)
            }
            Proof::Unproven => either.take(date),
            Proof::Failed => {
                failed += 1;
                failed <= FAILED_KEPT_MAX
            }
        };
        if index > 0 && !stays {
            gone.push(name.clone());
        }
    }
    gone
}

/// The days and weeks that have their backup, counted from the newest.
struct Slots {
    daily: usize,
    weekly: usize,
    days: BTreeSet<Date>,
    weeks: BTreeSet<(i32, u8)>,
    any: bool,
}

impl Slots {
    const fn new(daily: usize, weekly: usize) -> Self {
        Self { daily, weekly, days: BTreeSet::new(), weeks: BTreeSet::new(), any: false }
    }

    /// Whether the next one, of `date`, has a place: the first always has.
    fn take(&mut self, date: Date) -> bool {
        let (year, week, _) = date.to_iso_week_date();
        let first = !std::mem::replace(&mut self.any, true);
        let of_day = self.days.len() < self.daily && self.days.insert(date);
        let of_week = self.weeks.len() < self.weekly && self.weeks.insert((year, week));
        first || of_day || of_week
    }
}

#[cfg(test)]
mod tests;
