//! What each key may ask of the models in one day, and what it has asked.
//!
//! The day is that of UTC, as for money: a bound must not grow with a change of the clock. A call is let in while
//! anything is left and is counted when it is over, so the last one of a day may go over the bound by its own length.
//!
//! Every call that somebody was asked for is counted, whole or not: by the figures of the provider, and by an estimate
//! of what was read and given where it told none, broke off, or whoever asked went away. What was kept from before
//! costs nothing, and neither does what nobody was asked.
//!
//! Where there is a bound, the count is on the disk before the answer goes out. A key without one is counted beside its
//! answers, many of them in one write, since waiting for the disk takes longer than all the rest of a call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_core::trust::access::Principal;
use timmy_domain::Problem;
use timmy_domain::problem::Kind;
use timmy_domain::text::tokens_estimate;
use timmy_llm::{Answer, CascadeError, ChatRequest, Failure, Part, Stage, ToolCall, Usage};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::web::Web;

/// How long counts of keys without a bound are gathered before they are written, in milliseconds. As much is lost when
/// the process is killed.
const GATHER_MS: u64 = 250;
/// Tokens a picture counts for, as the cascade supposes.
const IMAGE_TOKENS: u64 = 800;

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

/// What a call reads.
#[derive(Clone, Copy)]
pub enum Read<'a> {
    /// A conversation.
    Request(&'a ChatRequest),
    /// Texts that become vectors.
    Texts(&'a [Part]),
}

impl Read<'_> {
    /// Its tokens, estimated.
    fn tokens(self) -> u64 {
        match self {
            Self::Texts(parts) => parts.iter().map(|part| tokens(&part.text)).sum(),
            Self::Request(request) => {
                let said = request.messages.iter().map(|message| {
                    let texts = message.parts.iter().map(|part| tokens(&part.text)).sum::<u64>();
                    texts + IMAGE_TOKENS * message.images.len() as u64 + of_calls(&message.tool_calls)
                });
                let tools = request
                    .tools
                    .iter()
                    .map(|tool| tokens(&tool.name) + tokens(&tool.description) + tokens(&tool.parameters.to_string()));
                said.sum::<u64>() + tools.sum::<u64>()
            }
        }
    }
}

fn tokens(text: &str) -> u64 {
    tokens_estimate(text) as u64
}

fn of_calls(calls: &[ToolCall]) -> u64 {
    calls.iter().map(|call| tokens(&call.name) + tokens(&call.arguments)).sum()
}

/// What the provider told, else an estimate: one that answers has read and written something.
fn told(tokens: u64, estimate: impl FnOnce() -> u64) -> u64 {
    if tokens == 0 { estimate() } else { tokens }
}

/// Whether a model that failed so was at work before.
const fn worked(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Timeout { stage: Stage::FirstToken | Stage::Stall | Stage::Total }
            | Failure::Malformed { .. }
            | Failure::TooLarge { .. }
            | Failure::ToolNotCalled
            | Failure::SpentUp { .. }
            | Failure::Outrun
            | Failure::Cancelled
    )
}

/// What a call that came to nothing cost; nothing when no model was at work.
fn lost(error: &CascadeError, read: Read<'_>) -> Option<u64> {
    let asked = !error.partial.is_empty() || error.attempts.iter().any(|attempt| worked(&attempt.failure));
    asked.then(|| read.tokens() + tokens(&error.partial))
}

/// A call under way. Dropped before it ends, since whoever asked went away, it counts what was read.
pub struct Meter<'a> {
    web: &'a Web,
    read: Read<'a>,
    /// Gone when the call is counted.
    spender: Option<Spender>,
}

impl<'a> Meter<'a> {
    /// A call that begins now.
    #[must_use]
    pub const fn begin(web: &'a Web, spender: Spender, read: Read<'a>) -> Self {
        Self { web, read, spender: Some(spender) }
    }

    /// Counts a whole answer.
    pub async fn answered(self, answer: &Answer) {
        let Usage { prompt_tokens, completion_tokens } = answer.usage;
        let written = || tokens(&answer.content) + of_calls(&answer.tool_calls);
        let tokens = match answer.cached {
            true => 0,
            false => told(prompt_tokens, || self.read.tokens()).saturating_add(told(completion_tokens, written)),
        };
        self.ends(tokens).await;
    }

    /// Counts vectors.
    pub async fn embedded(self, usage: Usage) {
        let read = told(usage.prompt_tokens, || self.read.tokens());
        self.ends(read.saturating_add(usage.completion_tokens)).await;
    }

    /// Counts what was given before it failed.
    pub async fn failed(mut self, error: &CascadeError) {
        match lost(error, self.read) {
            Some(tokens) => self.ends(tokens).await,
            None => self.spender = None,
        }
    }

    /// Where there is a bound, the count is on the disk when this is over.
    async fn ends(mut self, tokens: u64) {
        let writing = self.spender.take().and_then(|spender| spend(self.web, spender, tokens));
        if let Some(writing) = writing {
            // It says in the log what went wrong.
            let _ = writing.await;
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if let Some(spender) = self.spender.take() {
            // The server waits for it when it ends.
            drop(spend(self.web, spender, self.read.tokens()));
        }
    }
}

/// Adds a call to what the key has used, beside whoever asks, so that it is written even when he goes away. Gives what
/// is to be waited for where there is a bound. A count that cannot be written is told in the log and holds nobody up.
fn spend(web: &Web, spender: Spender, tokens: u64) -> Option<JoinHandle<()>> {
    // Calls are also dropped where nothing runs any more.
    let Ok(runtime) = Handle::try_current() else {
        tracing::warn!("what a key asked of the models could not be counted: everything ends");
        return None;
    };
    let (day, tokens) = (day(web), i64::try_from(tokens).unwrap_or(i64::MAX));
    let Spender { key, bounded } = spender;
    if bounded {
        let (of, counts) = (web.clone(), BTreeMap::from([((day, key), Count { calls: 1, tokens })]));
        return Some(web.sockets.spawn_on(async move { write(&of, counts).await }, &runtime));
    }
    if web.spending.add(day, key, tokens) {
        // The server waits for it when it ends.
        web.sockets.spawn_on(gather(web.clone()), &runtime);
    }
    None
}

/// Writes down what keys without a bound have used, until nothing is left to write.
async fn gather(web: Web) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(GATHER_MS)) => {}
            () = web.stop.cancelled() => {}
        }
        let Some(counts) = web.spending.take() else { return };
        write(&web, counts).await;
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
    use timmy_domain::Sensitivity;
    use timmy_llm::Attempt;

    use super::*;

    // shows: models: a gateway call that broke off costs what was read and given, and nothing when nobody was asked
    #[test]
    fn what_nobody_was_asked_costs_nothing() {
        let part = |text: &str| Part { text: text.to_owned(), sensitivity: Sensitivity::Open, droppable: false };
        let texts = [part("Good morning")];
        let costs = |failures: &[Failure], partial: &str| {
            let attempt = |failure: &Failure| Attempt {
                provider: "p".to_owned(),
                model: String::new(),
                failure: failure.clone(),
                duration_ms: 0,
            };
            let error = CascadeError { attempts: failures.iter().map(attempt).collect(), partial: partial.to_owned() };
            lost(&error, Read::Texts(&texts))
        };
        let what = || "x".to_owned();
        assert_eq!(costs(&[], ""), None, "there is no provider");
        let unasked = [
            Failure::Privacy { what: what() },
            Failure::Unreachable { what: what() },
            Failure::Timeout { stage: Stage::Connect },
            Failure::Resting { what: what() },
        ];
        assert_eq!(costs(&unasked, ""), None);
        assert_eq!(costs(&[Failure::Cancelled], ""), Some(3), "the model had begun to read");
        assert_eq!(costs(&[unasked[0].clone(), Failure::Timeout { stage: Stage::Stall }], ""), Some(3));
        assert_eq!(costs(&[Failure::ServerError { status: 500 }], "hello"), Some(5), "words were given");
    }

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
