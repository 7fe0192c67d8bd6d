//! The watched-folder reader: what a folder is, and what changed in it since the last look.
//!
//! A look reads; it never executes, follows a link, opens anything but a regular file or writes.
//! What it quotes is data from outside: cleaned, bounded and never from a file that looks secret.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use timmy_domain::Timestamp;
use timmy_domain::observation::ObservationKind;
use tokio::time::Instant;

use crate::{ToolError, git};
use mark::Mark;
use repo::Repo;
use walk::Listing;

mod commits;
pub mod dry;
mod kind;
mod mark;
mod plain;
mod read;
mod repo;
mod resolve;
mod survey;
mod walk;
mod words;
mod work;

pub(crate) use kind::{is_left_out, is_secret};
pub use mark::MARK_BYTES_MAX;
pub(crate) use read::hash;
pub use resolve::resolve;
pub(crate) use walk::{Rules, list, open_root};

/// Files and folders listed in one look.
pub const ENTRIES_MAX: usize = 20_000;

/// Levels below the folder that are listed.
pub const DEPTH_MAX: usize = 12;

/// Bytes read of one file.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Bytes read of all files in one look.
pub const LOOK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long one look may take.
pub const LOOK_SECONDS_MAX: u64 = 10;

/// What one look may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Files and folders listed.
    pub entries: usize,
    /// Levels below the folder.
    pub depth: usize,
    /// Bytes read of one file.
    pub file_bytes: usize,
    /// Bytes read of all files together.
    pub total_bytes: usize,
    /// How long the look may take.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: ENTRIES_MAX,
            depth: DEPTH_MAX,
            file_bytes: FILE_BYTES_MAX,
            total_bytes: LOOK_BYTES_MAX,
            time: Duration::from_secs(LOOK_SECONDS_MAX),
        }
    }
}

/// Something seen in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What kind of thing.
    pub kind: ObservationKind,
    /// One sentence in the words of the house, with the folder's name.
    pub summary: String,
    /// What is quoted from the folder: data, at most
    /// [`OBSERVATION_CHARS_MAX`](timmy_domain::observation::OBSERVATION_CHARS_MAX) characters.
    pub detail: String,
}

/// What a look gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What was seen; empty when nothing changed.
    pub observations: Vec<Seen>,
    /// Where the next look begins: opaque text of at most [`MARK_BYTES_MAX`] bytes.
    pub mark: String,
}

/// The state of one look that all its parts share.
struct Scene {
    name: String,
    now: Timestamp,
    limits: Limits,
    root: OwnedFd,
    listing: Listing,
    last: Option<Mark>,
}

/// Looks at the folder at `path`: everything worth telling when `mark` is `None` or not readable,
/// otherwise only what changed since the look that gave `mark`.
///
/// A repository that git cannot read is looked at as a plain folder, and its survey says so.
/// Dropping the future stops the look.
///
/// # Errors
/// [`ToolError::NotAFolder`], [`ToolError::TimedOut`] when nothing could be listed in time, and
/// what git gave when it could read the repository at the last look and now cannot.
pub async fn look(path: &Path, mark: Option<&str>, now: Timestamp, limits: &Limits) -> Result<Look, ToolError> {
    let deadline = Instant::now() + limits.time;
    let last = mark.and_then(Mark::parse);
    let (root, listing) = list_within(path, limits).await?;
    let repo = if git::is_repository(path) { Some(Repo::read(path, deadline).await) } else { None };
    let name = words::folder_name(path);
    let mut scene = Scene { name, now, limits: limits.clone(), root, listing, last };
    match repo {
        Some(Ok(repo)) => look_at_repository(path, scene, repo, deadline).await,
        Some(Err(error)) if scene.last.as_ref().is_some_and(|m| m.git.is_some()) => Err(error),
        other => {
            let trouble = other.and_then(Result::err);
            // The file list of a mark made from a repository is empty; begin anew without telling.
            let silent = scene.last.take_if(|m| m.git.is_some()).is_some();
            blocking(limits.time, move || look_at_files(&scene, trouble.as_ref(), silent)).await
        }
    }
}

async fn look_at_repository(path: &Path, scene: Scene, repo: Repo, deadline: Instant) -> Result<Look, ToolError> {
    let before = scene.last.as_ref().and_then(|m| m.git.as_ref());
    let commits = commits::tell(path, &scene.name, &repo, before, scene.now, deadline).await?;
    let candidates = work::candidates(&scene.listing, &repo, scene.limits.depth);
    let bases = work::bases(path, &candidates, scene.limits.file_bytes, deadline).await;
    let time = scene.limits.time;
    blocking(time, move || {
        let mut budget = read::Budget::new(&scene.limits);
        let uncommitted = work::compare(&scene, candidates, &bases, &mut budget);
        let first = scene.last.is_none();
        let mut observations = Vec::new();
        if first {
            observations.push(survey::of_repository(&scene, &repo, &mut budget));
        }
        observations.extend(commits);
        let known = scene.last.as_ref().and_then(|m| m.git.as_ref()).map(|g| g.work.as_slice());
        observations.extend(work::tell(&scene, &uncommitted, known));
        if first {
            let quoted = |path: &str| uncommitted.iter().any(|w| w.path == path);
            let ours = |path: &str| repo.knows(path) && !quoted(path);
            observations.extend(plain::recent(&scene, &ours, &mut budget));
        }
        let versions = uncommitted.into_iter().map(|w| w.version).collect();
        let mark = Mark::of_repository(repo.head, repo.branch, versions);
        Look { observations, mark: mark.encode() }
    })
    .await
}

fn look_at_files(scene: &Scene, trouble: Option<&ToolError>, silent: bool) -> Look {
    let mut budget = read::Budget::new(&scene.limits);
    let mut observations = Vec::new();
    let first = scene.last.is_none() && !silent;
    if first {
        observations.push(survey::of_folder(scene, trouble, &mut budget));
        observations.extend(plain::recent(scene, &|_| true, &mut budget));
    }
    let (changed, mark) = plain::changes(scene, &mut budget);
    if scene.last.is_some() {
        observations.extend(plain::tell(scene, &changed));
    }
    Look { observations, mark: mark.encode() }
}

/// Opens and lists the folder in the background, within the time of the look.
async fn list_within(path: &Path, limits: &Limits) -> Result<(OwnedFd, Listing), ToolError> {
    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    let (path, limits, flag) = (path.to_owned(), limits.clone(), Arc::clone(&stop.0));
    let time = limits.time;
    // Half the time is for listing, so that a folder too large to list still gives something.
    let until = std::time::Instant::now() + time / 2;
    blocking(time, move || {
        let root = open_root(&path).map_err(|source| ToolError::NotAFolder { path: path.clone(), source })?;
        let stopped = || flag.load(Ordering::Relaxed) || std::time::Instant::now() >= until;
        let rules = Rules { entries: limits.entries, depth: limits.depth, leaves_out: kind::is_left_out };
        let listing = list(&root, &rules, &stopped);
        Ok((root, listing))
    })
    .await?
}

/// Raises the flag when the look that waits is gone.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` where blocking is allowed; a disk that does not answer does not hold up the caller.
async fn blocking<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ToolError> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Err(_) => Err(ToolError::TimedOut { what: "looking at the folder".to_owned(), limit }),
        Ok(Err(gone)) => Err(ToolError::io("looking at the folder", std::io::Error::other(gone))),
        Ok(Ok(value)) => Ok(value),
    }
}

#[cfg(test)]
mod tests;
