//! Which backups proved good: a note that lies beside them, so that it is known after a restart, and also where the
//! database with its events is damaged or gone.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Lying;

/// The file in the folder of backups that says what the checks found.
pub const NOTE: &str = "checked.json";
/// Bytes of it that are read: 1 MiB, some 10,000 backups.
const NOTE_BYTES_MAX: u64 = 1024 * 1024;

/// What is known of a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// It was checked as a restore would, and is whole.
    Proven,
    /// Nobody has checked it to the end.
    #[default]
    Unproven,
    /// It was checked, and a restore from it would fail.
    Failed,
}

impl Proof {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proven => "whole",
            Self::Unproven => "not checked",
            Self::Failed => "would not restore",
        }
    }
}

/// What one check found. The bytes tell another file of the same name apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Noted {
    bytes: u64,
    whole: bool,
}

/// What is known of the backups in a folder.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<String, Noted>);

impl Notes {
    /// Reads the note in `folder`. Without one, or with one that cannot be read, nothing is known: then nothing counts
    /// as proven, and the newest is checked once more.
    pub(super) fn read(folder: &Path) -> Self {
        let mut text = Vec::new();
        let read = File::open(folder.join(NOTE)).and_then(|file| file.take(NOTE_BYTES_MAX).read_to_end(&mut text));
        Self(read.ok().and_then(|_| serde_json::from_slice(&text).ok()).unwrap_or_default())
    }

    /// What is known of `file` with so many bytes.
    pub(super) fn of(&self, file: &str, bytes: u64) -> Proof {
        match self.0.get(file) {
            Some(noted) if noted.bytes == bytes && noted.whole => Proof::Proven,
            Some(noted) if noted.bytes == bytes => Proof::Failed,
            _ => Proof::Unproven,
        }
    }
}

/// Notes that `file` in `folder` was checked, and forgets what no longer lies there. It is on the disk when this answers.
///
/// # Errors
/// What the disk said; then the note is as it was.
pub(super) fn note(folder: &Path, file: &str, whole: bool) -> io::Result<()> {
    let Notes(mut notes) = Notes::read(folder);
    notes.retain(|name, _| folder.join(name).exists());
    notes.insert(file.to_owned(), Noted { bytes: fs::metadata(folder.join(file))?.len(), whole });
    let draft = folder.join(format!("{NOTE}.new"));
    // Left by one that was cut off.
    let _ = fs::remove_file(&draft);
    let mut out = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
    out.write_all(&serde_json::to_vec_pretty(&notes)?)?;
    out.sync_all()?;
    fs::rename(&draft, folder.join(NOTE))?;
    File::open(folder)?.sync_all()
}

/// The backup of the whole home to restore from: the newest that proved good, whatever is newer; without one the newest
/// that nobody has checked, and at last the newest of those that failed. `list` is newest first.
#[must_use]
pub fn best(list: &[Lying]) -> Option<&Lying> {
    let of = |proof: Proof| list.iter().find(move |lying| lying.area == "home" && lying.proof == proof);
    of(Proof::Proven).or_else(|| of(Proof::Unproven)).or_else(|| of(Proof::Failed))
}

#[cfg(test)]
mod tests;
