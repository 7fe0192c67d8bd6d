//! Keeps the parts of the house running: one that fails or panics starts again, the rest goes on.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use timmy_domain::NewEvent;
use timmy_domain::event::ComponentRecovered;
use tokio::task::JoinSet;

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::PartKind;

/// The first wait before a part starts again, in seconds; it doubles with each failure.
pub const RESTART_SECONDS_MIN: u64 = 1;
/// The longest wait before a part starts again, in seconds.
pub const RESTART_SECONDS_MAX: u64 = 60;
/// The wait before a part starts again that failed while the disk was full, in seconds.
pub const FULL_SECONDS: u64 = 2;
/// A part that ran this long is healthy: its next failure waits the shortest time again.
pub const HEALTHY_SECONDS: u64 = 60;

/// The wait before start number `failures + 1`.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    let doubled = RESTART_SECONDS_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16));
    Duration::from_secs(doubled.min(RESTART_SECONDS_MAX))
}

/// Makes the future of a part, each time it starts.
pub type Start = Arc<dyn Fn(Ctx) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

/// A part of the house that runs until the house stops.
#[derive(Clone)]
pub struct Component {
    /// Its name, such as `mind.thinking`.
    pub name: &'static str,
    /// What kind of part it is.
    pub kind: PartKind,
    /// Makes its future.
    pub start: Start,
}

impl Component {
    /// A part of `kind` that `start` runs.
    pub fn new<F>(name: &'static str, kind: PartKind, start: impl Fn(Ctx) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        Self { name, kind, start: Arc::new(move |ctx| Box::pin(start(ctx))) }
    }
}

/// Runs `components` until the house stops, then waits until each has ended.
pub async fn run(ctx: Ctx, components: Vec<Component>) {
    let mut tasks = JoinSet::new();
    for component in components {
        tasks.spawn(keep_running(ctx.clone(), component));
    }
    while tasks.join_next().await.is_some() {}
}

async fn keep_running(ctx: Ctx, part: Component) {
    let mut failures = 0;
    let mut restarts = 0;
    loop {
        ctx.reports.running(part.name, part.kind, ctx.now());
        if restarts > 0 {
            recovered(&ctx, part.name, restarts).await;
        }
        let began = ctx.now();
        let ended = tokio::spawn((part.start)(ctx.clone())).await;
        let why = match ended {
            Ok(Ok(())) => {
                ctx.reports.stopped(part.name, part.kind, ctx.now());
                return;
            }
            Ok(Err(fault)) => fault.0,
            Err(join) => panic_words(join),
        };
        // What fails because the disk is full is back soon after there is room, however long that took.
        let full = ctx.store.full_since().is_some();
        let healthy = full || ctx.now().since(began).as_secs() >= HEALTHY_SECONDS;
        failures = if healthy { 1 } else { failures + 1 };
        restarts += 1;
        let wait = if full { Duration::from_secs(FULL_SECONDS) } else { backoff(failures) };
        let at = ctx.now().plus(wait);
        ctx.reports.failed(part.name, part.kind, ctx.now(), at, &why);
        ctx.capture(part.name, &why, &format!("starts again in {} s; everything else goes on", wait.as_secs())).await;
        tokio::select! {
            () = ctx.clock.sleep_until(at) => {}
            () = ctx.stop.cancelled() => return,
        }
    }
}

/// Tells that a part runs again; the event matters less than the part, so a store that cannot write is only logged.
async fn recovered(ctx: &Ctx, name: &str, restarts: u64) {
    let event = NewEvent::new("supervisor", ComponentRecovered { component: name.to_owned(), restarts });
    if let Err(error) = ctx.tell(event).await {
        tracing::warn!(component = name, %error, "recovery could not be written to the log");
    }
}

fn panic_words(join: tokio::task::JoinError) -> String {
    match join.try_into_panic() {
        Ok(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            format!("panicked: {}", text.unwrap_or_else(|| "without a message".to_owned()))
        }
        Err(_) => "was cancelled from outside".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_wait_twice_as_long_each_time_up_to_a_minute() {
        let waits: Vec<u64> = (1..=9).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff(u32::MAX).as_secs(), 60);
    }
}
