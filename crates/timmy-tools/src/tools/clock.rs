//! The time: what it is, how long between two moments, and what it will be, on the owner's clock or another's.

use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, UtcOffset};
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::{Timestamp, text};

use crate::ToolError;
use crate::tool::outcome::Outcome;
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec, args};

/// How far a wall clock is from UTC at a moment.
pub type Offsets = dyn Fn(Timestamp) -> UtcOffset + Send + Sync;

/// Characters the name of a time zone may have.
const ZONE_CHARS_MAX: usize = 64;

/// Local times without an offset, as people write them.
const LOCAL_FORMS: [&[BorrowedFormatItem<'_>]; 4] = [
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]"),
];

/// A local day.
const DAY_FORM: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// How a moment is shown.
const SHOWN: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday] [year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]"
);

/// What is asked.
#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    /// What to do.
    pub act: Act,
    /// The moment it is about; now when it is empty.
    #[serde(default)]
    pub at: String,
    /// The other moment of a difference; now when it is empty.
    #[serde(default)]
    pub until: String,
    /// The time zone, such as `Europe/Berlin`; the owner's when it is empty.
    #[serde(default)]
    pub zone: String,
    /// Months to add.
    #[serde(default)]
    pub months: i64,
    /// Days to add.
    #[serde(default)]
    pub days: i64,
    /// Minutes to add.
    #[serde(default)]
    pub minutes: i64,
}

/// What to do with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Tell a moment.
    Tell,
    /// Tell how long from one moment until another.
    Difference,
    /// Tell the moment some time after another.
    Add,
}

/// The time as a tool.
pub struct Clock(ToolSpec);

impl Default for Clock {
    fn default() -> Self {
        let moment = "A moment such as 2026-11-21, 2026-11-21 14:30 or 2026-11-21T14:30:00+01:00; empty for now.";
        let count = |about: &str| json!({"type": "integer", "minimum": -5_000_000, "maximum": 5_000_000, "default": 0, "description": about});
        let text =
            |about: &str| json!({"type": "string", "maxLength": ZONE_CHARS_MAX, "default": "", "description": about});
        let properties = json!({
            "act": {"type": "string", "enum": ["tell", "difference", "add"], "default": "tell", "description":
                "tell says what moment it is; difference says how long from at until until; add says what moment is months, days and minutes after at."},
            "at": text(moment),
            "until": text(moment),
            "zone": text("A time zone such as Europe/Berlin; empty for the owner's."),
            "months": count("Months to add."),
            "days": count("Days to add."),
            "minutes": count("Minutes to add."),
        });
        let about =
            "Tells the time and the calendar, measures how long it is between two moments, and adds time to one.";
        Self(ToolSpec::new("time", RiskClass::Compute, Taint::Own, about, &properties, &[]))
    }
}

impl Tool for Clock {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn plan<'a>(&'a self, given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move { Ok(scope.plan(&self.0, given)) })
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let told = answer(&args(plan)?, running.now, &*running.offsets);
            let text = told.map_err(|(argument, finding)| ToolError::BadArgument {
                tool: self.0.name.clone(),
                argument: argument.to_owned(),
                finding,
            })?;
            Ok(Outcome { text, ..Outcome::default() })
        })
    }
}

/// Answers `question` at the moment `now` of a clock that is `offsets` from UTC.
///
/// # Errors
/// Which argument is wrong, and what is wrong with it.
pub fn answer(question: &Question, now: Timestamp, offsets: &Offsets) -> Result<String, (&'static str, String)> {
    let named = if question.zone.is_empty() { None } else { Some(zone(&question.zone).map_err(|why| ("zone", why))?) };
    let of_named = move |at: Timestamp| named.as_ref().map_or(UtcOffset::UTC, |zone| offset(zone, at));
    let offsets: &Offsets = if question.zone.is_empty() { offsets } else { &of_named };
    let at = moment(&question.at, now, offsets).map_err(|why| ("at", why))?;
    match question.act {
        Act::Tell => Ok(shown(at, offsets)),
        Act::Difference => {
            let until = moment(&question.until, now, offsets).map_err(|why| ("until", why))?;
            Ok(format!("From {} until {}: {}", shown(at, offsets), shown(until, offsets), between(at, until, offsets)))
        }
        Act::Add => added(at, question, offsets).map(|at| shown(at, offsets)),
    }
}

fn local(at: Timestamp, offsets: &Offsets) -> OffsetDateTime {
    at.to_utc().to_offset(offsets(at))
}

fn shown(at: Timestamp, offsets: &Offsets) -> String {
    let local = local(at, offsets);
    let told = local.format(SHOWN).unwrap_or_default();
    format!("{told} (week {}, UTC {at})", local.iso_week())
}

/// The moment `typed` names.
fn moment(typed: &str, now: Timestamp, offsets: &Offsets) -> Result<Timestamp, String> {
    if typed.is_empty() {
        return Ok(now);
    }
    if let Ok(at) = Timestamp::parse(typed) {
        return Ok(at);
    }
    let local = LOCAL_FORMS.iter().find_map(|form| PrimitiveDateTime::parse(typed, form).ok());
    let day = || Date::parse(typed, DAY_FORM).ok().map(Date::midnight);
    let expected = || "must be a moment such as 2026-11-21, 2026-11-21 14:30 or 2026-11-21T14:30:00+01:00".to_owned();
    Ok(from_local(local.or_else(day).ok_or_else(expected)?, offsets))
}

/// The moment at which the wall clock shows `local`. Of two, the earlier; in a gap, as if the clock had not been put on.
fn from_local(local: PrimitiveDateTime, offsets: &Offsets) -> Timestamp {
    let as_utc = Timestamp::from_datetime(local.assume_utc());
    let by = |offset: UtcOffset| {
        Timestamp::from_micros(as_utc.micros().saturating_sub(i64::from(offset.whole_seconds()) * 1_000_000))
    };
    // The offset of the moment itself is one of those a day before and a day after.
    let day = std::time::Duration::from_secs(86_400);
    let (before, after) = (offsets(as_utc.minus(day)), offsets(as_utc.plus(day)));
    let fits = |offset: &UtcOffset| offsets(by(*offset)) == *offset;
    by([before, after].into_iter().find(fits).unwrap_or(before))
}

/// Calendar time is added on the wall clock and keeps its hour; minutes are added as they pass.
fn added(at: Timestamp, question: &Question, offsets: &Offsets) -> Result<Timestamp, (&'static str, String)> {
    let local = local(at, offsets);
    let far = |name| move || (name, "leads beyond the years that are counted".to_owned());
    let months = i64::from(local.year()) * 12 + i64::from(u8::from(local.month())) - 1;
    let months = months.checked_add(question.months).ok_or_else(far("months"))?;
    let year = i32::try_from(months.div_euclid(12))
        .ok()
        .filter(|year| (1..=9_998).contains(year))
        .ok_or_else(far("months"))?;
    let month = u8::try_from(months.rem_euclid(12) + 1).ok().and_then(|month| Month::try_from(month).ok());
    let month = month.ok_or_else(far("months"))?;
    let day = local.day().min(month.length(year));
    let date = Date::from_calendar_date(year, month, day).map_err(|_| far("months")())?;
    let date = date
        .checked_add(Duration::days(question.days))
        .filter(|date| (1..=9_998).contains(&date.year()))
        .ok_or_else(far("days"))?;
    let start = if date == local.date() { at } else { from_local(date.with_time(local.time()), offsets) };
    let micros = question.minutes.checked_mul(60_000_000).and_then(|more| start.micros().checked_add(more));
    let end = micros
        .map(Timestamp::from_micros)
        .filter(|at| (1..=9_998).contains(&at.to_utc().year()) && *at != Timestamp::EPOCH);
    end.ok_or_else(far("minutes"))
}

fn between(from: Timestamp, until: Timestamp, offsets: &Offsets) -> String {
    let (first, last, sign) = if until >= from { (from, until, "") } else { (until, from, "minus ") };
    let seconds = last.since(first).as_secs();
    let parts = [
        (seconds / 86_400, "day", "days"),
        (seconds / 3_600 % 24, "hour", "hours"),
        (seconds / 60 % 60, "minute", "minutes"),
        (seconds % 60, "second", "seconds"),
    ];
    let told: Vec<String> =
        parts.iter().filter(|part| part.0 > 0).map(|(n, one, many)| text::plural(*n, one, many)).collect();
    let told = if told.is_empty() { "no time".to_owned() } else { told.join(" ") };
    let days = (local(last, offsets).date() - local(first, offsets).date()).whole_days().unsigned_abs();
    format!("{sign}{told} ({sign}{seconds} seconds; {} on the calendar)", text::plural(days, "day", "days"))
}

/// The rules of the time zone `name`, from the files of this system.
fn zone(name: &str) -> Result<tz::TimeZone, String> {
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c));
    let unknown = || {
        format!(
            "is no time zone this system knows: {:?}; an example is Europe/Berlin",
            text::cut(&text::one_line(name), 60)
        )
    };
    if name.len() > ZONE_CHARS_MAX
        || !name.split('/').all(is_part)
        || name.starts_with(|c: char| !c.is_ascii_alphabetic())
    {
        return Err(unknown());
    }
    let path = format!("/usr/share/zoneinfo/{name}");
    tz::TimeZone::from_posix_tz(&path).map_err(|_| unknown())
}

fn offset(zone: &tz::TimeZone, at: Timestamp) -> UtcOffset {
    let kind = zone.find_local_time_type(at.unix_seconds()).ok();
    kind.and_then(|kind| UtcOffset::from_whole_seconds(kind.ut_offset()).ok()).unwrap_or(UtcOffset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Summer time from 2026-03-29 01:00 UTC until 2026-10-25 01:00 UTC, one hour ahead otherwise.
    fn berlin(at: Timestamp) -> UtcOffset {
        let summer =
            Timestamp::parse("2026-03-29T01:00:00Z").unwrap()..Timestamp::parse("2026-10-25T01:00:00Z").unwrap();
        UtcOffset::from_hms(if summer.contains(&at) { 2 } else { 1 }, 0, 0).unwrap()
    }

    fn ask(question: serde_json::Value) -> String {
        let now = Timestamp::parse("2026-11-21T13:30:00Z").unwrap();
        let question = serde_json::from_value(question).unwrap();
        answer(&question, now, &berlin).unwrap_or_else(|(argument, why)| format!("{argument} {why}"))
    }

    // shows: hands: The time is told on the owner's clock, across changes of the clock and the calendar
    #[test]
    fn time_is_told_added_and_measured_on_the_owners_clock() {
        use serde_json::json;
        let table = [
            (json!({"act": "tell"}), "Saturday 2026-11-21 14:30:00 +01:00 (week 47, UTC 2026-11-21T13:30:00.000000Z)"),
            (json!({"act": "tell", "at": "2026-07-01 12:00"}), "Wednesday 2026-07-01 12:00:00 +02:00 (week 27, "),
            (json!({"act": "tell", "at": "2026-03-29 02:30"}), "Sunday 2026-03-29 03:30:00 +02:00"),
            (json!({"act": "tell", "at": "2026-10-25 02:30"}), "Sunday 2026-10-25 02:30:00 +02:00"),
            (json!({"act": "add", "at": "2026-01-31", "months": 1}), "Saturday 2026-02-28 00:00:00 +01:00"),
            (json!({"act": "add", "at": "2026-03-28 12:00", "days": 1}), "Sunday 2026-03-29 12:00:00 +02:00"),
            (json!({"act": "add", "at": "2026-03-28 12:00", "minutes": 1440}), "Sunday 2026-03-29 13:00:00 +02:00"),
            (json!({"act": "add", "at": "2026-01-15", "months": -13}), "Sunday 2024-12-15"),
        ];
        for (question, answer) in table {
            let told = ask(question.clone());
            assert!(told.starts_with(answer), "{question}: {told}");
        }
        let week = ask(json!({"act": "difference", "at": "2026-10-24 12:00", "until": "2026-10-26 12:00"}));
        assert!(week.ends_with(": 2 days 1 hour (176400 seconds; 2 days on the calendar)"), "{week}");
        let past = ask(json!({"act": "difference", "until": "2026-11-21 14:29"}));
        assert!(past.ends_with(": minus 1 minute (minus 60 seconds; 0 days on the calendar)"), "{past}");
    }

    #[test]
    fn what_is_no_moment_and_no_zone_is_named() {
        use serde_json::json;
        for (question, start) in [
            (json!({"act": "tell", "at": "tomorrow"}), "at must be a moment"),
            (json!({"act": "tell", "at": "2026-02-30"}), "at must be a moment"),
            (json!({"act": "difference", "until": "x"}), "until must be a moment"),
            (json!({"act": "add", "months": i64::MAX}), "months leads beyond"),
            (json!({"act": "add", "days": 99_999_999}), "days leads beyond"),
            (json!({"act": "add", "minutes": i64::MAX}), "minutes leads beyond"),
            (json!({"act": "tell", "zone": "../../etc/passwd"}), "zone is no time zone"),
            (json!({"act": "tell", "zone": "/etc/passwd"}), "zone is no time zone"),
            (json!({"act": "tell", "zone": ":x"}), "zone is no time zone"),
            (json!({"act": "tell", "zone": "Nowhere/Land"}), "zone is no time zone"),
        ] {
            let told = ask(question.clone());
            assert!(told.starts_with(start), "{question}: {told}");
        }
    }
}
