//! Checks the whole database in the background; damage stops writing and says so.

use std::time::Duration;

use timmy_domain::NewEvent;
use timmy_domain::bus::Pattern;
use timmy_domain::event::{StoreChecked, StoreDamaged};
use timmy_domain::text::{cut, one_line, plural};
use tokio::time::Instant;

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// Hours between two checks.
const CHECK_HOURS: u64 = 24;

/// Checks pages and hash chain once a day and after each start.
pub struct Upkeep;

impl Upkeep {
    async fn check(ctx: &Ctx) -> Result<Found, Fault> {
        if let Some(finding) = ctx.store.writes_stopped() {
            return Ok(Found::Trouble(format!("writing has stopped: {finding}")));
        }
        let began = Instant::now();
        let pages = ctx.store.check_integrity().await?;
        if !pages.findings.is_empty() {
            return Self::damaged(ctx, "integrity", &pages.findings.join("; ")).await;
        }
        let pages_event = checked("integrity", pages.pages, began);
        let began = Instant::now();
        let chain = ctx.store.verify_chain(1).await?;
        if let Some(bad) = chain.bad {
            let finding = format!("event {} does not match its hash: {}", bad.seq, bad.finding);
            return Self::damaged(ctx, "chain", &finding).await;
        }
        ctx.store.append(vec![pages_event, checked("chain", chain.rows, began)]).await?;
        let events = plural(u64::try_from(chain.rows).unwrap_or(0), "event", "events");
        Ok(Found::Well(format!("{events} verified, {} pages sound", pages.pages)))
    }

    /// Tells the damage while that is still possible, then stops writing.
    async fn damaged(ctx: &Ctx, check: &str, finding: &str) -> Result<Found, Fault> {
        let finding = cut(&one_line(finding), 300);
        let body = StoreDamaged { check: check.to_owned(), finding: finding.clone() };
        if let Err(error) = ctx.tell(NewEvent::new("store", body)).await {
            tracing::error!(%error, "the damage could not be written to the log");
        }
        ctx.store.stop_writes(&finding);
        Ok(Found::Trouble(format!("{check}: {finding}")))
    }
}

fn checked(check: &str, looked_at: i64, began: Instant) -> NewEvent {
    let duration_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    NewEvent::new("store", StoreChecked { check: check.to_owned(), looked_at, duration_ms })
}

impl Reconciler for Upkeep {
    fn name(&self) -> &'static str {
        "store.check"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(CHECK_HOURS * 3_600)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(Self::check(ctx))
    }
}
