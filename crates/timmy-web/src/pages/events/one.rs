//! One event with its family: what led to it, what came of it, and its neighbours of the same name.

use axum::extract::State;
use timmy_domain::bus::Pattern;
use timmy_domain::text::{cut, one_line, plural};
use timmy_domain::{Problem, Record, Seq, Timestamp};
use timmy_store::{EventQuery, Reader, StoreError};

use crate::ask::{Named, no_such};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal, show};
use crate::look::event_page::{EventPage, chain, fields};
use crate::look::events::EventRow;
use crate::nav;
use crate::pages::{gather, shell};
use crate::web::Web;

/// Steps of a cause chain that are shown.
const CAUSES_MAX: usize = 20;
/// Effects of an event that are shown.
const EFFECTS_SHOWN: usize = 20;
/// Effects of an event that are counted.
const EFFECTS_COUNTED_MAX: usize = 500;

/// The refusal of an event that is not there: whether it never was, or left the log by `removed_by`.
#[must_use]
pub fn no_such_event(web: &Web, name: &str, removed_by: Option<Timestamp>) -> Refusal {
    let Some(by) = removed_by else { return no_such("event", name) };
    let retention = &web.app.ctx.settings.retention;
    let kept = |days: u64| if days == 0 { "for ever".to_owned() } else { plural(days, "day", "days") };
    let hint = format!(
        "Events for the operator are kept {}, those that help to find a fault {}; what concerns you stays.",
        kept(retention.operator_days),
        kept(retention.debug_days)
    );
    let day = web.clock().short(by).full;
    let message =
        format!("Event {} is no longer kept: it was removed on {day} at the latest.", cut(&one_line(name), 20));
    Problem::unknown("removed", message, hint).into()
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
    /// The family of the event at `seq`; when it is not there, by when it left the log.
    fn read(r: &Reader<'_>, seq: Seq) -> Result<Result<Self, Option<Timestamp>>, StoreError> {
        let Some(this) = r.event(seq)? else { return Ok(Err(r.removed_by(seq)?)) };
        let like = |before, after, newest_first| {
            let pattern = Pattern::Exact(this.name.clone());
            r.events(&EventQuery { before, after, newest_first, pattern, limit: 1, ..EventQuery::default() })
        };
        let previous = like(Some(seq), None, true)?.first().map(|e| e.seq);
        let next = like(None, Some(seq), false)?.first().map(|e| e.seq);
        Ok(Ok(Self {
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
    let Family { this, causes, mut effects, previous, next } =
        family.map_err(|removed_by| no_such_event(&web, &name.0, removed_by))?;
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
    let drawn = EventPage {
        shell,
        row: EventRow::of(&this, &clock),
        fields: fields(&this, &clock),
        source: this.source.clone(),
        hash: this.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        raw,
        beyond: causes.first().unwrap_or(&this).cause.filter(|_| causes.len() < CAUSES_MAX),
        chain: chain(&causes, &this, &effects, &clock),
        effects_left,
        previous,
        next,
    };
    show(&visit, &drawn)
}
