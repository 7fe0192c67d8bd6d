//! A full disk: noticed, waited out, and told once there is room again.
//!
//! The store refuses what it cannot write and keeps what it has. Here it is tried again and again with the
//! one event that says so; when that is stored, everything else is as well.

use std::time::Duration;

use timmy_domain::NewEvent;
use timmy_domain::bus::Pattern;
use timmy_domain::event::StoreResumed;
use timmy_store::StoreError;
use timmy_tools::machine;

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// Seconds between two looks.
const LOOK_SECONDS: u64 = 2;
/// Free bytes below which the part complains: 256 MiB.
const LOW_BYTES: u64 = 256 * 1024 * 1024;

/// Looks whether there is room.
pub struct Disk;

impl Disk {
    async fn look(ctx: &Ctx) -> Result<Found, Fault> {
        if ctx.store.writes_stopped().is_some() {
            return Ok(Found::Well("writing has stopped for another reason".to_owned()));
        }
        if let Some(full_since) = ctx.store.full_since() {
            let seconds = i64::try_from(ctx.now().since(full_since).as_secs()).unwrap_or(i64::MAX);
            let told = ctx.store.append(vec![NewEvent::new("store", StoreResumed { full_since, seconds })]).await;
            return match told {
                Ok(_) => Ok(Found::Well("there is room again".to_owned())),
                Err(StoreError::DiskFull) => Ok(Found::Trouble(
                    "the disk is full: nothing new is stored until there is room; reading goes on".to_owned(),
                )),
                Err(error) => Err(error.into()),
            };
        }
        let path = ctx.store.path().to_owned();
        let free = tokio::task::spawn_blocking(move || machine::disk_free_bytes(&path)).await.ok().flatten();
        Ok(match free {
            Some(free) if free < LOW_BYTES => Found::Trouble(format!("only {} MiB are free on the disk", free >> 20)),
            Some(free) => Found::Well(format!("{} GiB are free", free >> 30)),
            None => Found::Well("the system does not tell how much is free".to_owned()),
        })
    }
}

impl Reconciler for Disk {
    fn name(&self) -> &'static str {
        "store.disk"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(LOOK_SECONDS)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(Self::look(ctx))
    }
}
