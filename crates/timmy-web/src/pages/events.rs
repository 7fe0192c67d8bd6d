//! The log: a filtered list with its histogram, the live rows, and what happened around one event.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use timmy_domain::bus::Pattern;
use timmy_domain::filter::{EventFilter, Moment, Token, nearest_name};
use timmy_domain::{Record, Seq};
use timmy_store::{EventPage, EventQuery, Reader, StoreError};

use super::{gather, gather_here, shell};
use crate::ask::{Asked, no_such, position};
use crate::auth::Visit;
use crate::errors::{Answer, page, show};
use crate::look::events::{DrawnRow, EventRow, EventRowsPart, EventsPage};
use crate::look::filter::{FilterBox, query as query_text};
use crate::look::{Absent, Clock, words};
use crate::web::Web;

pub mod bars;
pub mod export;
pub mod narrow;
pub mod newest;
pub mod one;

use bars::{Counted, Span, Wanted};
pub use narrow::Narrow;
use narrow::{Refused, query};

/// Events on one page, and on each side of the one that a page is about.
const PAGE_EVENTS: usize = 50;
/// Positions one page looks through for words that are rare; from there it goes on at a press.
const SCAN_ROWS_MAX: usize = 200_000;
/// How far around an event a page about its moment looks, in seconds.
const AROUND_SECONDS: u64 = 30;

/// What the page wants beside the filter.
#[derive(Debug, Default, Deserialize)]
pub struct Extra {
    span: Option<String>,
    around: Option<String>,
}

/// Where in the log the page stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// At its end, or before a position.
    Before(Option<Seq>),
    /// Behind a position.
    After(Seq),
    /// Around an event.
    Around(Seq),
}

/// Rows of one page, newest first, and where to go on.
struct Page {
    rows: Vec<Arc<DrawnRow>>,
    /// Older events lie before this position.
    older: Option<Seq>,
    /// Newer events lie behind this position.
    newer: Option<Seq>,
    /// How far back was looked, when that was not to the beginning.
    looked_to: Option<Seq>,
    counted: Counted,
    wanted: Wanted,
    filter: EventFilter,
    about: Option<Seq>,
}

impl Page {
    fn read(
        web: &Web,
        r: &Reader<'_>,
        filter: EventFilter,
        place: Place,
        span: Span,
        clock: Clock,
    ) -> Result<Option<Self>, StoreError> {
        let (filter, about) = match place {
            Place::Around(seq) => match r.event(seq)? {
                Some(event) => (around(&filter, &event, &clock), Some(seq)),
                None => return Ok(None),
            },
            Place::Before(_) | Place::After(_) => (filter, None),
        };
        let stretch = |before, after, newest_first| Stretch::read(r, &filter, before, after, newest_first);
        let draw = |record: &Record| Arc::new(DrawnRow::of(EventRow::about(record, &clock, about)));
        let drawn = |found: &[Record]| found.iter().map(draw).collect::<Vec<_>>();
        let mut looked_to = None;
        let (rows, older, newer) = match place {
            Place::Before(None) if filter.is_empty() => {
                let (rows, older) = web.newest.rows(r, &clock)?;
                (rows, older, None)
            }
            Place::After(after) => {
                let found = stretch(None, Some(after), false)?;
                let oldest = found.records.last().map_or(after + 1, |record| record.seq);
                (drawn(&found.records), Some(oldest), found.on)
            }
            Place::Around(seq) => {
                let (mut above, below) = (stretch(None, Some(seq - 1), false)?, stretch(Some(seq), None, true)?);
                above.records.extend(below.records);
                (drawn(&above.records), below.on, above.on)
            }
            Place::Before(before) => {
                let found = stretch(before, None, true)?;
                looked_to = found.on.filter(|_| found.records.len() < PAGE_EVENTS);
                let newest = found.records.first().map(|record| record.seq).or(before.map(|seq| seq - 1));
                (drawn(&found.records), found.on, newest.filter(|_| before.is_some()))
            }
        };
        let wanted = Wanted::new(&filter, span, clock);
        let counted = wanted.count(&web.tallies, r)?;
        Ok(Some(Self { rows, older, newer, looked_to, counted, wanted, filter, about }))
    }
}

/// Neighbouring rows, newest first, and where to go on in the direction they were looked for.
struct Stretch {
    records: Vec<Record>,
    on: Option<Seq>,
}

impl Stretch {
    fn read(
        r: &Reader<'_>,
        filter: &EventFilter,
        before: Option<Seq>,
        after: Option<Seq>,
        newest_first: bool,
    ) -> Result<Self, StoreError> {
        let mut query = query(filter);
        query.before = query.before.into_iter().chain(before).min();
        query.after = query.after.into_iter().chain(after).max();
        (query.limit, query.newest_first) = (PAGE_EVENTS + 1, newest_first);
        let EventPage { mut records, searched_to } = r.events_page(&query, SCAN_ROWS_MAX)?;
        let more = records.len() > PAGE_EVENTS;
        records.truncate(PAGE_EVENTS);
        let on = if more { records.last().map(|record| record.seq) } else { searched_to };
        if !newest_first {
            records.reverse();
        }
        Ok(Self { records, on })
    }
}

/// The filter with the times around `event`, to the second and on both sides no less than wanted.
fn around(filter: &EventFilter, event: &Record, clock: &Clock) -> EventFilter {
    let back = Duration::from_secs(AROUND_SECONDS);
    filter
        .with(Token::Since(Moment::of(event.at.minus(back), clock.offset)))
        .with(Token::Until(Moment::of(event.at.plus(back + Duration::from_secs(1)), clock.offset)))
}

/// The list at another place, under the same filter.
fn with(query: &str, rest: &str) -> String {
    if query.is_empty() { format!("/swarm/events?{rest}") } else { format!("/swarm/events?{query}&{rest}") }
}

/// `GET /swarm/events`.
pub async fn events(
    State(web): State<Web>,
    visit: Visit,
    Asked(narrow): Asked<Narrow>,
    Asked(extra): Asked<Extra>,
) -> Answer {
    let window = narrow.window();
    let place = match (position("around", extra.around.as_deref())?, window.after()?) {
        (Some(seq), _) => Place::Around(seq),
        (None, Some(after)) => Place::After(after),
        (None, None) => Place::Before(window.before()?),
    };
    let clock = web.clock();
    let filter = match narrow.filter(&clock) {
        Ok(filter) => filter,
        Err(refused) => return explained(&web, &visit, &narrow, refused).await,
    };
    let (span, inside) = (Span::of(extra.span.as_deref()), web.clone());
    // The newest rows, with a histogram that is known but for the last moments, are found at once.
    let quick = filter.is_empty() && matches!(place, Place::Before(None)) && web.tallies.know(&filter, span, clock.now);
    let work = move |r: &Reader<'_>| Page::read(&inside, r, filter, place, span, clock);
    let (around, found) = if quick { gather_here(&web, work).await? } else { gather(&web, work).await? };
    let found = found.ok_or_else(|| no_such("event", extra.around.as_deref().unwrap_or_default()))?;
    let query = query_text(&found.filter);
    let total = words::count(u64::try_from(around.last_seq).unwrap_or(0));
    let newer = found.newer.map(|seq| with(&query, &format!("after={seq}")));
    let drawn = EventsPage {
        shell: shell(&web, &visit, &around, "/swarm/events"),
        live: found.filter.pattern().map_or_else(|| "*".to_owned(), Pattern::to_string),
        // What was narrowed to a moment does not grow.
        still: newer.is_some() || found.filter.until().is_some() || found.filter.before().is_some(),
        histogram: Some(found.wanted.drawn(&found.counted)),
        absent: absent(&found.filter),
        summary: match (found.rows.len(), found.about, found.looked_to) {
            (0, _, Some(seq)) => format!("None found back to event {seq}."),
            (n, _, Some(seq)) => format!("{} of {total} events, back to event {seq}.", words::count(n as u64)),
            (0, _, None) => format!("None of {total} events."),
            (_, Some(seq), None) => format!("{AROUND_SECONDS} seconds around event {seq}, newest first."),
            (n, None, None) => format!("{} of {total} events.", words::count(n as u64)),
        },
        older: found.older.map(|seq| with(&query, &format!("before={seq}"))),
        newer,
        cli: cli(&found.filter),
        filter: FilterBox::of(&found.filter),
        query,
        rows: found.rows,
    };
    show(&visit, &drawn)
}

/// The page of a filter that was refused: what was typed, and why.
async fn explained(web: &Web, visit: &Visit, narrow: &Narrow, refused: Refused) -> Answer {
    let (around, ()) = gather(web, |_| Ok(())).await?;
    let filter = match refused {
        Refused::Text(error) => FilterBox::refused(&narrow.typed(), &error),
        Refused::Field(problem) => FilterBox {
            text: narrow.typed(),
            problem: problem.message.replace("`type`", "That name"),
            hint: problem.hint,
            chips: Vec::new(),
        },
    };
    let drawn = EventsPage {
        shell: shell(web, visit, &around, "/swarm/events"),
        filter,
        query: String::new(),
        live: "*".to_owned(),
        still: true,
        histogram: None,
        rows: Vec::new(),
        absent: Absent::empty("The filter was not understood", "Correct it above; the log is as it was.")
            .act("Show all events", "/swarm/events"),
        summary: String::new(),
        older: None,
        newer: None,
        cli: cli(&EventFilter::default()),
    };
    show(visit, &drawn)
}

fn absent(filter: &EventFilter) -> Absent {
    if filter.is_empty() {
        return Absent::empty("Nothing happened yet", "The first event appears here.");
    }
    let slip = match filter.pattern() {
        Some(Pattern::Exact(name)) => nearest_name(name).map(|near| (name, near)),
        _ => None,
    };
    let text = match slip {
        Some((name, near)) => format!("No event is called {name}. The nearest is {near}."),
        None => "Take a part of the filter away, or look at more of the past.".to_owned(),
    };
    Absent::empty("No event fits this filter", text).act("Show all events", "/swarm/events")
}

/// The same list in the terminal.
fn cli(filter: &EventFilter) -> String {
    if filter.is_empty() {
        return "timmy events tail".to_owned();
    }
    format!("timmy events query --filter '{}'", filter.to_string().replace('\'', "'\\''"))
}

/// `GET /swarm/events/rows`: the newest events after one, newest first, and where to find the others.
pub async fn rows(State(web): State<Web>, _: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    let (after, clock) = (narrow.window().after()?.unwrap_or(0), web.clock());
    let mut query: EventQuery = narrow.wanted(&clock)?;
    let filter = narrow.filter(&clock).map(|filter| query_text(&filter)).unwrap_or_default();
    query.after = Some(query.after.unwrap_or(0).max(after));
    (query.limit, query.newest_first) = (PAGE_EVENTS + 1, true);
    let mut records = web.app.ctx.store.read(move |r| r.events(&query)).await?;
    let more = records.len() > PAGE_EVENTS;
    records.truncate(PAGE_EVENTS);
    let oldest = records.last().map(|record| record.seq).filter(|_| more);
    let between = oldest.map(|seq| with(&filter, &format!("before={seq}")));
    page(&EventRowsPart { rows: records.iter().map(|record| EventRow::of(record, &clock)).collect(), between })
}
