//! Backups: one file with everything that is Timmy, made while he runs, and checked as a restore would.
//!
//! In it are the database, the mind with its history, the settings and the blobs. Never in it are
//! `secrets.toml`, `run.json`, sessions, models and logs.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use timmy_domain::bus::Pattern;
use timmy_domain::event::{BackupDrillFailed, BackupDrilled, BackupFailed, BackupMade};
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Actor, Event, NewEvent, Problem, Record, Timestamp};
use timmy_store::{Area, EventQuery, StoreError};
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;

pub mod drill;
mod make;
pub mod nightly;
pub mod plan;
pub mod proof;
mod work;

pub(crate) use make::MIND_BYTES_MAX;
pub use proof::{Proof, best};
pub use work::WorkFolder;

use proof::Notes;

/// The folder of backups inside the home.
pub const FOLDER: &str = "backups";
/// How many times the bytes of the home must be free before a backup is begun: the copy and the archive.
pub const FREE_TIMES: u64 = 2;
/// Backups that are listed.
pub const LISTED_MAX: usize = 1_000;
/// Events that are looked through for the one that told of a backup.
const MADE_LOOKED_THROUGH_MAX: usize = 100;
/// What a check says when the disk did not let it go on, which proves nothing about the backup.
const OF_THE_DISK: [&str; 4] = ["backups_unwritable", "disk_full", "store_disk", "tool_io"];

/// What goes into a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    Home,
    /// One area of the database, as rows.
    Rows(Area),
    /// The version-controlled self.
    Mind,
    /// The settings, without secrets.
    Settings,
}

impl Part {
    /// What can be asked for by itself, in the order of the help.
    pub const AREAS: [&str; 6] = ["thoughts", "talk", "watch", "events", "mind", "settings"];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Rows(area) => area.name(),
            Self::Mind => "mind",
            Self::Settings => "settings",
        }
    }
}

impl FromStr for Part {
    type Err = Problem;

    /// Reads the name of an area; `messages` and `folders` are understood too.
    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "mind" => Ok(Self::Mind),
            "settings" => Ok(Self::Settings),
            "messages" => Ok(Self::Rows(Area::Talk)),
            "folders" => Ok(Self::Rows(Area::Watch)),
            other => other.parse::<Area>().map(Self::Rows).map_err(|()| {
                Problem::invalid(
                    "unknown_area",
                    format!("There is no area called {:?}.", cut(&one_line(other), 40)),
                    format!("Areas are {}; leave it out for everything.", Self::AREAS.join(", ")),
                )
            }),
        }
    }
}

/// Who asks for a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The owner.
    Owner,
    /// The night.
    Nightly,
}

impl Why {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Nightly => "nightly",
        }
    }
}

/// A backup that lies in the home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lying {
    /// Its file name.
    pub file: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// When it was made, to the minute.
    pub created_at: Timestamp,
    /// What is in it, by its name: `home`, or an area.
    pub area: String,
    /// Whether Timmy made it by himself.
    pub nightly: bool,
    /// What the check of it found. Not part of the answers for programs.
    #[serde(skip)]
    pub proof: Proof,
}

/// A backup in the making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Making {
    /// What is done: `copying`, `packing` or `checking`.
    pub step: &'static str,
    /// Bytes that are done in this step.
    pub done_bytes: u64,
    /// Bytes of this step.
    pub total_bytes: u64,
    /// Since when it is made.
    pub since: Timestamp,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its file name.
    pub file: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// What is in it.
    pub areas: Vec<String>,
    /// The last event in it.
    pub last_seq: i64,
    /// What could not be taken along, such as links.
    pub left_out: Vec<String>,
    /// Whether it was checked as a restore would, and is whole.
    pub drilled: bool,
    /// What the check found: one that was cut off is not one that failed. Not part of the answers for programs.
    #[serde(skip)]
    pub proof: Proof,
}

/// The backups of a home. Cheap to clone.
#[derive(Clone)]
pub struct Backups(Arc<Inside>);

struct Inside {
    ctx: Ctx,
    /// Held while one is made: never two at once.
    busy: Arc<tokio::sync::Mutex<()>>,
    making: Mutex<Option<Making>>,
}

impl Backups {
    /// The backups of the home of `ctx`.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        Self(Arc::new(Inside { ctx, busy: Arc::default(), making: Mutex::default() }))
    }

    /// The home: the folder that holds the database.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.0.ctx.store.path().parent().unwrap_or(Path::new("."))
    }

    /// Where backups lie.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.home().join(FOLDER)
    }

    /// The backups that lie in the home, newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<Lying>, Problem> {
        let folder = self.folder();
        blocking(move || list(&folder)).await
    }

    /// The backup in the making, when there is one.
    #[must_use]
    pub fn making(&self) -> Option<Making> {
        self.0.making.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the last check of a whole backup found: `backup.drilled` or `backup.drill_failed`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn last_drill(&self) -> Result<Option<Record>, Problem> {
        let pattern = |name: &str| EventQuery {
            pattern: Pattern::Exact(name.to_owned()),
            limit: 1,
            newest_first: true,
            ..EventQuery::default()
        };
        let (good, bad) = (pattern("backup.drilled"), pattern("backup.drill_failed"));
        let read = self.0.ctx.store.read(move |r| Ok((r.events(&good)?.pop(), r.events(&bad)?.pop())));
        let (good, bad) = read.await.map_err(|e| e.problem())?;
        Ok([good, bad].into_iter().flatten().max_by_key(|record| record.seq))
    }

    /// Makes a backup of `part` in the folder of backups, tells it, and checks a whole one as a restore
    /// would. Dropping the future gives it up, and nothing of it is left.
    ///
    /// # Errors
    /// When one is being made already, when the disk has too little room, and what went wrong on the way.
    pub async fn make(&self, part: Part, why: Why) -> Result<Made, Problem> {
        if let Some(finding) = self.0.ctx.store.writes_stopped() {
            return Err(Problem::unavailable(
                "store_damaged",
                format!("No backup is made of a database that is damaged: {finding}."),
                "Stop Timmy and run `timmy doctor`; it names the backup to restore.",
            ));
        }
        self.alone("copying", move |this, stop| async move { this.make_told(part, why, &stop).await }).await
    }

    /// Checks the backup `lying` once more as a restore would, tells what was found and notes it. Dropping the future
    /// gives it up; then nothing is known of it still.
    ///
    /// # Errors
    /// When a backup is being made or checked already, and when the store cannot be used.
    pub async fn check(&self, lying: &Lying) -> Result<Proof, Problem> {
        let (path, file) = (lying.path.clone(), lying.file.clone());
        let work = move |this: Self, stop| async move {
            let cause = this.seq_of_making(file).await?;
            this.drill(&path, cause, &stop).await
        };
        self.alone("checking", work).await
    }

    /// Does `work`, which begins with `step`, while nobody else makes or checks a backup of this home. Dropping the
    /// future gives it up.
    async fn alone<T, F>(
        &self,
        step: &'static str,
        work: impl FnOnce(Self, CancellationToken) -> F,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let Ok(busy) = Arc::clone(&self.0.busy).try_lock_owned() else {
            return Err(Problem::conflict(
                "backup_running",
                "A backup is being made already.",
                "Wait until it is done; `timmy backup list` shows it then.",
            ));
        };
        // From the first moment on, so that whoever waits for its end does not miss its beginning.
        self.say(Some(Making { step, done_bytes: 0, total_bytes: 0, since: self.0.ctx.now() }));
        let stop = CancellationToken::new();
        let given_up = stop.clone().drop_guard();
        let (this, work) = (self.clone(), work(self.clone(), stop));
        let work = tokio::spawn(async move {
            let done = work.await;
            this.say(None);
            drop(busy);
            done
        });
        let done = work.await.map_err(|e| Problem::unavailable("backup_failed", e.to_string(), "Try again."))?;
        drop(given_up);
        done
    }

    /// The event that told of the making of `file`, when it is among the last ones.
    async fn seq_of_making(&self, file: String) -> Result<Option<i64>, Problem> {
        let query = EventQuery {
            pattern: Pattern::Exact("backup.made".to_owned()),
            limit: MADE_LOOKED_THROUGH_MAX,
            newest_first: true,
            ..EventQuery::default()
        };
        let made = self.0.ctx.store.read(move |r| r.events(&query)).await.map_err(|e| e.problem())?;
        let of_file = |record: &&Record| matches!(record.event(), Event::BackupMade(body) if body.file == file);
        Ok(made.iter().find(of_file).map(|record| record.seq))
    }

    fn say(&self, making: Option<Making>) {
        *self.0.making.lock().unwrap_or_else(PoisonError::into_inner) = making;
    }

    /// Makes it and tells how it went.
    async fn make_told(&self, part: Part, why: Why, stop: &CancellationToken) -> Result<Made, Problem> {
        let ctx = &self.0.ctx;
        let actor = if why == Why::Owner { Actor::Owner } else { Actor::Timmy };
        let (began, at) = (tokio::time::Instant::now(), ctx.now());
        let made = self.make_file(part, why, stop).await;
        let mut made = match made {
            Ok(made) => made,
            Err(problem) => {
                // What the owner gave up himself, or could not begin, is no failure of the house.
                if !["stopped", "disk_short"].contains(&problem.code) {
                    let finding = cut(&one_line(&problem.message), 300);
                    let body = BackupFailed { why: why.name().to_owned(), finding };
                    if let Err(error) = ctx.tell(NewEvent::new("backup", body).by(actor)).await {
                        tracing::error!(%error, "a backup that failed could not be told");
                    }
                }
                return Err(problem);
            }
        };
        let body = BackupMade {
            file: made.file.clone(),
            bytes: i64::try_from(made.bytes).unwrap_or(i64::MAX),
            why: why.name().to_owned(),
            areas: made.areas.clone(),
            last_seq: made.last_seq,
            duration_ms: millis(began),
        };
        let cause = self.tell_made(NewEvent::new("backup", body).by(actor), part, why, at).await?;
        if part == Part::Home {
            made.proof = self.drill(&made.path, Some(cause), stop).await?;
            made.drilled = made.proof == Proof::Proven;
        }
        Ok(made)
    }

    /// Tells that one was made. The night has its backup from that moment on, whatever becomes of the check: one that
    /// is cut off is made up for by itself.
    async fn tell_made(&self, event: NewEvent, part: Part, why: Why, at: Timestamp) -> Result<i64, Problem> {
        let of_the_night = part == Part::Home && why == Why::Nightly;
        let told = self.0.ctx.store.write(move |tx| {
            let seq = tx.append(event)?;
            if of_the_night {
                tx.set_state(nightly::LAST_KEY, &at.to_string())?;
            }
            Ok(seq)
        });
        let store_failed = |e: StoreError| {
            let hint = "The backup is there; try again.";
            Problem::unavailable("store_failed", e.to_string(), hint)
        };
        told.await.map_err(store_failed)
    }

    /// Checks the backup at `path` as a restore would, tells what was found and notes it beside the backup. One whose
    /// check did not come to its end is neither whole nor bad; nothing is told or noted of it.
    async fn drill(&self, path: &Path, cause: Option<i64>, stop: &CancellationToken) -> Result<Proof, Problem> {
        let began = tokio::time::Instant::now();
        let checked = drill::check(path.to_owned(), self.folder(), self.pace("checking", stop)).await;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = file.clone();
        let (event, proof) = match checked {
            Ok(found) => {
                let (events, rows) = (found.events, found.rows);
                let body = BackupDrilled { file, events, rows, duration_ms: millis(began) };
                (NewEvent::new("backup", body), Proof::Proven)
            }
            Err(problem) if problem.code == "stopped" => return Ok(Proof::Unproven),
            Err(problem) if OF_THE_DISK.contains(&problem.code) => {
                tracing::warn!(error = problem.message, "a backup could not be checked to the end");
                return Ok(Proof::Unproven);
            }
            Err(problem) => {
                let finding = cut(&one_line(&problem.message), 300);
                (NewEvent::new("backup", BackupDrillFailed { file, finding }), Proof::Failed)
            }
        };
        let event = cause.into_iter().fold(event, NewEvent::caused_by);
        let told = self.0.ctx.tell(event).await;
        told.map_err(|f| Problem::unavailable("store_failed", f.0, "Run `timmy doctor`."))?;
        // After the event: a result that is noted was told. What cannot be noted is checked once more.
        let folder = self.folder();
        let noted = blocking(move || Ok(proof::note(&folder, &name, proof == Proof::Proven))).await?;
        if let Err(error) = noted {
            tracing::warn!(%error, "what the check of a backup found could not be noted beside it");
        }
        Ok(proof)
    }
}

fn millis(began: tokio::time::Instant) -> i64 {
    i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// Runs work that touches the disk away from the serving threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let gone = |e: tokio::task::JoinError| Problem::unavailable("work_failed", e.to_string(), "Try again.");
    tokio::task::spawn_blocking(work).await.map_err(gone)?
}

/// The backups in `folder`, newest first. A folder that is not there has none.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Lying>, Problem> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let message = format!("The folder {} cannot be read: {error}.", folder.display());
            return Err(Problem::unavailable("backups_unreadable", message, "Check its permissions."));
        }
    };
    let notes = Notes::read(folder);
    let mut found: Vec<Lying> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let file = entry.file_name().to_str()?.to_owned();
            let (beginning, created_at) = plan::read_name(&file)?;
            let area = match beginning {
                plan::NIGHTLY | plan::ASKED => "home",
                other => other.trim_start_matches("timmy-").trim_end_matches('-'),
            };
            let (area, nightly) = (area.to_owned(), beginning == plan::NIGHTLY);
            let meta = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let (bytes, proof) = (meta.len(), notes.of(&file, meta.len()));
            Some(Lying { path: entry.path(), bytes, created_at, area, nightly, proof, file })
        })
        .collect();
    found.sort_by(|a, b| (plan::age(&b.file), &b.file).cmp(&(plan::age(&a.file), &a.file)));
    found.truncate(LISTED_MAX);
    Ok(found)
}
