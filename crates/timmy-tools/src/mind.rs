//! Timmy's mind: a folder of plain files the owner may edit, under git, from which Timmy can be begun anew.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path};

use timmy_domain::text;

use crate::ToolError;
use crate::folder::{DEPTH_MAX, Rules, hash, list, open_root};
use crate::git::{GIT, GIT_BOUNDS, hardened};
use crate::process::Output;
use crate::sandbox::Policy;

/// Files and folders the mind may hold.
pub const MIND_ENTRIES_MAX: usize = 2_000;

/// Bytes the mind may hold.
pub const MIND_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Characters the message of a commit may hold.
pub const COMMIT_MESSAGE_CHARS_MAX: usize = 2_000;

/// The message of the first commit.
const FIRST_MESSAGE: &str = "The mind begins";

/// Who makes the commits, and that contents are taken byte by byte.
const OWN_CONFIG: [&str; 4] =
    ["user.name=Timmy", "user.email=timmy@localhost", "core.autocrlf=false", "core.safecrlf=false"];

/// Outranks every `.gitattributes` in the mind, so that no filter named there runs on `add`.
const ATTRIBUTES: &str = "* -filter -text -ident -working-tree-encoding\n";

/// What [`ensure`] had to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ensured {
    /// Default files that were missing and are written now.
    pub written: Vec<String>,
    /// The first commit, if it was made now.
    pub first_commit: Option<String>,
}

/// Makes the mind at `dir` what it must be: every default file is there (an existing one stays as it
/// is), and it is a git repository with a first commit.
///
/// # Errors
/// [`ToolError::NotInstalled`] without git, [`ToolError::TooLarge`], and others of git or the disk.
/// The files are there even when git gives an error.
pub async fn ensure(dir: &Path, defaults: &[(&str, &str)]) -> Result<Ensured, ToolError> {
    ensure_with(GIT, dir, defaults).await
}

async fn ensure_with(program: &str, dir: &Path, defaults: &[(&str, &str)]) -> Result<Ensured, ToolError> {
    let (home, files) = (dir.to_owned(), defaults.iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect());
    let written = blocking(move || write_missing(&home, files)).await?;
    let first_commit = if head(program, dir).await?.is_some() {
        None
    } else {
        git(program, dir, &["init", "--quiet", "--template=", "--initial-branch=main"]).await?.whole()?;
        add_all(program, dir).await?;
        Some(commit(program, dir, FIRST_MESSAGE).await?)
    };
    Ok(Ensured { written, first_commit })
}

/// Commits what was edited in the mind since the last commit; `None` when nothing was.
///
/// # Errors
/// As [`ensure`].
pub async fn commit_edits(dir: &Path, message: &str) -> Result<Option<String>, ToolError> {
    add_all(GIT, dir).await?;
    let difference = git(GIT, dir, &["diff-index", "--cached", "--quiet", "--no-ext-diff", "HEAD"]).await?;
    match difference.status.code() {
        Some(0) => Ok(None),
        Some(1) => commit(GIT, dir, message).await.map(Some),
        _ => Err(difference.failure()),
    }
}

/// A short text that changes when a file of the mind does: by path, time and size, without reading
/// contents. Empty when the mind cannot be opened. Blocks for the time of listing a small folder.
#[must_use]
pub fn fingerprint(dir: &Path) -> String {
    let Ok(root) = open_root(dir) else { return String::new() };
    let listing = list(&root, &rules(), &|| false);
    let lines = listing.files.iter().map(|e| format!("{}\0{}\0{}\0", e.path, e.changed_ns, e.bytes));
    hash([lines.collect::<String>().as_bytes()])
}

fn rules() -> Rules {
    Rules { entries: MIND_ENTRIES_MAX, depth: DEPTH_MAX, leaves_out: |name, _| name == ".git" }
}

/// Writes the files that are missing below `dir`; gives their paths.
fn write_missing(dir: &Path, files: Vec<(String, String)>) -> Result<Vec<String>, ToolError> {
    let mut written = Vec::new();
    for (path, content) in files {
        if !Path::new(&path).components().all(|c| matches!(c, Component::Normal(_))) {
            return Err(ToolError::io(format!("writing {path}"), io::ErrorKind::InvalidInput.into()));
        }
        let at = dir.join(&path);
        // Also true for a link that leads nowhere: whatever the owner put there stays.
        if at.symlink_metadata().is_ok() {
            continue;
        }
        write_whole(&at, &content).map_err(|source| ToolError::io(format!("writing {}", at.display()), source))?;
        written.push(path);
    }
    fs::create_dir_all(dir).map_err(|source| ToolError::io(format!("making {}", dir.display()), source))?;
    Ok(written)
}

/// Writes a file that is either there with all its content or not at all, even when the power goes.
fn write_whole(at: &Path, content: &str) -> io::Result<()> {
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    let name = at.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let draft = at.with_file_name(format!(".{name}.draft"));
    let mut file = File::create(&draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, at)
}

async fn add_all(program: &str, dir: &Path) -> Result<(), ToolError> {
    let home = dir.to_owned();
    blocking(move || {
        check_size(&home)?;
        let info = home.join(".git/info");
        let write = || fs::create_dir_all(&info).and_then(|()| fs::write(info.join("attributes"), ATTRIBUTES));
        write().map_err(|source| ToolError::io(format!("writing {}", info.display()), source))
    })
    .await?;
    git(program, dir, &["add", "--all", "--", "."]).await?.whole().map(drop)
}

/// Refuses a mind into which somebody put what does not belong there, before git copies it.
fn check_size(dir: &Path) -> Result<(), ToolError> {
    let root = open_root(dir).map_err(|source| ToolError::NotAFolder { path: dir.to_owned(), source })?;
    let listing = list(&root, &rules(), &|| false);
    let bytes: u64 = listing.files.iter().map(|e| e.bytes).sum();
    if listing.complete && bytes <= MIND_BYTES_MAX {
        return Ok(());
    }
    let limit = format!("{MIND_ENTRIES_MAX} files or {} MiB", MIND_BYTES_MAX / (1024 * 1024));
    Err(ToolError::TooLarge { path: dir.to_owned(), limit })
}

async fn commit(program: &str, dir: &Path, message: &str) -> Result<String, ToolError> {
    let message = text::cut(text::clean(message).trim(), COMMIT_MESSAGE_CHARS_MAX);
    let message = format!("--message={}", if message.is_empty() { "Edits" } else { &message });
    let args = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--allow-empty", "--cleanup=whitespace", &message];
    git(program, dir, &args).await?.whole()?;
    let made = head(program, dir).await?;
    made.ok_or_else(|| ToolError::io("committing the mind", io::ErrorKind::NotFound.into()))
}

/// The last commit of the mind; `None` when there is none or no repository.
async fn head(program: &str, dir: &Path) -> Result<Option<String>, ToolError> {
    let output = git(program, dir, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}

/// Git on Timmy's own repository: hardened like everywhere, and allowed to write.
async fn git(program: &str, dir: &Path, args: &[&str]) -> Result<Output, ToolError> {
    // Its own history is what it is there to write.
    let policy = Policy::vouched().writes(dir).writes(dir.join(".git"));
    let mut run = hardened(program, dir, policy);
    for setting in OWN_CONFIG {
        run = run.arg("-c").arg(setting);
    }
    run.args(args.iter().copied()).run(GIT_BOUNDS).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|gone| Err(ToolError::io("writing the mind", io::Error::other(gone))))
}

#[cfg(test)]
mod tests;
