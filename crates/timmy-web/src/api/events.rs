//! The log for programs.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::{Record, Seq};
use timmy_store::{EVENTS_LIMIT_MAX, StoreError};
use tokio::sync::Mutex;

use super::json as answer;
use crate::ask::{Asked, Named, list, switch};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::pages::events::Narrow;
use crate::pages::events::one::no_such_event;
use crate::web::Web;

/// Events in a list when nobody says how many.
const USUAL: usize = 100;

/// Positions one call looks at when few of them fit; `next` then says where to go on.
const SCAN_ROWS_MAX: usize = 200_000;

/// Causes, and effects, that go along with one event.
const CHAIN_MAX: usize = 50;

/// From which end the list begins.
#[derive(Debug, Default, Deserialize)]
pub struct Direction {
    newest: Option<String>,
}

/// `GET /api/events?after=SEQ&type=PATTERN&limit=`: oldest first after SEQ; with `newest=true` newest first. `q` holds
/// the same filter as the page's box.
pub async fn events(
    State(web): State<Web>,
    _: Visit,
    Asked(narrow): Asked<Narrow>,
    Asked(direction): Asked<Direction>,
) -> Answer {
    let (window, clock) = (narrow.window(), web.clock());
    let (limit, newest) = (window.limit(USUAL)?, switch("newest", direction.newest.as_deref())?);
    let mut query = narrow.wanted(&clock)?;
    query.after = query.after.into_iter().chain(window.after()?).max();
    query.before = query.before.into_iter().chain(window.before()?).min();
    (query.limit, query.newest_first) = ((limit + 1).min(EVENTS_LIMIT_MAX), newest);
    let page = web.app.ctx.store.read(move |r| r.events_page(&query, SCAN_ROWS_MAX)).await?;
    let items: Vec<Value> = page.records.iter().map(Record::envelope).collect();
    let (count, mut listed) = (items.len(), list(items, limit, |envelope| envelope["seq"].clone()));
    if count <= limit && listed["next"].is_null() {
        // The look ended before the log did.
        listed["next"] = page.searched_to.into();
    }
    Ok(answer(&listed))
}

/// Whether the chain goes along.
#[derive(Debug, Default, Deserialize)]
pub struct Along {
    chain: Option<String>,
}

/// `GET /api/events/{seq}`; with `chain=true` also `causes`, oldest first, and `effects`.
pub async fn event(State(web): State<Web>, _: Visit, name: Named, Asked(along): Asked<Along>) -> Answer {
    let seq: Seq = name.id("event")?;
    let chain = switch("chain", along.chain.as_deref())?;
    let read = web.app.ctx.store.read(move |r| {
        let around =
            if chain { (r.causes(seq, CHAIN_MAX)?, r.effects(seq, CHAIN_MAX)?) } else { (Vec::new(), Vec::new()) };
        Ok((r.event(seq)?, around, r.removed_by(seq)?))
    });
    let (record, (causes, effects), removed_by) = read.await?;
    let missing = || no_such_event(&web, &name.0, removed_by);
    let mut envelope = record.ok_or_else(missing)?.envelope();
    if chain {
        let envelopes = |records: &[Record]| records.iter().map(Record::envelope).collect::<Vec<_>>();
        // The chain goes further back than what is kept.
        let oldest = causes.first().map_or(envelope["cause"].as_i64(), |cause| cause.cause);
        envelope["causes_begin_after"] = oldest.filter(|_| causes.len() < CHAIN_MAX).into();
        envelope["causes"] = envelopes(&causes).into();
        envelope["effects"] = envelopes(&effects).into();
    }
    Ok(answer(&envelope))
}

/// Does `work` when no other is being done, and to its end: a caller that goes away makes no room for another one.
async fn alone<T: Send + 'static>(
    turn: &Arc<Mutex<()>>,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let turn = Arc::clone(turn).lock_owned().await;
    let done = tokio::spawn(async move {
        let _turn = turn;
        work.await
    });
    done.await.unwrap_or_else(|error| Err(StoreError::Panicked { message: error.to_string() }))
}

/// `GET /api/events/verify`: the whole hash chain, and the first event that does not fit into it.
pub async fn verify(State(web): State<Web>, _: Visit) -> Answer {
    let store = web.app.ctx.store.clone();
    let report = alone(&web.verifying, async move { store.verify_chain(1).await }).await?;
    let first_bad = report.bad.as_ref().map(|bad| json!({"seq": bad.seq, "why": bad.finding}));
    let keys: Vec<Value> = report.keys.iter().map(|(id, since)| json!({"id": id, "since": since})).collect();
    Ok(answer(&json!({
        "ok": report.bad.is_none(),
        "rows": report.rows,
        "removed": report.removed,
        "checkpoints": report.checkpoints,
        "keys": keys,
        "last_seq": report.last_seq,
        "first_bad": first_bad,
    })))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    // shows: api: callers who hang up while the log is verified begin no second walk through it
    #[tokio::test]
    async fn whoever_hangs_up_makes_no_room_for_another_walk() {
        let (turn, walks, most) = (Arc::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let walk = || {
            let (walks, most) = (Arc::clone(&walks), Arc::clone(&most));
            async move {
                most.fetch_max(walks.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(walks.fetch_sub(1, Ordering::SeqCst))
            }
        };
        for _ in 0..9 {
            let hung_up = tokio::time::timeout(Duration::from_millis(5), alone(&turn, walk())).await;
            assert!(hung_up.is_err());
        }
        assert_eq!(walks.load(Ordering::SeqCst), 1, "the first one goes on to its end");
        assert_eq!(alone(&turn, walk()).await, Ok(1));
        assert_eq!((walks.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, 1));
    }
}
