//! The nightly backup: made once a night, made up for when the machine slept, checked, and the old ones go.

use std::sync::Mutex;
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::BackupSkipped;
use timmy_domain::settings::minute_of_day;
use timmy_domain::{NewEvent, Problem, Timestamp, settings};

use super::make::room;
use super::plan::{self, Situation, Step, decide};
use super::{Backups, Part, Why, blocking};
use crate::clock::{BoxFuture, local_day, local_time};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// How often it is looked whether a backup is due, in seconds.
const LOOK_SECONDS: u64 = 60;
/// The store's key for the last nightly backup.
const LAST_KEY: &str = "backup.nightly_at";

settings! {
    /// The nightly backup.
    pub struct BackupSettings in "backup" {
        /// Whether Timmy makes a backup every night, in the folder backups of his home.
        enabled: bool = true, Free;
        /// Local time of day at which it is made, such as "03:30"; empty for never. A machine that slept makes up for it.
        at: String = "03:30".to_owned(), TimeOfDay;
        /// Of how many days the newest nightly backup is kept.
        keep_daily: u64 = 7, Range(1, 365);
        /// Of how many weeks the newest nightly backup is kept.
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
    failed_at: Option<Timestamp>,
    failures: u32,
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
            Step::Rest => self.resting(ctx).await,
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

    async fn make(&self, ctx: &Ctx, now: Timestamp) -> Result<Found, Fault> {
        match self.backups.make(Part::Home, Why::Nightly).await {
            Ok(made) => {
                ctx.store.write(move |tx| tx.set_state(LAST_KEY, &now.to_string())).await?;
                *self.memory() = Memory::default();
                let gone = self.clear(ctx).await.map_err(|p| Fault(p.message))?;
                tracing::info!(file = made.file, gone, "the nightly backup was made");
                if !made.drilled {
                    return Ok(Found::Trouble(format!("{} would not restore; the events say why", made.file)));
                }
                Ok(Found::Well(format!("made and checked {}", made.file)))
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

    /// Removes the nightly backups that are no longer kept, and answers how many.
    async fn clear(&self, ctx: &Ctx) -> Result<usize, Problem> {
        let names: Vec<String> = self.backups.list().await?.into_iter().map(|l| l.file).collect();
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
