//! Checking a backup as a restore would: unpack it, open the database, verify all of it, compare the counts.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use timmy_domain::Problem;
use timmy_store::{OnProgress, Still, StoreError};
use timmy_tools::archive::{self, Manifest};
use timmy_tools::git::git;
use timmy_tools::process::Bounds;

use super::blocking;
use super::work::WorkFolder;

/// Bytes of one line of an exported area.
pub(crate) const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// What asking the mind for its last commit may use.
const GIT_BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), output_bytes: 4 * 1024 };
/// Bytes of the configuration of the mind's repository.
const GIT_CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// A backup that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What stands at its head.
    pub manifest: Manifest,
    /// Events whose chain was verified; 0 when no database is in it.
    pub events: i64,
    /// Rows of all tables, or lines of the areas.
    pub rows: i64,
}

/// Checks the backup at `file`; what is unpacked for it lies below `scratch` and goes again.
///
/// # Errors
/// What is wrong with it; `stopped` when `on_progress` gave it up; what the disk said.
pub async fn check(file: PathBuf, scratch: PathBuf, on_progress: OnProgress) -> Result<Checked, Problem> {
    let name = format!("drill-{}", std::process::id());
    let (work, checked) = blocking(move || {
        let work = WorkFolder::make(&scratch, &name)?;
        let checked = unpack_checked(&file, &work.0, &on_progress)?;
        Ok((work, checked))
    })
    .await?;
    let mind = work.0.join("mind");
    if mind.join(".git").exists() && !is_beginning(&mind) {
        commit_of(&mind).await?;
    }
    // Away from the serving threads: removing may take its time.
    blocking(move || {
        drop(work);
        Ok(())
    })
    .await?;
    Ok(checked)
}

/// Whether the history of the mind at `dir` has begun and holds nothing yet, as in the first moment of a home. Where
/// something was ever committed there is a branch, packed or not, or at least the log of one. Blocks.
#[must_use]
pub fn is_beginning(dir: &Path) -> bool {
    let git = dir.join(".git");
    let no_branch = std::fs::read_dir(git.join("refs/heads")).is_ok_and(|mut heads| heads.next().is_none());
    no_branch && !git.join("packed-refs").exists() && !git.join("logs").exists()
}

/// Whether the mind at `dir` has a history that git can read.
///
/// # Errors
/// When it has none.
pub async fn commit_of(dir: &Path) -> Result<String, Problem> {
    let asked = git(dir, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], GIT_BOUNDS).await;
    let output = asked.map_err(|e| e.problem())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let message = "The history of the mind cannot be read: git finds no last commit.";
    Err(Problem::unavailable("mind_damaged", message, "Use another backup; `timmy backup list` shows what there is."))
}

/// Unpacks the backup at `file` into the empty folder `into` and checks everything in it.
pub(crate) fn unpack_checked(file: &Path, into: &Path, on_progress: &OnProgress) -> Result<Checked, Problem> {
    let manifest = archive::unpack(file, into, &|done, total| on_progress(done, total)).map_err(|e| e.problem())?;
    let (mut events, mut rows) = (0, 0);
    if manifest.is_whole() {
        let still = Still::open(&into.join("timmy.db"), into).map_err(|e| damaged(file, &e))?;
        let found = still.inspect().map_err(|e| damaged(file, &e))?;
        let told = (&manifest.tables, manifest.last_seq, manifest.schema_version, &manifest.head_hash);
        let there = &found.contents;
        if (&there.tables, there.last_seq, there.schema_version, &there.head_hash) != told {
            return Err(wrong(file, "the database in it is not the one its manifest describes"));
        }
        events = found.events;
        rows = there.tables.values().sum();
    } else {
        for (area, told) in &manifest.tables {
            let lines = count_lines(&into.join(format!("areas/{area}.ndjson"))).map_err(|f| wrong(file, &f))?;
            if lines != *told {
                return Err(wrong(file, &format!("{area} holds {lines} lines, and should hold {told}")));
            }
            rows += lines;
        }
    }
    plain_repository(&into.join("mind")).map_err(|finding| wrong(file, &finding))?;
    Ok(Checked { manifest, events, rows })
}

fn wrong(file: &Path, finding: &str) -> Problem {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let message = format!("The backup {name} cannot be used: {}.", finding.trim_end_matches('.'));
    Problem::unavailable("bad_backup", message, "Use another backup; `timmy backup list` shows what there is.")
}

fn damaged(file: &Path, error: &StoreError) -> Problem {
    match error {
        StoreError::NewerSchema { .. } | StoreError::Disk { .. } => error.problem(),
        other => wrong(file, &other.to_string()),
    }
}

/// A repository that reaches out of its folder would let Timmy write where he must not.
fn plain_repository(mind: &Path) -> Result<(), String> {
    let git = mind.join(".git");
    if !git.exists() {
        return Ok(());
    }
    if !git.is_dir() || git.join("commondir").exists() || git.join("objects/info/alternates").exists() {
        return Err("the mind in it is a repository that lies elsewhere".to_owned());
    }
    let mut config = String::new();
    let read = File::open(git.join("config")).and_then(|f| f.take(GIT_CONFIG_BYTES_MAX).read_to_string(&mut config));
    if read.is_err() {
        return Err("the mind in it has no readable configuration".to_owned());
    }
    let config = config.to_lowercase();
    if config.contains("worktree") || config.contains("[include") {
        return Err("the configuration of the mind in it names another folder".to_owned());
    }
    Ok(())
}

/// The lines of an exported area, each of which must be a JSON object.
fn count_lines(path: &Path) -> Result<i64, String> {
    let mut lines = 0;
    for row in rows_of(path).map_err(|e| e.to_string())? {
        row.map_err(|()| format!("line {} cannot be read", lines + 1))?;
        lines += 1;
    }
    Ok(lines)
}

/// The rows of an exported area; `Err` stands for a line that cannot be read.
pub(crate) fn rows_of(path: &Path) -> std::io::Result<impl Iterator<Item = Result<serde_json::Value, ()>> + use<>> {
    let mut reader = BufReader::new(File::open(path)?);
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        match read {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_slice::<serde_json::Value>(&line).ok().filter(|v| v.is_object()).ok_or(())),
            Err(_) => Some(Err(())),
        }
    }))
}
