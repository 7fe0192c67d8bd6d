//! The log: a filtered list, the live rows, and one event with its causes and effects.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use timmy_core::pulse::Tone as PulseTone;
use timmy_domain::bus::Pattern;
use timmy_domain::text::cut;
use timmy_domain::{Actor, Problem, Record, Seq, Severity};
use timmy_store::{EventQuery, Reader, StoreError};

use super::{gather, shell};
use crate::ask::{Asked, Named, Window, no_such};
use crate::auth::Visit;
use crate::door::encoded;
use crate::errors::{Answer, Refusal, page};
use crate::look::event_page::{EventPage, chain, fields};
use crate::look::events::{EventFilter, EventRow, EventRowsPart, EventsPage};
use crate::look::{Absent, Clock, Histogram, Tone, words};
use crate::nav;
use crate::web::Web;

/// Events on one page.
const PAGE_EVENTS: usize = 100;
/// Steps of a cause chain that are shown.
const CAUSES_MAX: usize = 20;
/// Effects of an event that are shown.
const EFFECTS_SHOWN: usize = 20;
/// Effects of an event that are counted.
const EFFECTS_COUNTED_MAX: usize = 500;
/// Bars of the histogram, and minutes of each.
const BARS: usize = 30;
/// Minutes of one bar.
const BAR_MINUTES: u64 = 2;
/// Characters of words that are searched for.
const TEXT_CHARS_MAX: usize = 200;

/// What the list is narrowed to, as it stands in the address.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Narrow {
    #[serde(rename = "type")]
    pattern: Option<String>,
    severity: Option<String>,
    text: Option<String>,
    actor: Option<String>,
    before: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

impl Narrow {
    /// The window.
    pub fn window(&self) -> Window {
        Window { limit: self.limit.clone(), before: self.before.clone(), after: self.after.clone() }
    }

    fn filter(&self) -> EventFilter {
        let said = |field: &Option<String>| cut(field.as_deref().unwrap_or_default().trim(), TEXT_CHARS_MAX);
        EventFilter {
            pattern: said(&self.pattern),
            severity: self.severity.as_deref().and_then(|s| s.parse().ok()),
            text: said(&self.text),
            actor: said(&self.actor),
        }
    }

    /// The query of the store, without its window.
    ///
    /// # Errors
    /// When a part of the filter makes no sense.
    pub fn wanted(&self) -> Result<EventQuery, Problem> {
        let filter = self.filter();
        let refused = |what: String| {
            Problem::invalid("bad_filter", what, "Names are like watch.added; watch.* finds all below watch.")
        };
        let pattern = if filter.pattern.is_empty() { Ok(Pattern::All) } else { filter.pattern.parse() };
        let pattern = pattern.map_err(|e| refused(format!("`type` is {e}.")))?;
        if self.severity.as_deref().is_some_and(|s| !s.is_empty()) && filter.severity.is_none() {
            return Err(refused("`severity` is debug, info, warning or error.".to_owned()));
        }
        if !filter.actor.is_empty() && !Actor::ALL.iter().any(|a| a.name() == filter.actor) {
            return Err(refused("`actor` is owner, timmy, system or stranger.".to_owned()));
        }
        let some = |text: String| Some(text).filter(|t| !t.is_empty());
        Ok(EventQuery {
            pattern,
            severity_min: filter.severity,
            actor: some(filter.actor),
            text: some(filter.text),
            ..EventQuery::default()
        })
    }
}

/// The filter as a query, without a position.
fn query_of(filter: &EventFilter) -> String {
    let severity = filter.severity.map(Severity::name).unwrap_or_default();
    let parts =
        [("type", filter.pattern.as_str()), ("severity", severity), ("actor", &filter.actor), ("text", &filter.text)];
    let said = parts.into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

/// Rows of one page, newest first, and whether there are older and newer ones.
struct Page {
    records: Vec<Record>,
    older: bool,
    newer: bool,
    bars: Option<Vec<u64>>,
}

impl Page {
    fn read(
        r: &Reader<'_>,
        mut query: EventQuery,
        window: (Option<Seq>, Option<Seq>),
        count_from: Option<timmy_domain::Timestamp>,
    ) -> Result<Self, StoreError> {
        let (before, after) = window;
        (query.before, query.after, query.limit) = (before, after, PAGE_EVENTS + 1);
        query.newest_first = after.is_none();
        let mut records = r.events(&query)?;
        let more = records.len() > PAGE_EVENTS;
        records.truncate(PAGE_EVENTS);
        if after.is_some() {
            records.reverse();
        }
        let bars = count_from.map(|from| bars(r, from)).transpose()?;
        let (older, newer) = if after.is_some() { (true, more) } else { (more, before.is_some()) };
        Ok(Self { records, older, newer, bars })
    }
}

/// How many events each slice after `from` holds: positions have no gaps, so counting is subtracting.
fn bars(r: &Reader<'_>, from: timmy_domain::Timestamp) -> Result<Vec<u64>, StoreError> {
    let edge = |n: usize| r.seq_at(from.plus(Duration::from_secs(n as u64 * BAR_MINUTES * 60)));
    let edges = (0..=BARS).map(edge).collect::<Result<Vec<_>, _>>()?;
    Ok(edges.windows(2).map(|pair| u64::try_from(pair[1] - pair[0]).unwrap_or(0)).collect())
}

fn histogram(web: &Web, clock: &Clock, counts: &[u64]) -> Histogram {
    let hour = web.app.pulse.hour(clock.now);
    let minutes = hour.bars();
    let tone = |at: usize| {
        let span = minutes.len() / BARS;
        let worst = minutes[at * span..(at + 1) * span].iter().map(|m| m.tone).max().unwrap_or_default();
        match worst {
            PulseTone::Bad => Tone::Bad,
            PulseTone::Warn => Tone::Warn,
            PulseTone::Calm | PulseTone::Voice | PulseTone::Live => Tone::Calm,
        }
    };
    let bars: Vec<(u64, Tone)> = counts.iter().enumerate().map(|(at, count)| (*count, tone(at))).collect();
    let total: u64 = counts.iter().sum();
    let trouble = bars.iter().filter(|(_, tone)| *tone != Tone::Calm).count();
    let label = match trouble {
        0 => format!("{} events in the last hour, none of them a warning.", words::count(total)),
        n => format!("{} events in the last hour; trouble in {n} of {BARS} slices.", words::count(total)),
    };
    let marks = [60_u64, 45, 30, 15].map(|back| clock.minute(clock.now.minus(Duration::from_secs(back * 60))).text);
    Histogram { bars, label, axis: marks.into_iter().chain(["now".to_owned()]).collect() }
}

fn with(query: &str, rest: &str) -> String {
    if query.is_empty() { format!("/swarm/events?{rest}") } else { format!("/swarm/events?{query}&{rest}") }
}

/// `GET /swarm/events`.
pub async fn events(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    let (filter, window) = (narrow.filter(), narrow.window());
    let window = (window.before()?, window.after()?);
    let clock = web.clock();
    let (wanted, filter_problem) = match narrow.wanted() {
        Ok(wanted) => (Some(wanted), String::new()),
        Err(problem) => (None, problem.message.replace("`type`", "That name")),
    };
    let count_from = (!filter.is_on()).then(|| clock.now.minus(Duration::from_secs(BARS as u64 * BAR_MINUTES * 60)));
    let read = gather(&web, move |r| wanted.map(|query| Page::read(r, query, window, count_from)).transpose());
    let (around, found) = read.await?;
    let found = found.unwrap_or(Page { records: Vec::new(), older: false, newer: false, bars: None });
    let rows: Vec<EventRow> = found.records.iter().map(|record| EventRow::of(record, &clock)).collect();
    let query = query_of(&filter);
    let live =
        if filter.pattern.is_empty() || !filter_problem.is_empty() { "*".to_owned() } else { filter.pattern.clone() };
    let total = words::count(u64::try_from(around.last_seq).unwrap_or(0));
    let (first, last) = (rows.first().map(|r| r.seq), rows.last().map(|r| r.seq));
    page(&EventsPage {
        shell: shell(&web, &visit, &around, "/swarm/events"),
        filter_problem,
        live,
        histogram: found.bars.map(|counts| histogram(&web, &clock, &counts)),
        absent: Absent::empty(
            "No event fits this filter",
            "Names match exactly, or below a prefix with a star: watch.* finds watch.added.",
        )
        .act("Show all events", "/swarm/events"),
        summary: if rows.is_empty() {
            format!("None of {total} events.")
        } else {
            format!("{} of {total} events.", words::count(rows.len() as u64))
        },
        older: last.filter(|_| found.older).map(|seq| with(&query, &format!("before={seq}"))),
        newer: first.filter(|_| found.newer).map(|seq| with(&query, &format!("after={seq}"))),
        cli: cli(&filter, last),
        rows,
        query,
        filter,
    })
}

/// The same list in the terminal.
fn cli(filter: &EventFilter, last: Option<Seq>) -> String {
    let mut command = "timmy events query".to_owned();
    if !filter.pattern.is_empty() {
        command.push_str(&format!(" --type '{}'", filter.pattern.replace('\'', "")));
    }
    if let Some(last) = last {
        command.push_str(&format!(" --after {}", last - 1));
    }
    command
}

/// `GET /swarm/events/rows`: the events after one, newest first.
pub async fn rows(State(web): State<Web>, _: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    let after = narrow.window().after()?.unwrap_or(0);
    let mut query = narrow.wanted()?;
    (query.after, query.limit, query.newest_first) = (Some(after), PAGE_EVENTS, true);
    let records = web.app.ctx.store.read(move |r| r.events(&query)).await?;
    let clock = web.clock();
    page(&EventRowsPart { rows: records.iter().map(|record| EventRow::of(record, &clock)).collect() })
}

/// One event with its family.
struct Family {
    this: Record,
    causes: Vec<Record>,
    effects: Vec<Record>,
    previous: Option<Seq>,
    next: Option<Seq>,
}

impl Family {
    fn read(r: &Reader<'_>, seq: Seq) -> Result<Option<Self>, StoreError> {
        let Some(this) = r.event(seq)? else { return Ok(None) };
        let like = |before, after, newest_first| {
            let pattern = Pattern::Exact(this.name.clone());
            r.events(&EventQuery { before, after, newest_first, pattern, limit: 1, ..EventQuery::default() })
        };
        let previous = like(Some(seq), None, true)?.first().map(|e| e.seq);
        let next = like(None, Some(seq), false)?.first().map(|e| e.seq);
        Ok(Some(Self {
            causes: r.causes(seq, CAUSES_MAX)?,
            effects: r.effects(seq, EFFECTS_COUNTED_MAX)?,
            this,
            previous,
            next,
        }))
    }
}

/// `GET /swarm/events/{seq}`.
pub async fn event(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let seq: Seq = name.id("event")?;
    let (around, family) = gather(&web, move |r| Family::read(r, seq)).await?;
    let Some(Family { this, causes, mut effects, previous, next }) = family else {
        return Err(no_such("event", &name.0));
    };
    let effects_left = effects.len().saturating_sub(EFFECTS_SHOWN) as u64;
    effects.truncate(EFFECTS_SHOWN);
    let clock = web.clock();
    let mut shell = shell(&web, &visit, &around, "/swarm/events");
    shell.title = format!("Event {seq}");
    shell.above = nav::page("/swarm/events");
    let raw = serde_json::to_string_pretty(&this.envelope()).map_err(|error| {
        Refusal(Problem::unavailable(
            "page_failed",
            format!("The event could not be drawn: {error}."),
            "Load it again.",
        ))
    })?;
    page(&EventPage {
        shell,
        row: EventRow::of(&this, &clock),
        fields: fields(&this, &clock),
        source: this.source.clone(),
        hash: this.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        raw,
        chain: chain(&causes, &this, &effects, &clock),
        effects_left,
        previous,
        next,
    })
}
