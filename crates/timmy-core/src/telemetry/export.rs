//! The part of the house that carries spans to the collector: in batches, within a deadline, again after a failure,
//! and without ever holding up whoever made them.

use std::sync::Arc;
use std::time::Duration;

use timmy_domain::text::{cut, one_line};
use timmy_llm::{Errand, Failure};
use timmy_tools::collector::{Collector, Posted};
use tokio_util::sync::CancellationToken;

use super::{Inside, Span, Telemetry, otlp};
use crate::agent::away::is_here;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::PartKind;
use crate::supervisor::Component;

/// The name of the part.
pub const PART: &str = "telemetry";
/// Spans that travel together at most.
const BATCH_SPANS_MAX: usize = 256;
/// How long the first span of a batch waits for company, in milliseconds.
const BATCH_MS: u64 = 2_000;
/// How long the collector may take for one batch, in seconds.
const POST_SECONDS: u64 = 10;
/// How long it may take for the last one, when the house stops, in seconds.
const LAST_POST_SECONDS: u64 = 2;
/// How often a batch is sent before it is given up.
const TRIES_MAX: u32 = 5;
/// The first wait after a failure, in seconds; it doubles with each further one.
const RETRY_SECONDS_MIN: u64 = 1;
/// The longest wait, also when the collector asks for more, in seconds.
const RETRY_SECONDS_MAX: u64 = 60;
/// An hour, in seconds.
const HOUR_SECONDS: i64 = 3_600;
/// Characters of a collector's words that are kept.
const WORDS_CHARS_MAX: usize = 200;

impl Telemetry {
    /// The part that carries spans away; `None` when there is no collector.
    #[must_use]
    pub fn component(&self) -> Option<Component> {
        let inside = self.0.clone()?;
        Some(Component::new(PART, PartKind::Component, move |ctx| carry(ctx, Arc::clone(&inside))))
    }
}

/// The wait before try number `failures + 1`; a collector that names a time is heard, within the bound.
fn backoff(failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = RETRY_SECONDS_MIN << failures.saturating_sub(1).min(16);
    Duration::from_secs(doubled).max(asked.unwrap_or_default()).min(Duration::from_secs(RETRY_SECONDS_MAX))
}

async fn carry(ctx: Ctx, inside: Arc<Inside>) -> Result<(), Fault> {
    let collector =
        Collector::new(&inside.endpoint).map_err(|why| Fault(format!("[telemetry] otlp_endpoint: {why}")))?;
    ctx.reports.note(PART, PartKind::Component, ctx.now(), format!("sends traces to {}", collector.shown()));
    let mut way = Way { ctx: &ctx, collector: &collector, line: None };
    loop {
        tokio::select! {
            () = inside.rung.notified() => {}
            () = ctx.stop.cancelled() => break,
        }
        if inside.queue().len() < BATCH_SPANS_MAX {
            tokio::select! {
                () = ctx.sleep(Duration::from_millis(BATCH_MS)) => {}
                () = ctx.stop.cancelled() => break,
            }
        }
        while let Some(batch) = next(&inside) {
            if !deliver(&inside, &mut way, &batch).await {
                way.end(false);
                return Ok(());
            }
        }
    }
    if let Some(batch) = next(&inside) {
        let body = body(&ctx, &batch);
        if way.leave(body.len() as u64).await.is_some() {
            let posted = collector.post(body, Duration::from_secs(LAST_POST_SECONDS)).await;
            settle(&inside, &batch, &posted);
        }
    }
    way.end(true);
    Ok(())
}

/// The way to the collector. To one elsewhere it needs leave, and what goes there stands in the ledger: one line for
/// all batches of an hour, since they repeat themselves and carry no words.
struct Way<'a> {
    ctx: &'a Ctx,
    collector: &'a Collector,
    /// The line of the hour, and which hour since the epoch that is.
    line: Option<(i64, Errand)>,
}

impl Way<'_> {
    /// Leave to send so many bytes, until the token is cancelled. None to one elsewhere while everything stays on this
    /// machine, or when it cannot be written down: what would have been sent then is dropped.
    async fn leave(&mut self, bytes: u64) -> Option<CancellationToken> {
        if is_here(&self.collector.shown()) {
            return Some(CancellationToken::new());
        }
        match self.entered(bytes).await {
            Ok(leave) => Some(leave),
            Err(why) => {
                self.end(false);
                let words = match why {
                    Failure::Privacy { .. } => {
                        format!("sends nothing to {} while everything stays on this machine", self.collector.shown())
                    }
                    why => format!("sends nothing to {}: {why}", self.collector.shown()),
                };
                self.ctx.reports.note(PART, PartKind::Component, self.ctx.now(), words);
                None
            }
        }
    }

    async fn entered(&mut self, bytes: u64) -> Result<CancellationToken, Failure> {
        let hour = self.ctx.now().unix_seconds().div_euclid(HOUR_SECONDS);
        if let Some((begun, errand)) = &self.line
            && *begun == hour
        {
            self.ctx.cascade.carry(errand, bytes).await?;
            return Ok(errand.leave.clone());
        }
        self.end(true);
        let errand = self.ctx.cascade.traces(&self.collector.shown(), bytes).await?;
        let leave = errand.leave.clone();
        self.line = Some((hour, errand));
        Ok(leave)
    }

    /// No more goes there under the line of the hour.
    fn end(&mut self, well: bool) {
        if let Some((_, errand)) = self.line.take() {
            self.ctx.cascade.back(&errand, well);
        }
    }
}

/// The spans that travel next.
fn next(inside: &Inside) -> Option<Vec<Span>> {
    let mut queue = inside.queue();
    let count = queue.len().min(BATCH_SPANS_MAX);
    let batch: Vec<Span> = queue.drain(..count).collect();
    (!batch.is_empty()).then_some(batch)
}

fn body(ctx: &Ctx, batch: &[Span]) -> Vec<u8> {
    // The start of a run tells its instances apart and nothing else.
    otlp::request(batch, &ctx.started_at.to_string()).to_string().into_bytes()
}

/// Sends a batch, again after a failure that may pass. `false` when the house stops.
async fn deliver(inside: &Inside, way: &mut Way<'_>, batch: &[Span]) -> bool {
    let (ctx, collector) = (way.ctx, way.collector);
    let body = body(ctx, batch);
    for tried in 1..=TRIES_MAX {
        let Some(leave) = way.leave(body.len() as u64).await else { break };
        let posted = tokio::select! {
            biased;
            () = ctx.stop.cancelled() => return false,
            () = leave.cancelled() => break,
            posted = collector.post(body.clone(), Duration::from_secs(POST_SECONDS)) => posted,
        };
        let (why, wait) = match &posted {
            Posted::Taken { .. } => {
                settle(inside, batch, &posted);
                ctx.reports.note(
                    PART,
                    PartKind::Component,
                    ctx.now(),
                    format!("sends traces to {}", collector.shown()),
                );
                return true;
            }
            Posted::Refused { why } => (why, None),
            Posted::Later { why, after } => (why, Some(backoff(tried, *after))),
        };
        inside.figures.failures.one();
        let words = format!("{} does not take traces: {}", collector.shown(), cut(&one_line(why), WORDS_CHARS_MAX));
        ctx.reports.complain(PART, PartKind::Component, ctx.now(), words);
        let Some(wait) = wait.filter(|_| tried < TRIES_MAX) else { break };
        tokio::select! {
            () = ctx.sleep(wait) => {}
            () = ctx.stop.cancelled() => return false,
        }
    }
    inside.figures.dropped.add(batch.len() as u64);
    true
}

/// Counts what became of a batch.
fn settle(inside: &Inside, batch: &[Span], posted: &Posted) {
    let all = batch.len() as u64;
    let refused = match posted {
        Posted::Taken { rejected } => (*rejected).min(all),
        Posted::Later { .. } | Posted::Refused { .. } => all,
    };
    inside.figures.sent.add(all - refused);
    inside.figures.dropped.add(refused);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_a_collector_is_heard_within_the_bound() {
        let waits: Vec<u64> = (1..=9).map(|n| backoff(n, None).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff(1, Some(Duration::from_secs(7))).as_secs(), 7);
        assert_eq!(backoff(1, Some(Duration::from_secs(86_400))).as_secs(), RETRY_SECONDS_MAX);
        assert_eq!(backoff(u32::MAX, None).as_secs(), RETRY_SECONDS_MAX);
    }
}
