//! Times in a sentence: "tomorrow at 9", "in 2 hours", "on Friday", "by 24 December".

use std::time::Duration;

use time::{Date, Month, OffsetDateTime, Time, UtcOffset, Weekday};

use super::Due;
use super::words::{Word, after};
use crate::Timestamp;

/// The hour of a day for which none was named.
const DAY_HOUR: u8 = 9;
/// Days ahead that can be named by a number.
const AHEAD_DAYS_MAX: u64 = 3_660;
/// Months among which one has a 29th, a 30th or a 31st that is still to come.
const MONTHS_LOOK: usize = 3;
/// Words that one time may have.
const TIME_WORDS_MAX: usize = 8;

/// Now, and how far the wall clock is from UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) now: Timestamp,
    pub(super) offset: UtcOffset,
}

impl Clock {
    fn local(self) -> OffsetDateTime {
        let now = self.now.to_utc();
        now.checked_to_offset(self.offset).unwrap_or(now)
    }

    fn at(self, date: Date, time: Time) -> Due {
        Due { at: Timestamp::from_datetime(OffsetDateTime::new_in_offset(date, time, self.offset)), wall: true }
    }
}

/// The time that `words` begin with, and what stands behind it.
pub(super) fn at_start<'w, 'a>(words: &'w [Word<'a>], clock: Clock) -> Option<(Due, &'w [Word<'a>])> {
    (1..=words.len().min(TIME_WORDS_MAX)).rev().find_map(|length| {
        let due = whole(words.get(..length)?, clock)?;
        Some((due, words.get(length..)?))
    })
}

/// The time that `words` end with, and what stands before it.
pub(super) fn at_end<'w, 'a>(words: &'w [Word<'a>], clock: Clock) -> Option<(Due, &'w [Word<'a>])> {
    (1..=words.len().min(TIME_WORDS_MAX)).rev().find_map(|length| {
        let from = words.len() - length;
        let due = whole(words.get(from..)?, clock)?;
        let before = words.get(..from)?;
        // "every Sunday" is no moment.
        let again = before.last().is_some_and(|word| word.low == "every" || word.low == "each");
        (!again).then_some((due, before))
    })
}

/// Whether `words` are nothing but a time.
pub(super) fn is_only_that(words: &[Word<'_>]) -> bool {
    whole(words, Clock { now: Timestamp::from_micros(0), offset: UtcOffset::UTC }).is_some()
}

/// The time that `words` are, as a whole.
fn whole(words: &[Word<'_>], clock: Clock) -> Option<Due> {
    let mut rest = words;
    while let Some(next) = ["by", "on", "for", "until", "before", "due", "this", "starting", "from"]
        .iter()
        .find_map(|word| after(rest, &[word]))
    {
        rest = next;
    }
    if rest.is_empty() {
        return None;
    }
    if let Some(next) = after(rest, &["in"]) {
        return span(next, clock);
    }
    let bare = rest.len() == words.len();
    let local = clock.local();
    if let Some((date, time)) = time_first(rest, clock) {
        return Some(clock.at(date, time));
    }
    let (date, hint, rest) = match day(rest, clock) {
        Some((date, hint, rest)) => (Some(date), hint, rest),
        None => (None, None, rest),
    };
    let time = match rest {
        [] => hint.or(Time::from_hms(DAY_HOUR, 0, 0).ok())?,
        _ => time_of_day(rest, date.is_some() || !bare)?,
    };
    if let Some(date) = date {
        return Some(clock.at(date, time));
    }
    let today = if time > local.time() { local.date() } else { local.date().next_day()? };
    Some(clock.at(today, time))
}

/// "5pm today", "at 9 on Friday".
fn time_first(words: &[Word<'_>], clock: Clock) -> Option<(Date, Time)> {
    (1..words.len()).find_map(|cut| {
        let time = time_of_day(words.get(..cut)?, true)?;
        let rest = words.get(cut..)?;
        let (date, _, rest) = day(after(rest, &["on"]).unwrap_or(rest), clock)?;
        rest.is_empty().then_some((date, time))
    })
}

/// "2 hours", "half an hour", "a week", "an hour and a half".
fn span(words: &[Word<'_>], clock: Clock) -> Option<Due> {
    if after(words, &["half", "an", "hour"]).is_some_and(<[_]>::is_empty) {
        return Some(Due { at: clock.now.plus(Duration::from_secs(1_800)), wall: false });
    }
    let (words, half) = match words {
        [count, unit, and, a, half] if and.low == "and" && a.low == "a" && half.low == "half" => {
            (vec![count, unit], true)
        }
        [count, and, a, half, unit] if and.low == "and" && a.low == "a" && half.low == "half" => {
            (vec![count, unit], true)
        }
        _ => (words.iter().collect(), false),
    };
    let (count, unit) = match words[..] {
        [count, unit] => (number(&count.low)?, unit),
        [a, couple, of, unit] if a.low == "a" && couple.low == "couple" && of.low == "of" => (2, unit),
        [a, few, unit] if a.low == "a" && few.low == "few" => (3, unit),
        _ => return None,
    };
    let seconds = match unit.low.trim_end_matches('s') {
        "minute" | "min" => 60,
        "hour" | "hr" | "h" => 3_600,
        "day" => 86_400,
        "week" => 7 * 86_400,
        "month" => 30 * 86_400,
        _ => return None,
    };
    let seconds = count.checked_mul(seconds)?.checked_add(if half { seconds / 2 } else { 0 })?;
    (seconds <= AHEAD_DAYS_MAX * 86_400).then(|| Due { at: clock.now.plus(Duration::from_secs(seconds)), wall: false })
}

fn number(word: &str) -> Option<u64> {
    const WORDS: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    if word == "a" || word == "an" {
        return Some(1);
    }
    let found = WORDS.iter().position(|known| *known == word).and_then(|at| u64::try_from(at).ok());
    found.or_else(|| (word.len() <= 4).then(|| word.parse().ok()).flatten())
}

type Day<'w, 'a> = (Date, Option<Time>, &'w [Word<'a>]);

/// A day, the hour that its word implies, and what stands behind it.
fn day<'w, 'a>(words: &'w [Word<'a>], clock: Clock) -> Option<Day<'w, 'a>> {
    let today = clock.local().date();
    let (first, rest) = words.split_first()?;
    let hour = |hour: u8| Time::from_hms(hour, 0, 0).ok();
    match first.low.as_str() {
        "today" => return Some((today, hour(18), rest)),
        "tonight" => return Some((today, hour(20), rest)),
        "evening" => return rest.is_empty().then_some((today, hour(19), rest)),
        "afternoon" => return rest.is_empty().then_some((today, hour(15), rest)),
        "tomorrow" => return Some((today.next_day()?, None, rest)),
        _ => {}
    }
    if let Some(rest) =
        after(words, &["the", "day", "after", "tomorrow"]).or_else(|| after(words, &["day", "after", "tomorrow"]))
    {
        return Some((today.next_day()?.next_day()?, None, rest));
    }
    if let Some(rest) = after(words, &["end", "of", "day"]).or_else(|| after(words, &["eod"])) {
        return Some((today, hour(18), rest));
    }
    if let Some(rest) = after(words, &["next", "week"]) {
        return Some((today.checked_add(time::Duration::days(7))?, None, rest));
    }
    if let Some(rest) = after(words, &["next", "month"]) {
        return Some((today.checked_add(time::Duration::days(30))?, None, rest));
    }
    let named = after(words, &["next"]).unwrap_or(words);
    if let Some((day, rest)) = named.split_first().and_then(|(word, rest)| Some((weekday(&word.low)?, rest))) {
        let ahead =
            (7 + i64::from(day.number_days_from_monday()) - i64::from(today.weekday().number_days_from_monday())) % 7;
        let ahead = if ahead == 0 { 7 } else { ahead };
        return Some((today.checked_add(time::Duration::days(ahead))?, None, rest));
    }
    day_of_month(words, today).or_else(|| calendar(words, today))
}

/// "the 30th": the next day with that number.
fn day_of_month<'w, 'a>(words: &'w [Word<'a>], today: Date) -> Option<Day<'w, 'a>> {
    let rest = after(words, &["the"])?;
    let (word, behind) = rest.split_first()?;
    if behind.first().is_some_and(|next| next.low == "of" || month(&next.low).is_some()) {
        return None;
    }
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.low.strip_suffix(end))?;
    let wanted = digits.parse::<u8>().ok()?;
    // Not every month has a 31st.
    let mut at = today.replace_day(1).ok()?;
    for _ in 0..MONTHS_LOOK {
        if let Ok(date) = at.replace_day(wanted)
            && date >= today
        {
            return Some((date, None, behind));
        }
        at = at.checked_add(time::Duration::days(31))?.replace_day(1).ok()?;
    }
    None
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" | "tues" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" | "thurs" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" | "sat" => Weekday::Saturday,
        "sunday" | "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn month(word: &str) -> Option<Month> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let at = MONTHS.iter().position(|name| *name == word || word.len() == 3 && name.starts_with(word))?;
    Month::try_from(u8::try_from(at + 1).ok()?).ok()
}

/// `2026-12-24`, "24 December", "December 24th", "24 Dec 2027".
fn calendar<'w, 'a>(words: &'w [Word<'a>], today: Date) -> Option<Day<'w, 'a>> {
    let (first, rest) = words.split_first()?;
    if let [year, month, day] = first.low.split('-').collect::<Vec<_>>()[..] {
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        let date = Date::from_calendar_date(
            year.parse().ok().filter(|year| (1_000..=9_999).contains(year))?,
            month,
            day.parse().ok()?,
        );
        return Some((date.ok()?, None, rest));
    }
    let rest = if first.low == "the" { rest } else { words };
    let [one, two, more @ ..] = rest else { return None };
    let (one, two, more) = if two.low == "of" { (one, more.first()?, more.get(1..)?) } else { (one, two, more) };
    let ordinal = |word: &str| {
        let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        (digits.len() <= 2).then(|| digits.parse::<u8>().ok()).flatten()
    };
    let (day, month) = match (ordinal(&one.low), month(&two.low)) {
        (Some(day), Some(month)) => (day, month),
        _ => (ordinal(&two.low)?, month(&one.low)?),
    };
    let year = more.first().filter(|word| word.low.len() == 4).and_then(|word| word.low.parse::<i32>().ok());
    let more = if year.is_some() { more.get(1..)? } else { more };
    let date = Date::from_calendar_date(year.unwrap_or(today.year()), month, day).ok()?;
    let date = if year.is_none() && date < today { date.replace_year(today.year() + 1).ok()? } else { date };
    Some((date, None, more))
}

/// "at 9", "9am", "at 17:30", "at noon", "morning". A bare number needs `at` or a day before it.
fn time_of_day(words: &[Word<'_>], day_named: bool) -> Option<Time> {
    let (said_at, words) = match after(words, &["at"]).or_else(|| after(words, &["around"])) {
        Some(rest) => (true, rest),
        None => (false, words),
    };
    let words = after(words, &["in", "the"]).or_else(|| after(words, &["the"])).unwrap_or(words);
    let hms = |hour: u8, minute: u8| Time::from_hms(hour, minute, 0).ok();
    let (first, half) = match words {
        [one] => (one, None),
        [one, two] if two.low == "am" || two.low == "pm" => (one, Some(two.low.as_str())),
        [one, two] if two.low == "o'clock" => (one, None),
        _ => return None,
    };
    match first.low.as_str() {
        "noon" => return hms(12, 0),
        // That of a day ends it; by itself it is the next one.
        "midnight" if day_named => return hms(23, 59),
        "midnight" => return hms(0, 0),
        "morning" if day_named => return hms(9, 0),
        "afternoon" if day_named => return hms(15, 0),
        "evening" | "night" if day_named => return hms(19, 0),
        _ => {}
    }
    let (digits, half) = match (first.low.strip_suffix("am"), first.low.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some("am")),
        (_, Some(digits)) => (digits, Some("pm")),
        _ => (first.low.as_str(), half),
    };
    let (hour, minute) = match digits.split_once([':', '.']) {
        Some((hour, minute)) if minute.len() == 2 => (hour.parse::<u8>().ok()?, minute.parse::<u8>().ok()?),
        Some(_) => return None,
        None if said_at || half.is_some() => (digits.parse::<u8>().ok()?, 0),
        None => return None,
    };
    match half {
        Some(_) if hour == 0 || hour > 12 => None,
        Some("am") => hms(hour % 12, minute),
        Some(_) => hms(hour % 12 + 12, minute),
        None => hms(hour, minute),
    }
}
