//! A time as people type it: how long ago, a clock time of today, a date, or a date with a time.

use std::fmt;
use std::time::Duration;

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use crate::Timestamp;

/// Digits of the number in `15m`.
const COUNT_DIGITS_MAX: usize = 5;
/// The units of how long ago it was, in seconds.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// A time, and the words that said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    said: String,
    at: Timestamp,
}

impl Moment {
    /// The point in time.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The moment `at` in the words of a place that lies `offset` from UTC, to the second.
    #[must_use]
    pub fn of(at: Timestamp, offset: UtcOffset) -> Self {
        let at = Timestamp::from_micros(at.unix_seconds().saturating_mul(1_000_000));
        let t = at.to_utc().checked_to_offset(offset).unwrap_or_else(|| at.to_utc());
        let (date, hour, minute, second) = (t.date(), t.hour(), t.minute(), t.second());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        let mut said = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}");
        if second != 0 {
            said.push_str(&format!(":{second:02}"));
        }
        Self { said, at }
    }

    /// Reads `said`; `late` takes the end of a day where only the day is named.
    pub(super) fn read(said: &str, now: Timestamp, offset: UtcOffset, late: bool) -> Option<Self> {
        let at = ago(said, now).or_else(|| clock(said, now, offset)).or_else(|| calendar(said, offset, late))?;
        Some(Self { said: said.to_owned(), at })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// `15m`: that long before `now`.
fn ago(said: &str, now: Timestamp) -> Option<Timestamp> {
    let unit = said.chars().next_back()?;
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let count = said.strip_suffix(unit)?;
    let count: u64 = (digits(count)? && count.len() <= COUNT_DIGITS_MAX).then(|| count.parse().ok())??;
    Some(now.minus(Duration::from_secs(count.saturating_mul(seconds))))
}

/// Whether there are digits and nothing else; `None` when there is nothing.
fn digits(text: &str) -> Option<bool> {
    (!text.is_empty()).then(|| text.bytes().all(|b| b.is_ascii_digit()))
}

/// `14:00` or `14:00:30`: that time of today.
fn clock(said: &str, now: Timestamp, offset: UtcOffset) -> Option<Timestamp> {
    let today = now.to_utc().checked_to_offset(offset)?.date();
    moment(today, time_of(said)?, offset)
}

/// `2026-11-21`, `2026-11-21T10:00`, and the same with seconds, a fraction and a zone.
fn calendar(said: &str, offset: UtcOffset, late: bool) -> Option<Timestamp> {
    let Some((date, time)) = said.split_once('T') else {
        let date = date_of(said)?;
        let from = moment(date, Time::MIDNIGHT, offset)?;
        return if late { Some(from.plus(Duration::from_micros(86_400_000_000 - 1))) } else { Some(from) };
    };
    match time_of(time) {
        Some(time) => moment(date_of(date)?, time, offset),
        None => Timestamp::parse(said).ok(),
    }
}

fn moment(date: Date, time: Time, offset: UtcOffset) -> Option<Timestamp> {
    Some(Timestamp::from_datetime(OffsetDateTime::new_in_offset(date, time, offset)))
}

/// Two numbers of two digits, or three.
fn time_of(text: &str) -> Option<Time> {
    let mut parts = text.split(':').map(|part| number(part, 2));
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    let byte = |n: u32| u8::try_from(n).ok();
    Time::from_hms(byte(hour)?, byte(minute)?, byte(second)?).ok()
}

fn date_of(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

fn number(text: &str, length: usize) -> Option<u32> {
    (text.len() == length && digits(text)?).then(|| text.parse().ok())?
}
