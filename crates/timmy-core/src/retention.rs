//! Retention: events that were kept long enough leave the log, a few at a time and while nobody is served.
//!
//! How long an event is kept follows from whom it concerns, never from its severity. What concerns the owner stays for
//! ever. Nothing leaves that a reactor has not read, and the end of the log stays whatever its age. Afterwards the file
//! gives back pages, when it has far more free ones than new events will need.

use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::{StoreCheckpoint, StoreKeyReplaced};
use timmy_domain::text::plural;
use timmy_domain::{NewEvent, Seq, Timestamp, settings};
use timmy_store::{Expiry, Space};

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};
use crate::report::PartKind;

/// Hours between two looks.
const LOOK_HOURS: u64 = 6;

/// Minutes after a start in which nothing is removed: starting is work enough.
const SETTLE_MINUTES: u64 = 10;

/// Blocks of 256 positions that are planned at once.
const BLOCKS_PLANNED_MAX: usize = 64;

/// Steps of one look; what is left then waits for the next.
const STEPS_MAX: usize = 20_000;

/// Free pages that are never given back: the next days need them.
const FREE_PAGES_KEPT: i64 = 512;

/// One of how many pages may be free before any is given back.
const FREE_PAGES_SHARE: i64 = 10;

/// The store's key for the signing key that was told last.
const KEY_TOLD: &str = "store.key_told";

settings! {
    /// How long events are kept. Those that concern you are kept for ever.
    pub struct RetentionSettings in "retention" {
        /// Days for which events are kept that concern only whoever looks after the house; 0 for ever.
        operator_days: u64 = 30, Range(0, 36_500);
        /// Days for which events are kept that help only to find a fault; 0 for ever.
        debug_days: u64 = 7, Range(0, 36_500);
    }
}

/// Which events may leave, at `now`, when everything before `stay_from` has been read.
fn expiry(settings: &RetentionSettings, now: Timestamp, stay_from: Seq) -> Expiry {
    let before = |days: u64| (days > 0).then(|| now.minus(Duration::from_secs(days * 86_400)));
    Expiry { operator_before: before(settings.operator_days), debug_before: before(settings.debug_days), stay_from }
}

/// How many pages to give back: none until one in ten is free, then all but half of that.
fn surplus(space: &Space) -> i64 {
    let kept = (space.pages / FREE_PAGES_SHARE).max(FREE_PAGES_KEPT);
    if !space.shrinks || space.free_pages <= kept { 0 } else { space.free_pages - kept / 2 }
}

/// The position before which every reactor has read everything.
async fn read_before(ctx: &Ctx) -> Result<Seq, Fault> {
    let reactors: Vec<_> = ctx.reports.all().into_iter().filter(|part| part.kind == PartKind::Reactor).collect();
    let cursors =
        ctx.store.read(move |r| reactors.iter().map(|part| r.cursor(part.name)).collect::<Result<Vec<_>, _>>());
    Ok(cursors.await?.into_iter().min().map_or(Seq::MAX, |cursor| cursor + 1))
}

/// Tells when another key signs than the one that was told last.
async fn tell_key(ctx: &Ctx) -> Result<(), Fault> {
    let (keys, told) = ctx.store.read(|r| Ok((r.signing_keys()?, r.state(KEY_TOLD)?))).await?;
    let Some(last) = keys.last().cloned().filter(|last| told.as_ref() != Some(&last.id)) else { return Ok(()) };
    let before = keys.len().checked_sub(2).and_then(|at| keys.get(at)).map(|key| key.id.clone());
    let write = ctx.store.write(move |tx| {
        if let Some(before) = before {
            let body = StoreKeyReplaced { key: last.id.clone(), before, since: last.since };
            tx.append(NewEvent::new("store", body))?;
        }
        tx.set_state(KEY_TOLD, &last.id)
    });
    Ok(write.await?)
}

/// Lets events go that were kept long enough, every few hours.
pub struct Retention;

impl Retention {
    async fn look(ctx: &Ctx) -> Result<Found, Fault> {
        if let Some(finding) = ctx.store.writes_stopped() {
            return Ok(Found::Trouble(format!("nothing is removed while writing is stopped: {finding}")));
        }
        tell_key(ctx).await?;
        if settles(ctx) {
            return Ok(Found::Well(format!("looks {SETTLE_MINUTES} minutes after the start")));
        }
        let gone = Self::thin(ctx).await?;
        let given = Self::shrink(ctx).await?;
        let (sum, space) = ctx.store.read(|r| Ok((r.removed()?, r.space()?))).await?;
        let count = |n: i64| plural(u64::try_from(n).unwrap_or(0), "event", "events");
        let mut note = match gone {
            0 => "nothing was old enough".to_owned(),
            gone => format!("{} left the log", count(gone)),
        };
        note.push_str(&format!("; {} in all, {} of {} pages free", count(sum.rows), space.free_pages, space.pages));
        if given > 0 {
            note.push_str(&format!(", {given} given back"));
        }
        Ok(Found::Well(note))
    }

    /// Removes what may go, step by step, and answers how many events that were.
    async fn thin(ctx: &Ctx) -> Result<i64, Fault> {
        let expiry = expiry(&ctx.settings.retention, ctx.now(), read_before(ctx).await?);
        let mut gone = 0;
        let mut planned: Vec<Seq> = Vec::new();
        for _ in 0..STEPS_MAX {
            if planned.is_empty() {
                planned = ctx.store.read(move |r| r.expired_blocks(&expiry, BLOCKS_PLANNED_MAX)).await?;
            }
            if planned.is_empty() {
                break;
            }
            ctx.attention.until_free().await;
            let blocks = planned.clone();
            let done = ctx.store.write(move |tx| tx.thin(&expiry, &blocks)).await?;
            gone += done.operator + done.debug;
            planned.drain(..done.blocks.min(planned.len()));
        }
        if gone > 0 {
            let told = ctx.store.write(|tx| {
                let removed = tx.removed()?;
                let key = tx.signing_keys()?.pop().map(|key| key.id).unwrap_or_default();
                let body = StoreCheckpoint {
                    checkpoints: removed.checkpoints,
                    removed: removed.rows,
                    upto: removed.last,
                    key,
                };
                tx.append(NewEvent::new("store", body)).map(drop)
            });
            told.await?;
        }
        Ok(gone)
    }

    /// Gives pages back, step by step, and answers how many.
    async fn shrink(ctx: &Ctx) -> Result<i64, Fault> {
        let before = ctx.store.read(|r| r.space()).await?;
        let mut space = before;
        let mut left = surplus(&space);
        for _ in 0..STEPS_MAX {
            if left <= 0 {
                break;
            }
            ctx.attention.until_free().await;
            let was = space.free_pages;
            space = ctx.store.write(move |tx| tx.give_back(left)).await?;
            // Others may have taken or freed some meanwhile; without progress this ends.
            left = if space.free_pages < was { left - (was - space.free_pages) } else { 0 };
        }
        Ok((before.pages - space.pages).max(0))
    }
}

/// Whether the house has only just started.
fn settles(ctx: &Ctx) -> bool {
    ctx.now().since(ctx.started_at) < Duration::from_secs(SETTLE_MINUTES * 60)
}

impl Reconciler for Retention {
    fn name(&self) -> &'static str {
        "store.retention"
    }

    fn period(&self, ctx: &Ctx) -> Duration {
        Duration::from_secs(if settles(ctx) { SETTLE_MINUTES * 60 } else { LOOK_HOURS * 3_600 })
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(Self::look(ctx))
    }
}

#[cfg(test)]
mod tests;
