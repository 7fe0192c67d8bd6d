//! Changing a file: what it will hold is worked out first, and it changes as a whole or not at all.

use std::fs::File;
use std::io::Write as _;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fchmod, fsync, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use serde::Deserialize;
use timmy_domain::digest::Digest;
use timmy_domain::text;

use super::way::{self, FILE_BYTES_MAX, Snapshot, Spot, Want};
use crate::ToolError;
use crate::tool::outcome::{ARTIFACT_BYTES_MAX, Artifact, ArtifactKind, Outcome, Touched};
use crate::tool::scope::{Grants, Identity, Within, shown};

/// How a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is made; there must be none yet.
    Create,
    /// It holds the new content and nothing else; made when there is none.
    Overwrite,
    /// The content is added at its end.
    Append,
    /// The one place where the text `find` stands becomes the content.
    Replace,
}

/// A change of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Change {
    /// How it changes.
    pub how: How,
    /// The new text.
    pub content: String,
    /// The text that is replaced.
    #[serde(default)]
    pub find: String,
}

/// A change worked out, before anything is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worked {
    /// The whole path.
    pub path: String,
    /// The file that is there, or else the nearest folder on the way to it that is.
    pub identity: Identity,
    /// The hash of what the file holds; `None` when there is none.
    pub before_sha256: Option<Digest>,
    /// The hash of what it will hold.
    pub after_sha256: Digest,
    /// Whether what it holds is small enough to be kept, so that the change can be undone.
    pub can_undo: bool,
}

impl Change {
    /// What a file that holds `before` will hold.
    fn result(&self, path: &str, before: Option<&[u8]>) -> Result<Vec<u8>, ToolError> {
        let path = shown(path);
        let missing =
            || ToolError::permanent("no_such_file", format!("There is no {path}."), "Create it, or name another file.");
        let after = match self.how {
            How::Create if before.is_some() => {
                let message = format!("{path} is there already.");
                return Err(ToolError::permanent(
                    "file_exists",
                    message,
                    "Overwrite it, add to it, or choose another name.",
                ));
            }
            How::Create | How::Overwrite => self.content.clone().into_bytes(),
            How::Append => [before.ok_or_else(missing)?, self.content.as_bytes()].concat(),
            How::Replace => self.replaced(&path, before.ok_or_else(missing)?)?.into_bytes(),
        };
        if after.len() <= FILE_BYTES_MAX {
            return Ok(after);
        }
        let message = format!("{path} would become larger than {} MiB.", FILE_BYTES_MAX / (1024 * 1024));
        Err(ToolError::permanent("file_too_large", message, "Write it in several files."))
    }

    fn replaced(&self, path: &str, before: &[u8]) -> Result<String, ToolError> {
        let Ok(text) = std::str::from_utf8(before) else {
            return Err(ToolError::permanent(
                "not_text",
                format!("{path} is no text."),
                "Overwrite it as a whole instead.",
            ));
        };
        let count = if self.find.is_empty() { 0 } else { text.matches(&self.find).take(1_000).count() };
        if count == 1 {
            return Ok(text.replacen(&self.find, &self.content, 1));
        }
        let message =
            format!("The text to replace stands in {path} {}, not once.", text::plural(count as u64, "time", "times"));
        Err(ToolError::permanent("not_one_place", message, "Read the file and give more of the text around the place."))
    }
}

/// Works out `change` of the file `within` names, and changes nothing.
///
/// # Errors
/// What the way to the file gives, and [`ToolError::Permanent`] when the change does not fit what is there.
pub fn work_out(grants: &Grants, within: &Within<'_>, change: &Change) -> Result<Worked, ToolError> {
    let path = within.path();
    let spot = match way::spot(grants, within, Want::Write, false) {
        // A folder on the way is missing too; it will be made.
        Err(ToolError::Permanent { code: "no_such_file", .. })
            if matches!(change.how, How::Create | How::Overwrite) =>
        {
            let after_sha256 = Digest::of(&change.result(&path, None)?);
            let identity = nearest(grants, within)?;
            return Ok(Worked { path, identity, before_sha256: None, after_sha256, can_undo: true });
        }
        other => other?,
    };
    let before = before(&spot)?;
    let after = change.result(&path, before.as_ref().map(|snapshot| snapshot.bytes.as_slice()))?;
    Ok(Worked {
        path,
        identity: identity(&spot, before.as_ref()),
        can_undo: before.as_ref().is_none_or(|snapshot| snapshot.bytes.len() <= ARTIFACT_BYTES_MAX),
        before_sha256: before.map(|snapshot| snapshot.sha256),
        after_sha256: Digest::of(&after),
    })
}

/// The deepest folder on the way that is there.
fn nearest(grants: &Grants, within: &Within<'_>) -> Result<Identity, ToolError> {
    let mut there = within.clone();
    loop {
        there.parts.pop();
        match way::identity(grants, &there) {
            Err(ToolError::Permanent { code: "no_such_file", .. }) if !there.parts.is_empty() => {}
            other => return other,
        }
    }
}

/// The file that is there, or else the folder that would hold it.
fn identity(spot: &Spot, before: Option<&Snapshot>) -> Identity {
    let folder = spot.way.last().copied().unwrap_or(Identity { dev: 0, inode: 0 });
    before.map_or(folder, |snapshot| snapshot.identity)
}

fn before(spot: &Spot) -> Result<Option<Snapshot>, ToolError> {
    if spot.exists()? { spot.snapshot().map(Some) } else { Ok(None) }
}

/// Carries out `change` as it was worked out: the file must still be the one it was, with the content it had. When it
/// already holds what it should, an earlier run was cut off after its effect, and nothing is done. `draft` is a name
/// of its own for the new file until it takes the place of the old one.
///
/// # Errors
/// [`ToolError::Refused`] when the file is not as it was, and what the way to it and the disk give.
pub fn carry_out(
    grants: &Grants,
    within: &Within<'_>,
    change: &Change,
    worked: &Worked,
    draft: &str,
) -> Result<Outcome, ToolError> {
    let spot = way::spot(grants, within, Want::Write, true)?;
    let now = before(&spot)?;
    let now_sha256 = now.as_ref().map(|snapshot| snapshot.sha256);
    if now_sha256 == Some(worked.after_sha256) && now_sha256 != worked.before_sha256 {
        let made = now.and_then(|snapshot| made(&spot.path, worked, snapshot.bytes));
        let was_done = done(&spot.path, worked, None, true);
        return Ok(Outcome { artifacts: made.into_iter().collect(), ..was_done });
    }
    let is_same = match &now {
        Some(snapshot) => snapshot.identity == worked.identity,
        None => spot.way.contains(&worked.identity),
    };
    if now_sha256 != worked.before_sha256 || !is_same {
        return Err(changed(&spot.path));
    }
    let after = change.result(&spot.path, now.as_ref().map(|snapshot| snapshot.bytes.as_slice()))?;
    if Digest::of(&after) != worked.after_sha256 {
        return Err(changed(&spot.path));
    }
    write(&spot, &after, now.as_ref(), draft)?;
    let mut outcome = Outcome { bytes_out: after.len() as u64, ..done(&spot.path, worked, now, false) };
    outcome.artifacts.extend(made(&spot.path, worked, after));
    Ok(outcome)
}

/// The file as it is now, for the owner to review; `None` when it is too large to be kept.
fn made(path: &str, worked: &Worked, bytes: Vec<u8>) -> Option<Artifact> {
    let media_type = if path.ends_with(".md") { "text/markdown" } else { "application/octet-stream" };
    (bytes.len() <= ARTIFACT_BYTES_MAX).then(|| Artifact {
        kind: ArtifactKind::Made,
        name: path.to_owned(),
        media_type,
        sha256: worked.after_sha256,
        bytes,
    })
}

/// What the change is not made on, because it is another file than was planned for.
fn changed(path: &str) -> ToolError {
    let message = format!("{} is not as it was when this was planned; nothing was written.", shown(path));
    ToolError::refused("file_changed", message, "Look at it again and plan anew.")
}

fn done(path: &str, worked: &Worked, before: Option<Snapshot>, was_done: bool) -> Outcome {
    let touched = Touched {
        path: path.to_owned(),
        identity: before.as_ref().map(|snapshot| snapshot.identity),
        before_sha256: worked.before_sha256,
        after_sha256: Some(worked.after_sha256),
    };
    let kept = before.filter(|snapshot| snapshot.bytes.len() <= ARTIFACT_BYTES_MAX).map(|snapshot| Artifact {
        kind: ArtifactKind::Before,
        name: path.to_owned(),
        media_type: "application/octet-stream",
        bytes: snapshot.bytes,
        sha256: snapshot.sha256,
    });
    let undo = match (&kept, &worked.before_sha256, was_done) {
        (Some(_), ..) => "What it held before is kept.",
        (None, None, _) => "There was no such file before.",
        (None, Some(_), true) => "It held this already.",
        (None, Some(_), false) => "What it held before is too large to be kept.",
    };
    Outcome {
        text: format!("{} is written. {undo}", shown(path)),
        touched: vec![touched],
        artifacts: kept.into_iter().collect(),
        evidence: vec![format!("sha256 {} {}", worked.after_sha256, shown(path))],
        was_done,
        ..Outcome::default()
    }
}

/// Puts a new file in the place of the old one, so that whoever reads sees one or the other, also when the power goes.
fn write(spot: &Spot, bytes: &[u8], before: Option<&Snapshot>, draft: &str) -> Result<(), ToolError> {
    let failed = |error: Errno| ToolError::io(format!("writing {}", shown(&spot.path)), error.into());
    // A draft of this name is what a run that was cut off left of this very change.
    match unlinkat(&spot.folder, draft, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(failed(error)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(&spot.folder, draft, flags, Mode::from_raw_mode(0o644)).map_err(failed)?;
    let written = fill(File::from(opened), bytes, before)
        .map_err(|source| ToolError::io(format!("writing {}", shown(&spot.path)), source));
    let placed = written.and_then(|()| match before {
        Some(_) => renameat(&spot.folder, draft, &spot.folder, &spot.name).map_err(failed),
        None => match renameat_with(&spot.folder, draft, &spot.folder, &spot.name, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => Err(changed(&spot.path)),
            other => other.map_err(failed),
        },
    });
    if placed.is_err() {
        // What it was for did not happen; a draft that cannot be taken away is taken away by the next try.
        let _ = unlinkat(&spot.folder, draft, AtFlags::empty());
    }
    placed?;
    fsync(&spot.folder).map_err(failed)
}

fn fill(mut file: File, bytes: &[u8], before: Option<&Snapshot>) -> std::io::Result<()> {
    if let Some(before) = before {
        fchmod(&file, Mode::from_raw_mode(before.mode as rustix::fs::RawMode))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}
