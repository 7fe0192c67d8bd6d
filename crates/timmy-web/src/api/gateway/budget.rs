//! What each key may ask of the models in one day, and what it has asked.
//!
//! The day is that of UTC, as for money: a bound must not grow with a change of the clock. A call is let in while
//! anything is left and is counted when it is over, so the last one of a day may go over the bound by its own length.
//!
//! Where there is a bound, the count is on the disk before the answer goes out. A key without one is counted beside its
//! answers, many of them in one write, since waiting for the disk takes longer than all the rest of a call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_core::trust::access::Principal;
use timmy_domain::Problem;
use timmy_domain::problem::Kind;
use timmy_llm::Usage;

use crate::web::Web;

/// How long counts of keys without a bound are gathered before they are written, in milliseconds. As much is lost when
/// the process is killed.
const GATHER_MS: u64 = 250;

/// Whose calls are counted, and how.
pub struct Spender {
    key: String,
    bounded: bool,
}

impl Spender {
    /// The key that `principal` came with.
    #[must_use]
    pub fn of(principal: &Principal) -> Self {
        Self { key: key(principal), bounded: principal.model_tokens_per_day.is_some() }
    }
}

/// Under which word the spending of a key stands.
fn key(principal: &Principal) -> String {
    format!("gateway {}", principal.name)
}

fn day(web: &Web) -> String {
    web.app.ctx.now().to_utc().date().to_string()
}

/// Whether the key still may.
///
/// # Errors
/// When its tokens of today are used up, or the store cannot be read.
pub async fn check(web: &Web, principal: &Principal) -> Result<(), Problem> {
    let Some(bound) = principal.model_tokens_per_day else { return Ok(()) };
    let (day, key) = (day(web), key(principal));
    let spent = web.app.ctx.store.read_here(move |r| r.spent(&day, &key)).await.map_err(|e| e.problem())?;
    if u64::try_from(spent.tokens).unwrap_or(0) < bound {
        return Ok(());
    }
    let now = web.app.ctx.now().unix_seconds();
    let left = u64::try_from(86_400 - now.rem_euclid(86_400)).unwrap_or(86_400);
    Err(Problem::new(
        Kind::TooMany,
        "token_budget",
        format!("This key has used its {bound} tokens of today ({} asked).", spent.calls),
        "It may ask again after midnight UTC; a key with another bound is made by `timmy token create`.",
    )
    .retry_after(left))
}

/// What keys without a bound have used and what is not written down yet.
#[derive(Default)]
pub struct Tally(Mutex<Unwritten>);

/// Counts by day and key. There are as many keys as the owner made.
#[derive(Default)]
struct Unwritten {
    counts: BTreeMap<(String, String), Count>,
    /// Whether somebody writes.
    busy: bool,
}

#[derive(Clone, Copy, Default)]
struct Count {
    calls: i64,
    tokens: i64,
}

impl Tally {
    fn inside(&self) -> MutexGuard<'_, Unwritten> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call. Says whether whoever adds has to have it written down.
    fn add(&self, day: String, key: String, tokens: i64) -> bool {
        let mut inside = self.inside();
        let count = inside.counts.entry((day, key)).or_default();
        count.calls = count.calls.saturating_add(1);
        count.tokens = count.tokens.saturating_add(tokens);
        !std::mem::replace(&mut inside.busy, true)
    }

    /// What is to be written; nothing when all is.
    fn take(&self) -> Option<BTreeMap<(String, String), Count>> {
        let mut inside = self.inside();
        inside.busy = !inside.counts.is_empty();
        inside.busy.then(|| std::mem::take(&mut inside.counts))
    }
}

/// Adds a call to what the key has used. A count that cannot be written is told in the log and holds nobody up.
pub async fn note(web: &Web, spender: Spender, usage: Usage) {
    let day = day(web);
    let tokens = i64::try_from(usage.prompt_tokens.saturating_add(usage.completion_tokens)).unwrap_or(i64::MAX);
    let Spender { key, bounded } = spender;
    if bounded {
        write(web, BTreeMap::from([((day, key), Count { calls: 1, tokens })])).await;
    } else if web.spending.add(day, key, tokens) {
        let of = web.clone();
        // The server waits for it when it ends.
        web.sockets.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(GATHER_MS)) => {}
                    () = of.stop.cancelled() => {}
                }
                let Some(counts) = of.spending.take() else { return };
                write(&of, counts).await;
            }
        });
    }
}

async fn write(web: &Web, counts: BTreeMap<(String, String), Count>) {
    let written = web.app.ctx.store.write(move |tx| {
        counts.iter().try_for_each(|((day, key), count)| tx.spend(day, key, count.calls, count.tokens).map(|_| ()))
    });
    if let Err(error) = written.await {
        tracing::warn!(%error, "what a key asked of the models could not be counted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_gathered_while_others_are_written_and_none_is_lost() {
        let tally = Tally::default();
        let add = |key: &str| tally.add("2026-01-01".to_owned(), key.to_owned(), 7);
        assert!(add("a"), "the first one writes");
        assert!(!add("a") && !add("b"), "while somebody writes, the others only add");
        let taken = tally.take().expect("counts");
        let rows: Vec<_> = taken.iter().map(|((_, key), c)| (key.as_str(), c.calls, c.tokens)).collect();
        assert_eq!(rows, [("a", 2, 14), ("b", 1, 7)]);
        assert!(!add("a"), "it is still being written");
        assert_eq!(tally.take().expect("counts").len(), 1);
        assert!(tally.take().is_none());
        assert!(add("a"), "the next one writes again");
    }
}
