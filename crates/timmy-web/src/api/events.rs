//! The log for programs.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::{Record, Seq};
use timmy_store::EVENTS_LIMIT_MAX;

use super::json as answer;
use crate::ask::{Asked, Named, list, no_such};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::pages::events::Narrow;
use crate::web::Web;

/// Events in a list when nobody says how many.
const USUAL: usize = 100;

/// Causes, and effects, that go along with one event.
const CHAIN_MAX: usize = 50;

/// From which end the list begins.
#[derive(Debug, Default, Deserialize)]
pub struct Direction {
    newest: Option<String>,
}

/// `GET /api/events?after=SEQ&type=PATTERN&limit=`: oldest first after SEQ; with `newest=true` newest first.
pub async fn events(
    State(web): State<Web>,
    _: Visit,
    Asked(narrow): Asked<Narrow>,
    Asked(direction): Asked<Direction>,
) -> Answer {
    let window = narrow.window();
    let (limit, newest) = (window.limit(USUAL)?, direction.newest.is_some_and(|n| n == "true" || n == "1"));
    let mut query = narrow.wanted()?;
    (query.after, query.before) = (window.after()?, window.before()?);
    (query.limit, query.newest_first) = ((limit + 1).min(EVENTS_LIMIT_MAX), newest);
    let records = web.app.ctx.store.read(move |r| r.events(&query)).await?;
    let items: Vec<Value> = records.iter().map(Record::envelope).collect();
    Ok(answer(&list(items, limit, |envelope| envelope["seq"].clone())))
}

/// Whether the chain goes along.
#[derive(Debug, Default, Deserialize)]
pub struct Along {
    chain: Option<String>,
}

/// `GET /api/events/{seq}`; with `chain=true` also `causes`, oldest first, and `effects`.
pub async fn event(State(web): State<Web>, _: Visit, name: Named, Asked(along): Asked<Along>) -> Answer {
    let seq: Seq = name.id("event")?;
    let chain = along.chain.is_some_and(|c| c == "true" || c == "1");
    let read = web.app.ctx.store.read(move |r| {
        let around =
            if chain { (r.causes(seq, CHAIN_MAX)?, r.effects(seq, CHAIN_MAX)?) } else { (Vec::new(), Vec::new()) };
        Ok((r.event(seq)?, around))
    });
    let (record, (causes, effects)) = read.await?;
    let mut envelope = record.ok_or_else(|| no_such("event", &name.0))?.envelope();
    if chain {
        let envelopes = |records: &[Record]| records.iter().map(Record::envelope).collect::<Vec<_>>();
        envelope["causes"] = envelopes(&causes).into();
        envelope["effects"] = envelopes(&effects).into();
    }
    Ok(answer(&envelope))
}

/// `GET /api/events/verify`: the whole hash chain, and the first event that does not fit into it.
pub async fn verify(State(web): State<Web>, _: Visit) -> Answer {
    let _one_at_a_time = web.verifying.lock().await;
    let report = web.app.ctx.store.verify_chain(1).await?;
    let first_bad = report.bad.as_ref().map(|bad| json!({"seq": bad.seq, "why": bad.finding}));
    Ok(answer(
        &json!({"ok": report.bad.is_none(), "rows": report.rows, "last_seq": report.last_seq, "first_bad": first_bad}),
    ))
}
