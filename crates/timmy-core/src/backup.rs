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
use timmy_domain::{Actor, NewEvent, Problem, Record, Timestamp};
use timmy_store::{Area, EventQuery};
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;

pub mod drill;
mod make;
pub mod nightly;
pub mod plan;

pub(crate) use make::{MIND_BYTES_MAX, WorkFolder};

/// The folder of backups inside the home.
pub const FOLDER: &str = "backups";
/// How many times the bytes of the home must be free before a backup is begun: the copy and the archive.
pub const FREE_TIMES: u64 = 2;
/// Backups that are listed.
pub const LISTED_MAX: usize = 1_000;

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
        let Ok(busy) = Arc::clone(&self.0.busy).try_lock_owned() else {
            return Err(Problem::conflict(
                "backup_running",
                "A backup is being made already.",
                "Wait until it is done; `timmy backup list` shows it then.",
            ));
        };
        // From the first moment on, so that whoever waits for its end does not miss its beginning.
        self.say(Some(Making { step: "copying", done_bytes: 0, total_bytes: 0, since: self.0.ctx.now() }));
        let stop = CancellationToken::new();
        let given_up = stop.clone().drop_guard();
        let this = self.clone();
        let work = tokio::spawn(async move {
            let made = this.make_told(part, why, &stop).await;
            this.say(None);
            drop(busy);
            made
        });
        let made = work.await.map_err(|e| Problem::unavailable("backup_failed", e.to_string(), "Try again."))?;
        drop(given_up);
        made
    }

    fn say(&self, making: Option<Making>) {
        *self.0.making.lock().unwrap_or_else(PoisonError::into_inner) = making;
    }

    /// Makes it and tells how it went.
    async fn make_told(&self, part: Part, why: Why, stop: &CancellationToken) -> Result<Made, Problem> {
        let ctx = &self.0.ctx;
        let actor = if why == Why::Owner { Actor::Owner } else { Actor::Timmy };
        let began = tokio::time::Instant::now();
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
        let told = ctx.tell(NewEvent::new("backup", body).by(actor)).await;
        let cause = told.map_err(|f| Problem::unavailable("store_failed", f.0, "The backup is there; try again."))?;
        if part == Part::Home {
            made.drilled = self.drill(&made.path, cause, stop).await?;
        }
        Ok(made)
    }

    /// Checks the backup at `path` as a restore would, and tells what was found. Whether it is whole.
    async fn drill(&self, path: &Path, cause: i64, stop: &CancellationToken) -> Result<bool, Problem> {
        let began = tokio::time::Instant::now();
        let checked = drill::check(path.to_owned(), self.folder(), self.pace("checking", stop)).await;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (event, whole) = match checked {
            Ok(found) => {
                let (events, rows) = (found.events, found.rows);
                let body = BackupDrilled { file, events, rows, duration_ms: millis(began) };
                (NewEvent::new("backup", body), true)
            }
            // Given up by the owner: the backup is there and simply was not checked.
            Err(problem) if problem.code == "stopped" => return Ok(false),
            Err(problem) => {
                let finding = cut(&one_line(&problem.message), 300);
                (NewEvent::new("backup", BackupDrillFailed { file, finding }), false)
            }
        };
        let told = self.0.ctx.tell(event.caused_by(cause)).await;
        told.map(|_| whole).map_err(|f| Problem::unavailable("store_failed", f.0, "Run `timmy doctor`."))
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
            Some(Lying { path: entry.path(), bytes: meta.len(), created_at, area, nightly, file })
        })
        .collect();
    found.sort_by(|a, b| (b.created_at, &b.file).cmp(&(a.created_at, &a.file)));
    found.truncate(LISTED_MAX);
    Ok(found)
}
