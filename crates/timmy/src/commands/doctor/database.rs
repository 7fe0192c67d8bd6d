//! The database while nobody runs: looked at as a whole, and left exactly as it is.

use std::path::Path;

use timmy_core::backup::WorkFolder;
use timmy_domain::Problem;
use timmy_domain::text::plural;
use timmy_store::{EventQuery, Still, StoreError};

use super::home::{Named, newest};
use super::{Finding, clock, house};
use crate::commands::backup::scratch;
use crate::home::Home;

/// Why the database could not be opened.
enum Unopened {
    /// There is no place to look at it.
    NoRoom(Problem),
    /// What the database or its disk said.
    Refused(StoreError),
}

/// Opens the database, with a copy of it where its server was killed. The copy is gone again when this answers: who has
/// it open reads on, and nothing of it is left however the doctor ends.
fn open(home: &Home, folder: &Path) -> Result<Still, Unopened> {
    let made = WorkFolder::make(folder, &format!("doctor-{}", std::process::id())).map_err(Unopened::NoRoom)?;
    Still::open(&home.database(), made.path()).map_err(Unopened::Refused)
}

/// Checks pages, references and the whole chain.
pub(super) fn look(home: &Home, findings: &mut Vec<Finding>) {
    let (folder, other) = (scratch(home), std::env::temp_dir());
    // The disk of the home may be full; there may be room elsewhere.
    let opened = match open(home, &folder) {
        Err(Unopened::NoRoom(_) | Unopened::Refused(StoreError::DiskFull | StoreError::Disk { .. }))
            if folder != other =>
        {
            open(home, &other)
        }
        opened => opened,
    };
    let still = match opened {
        Ok(still) => still,
        Err(Unopened::Refused(error)) => return findings.push(finding(home, &error)),
        Err(Unopened::NoRoom(problem)) => {
            let what = format!("no room to look at the database: {}", problem.message);
            return findings.push(Finding::fault("database", what, "Make room in the folder for temporary files."));
        }
    };
    findings.push(match still.inspect() {
        Ok(found) => {
            let events = plural(found.events.unsigned_abs(), "event", "events");
            Finding::well("database", format!("{events}, chain whole, {} pages sound", found.pages))
        }
        Err(error) => finding(home, &error),
    });
    let newest = EventQuery { limit: 1, newest_first: true, ..EventQuery::default() };
    if let Ok(events) = still.read(|r| r.events(&newest)) {
        findings.extend(events.first().and_then(|event| clock::look(event.at)));
    }
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
                Some(named) => {
                    let what = format!("timmy.db is gone{}", named.caution());
                    Finding::fault("database", what, format!("timmy restore {}", named.file))
                }
            };
        }
        // The key is a file beside the database; without it a new one takes over.
        StoreError::Damaged { finding } if finding.contains("key beside") || finding.contains("signing key") => {
            "mv timmy.db.key timmy.db.key.aside (in the home; the next start makes a new key and says so)".to_owned()
        }
        StoreError::Damaged { .. } => {
            let caution = newest(home).as_ref().map(Named::caution).unwrap_or_default();
            return Finding::fault("database", format!("{what}{caution}"), restore_step(home));
        }
        StoreError::Disk { .. } => "Give this user the right to read and write the files of the home.".to_owned(),
        other => other.problem().hint,
    };
    Finding::fault("database", what, step)
}

/// The backup to restore, by name.
pub(super) fn restore_step(home: &Home) -> String {
    if let Some(named) = newest(home) {
        return format!("timmy restore {}", named.file);
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
