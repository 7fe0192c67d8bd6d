//! The version-controlled self: persona, prompts and seeds in `mind/`, as the owner last edited them.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::{MindChanged, MindRenewed};
use timmy_domain::text::{clean, cut, one_line};
use timmy_domain::{Actor, NewEvent};
use timmy_tools::git::git;
use timmy_tools::mind;
use timmy_tools::process::Bounds;

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// Bytes of one file of the self that are read.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Characters of one file of the self that go into a prompt.
pub const FILE_CHARS_MAX: usize = 8_000;
/// Seeds that are read from one list.
pub const SEEDS_MAX: usize = 500;
/// Files that one edit names.
const CHANGED_MAX: usize = 20;
/// The store's key that stands once this home has had a mind.
const BEGUN_KEY: &str = "mind.begun";
/// Seconds between two looks at whether the owner edited something.
const LOOK_SECONDS: u64 = 10;

/// The files a new self begins with: path below `mind/` and content.
pub const DEFAULTS: [(&str, &str); 7] = [
    ("README.md", include_str!("selfhood/README.md")),
    ("persona.md", include_str!("selfhood/persona.md")),
    ("prompts/thinking.md", include_str!("selfhood/prompts/thinking.md")),
    ("prompts/talk.md", include_str!("selfhood/prompts/talk.md")),
    ("seeds/existential.md", include_str!("selfhood/seeds/existential.md")),
    ("seeds/creative.md", include_str!("selfhood/seeds/creative.md")),
    ("seeds/scripture.md", include_str!("selfhood/seeds/scripture.md")),
];

/// The text of a file of the self as it stands now; the built-in one when it is missing, empty or unreadable.
pub async fn text(mind_dir: &Path, file: &'static str) -> String {
    let path = mind_dir.join(file);
    // Files are small and local; the blocking pool keeps a slow disk off the serving threads.
    let read = tokio::task::spawn_blocking(move || read_bounded(&path)).await.ok().flatten();
    let own = read.map(|t| cut(clean(&t).trim(), FILE_CHARS_MAX)).filter(|t| !t.is_empty());
    own.unwrap_or_else(|| {
        DEFAULTS.iter().find(|(name, _)| *name == file).map_or_else(String::new, |(_, t)| t.trim().to_owned())
    })
}

/// The lines of a list of the self: each that begins with a dash, without it.
pub async fn list(mind_dir: &Path, file: &'static str) -> Vec<String> {
    entries(&text(mind_dir, file).await)
}

fn entries(text: &str) -> Vec<String> {
    let line = |l: &str| l.trim().strip_prefix("- ").map(|t| cut(t.trim(), 500)).filter(|t| !t.is_empty());
    text.lines().filter_map(line).take(SEEDS_MAX).collect()
}

fn read_bounded(path: &Path) -> Option<String> {
    use std::io::Read;
    let file = std::fs::File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Keeps `mind/` a git repository with everything a self needs, and commits what the owner edits.
#[derive(Default)]
pub struct Keeper {
    fingerprint: Mutex<Option<String>>,
}

impl Keeper {
    fn known(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.fingerprint.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn keep(&self, ctx: &Ctx) -> Result<Found, Fault> {
        let seen = fingerprint(&ctx.mind_dir).await?;
        if self.known().as_ref() == Some(&seen) {
            return Ok(Found::Well("no edit since the last look".to_owned()));
        }
        match mind::ensure(&ctx.mind_dir, &DEFAULTS).await {
            Ok(done) => Self::tell_renewed(ctx, done).await?,
            Err(error) => return Ok(Found::Trouble(format!("mind/ is not under version control: {error}"))),
        }
        let fresh = fingerprint(&ctx.mind_dir).await?;
        let edit = match mind::commit_edits(&ctx.mind_dir, "Keep what the owner edited").await {
            Ok(edit) => edit,
            // Not noted as known, so the next look tries again.
            Err(error) => return Ok(Found::Trouble(format!("an edit of mind/ is not committed yet: {error}"))),
        };
        *self.known() = Some(fresh);
        let Some(edit) = edit else {
            return Ok(Found::Well("all of mind/ is committed".to_owned()));
        };
        let files = changed(&ctx.mind_dir, &edit).await?;
        let note = format!("committed an edit of {}", files.join(", "));
        ctx.tell(NewEvent::new("mind", MindChanged { files }).by(Actor::Owner)).await?;
        Ok(Found::Well(note))
    }
}

impl Keeper {
    /// Tells what was begun anew, unless this home begins its first mind.
    async fn tell_renewed(ctx: &Ctx, done: mind::Ensured) -> Result<(), Fault> {
        let history = done.first_commit.is_some();
        let files: Vec<String> = done.written.into_iter().take(CHANGED_MAX).collect();
        let told = ctx.store.write(move |tx| {
            let begun = tx.state(BEGUN_KEY)?.is_some();
            if !begun {
                tx.set_state(BEGUN_KEY, "yes")?;
            } else if history || !files.is_empty() {
                tx.append(NewEvent::new("mind", MindRenewed { files, history }))?;
            }
            Ok(())
        });
        Ok(told.await?)
    }
}

async fn fingerprint(dir: &Path) -> Result<String, Fault> {
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || {
        // A history that goes while every file stays must be noticed too.
        format!("{} {}", mind::fingerprint(&dir), dir.join(".git/HEAD").exists())
    })
    .await
    .map_err(|e| Fault(e.to_string()))
}

/// Which files the commit `sha` changed, at most [`CHANGED_MAX`].
async fn changed(dir: &Path, sha: &str) -> Result<Vec<String>, Fault> {
    let bounds = Bounds { time: Duration::from_secs(10), output_bytes: 16 * 1024 };
    let asked = git(dir, &["diff-tree", "--no-commit-id", "--name-only", "-r", "--root", "-z", sha], bounds).await;
    let output = asked.map_err(|e| Fault(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split('\0').filter(|f| !f.is_empty()).take(CHANGED_MAX).map(|f| cut(&one_line(f), 200)).collect())
}

impl Reconciler for Keeper {
    fn name(&self) -> &'static str {
        "selfhood"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(LOOK_SECONDS)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(self.keep(ctx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_the_lines_after_a_dash() {
        assert_eq!(entries("# Title\n\n- one\n-two\n  - three \n- \ntext"), ["one", "three"]);
        for (file, text) in DEFAULTS.iter().filter(|(f, _)| f.starts_with("seeds/")) {
            assert!(entries(text).len() >= 5, "{file} has too few seeds");
        }
    }

    #[tokio::test]
    async fn the_owners_edit_takes_effect_and_an_empty_file_falls_back() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let builtin = text(dir.path(), "persona.md").await;
        assert!(builtin.contains("You are Timmy"));
        std::fs::write(dir.path().join("persona.md"), "You are Timmy the second.").expect("write");
        assert_eq!(text(dir.path(), "persona.md").await, "You are Timmy the second.");
        std::fs::write(dir.path().join("persona.md"), " \n").expect("write");
        assert_eq!(text(dir.path(), "persona.md").await, builtin);
    }
}
