//! Reconcilers make something hold: they run again and again, take no argument, are safe to repeat
//! and return what they found as a value.

use std::sync::Arc;
use std::time::Duration;

use timmy_domain::bus::Pattern;
use tokio::time::Instant;

use crate::bus::Subscription;
use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::PartKind;
use crate::supervisor::Component;

/// What a run found, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// All is as it should be.
    Well(String),
    /// Something is not, and the reconciler cannot mend it alone.
    Trouble(String),
}

/// Something that makes a thing hold.
pub trait Reconciler: Send + Sync + 'static {
    /// Its name, such as `mind.watch`.
    fn name(&self) -> &'static str;
    /// How often it runs at least.
    fn period(&self, ctx: &Ctx) -> Duration;
    /// Which events make it run at once.
    fn wakes_on(&self) -> Vec<Pattern>;
    /// One run.
    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>>;
}

/// The part of the house that drives `reconciler`.
pub fn component(reconciler: Arc<dyn Reconciler>) -> Component {
    Component::new(reconciler.name(), PartKind::Reconciler, move |ctx| drive(ctx, Arc::clone(&reconciler)))
}

async fn drive(ctx: Ctx, reconciler: Arc<dyn Reconciler>) -> Result<(), Fault> {
    let name = reconciler.name();
    // Subscribed before the first run, so that nothing that happens during it is missed.
    let mut bell = Subscription::new(&ctx.store, reconciler.wakes_on(), ctx.store.last_seq());
    loop {
        let began = Instant::now();
        let found = tokio::select! {
            found = reconciler.run(&ctx) => found?,
            () = ctx.stop.cancelled() => return Ok(()),
        };
        match found {
            Found::Well(note) => ctx.reports.note(name, PartKind::Reconciler, ctx.now(), note),
            Found::Trouble(note) => ctx.reports.complain(name, PartKind::Reconciler, ctx.now(), note),
        }
        let due = ctx.now().plus(reconciler.period(&ctx));
        ctx.reports.ran(name, PartKind::Reconciler, ctx.now(), began.elapsed(), Some(due));
        tokio::select! {
            () = ctx.clock.sleep_until(due) => {}
            rung = ring(&mut bell) => rung?,
            () = ctx.stop.cancelled() => return Ok(()),
        }
    }
}

/// Waits for the next event of interest.
async fn ring(bell: &mut Subscription) -> Result<(), Fault> {
    if bell.is_deaf() {
        std::future::pending::<()>().await;
    }
    while bell.next().await?.records.is_empty() {}
    Ok(())
}
