//! The nightly backup: made once a night, made up for when the machine slept, checked, and the old ones go.

use std::sync::Mutex;
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::BackupSkipped;
use timmy_domain::settings::minute_of_day;
use timmy_domain::{NewEvent, Problem, Timestamp, settings};

use super::make::room;
use super::plan::{self, Situation, Step, decide};
use super::{Backups, Lying, Part, Proof, Why, blocking};
use crate::clock::{BoxFuture, local_day, local_time};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// How often it is looked whether a backup is due, in seconds.
const LOOK_SECONDS: u64 = 60;
/// The store's key for the last nightly backup.
pub(super) const LAST_KEY: &str = "backup.nightly_at";

settings! {
    /// The nightly backup.
    pub struct BackupSettings in "backup" {
        /// Whether Timmy makes a backup every night, in the folder backups of his home.
        enabled: bool = true, Free;
        /// Local time of day at which it is made, such as "03:30"; empty for never. A machine that slept makes up for it.
        at: String = "03:30".to_owned(), TimeOfDay;
        /// Of how many days the newest nightly backup that proved good is kept.
        keep_daily: u64 = 7, Range(1, 365);
        /// Of how many weeks the newest nightly backup that proved good is kept.
        keep_weekly: u64 = 4, Range(0, 520);
    }
}

/// Sees to it that there is a backup of every night.
pub struct Nightly {
    backups: Backups,
    memory: Mutex<Memory>,
}

#[derive(Clone, Copy, Default)]
struct Memory {
    /// When the last try to make one failed, and how many did in a row.
    failed_at: Option<Timestamp>,
    failures: u32,
    /// When a check was last made up for, and how often that came to no end.
    checked_at: Option<Timestamp>,
    checks: u32,
}

impl Nightly {
    /// For these backups.
    #[must_use]
    pub fn new(backups: Backups) -> Self {
        Self { backups, memory: Mutex::default() }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn look(&self, ctx: &Ctx) -> Result<Found, Fault> {
        let settings = &ctx.settings.backup;
        if !settings.enabled || settings.at.is_empty() {
            return Ok(Found::Well("switched off in the settings".to_owned()));
        }
        if ctx.store.writes_stopped().is_some() {
            return Ok(Found::Trouble("no backup is made of a database that is damaged".to_owned()));
        }
        let now = ctx.now();
        let last = ctx.store.read(|r| r.state(LAST_KEY)).await?.and_then(|text| Timestamp::parse(&text).ok());
        let memory = *self.memory();
        let step = decide(&Situation {
            now,
            offset: ctx.clock.offset_at(now),
            minute_of_day: minute_of_day(&settings.at),
            last: last.map(|at| (at, ctx.clock.offset_at(at))),
            failed_at: memory.failed_at,
            failures: memory.failures,
            started_at: ctx.started_at,
        });
        match step {
            Step::Rest => match self.unchecked().await? {
                Some(lying) => self.make_up(ctx, now, &lying).await,
                None => self.resting(ctx).await,
            },
            Step::Note => {
                ctx.store.write(move |tx| tx.set_state(LAST_KEY, &now.to_string())).await?;
                Ok(Found::Well(format!("the first one is made at {}", settings.at)))
            }
            Step::Make => self.make(ctx, now).await,
        }
    }

    /// What stands on the Health page between two nights: how the last one went.
    async fn resting(&self, ctx: &Ctx) -> Result<Found, Fault> {
        if self.memory().failures > 0 {
            return Ok(Found::Trouble("the last one did not succeed; the events say why".to_owned()));
        }
        let drill = self.backups.last_drill().await.map_err(|p| Fault(p.message))?;
        let clock = ctx.clock.as_ref();
        Ok(match drill {
            Some(record) if record.name == "backup.drill_failed" => Found::Trouble(record.event().sentence()),
            Some(record) => {
                let (day, time) = (local_day(clock, record.at), local_time(clock, record.at));
                Found::Well(format!("the last one was checked as a restore would on {day} at {time}"))
            }
            None => Found::Well(format!("the next one is made at {}", ctx.settings.backup.at)),
        })
    }

    /// The newest nightly backup, when nobody has checked it to the end: Timmy was stopped meanwhile, the disk had no
    /// room for it, or an older Timmy made it.
    async fn unchecked(&self) -> Result<Option<Lying>, Fault> {
        let list = self.backups.list().await.map_err(|p| Fault(p.message))?;
        Ok(list.into_iter().find(|lying| lying.nightly).filter(|lying| lying.proof == Proof::Unproven))
    }

    /// Makes up for the check of `lying`, so that its result is told.
    async fn make_up(&self, ctx: &Ctx, now: Timestamp, lying: &Lying) -> Result<Found, Fault> {
        let memory = *self.memory();
        if plan::settles(now, ctx.started_at) {
            return Ok(Found::Well(format!("{} is checked soon", lying.file)));
        }
        if plan::waits(now, memory.checked_at, memory.checks) {
            return Ok(found(&lying.file, Proof::Unproven));
        }
        let checked = self.backups.check(lying).await;
        if checked.as_ref().is_err_and(|problem| problem.code == "backup_running") {
            return Ok(Found::Well("a backup is being made".to_owned()));
        }
        {
            let mut memory = self.memory();
            memory.checked_at = Some(now);
            memory.checks = memory.checks.saturating_add(1);
        }
        let proof = checked.map_err(|p| Fault(p.message))?;
        if proof != Proof::Unproven {
            self.clear(ctx).await.map_err(|p| Fault(p.message))?;
        }
        Ok(found(&lying.file, proof))
    }

    async fn make(&self, ctx: &Ctx, now: Timestamp) -> Result<Found, Fault> {
        match self.backups.make(Part::Home, Why::Nightly).await {
            Ok(made) => {
                *self.memory() = Memory::default();
                let gone = self.clear(ctx).await.map_err(|p| Fault(p.message))?;
                tracing::info!(file = made.file, gone, "the nightly backup was made");
                Ok(found(&made.file, made.proof))
            }
            // The owner makes one right now; the next look finds out whether another is due.
            Err(problem) if problem.code == "backup_running" => Ok(Found::Well(problem.message)),
            Err(problem) => {
                {
                    let mut memory = self.memory();
                    memory.failed_at = Some(now);
                    memory.failures = memory.failures.saturating_add(1);
                }
                if problem.code == "disk_short" {
                    self.tell_skipped(ctx).await?;
                }
                Ok(Found::Trouble(problem.message))
            }
        }
    }

    async fn tell_skipped(&self, ctx: &Ctx) -> Result<(), Fault> {
        let (home, database) = (self.backups.home().to_owned(), self.backups.database_bytes());
        let (free, needed) = blocking(move || Ok(room(&home, database))).await.map_err(|p| Fault(p.message))?;
        let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let body = BackupSkipped { free_bytes: bytes(free), needed_bytes: bytes(needed) };
        ctx.tell(NewEvent::new("backup", body)).await.map(|_| ())
    }

    /// Removes the nightly backups that are no longer kept, and answers how many. What did not prove good pushes out none
    /// that did.
    async fn clear(&self, ctx: &Ctx) -> Result<usize, Problem> {
        let names: Vec<(String, Proof)> =
            self.backups.list().await?.into_iter().map(|lying| (lying.file, lying.proof)).collect();
        let many = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let settings = &ctx.settings.backup;
        let (daily, weekly) = (many(settings.keep_daily), many(settings.keep_weekly));
        let gone = plan::superfluous(&names, ctx.now(), |at| ctx.clock.offset_at(at), daily, weekly);
        let folder = self.backups.folder();
        blocking(move || {
            for name in &gone {
                // One too many harms nobody; the next night tries again.
                let _ = std::fs::remove_file(folder.join(name));
            }
            Ok(gone.len())
        })
        .await
    }
}

/// What is said of a backup that was just made or checked.
fn found(file: &str, proof: Proof) -> Found {
    match proof {
        Proof::Proven => Found::Well(format!("made and checked {file}")),
        Proof::Unproven => Found::Trouble(format!("{file} was not checked to the end; that is tried again")),
        Proof::Failed => Found::Trouble(format!("{file} would not restore; the events say why")),
    }
}

impl Reconciler for Nightly {
    fn name(&self) -> &'static str {
        "backup"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(LOOK_SECONDS)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(self.look(ctx))
    }
}
