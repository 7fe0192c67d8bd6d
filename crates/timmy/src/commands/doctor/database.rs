//! The database while nobody runs: looked at as a whole, and left exactly as it is.

use std::path::{Path, PathBuf};

use timmy_domain::text::plural;
use timmy_store::{Still, StoreError};

use super::home::newest;
use super::{Finding, house};
use crate::commands::backup::scratch;
use crate::home::Home;

/// A folder for a copy of the database, removed when this value goes.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = scratch().join(format!("timmy-doctor-{}", std::process::id()));
        // Left by one of the same number that was killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Checks pages, references and the whole chain.
pub(super) fn look(home: &Home, findings: &mut Vec<Finding>) {
    let made = match Scratch::make() {
        Ok(made) => made,
        Err(error) => {
            let what = format!("no room to look at the database: {error}");
            return findings.push(Finding::fault("database", what, "Make room in the folder for temporary files."));
        }
    };
    let opened = Still::open(&home.database(), &made.0);
    let still = match opened {
        Ok(still) => still,
        Err(error) => return findings.push(finding(home, &error)),
    };
    findings.push(match still.inspect() {
        Ok(found) => {
            let events = plural(found.events.unsigned_abs(), "event", "events");
            Finding::well("database", format!("{events}, chain whole, {} pages sound", found.pages))
        }
        Err(error) => finding(home, &error),
    });
    if let Ok(folders) = still.read(|r| r.folders()) {
        findings.extend(folders.iter().map(|f| house::folder(&f.path, &unreadable(&f.path, &f.error))));
    }
}

/// What keeps a folder from being read: now, or at the last look.
fn unreadable(path: &str, last: &str) -> String {
    match std::fs::read_dir(Path::new(path)) {
        Ok(_) => String::new(),
        Err(_) if !last.is_empty() => last.to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A refusal of the database with the one step that mends it.
pub(super) fn finding(home: &Home, error: &StoreError) -> Finding {
    let what = error.to_string();
    let step = match error {
        StoreError::Missing { .. } => {
            return match newest(home) {
                None => Finding::note("database", "there is none yet", "timmy serve"),
                Some(file) => Finding::fault("database", "timmy.db is gone", format!("timmy restore {file}")),
            };
        }
        // The key is a file beside the database; without it a new one takes over.
        StoreError::Damaged { finding } if finding.contains("key beside") || finding.contains("signing key") => {
            "mv timmy.db.key timmy.db.key.aside (in the home; the next start makes a new key and says so)".to_owned()
        }
        StoreError::Damaged { .. } => restore_step(home),
        StoreError::Disk { .. } => "Give this user the right to read and write the files of the home.".to_owned(),
        other => other.problem().hint,
    };
    Finding::fault("database", what, step)
}

/// The backup to restore, by name.
pub(super) fn restore_step(home: &Home) -> String {
    if let Some(file) = newest(home) {
        return format!("timmy restore {file}");
    }
    let copies = timmy_store::copies_beside(&home.database()).unwrap_or_default();
    match copies.last() {
        Some(copy) => {
            let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
            format!(
                "Move timmy.db and timmy.db-wal aside and put {name}, the copy made before a migration, in its place."
            )
        }
        None => "Keep timmy.db as it is and restore a backup from elsewhere: timmy restore FILE".to_owned(),
    }
}
