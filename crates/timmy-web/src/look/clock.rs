//! Times in the words of the house, at the place of the house.

use std::fmt::Write as _;

use time::{Date, OffsetDateTime, UtcOffset};
use timmy_domain::Timestamp;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Writes `14:11:52`. A list of events has hundreds of times, so this does without the general formatter.
fn clock_time(out: &mut String, t: OffsetDateTime) {
    joined(out, &[t.hour(), t.minute(), t.second()]);
}

/// Two digits each, with colons between.
fn joined(out: &mut String, numbers: &[u8]) {
    for (at, number) in numbers.iter().enumerate() {
        if at > 0 {
            out.push(':');
        }
        out.push(char::from(b'0' + number / 10));
        out.push(char::from(b'0' + number % 10));
    }
}

/// The moment a page is drawn and the offset of the machine's own time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// When the page is drawn.
    pub now: Timestamp,
    /// How far local time lies from UTC.
    pub offset: UtcOffset,
}

/// A time for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// RFC 3339 in UTC.
    pub iso: String,
    /// The words shown.
    pub text: String,
    /// The whole date and time in words, shown on request.
    pub full: String,
}

impl Clock {
    fn local(&self, at: Timestamp) -> OffsetDateTime {
        at.to_utc().checked_to_offset(self.offset).unwrap_or_else(|| at.to_utc())
    }

    fn when(&self, at: Timestamp, text: String) -> When {
        Self::told(at, self.local(at), text)
    }

    /// [`Self::when`], for whoever has the local time already.
    fn told(at: Timestamp, t: OffsetDateTime, text: String) -> When {
        let mut full = String::with_capacity(40);
        full.push_str(WEEKDAYS[usize::from(t.weekday().number_days_from_monday())]);
        let _ = write!(full, " {} {} {}, ", t.day(), MONTHS[usize::from(u8::from(t.month())) - 1], t.year());
        clock_time(&mut full, t);
        When { iso: at.to_string(), text, full }
    }

    fn hm(&self, at: Timestamp) -> String {
        Self::hm_of(self.local(at))
    }

    fn hm_of(t: OffsetDateTime) -> String {
        let mut text = String::with_capacity(5);
        joined(&mut text, &[t.hour(), t.minute()]);
        text
    }

    fn hms(&self, at: Timestamp) -> String {
        let t = self.local(at);
        format!("{:02}:{:02}:{:02}", t.hour(), t.minute(), t.second())
    }

    fn day_month(&self, at: Timestamp) -> String {
        let t = self.local(at);
        format!("{} {}", t.day(), &t.month().to_string()[..3])
    }

    fn date(&self, at: Timestamp) -> Date {
        self.local(at).date()
    }

    /// The day and the offset by which times are told: two clocks with the same ones tell the same words of a time
    /// that names no distance.
    #[must_use]
    pub fn place(&self) -> (Date, UtcOffset) {
        (self.date(self.now), self.offset)
    }

    /// Hour and minute: `14:12`.
    #[must_use]
    pub fn minute(&self, at: Timestamp) -> When {
        let t = self.local(at);
        Self::told(at, t, Self::hm_of(t))
    }

    /// Hour, minute and second: `14:11:52`.
    #[must_use]
    pub fn second(&self, at: Timestamp) -> When {
        self.when(at, self.hms(at))
    }

    /// As a line of the log tells it: `14:11:52` today, `19 Nov 14:11` before.
    #[must_use]
    pub fn log(&self, at: Timestamp) -> When {
        let t = self.local(at);
        if t.date() != self.date(self.now) {
            return Self::told(at, t, format!("{} {}", self.day_month(at), self.hm(at)));
        }
        let mut text = String::with_capacity(8);
        clock_time(&mut text, t);
        Self::told(at, t, text)
    }

    /// The present moment as a part of a file's name: `2026-11-20-1412`.
    #[must_use]
    pub fn file_name(&self) -> String {
        let t = self.local(self.now);
        format!("{}-{:02}{:02}", t.date(), t.hour(), t.minute())
    }

    /// As a field for a day and a time writes it: `2026-11-20T14:12`.
    #[must_use]
    pub fn field(&self, at: Timestamp) -> String {
        let t = self.local(at);
        format!("{}T{:02}:{:02}", t.date(), t.hour(), t.minute())
    }

    /// What such a field says; `None` when it is no time. Without an offset it is a time at the place of the house.
    #[must_use]
    pub fn typed(&self, text: &str) -> Option<Timestamp> {
        let (hours, minutes, _) = self.offset.as_hms();
        let sign = if hours < 0 || minutes < 0 { '-' } else { '+' };
        let offset = format!("{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs());
        let whole = |seconds: &str| Timestamp::parse(&format!("{text}{seconds}{offset}")).ok();
        Timestamp::parse(text).ok().or_else(|| whole(":00")).or_else(|| whole(""))
    }

    /// The hour a time lies in, as `14:00`.
    #[must_use]
    pub fn hour(&self, at: Timestamp) -> String {
        format!("{:02}:00", self.local(at).hour())
    }

    /// The hour a time lies in, to tell one hour from another.
    #[must_use]
    pub fn which_hour(&self, at: Timestamp) -> (Date, u8) {
        let t = self.local(at);
        (t.date(), t.hour())
    }

    /// The hour with its date, for the id of a heading: `2026-11-20T14`.
    #[must_use]
    pub fn hour_id(&self, at: Timestamp) -> String {
        let t = self.local(at);
        format!("{}T{:02}", t.date(), t.hour())
    }

    /// The day: `Today`, `Yesterday`, `Friday 20 November`, with the year when it is another one.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> String {
        let (today, day) = (self.date(self.now), self.date(at));
        if day == today {
            return "Today".to_owned();
        }
        if day.next_day() == Some(today) {
            return "Yesterday".to_owned();
        }
        let words = format!("{} {} {}", day.weekday(), day.day(), day.month());
        if day.year() == today.year() { words } else { format!("{words} {}", day.year()) }
    }

    /// As short as the distance allows: `14:12`, `yesterday 14:12`, `20 Nov 14:12`.
    #[must_use]
    pub fn short(&self, at: Timestamp) -> When {
        let (today, day) = (self.date(self.now), self.date(at));
        let text = if day == today {
            self.hm(at)
        } else if day.next_day() == Some(today) {
            format!("yesterday {}", self.hm(at))
        } else {
            format!("{} {}", self.day_month(at), self.hm(at))
        };
        self.when(at, text)
    }

    /// The edge of a slice of time that is `step_seconds` long: `14:11:30`, `14:10`, `19 Nov 14:00`, `19 Nov`.
    #[must_use]
    pub fn edge(&self, at: Timestamp, step_seconds: u64) -> String {
        let today = self.date(at) == self.date(self.now);
        match step_seconds {
            86_400.. => self.day_month(at),
            0..60 if today => self.hms(at),
            0..60 => format!("{} {}", self.day_month(at), self.hms(at)),
            _ if today => self.hm(at),
            _ => format!("{} {}", self.day_month(at), self.hm(at)),
        }
    }

    /// How long ago: `now`, `12 s ago`, `4 min ago`, `3 h ago`, and the short time beyond a day.
    #[must_use]
    pub fn ago(&self, at: Timestamp) -> When {
        let seconds = self.now.since(at).as_secs();
        let text = match seconds {
            0..5 => "now".to_owned(),
            5..60 => format!("{seconds} s ago"),
            60..3_600 => format!("{} min ago", seconds / 60),
            3_600..86_400 => format!("{} h ago", seconds / 3_600),
            _ => return self.short(at),
        };
        self.when(at, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn clock() -> Clock {
        let now = Timestamp::parse("2026-11-20T13:12:40Z").unwrap_or_default();
        Clock { now, offset: UtcOffset::from_hms(1, 0, 0).unwrap_or(UtcOffset::UTC) }
    }

    #[test]
    fn times_are_told_at_the_place_of_the_house() {
        let c = clock();
        assert_eq!(c.minute(c.now).text, "14:12");
        assert_eq!(c.second(c.now).text, "14:12:40");
        assert_eq!(c.second(c.now).full, "Friday 20 November 2026, 14:12:40");
        assert_eq!(c.minute(c.now).iso, "2026-11-20T13:12:40.000000Z");
        assert_eq!(c.hour_id(c.now), "2026-11-20T14");
    }

    #[test]
    fn the_past_gets_shorter_words_the_nearer_it_is() {
        let c = clock();
        let ago = |seconds: u64| c.ago(c.now.minus(Duration::from_secs(seconds))).text;
        assert_eq!([ago(0), ago(12), ago(250), ago(7_300)], ["now", "12 s ago", "4 min ago", "2 h ago"]);
        assert_eq!(ago(86_400), "yesterday 14:12");
        assert_eq!(ago(86_400 * 3), "17 Nov 14:12");
        assert_eq!(c.log(c.now.minus(Duration::from_secs(86_400))).text, "19 Nov 14:12");
    }

    #[test]
    fn days_have_names() {
        let c = clock();
        let day = |days: u64| c.day(c.now.minus(Duration::from_secs(86_400 * days)));
        assert_eq!([day(0), day(1), day(4)], ["Today", "Yesterday", "Monday 16 November"]);
        assert_eq!(day(400), "Thursday 16 October 2025");
        // Midnight is local: 00:30 here is still yesterday in UTC.
        let early = Timestamp::parse("2026-11-19T23:30:00Z").unwrap_or_default();
        assert_eq!(c.day(early), "Today");
    }
}
