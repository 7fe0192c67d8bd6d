//! Folders for unfinished work: closed to others, gone when the work is, and cleared away when whoever had one was killed.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use timmy_domain::Problem;

/// What the names of folders for unfinished work begin with.
const WORK: &str = ".work-";
/// What those are called in which a backup or a database is only looked at; whoever makes one clears away the others.
const LOOKED_AT: [&str; 2] = ["drill-", "doctor-"];
/// How often a folder is made anew that somebody cleared away before it was held.
const TRIES_MAX: usize = 5;

/// A folder for unfinished work, removed with everything in it when this value goes.
pub struct WorkFolder(pub(crate) PathBuf, Held);

/// What tells others that the folder is in use, and what is to be undone with it.
struct Held {
    /// The lock on the folder: the system lets go of it when the process dies, however it does.
    lock: Option<File>,
    /// The folder it lies in, when it was made for it.
    around: Option<PathBuf>,
}

impl WorkFolder {
    /// Makes the folder `.work-NAME` below `folder`, closed to others, and clears away what earlier looks at backups and
    /// databases left there that were killed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make(folder: &Path, name: &str) -> Result<Self, Problem> {
        let refused = |e: std::io::Error| {
            let message = format!("{} cannot be written: {e}.", folder.display());
            Problem::unavailable("backups_unwritable", message, "Make room on the disk and check its permissions.")
        };
        let is_new = !folder.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(refused)?;
        clear(folder, |name| LOOKED_AT.iter().any(|kind| name.starts_with(kind)));
        let path = folder.join(format!("{WORK}{name}"));
        let mut lock = None;
        for _ in 0..TRIES_MAX {
            DirBuilder::new().mode(0o700).create(&path).map_err(refused)?;
            // A disk that knows no locks has leftovers that stay; the work goes on all the same.
            lock = File::open(&path).ok().filter(|file| file.try_lock().is_ok());
            // Between the two, somebody who clears away may have taken it for a leftover.
            if path.exists() {
                break;
            }
        }
        Ok(Self(path, Held { lock, around: is_new.then(|| folder.to_owned()) }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // What stays is cleared away by the next one.
        let _ = fs::remove_dir_all(&self.0);
        if let Some(lock) = &self.1.lock {
            let _ = lock.unlock();
        }
        if let Some(around) = &self.1.around {
            // Refused when something came to lie in it, which is what is wanted.
            let _ = fs::remove_dir(around);
        }
    }
}

/// Removes the folders in `folder` that killed processes left, of those whose name after `.work-` `is_ours`. One that
/// is in use is locked and stays.
pub(super) fn clear(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.strip_prefix(WORK).is_some_and(&is_ours) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let held = File::open(entry.path()).map(|file| file.try_lock().map(|()| file));
        match held {
            // Locked by us until it is gone, so that nobody takes it up meanwhile.
            Ok(Ok(_lock)) => drop(fs::remove_dir_all(entry.path())),
            Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) => {}
            // Somebody else's, or gone already.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => drop(fs::remove_dir_all(entry.path())),
        }
    }
}

#[cfg(test)]
mod tests;
