//! Events: the log as a dense table below a filter that lives in the address and a histogram of what fits it.

use std::fmt;
use std::sync::Arc;

use askama::Template;
use askama::filters::HtmlSafe;
use timmy_domain::{Event, Record};

use super::filter::{FilterBox, encoded};
use super::histogram::Histogram;
use super::{Absent, Clock, Shell, State, Tone, When, asset, icon};
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
    /// Whether it is the one that the list is about.
    pub current: bool,
}

/// The shape of an event: its severity, and for Timmy's own words his symbol.
fn state_of(record: &Record, event: &Event) -> State {
    match event {
        Event::Thought(_) | Event::MessageReplied(_) => State::new(Tone::Voice, "thinking", record.severity.name()),
        _ => State::of_severity(record.severity),
    }
}

impl EventRow {
    /// A record of the log.
    #[must_use]
    pub fn of(record: &Record, clock: &Clock) -> Self {
        let event = record.event();
        Self {
            seq: record.seq,
            at: clock.log(record.at),
            state: state_of(record, &event),
            name: record.name.clone(),
            sentence: event.sentence(),
            actor: record.actor.clone(),
            cause: record.cause,
            current: false,
        }
    }

    /// A record of a list that is about the event at `about`.
    #[must_use]
    pub fn about(record: &Record, clock: &Clock, about: Option<i64>) -> Self {
        Self { current: about == Some(record.seq), ..Self::of(record, clock) }
    }

    /// The name as a part of an address.
    #[must_use]
    pub fn like(&self) -> String {
        encoded(&self.name)
    }
}

/// Rows for the live feed: `GET /swarm/events/rows?after=SEQ` with the filter of the page.
#[derive(Template)]
#[template(path = "parts/event_rows.html")]
pub struct EventRowsPart {
    /// The events after that one, newest first.
    pub rows: Vec<EventRow>,
    /// The page that goes on where these rows end, when more came than fit here.
    pub between: Option<String>,
}

/// One row alone.
#[derive(Template)]
#[template(path = "parts/event_row.html")]
pub struct EventRowPart {
    /// The row.
    pub row: EventRow,
}

/// One line of the log, drawn already. A row never changes, so it is drawn once and shown often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnRow {
    /// The row.
    pub row: EventRow,
    html: String,
}

impl DrawnRow {
    /// Draws a row.
    #[must_use]
    pub fn of(row: EventRow) -> Self {
        let part = EventRowPart { row };
        // Writing plain text into memory does not fail.
        let html = part.render().unwrap_or_default();
        Self { row: part.row, html }
    }

    /// What was drawn.
    #[must_use]
    pub fn html(&self) -> Drawn<'_> {
        Drawn(&self.html)
    }
}

/// What a template of this crate has drawn, and escaped, already.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a>(&'a str);

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

// It can only be made by drawing a row, above.
impl HtmlSafe for Drawn<'_> {}

/// The log. `GET /swarm/events`.
#[derive(Template)]
#[template(path = "events.html")]
pub struct EventsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The filter above the list.
    pub filter: FilterBox,
    /// The filter as a query without `?`, for the live rows and the export; may be empty.
    pub query: String,
    /// The pattern the live feed listens to: the filter's, or `*`.
    pub live: String,
    /// Whether the list stands still, such as around one moment.
    pub still: bool,
    /// What fits the filter over time; `None` when the filter was refused.
    pub histogram: Option<Histogram>,
    /// The rows, newest first.
    pub rows: Vec<Arc<DrawnRow>>,
    /// Why there is none; read when there is none.
    pub absent: Absent,
    /// How many of how many.
    pub summary: String,
    /// Where older rows are.
    pub older: Option<String>,
    /// Where newer rows are, when this page does not begin with the newest.
    pub newer: Option<String>,
    /// The same list in the terminal.
    pub cli: String,
}
