//! Events: the log as a dense table with a filter that lives in the address.

use askama::Template;
use timmy_domain::{Event, Record, Severity};

use super::{Absent, Clock, Histogram, Shell, State, Tone, When, asset, icon};
use crate::nav;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its position.
    pub seq: i64,
    /// When.
    pub at: When,
    /// How bad it is: shape, word, tone.
    pub state: State,
    /// The dotted name.
    pub name: String,
    /// One sentence.
    pub sentence: String,
    /// Who did it.
    pub actor: String,
    /// The event that led here.
    pub cause: Option<i64>,
}

/// The shape of an event: its severity, and for Timmy's own words his symbol.
fn state_of(record: &Record) -> State {
    match record.event() {
        Event::Thought(_) | Event::MessageReplied(_) => State::new(Tone::Voice, "thinking", record.severity.name()),
        _ => State::of_severity(record.severity),
    }
}

impl EventRow {
    /// A record of the log.
    #[must_use]
    pub fn of(record: &Record, clock: &Clock) -> Self {
        Self {
            seq: record.seq,
            at: clock.log(record.at),
            state: state_of(record),
            name: record.name.clone(),
            sentence: record.event().sentence(),
            actor: record.actor.clone(),
            cause: record.cause,
        }
    }
}

/// What the list is narrowed to. Every field is shown back as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// A pattern over names; empty for all.
    pub pattern: String,
    /// The mildest severity shown; `None` for all.
    pub severity: Option<Severity>,
    /// Words in the body; empty for all.
    pub text: String,
    /// Who did it; empty for everybody.
    pub actor: String,
}

impl EventFilter {
    /// Whether anything is narrowed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }

    /// Whether `severity` is the chosen one.
    #[must_use]
    pub fn has(&self, severity: &Severity) -> bool {
        self.severity == Some(*severity)
    }

    /// Names and prefixes offered while a pattern is typed: `watch.*` and every name of the catalogue.
    #[must_use]
    pub fn offers() -> Vec<String> {
        let names = Event::catalogue().into_iter().map(|(name, ..)| name);
        let mut offers: Vec<String> = Vec::new();
        for name in names {
            let below = name.rsplit_once('.').map(|(prefix, _)| format!("{prefix}.*"));
            for offer in below.into_iter().chain([name.to_owned()]) {
                if !offers.contains(&offer) {
                    offers.push(offer);
                }
            }
        }
        offers.sort_unstable();
        offers
    }
}

/// Rows for the live feed: `GET /swarm/events/rows?after=SEQ` with the filter of the page.
#[derive(Template)]
#[template(path = "parts/event_rows.html")]
pub struct EventRowsPart {
    /// The events after that one, newest first.
    pub rows: Vec<EventRow>,
}

/// One row alone.
#[derive(Template)]
#[template(path = "parts/event_row.html")]
pub struct EventRowPart {
    /// The row.
    pub row: EventRow,
}

/// The log. `GET /swarm/events`.
#[derive(Template)]
#[template(path = "events.html")]
pub struct EventsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What the list is narrowed to.
    pub filter: EventFilter,
    /// Why the filter was refused; empty when it was not.
    pub filter_problem: String,
    /// The filter as a query without `?`, for the live rows; may be empty.
    pub query: String,
    /// The pattern the live feed listens to: the filter's, or `*`.
    pub live: String,
    /// The last hour; `None` when it was not counted.
    pub histogram: Option<Histogram>,
    /// The rows, newest first.
    pub rows: Vec<EventRow>,
    /// Why there is none; read when there is none.
    pub absent: Absent,
    /// How many of how many, and how far the chain is verified.
    pub summary: String,
    /// Where older rows are.
    pub older: Option<String>,
    /// Where newer rows are, when this page does not begin with the newest.
    pub newer: Option<String>,
    /// The same list in the terminal.
    pub cli: String,
}
