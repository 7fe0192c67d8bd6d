//! One event: its fields, how it came to it, and what came of it.

use askama::Template;
use serde_json::Value;
use timmy_domain::{Record, Timestamp, text};

use super::events::EventRow;
use super::{Clock, Fact, Shell, asset, icon, words};
use crate::nav;

/// Characters of a field shown before the raw record is the better place to read it.
const FIELD_CHARS_MAX: usize = 400;
/// The deepest indent that is drawn; what lies deeper stays on this edge.
const DEPTH_MAX: usize = 6;

/// One step of the cause chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The event.
    pub row: EventRow,
    /// How far it is indented, 0 to 6.
    pub depth: usize,
    /// Whether it is the one the page is about.
    pub current: bool,
}

/// The cause chain: `causes` oldest first, then the event itself, then its direct `effects`.
#[must_use]
pub fn chain(causes: &[Record], this: &Record, effects: &[Record], clock: &Clock) -> Vec<Link> {
    let above = causes.len().min(DEPTH_MAX - 1);
    let link =
        |record, depth: usize, current| Link { row: EventRow::of(record, clock), depth: depth.min(DEPTH_MAX), current };
    let mut out: Vec<Link> = causes.iter().enumerate().map(|(at, cause)| link(cause, at.min(above), false)).collect();
    out.push(link(this, above, true));
    out.extend(effects.iter().map(|effect| link(effect, above + 1, false)));
    out
}

/// The typed fields of a record: what its body carries, ids as links, times and durations in words.
#[must_use]
pub fn fields(record: &Record, clock: &Clock) -> Vec<Fact> {
    let body = serde_json::from_str(&record.data).unwrap_or(Value::Null);
    let Value::Object(map) = body else { return Vec::new() };
    let told = |value: &Value| !value.is_null() && value.as_str() != Some("");
    // What was said or thought comes first; the rest stands as the record orders it.
    let rank = |name: &str| u8::from(!matches!(name, "content" | "message" | "summary"));
    let mut told: Vec<_> = map.iter().filter(|(_, value)| told(value)).collect();
    told.sort_by_key(|(name, _)| rank(name));
    told.into_iter().map(|(name, value)| field(name, value, clock)).collect()
}

fn field(name: &str, value: &Value, clock: &Clock) -> Fact {
    let label = words::title(name);
    let shown = match value {
        Value::String(text) => text::cut(&text::clean(text), FIELD_CHARS_MAX),
        Value::Array(items) => {
            let items = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            text::cut(&text::clean(&items.collect::<Vec<_>>().join(", ")), FIELD_CHARS_MAX)
        }
        other => text::cut(&other.to_string(), FIELD_CHARS_MAX),
    };
    match (name, value) {
        ("thought_id" | "parent_id", Value::String(id)) => Fact::new(label, shown).mono().to(format!("/thinking/{id}")),
        ("event_seq" | "last_seq", Value::Number(seq)) => {
            Fact::new(label, shown).mono().to(format!("/swarm/events/{seq}"))
        }
        ("duration_ms", Value::Number(ms)) => Fact::new("Took", words::duration_ms(ms.as_i64().unwrap_or(0))),
        ("until", Value::String(at)) => Fact::new(label, Timestamp::parse(at).map_or(shown, |at| clock.short(at).full)),
        ("path" | "fingerprint" | "message_id" | "answers", _) => Fact::new(label, shown).mono(),
        _ => Fact::new(label, shown),
    }
}

/// One event. `GET /swarm/events/{seq}`.
#[derive(Template)]
#[template(path = "event.html")]
pub struct EventPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The event as a row.
    pub row: EventRow,
    /// Its typed fields.
    pub fields: Vec<Fact>,
    /// Which part of the house said so.
    pub source: String,
    /// The hash of the row, in hexadecimal digits.
    pub hash: String,
    /// The whole record as indented JSON.
    pub raw: String,
    /// How it came to it, and what came of it.
    pub chain: Vec<Link>,
    /// What led to the first link, when it is no longer kept.
    pub beyond: Option<i64>,
    /// Effects that are not shown because there are too many.
    pub effects_left: u64,
    /// The event of the same name before it.
    pub previous: Option<i64>,
    /// The event of the same name after it.
    pub next: Option<i64>,
}
