//! Putting a backup in place of the home, so that whatever happens meanwhile the home is the old one or
//! the new one.
//!
//! Everything is unpacked and checked beside the home first. Then one file, `restore.json`, says what is
//! to be moved: until it is there nothing has changed, and from then on every start finishes the moves
//! before it opens anything. What was there before is moved aside and never removed.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use timmy_domain::event::RestoreDone;
use timmy_domain::{Actor, NewEvent, Problem, Timestamp};
use timmy_store::{OnProgress, Store, StoreError};
use timmy_tools::archive;

use crate::backup::drill::{Checked, commit_of, is_beginning, unpack_checked};
use crate::backup::{WorkFolder, blocking};

mod area;
pub use area::bring_in;

/// The file that says which moves are to be finished.
pub const JOURNAL: &str = "restore.json";
/// What the names of things moved aside end in, followed by the time.
pub const ASIDE: &str = ".before-restore-";
/// Bytes of the journal that are read.
const JOURNAL_BYTES_MAX: u64 = 64 * 1024;
/// What is put in place, in this order: the database comes last, for it is what a start looks for.
const ITEMS: [&str; 4] = ["blobs", "mind", "timmy.toml", "timmy.db"];
/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// The store's key for the restore that was told last.
const TOLD_KEY: &str = "restore.told";

/// A restore that has begun, and what is to be told about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Tells one restore from another.
    id: String,
    /// The folder in the home in which the new things wait.
    staging: String,
    /// What the names of the old things end in from now on.
    pub suffix: String,
    /// The backup's file name.
    pub file: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The last event in it.
    pub last_seq: i64,
}

/// A backup that is unpacked beside the home and whole. It goes when this value does.
pub struct Prepared {
    work: WorkFolder,
    /// What is in it.
    pub checked: Checked,
    file: String,
}

impl Prepared {
    /// The folder it is unpacked in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.work.0
    }

    /// The backup's file name.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }
}

fn disk(what: &str, error: &std::io::Error) -> Problem {
    let message = format!("{what}: {}.", error.to_string().trim_end_matches('.'));
    Problem::unavailable("restore_failed", message, "Make room on the disk, check its permissions, and try again.")
}

/// Unpacks the backup at `file` beside the home at `home` and checks all of it. The home is not touched.
/// `name` tells this restore from others.
///
/// # Errors
/// What is wrong with the backup; `stopped` when `on_progress` gave it up; what the disk said.
pub async fn prepare(home: &Path, file: &Path, name: &str, on_progress: OnProgress) -> Result<Prepared, Problem> {
    let (home, at, name) = (home.to_owned(), file.to_owned(), format!("restore-{name}"));
    let (work, checked) = blocking(move || {
        clear(&home);
        let work = WorkFolder::make(&home, &name)?;
        let checked = unpack_checked(&at, &work.0, &on_progress)?;
        Ok((work, checked))
    })
    .await?;
    let mind = work.0.join("mind");
    if mind.join(".git").exists() && !is_beginning(&mind) {
        commit_of(&mind).await?;
    }
    let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Prepared { work, checked, file })
}

/// Removes what earlier restores unpacked that were killed before they began.
fn clear(home: &Path) {
    let journal = read(home).ok().flatten();
    let Ok(entries) = fs::read_dir(home) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".work-restore-") && journal.as_ref().is_none_or(|plan| plan.staging != name) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Begins to put `prepared` in place: from here on the next start finishes what this one does not.
///
/// # Errors
/// What the disk said; then the home is as it was.
pub fn begin(home: &Path, prepared: Prepared, now: Timestamp) -> Result<Plan, Problem> {
    let Prepared { work, checked, file } = prepared;
    archive::make_durable(&work.0).map_err(|e| e.problem())?;
    let name = work.0.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stamp: String = now.to_string()[..19].chars().filter(char::is_ascii_alphanumeric).collect();
    let free = |suffix: &String| ITEMS.iter().all(|item| !home.join(format!("{item}{suffix}")).exists());
    let suffix = (1..1_000)
        .map(|n| if n == 1 { format!("{ASIDE}{stamp}Z") } else { format!("{ASIDE}{stamp}Z-{n}") })
        .find(free)
        .ok_or_else(|| Problem::conflict("restore_failed", "Too many restores in one second.", "Try again."))?;
    let plan = Plan {
        id: format!("{name}-{}", now.micros()),
        staging: name,
        suffix,
        file,
        made_at: checked.manifest.created_at,
        last_seq: checked.manifest.last_seq,
    };
    write(home, &plan).map_err(|e| disk("The restore could not be begun", &e))?;
    // The folder belongs to the plan now.
    std::mem::forget(work);
    Ok(plan)
}

fn write(home: &Path, plan: &Plan) -> std::io::Result<()> {
    let draft = home.join(format!("{JOURNAL}.new"));
    // Left by one that was cut off.
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(&serde_json::to_vec(plan)?)?;
    file.sync_all()?;
    fs::rename(&draft, home.join(JOURNAL))?;
    sync(home)
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn read(home: &Path) -> Result<Option<Plan>, Problem> {
    let mut text = String::new();
    let read = File::open(home.join(JOURNAL)).and_then(|f| f.take(JOURNAL_BYTES_MAX).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(disk("restore.json cannot be read", &error)),
        Ok(_) => {}
    }
    let plan: Option<Plan> = serde_json::from_str(&text).ok();
    // It is Timmy's own file; a name that leads elsewhere was not written by him.
    let plain = |name: &str| !name.is_empty() && !name.contains('/') && !name.contains("..");
    plan.filter(|p| plain(&p.staging) && plain(&p.suffix) && p.suffix.starts_with(ASIDE)).map(Some).ok_or_else(|| {
        let message = "restore.json, the note of a restore that was begun, cannot be read.";
        let hint = "Restore the backup again; if that is refused, move restore.json away and look into the home.";
        Problem::unavailable("restore_failed", message, hint)
    })
}

/// The restore that was begun and is not finished, when there is one. Nothing is changed.
///
/// # Errors
/// When its note cannot be read.
pub fn pending(home: &Path) -> Result<Option<Plan>, Problem> {
    read(home)
}

/// Finishes the restore that was begun, when there is one. Whoever opens the home does this first, while
/// nobody else has it. Doing it again changes nothing.
///
/// # Errors
/// When a move fails; then the next start tries again, and nothing is lost.
pub fn finish(home: &Path) -> Result<Option<Plan>, Problem> {
    let Some(plan) = read(home)? else { return Ok(None) };
    for (from, to) in moves(home, &plan) {
        rename(&from, &to).map_err(|e| disk(&format!("{} could not be moved", from.display()), &e))?;
    }
    sync(home).map_err(|e| disk("The restored home could not be stored", &e))?;
    timmy_store::adopt(&home.join("timmy.db")).map_err(|e| e.problem())?;
    Ok(Some(plan))
}

/// What is still to be moved, in order. Made anew from what lies where, so that it may be cut off anywhere.
fn moves(home: &Path, plan: &Plan) -> Vec<(PathBuf, PathBuf)> {
    let staging = home.join(&plan.staging);
    let mut moves = Vec::new();
    for item in ITEMS {
        let new = staging.join(item);
        if new.symlink_metadata().is_err() {
            continue;
        }
        if item == "timmy.db" {
            // The old database goes with its write-ahead log, or what it holds would be lost.
            for end in BESIDE {
                moves.push((home.join(format!("{item}{end}")), home.join(format!("{item}{}{end}", plan.suffix))));
            }
        }
        moves.push((home.join(item), home.join(format!("{item}{}", plan.suffix))));
        moves.push((new, home.join(item)));
    }
    moves
}

/// Moves what is there; what is not there needs no moving.
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Tells in the log of the new home that it was restored, once, and puts the note of it away.
///
/// # Errors
/// What the store said; then the next start tells it.
pub fn tell(store: &Store, home: &Path, plan: &Plan) -> Result<(), StoreError> {
    let (id, body) = (
        plan.id.clone(),
        RestoreDone {
            file: plan.file.clone(),
            made_at: plan.made_at,
            last_seq: plan.last_seq,
            kept_as: plan.suffix.clone(),
        },
    );
    store.write_blocking(move |tx| {
        if tx.state(TOLD_KEY)?.as_deref() != Some(id.as_str()) {
            tx.set_state(TOLD_KEY, &id)?;
            tx.append(NewEvent::new("backup", body).by(Actor::Owner))?;
        }
        Ok(())
    })?;
    let put_away = fs::remove_file(home.join(JOURNAL)).and_then(|()| sync(home));
    if let Err(error) = put_away {
        // It is told again at the next start, and then it is known already.
        tracing::warn!(%error, "the note of the restore could not be put away");
    }
    // Empty by now.
    let _ = fs::remove_dir_all(home.join(&plan.staging));
    Ok(())
}

#[cfg(test)]
mod tests;
