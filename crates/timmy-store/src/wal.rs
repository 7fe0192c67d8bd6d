//! The write-ahead log: when its pages are moved into the file, and by whom.
//!
//! SQLite would have the writer move them inside a commit, and everybody would wait for it: some 25 ms for 16 MiB.
//! So a thread that is born for it moves what is there, and syncs it, while the writer goes on; the writer then moves
//! the little that came in meanwhile, after which SQLite begins the log anew. Whoever dies in between loses nothing, for a page
//! stays in the log until the file holds it (<https://sqlite.org/wal.html>, section 3.3).

use std::cell::Cell;
use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::{StoreError, create};

/// Pages in the log after which they are moved.
pub(crate) const MOVED_PAGES_MIN: i32 = 2_000;

/// Pages in the log at which the writer waits for whoever is moving: the disk does not keep up.
const UNMOVED_PAGES_MAX: i32 = 4 * MOVED_PAGES_MIN;

thread_local! {
    /// Pages in the log after the last commit of this thread.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// What is to be done about the log after a commit.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Nothing,
    /// Somebody should begin to move pages.
    Begin,
    /// The writer waits for whoever is moving, and moves the rest.
    Await,
    /// The writer moves the rest.
    Rest,
}

/// Whether somebody moves pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mover {
    None,
    Busy,
    Done,
}

/// What to do with `pages` in the log, of which those up to `begin_at` need nobody yet.
fn step(pages: i32, begin_at: i32, mover: Mover) -> Step {
    match mover {
        Mover::Done => Step::Rest,
        Mover::Busy if pages >= begin_at.saturating_add(UNMOVED_PAGES_MAX - MOVED_PAGES_MIN) => Step::Await,
        Mover::None if pages >= begin_at => Step::Begin,
        Mover::Busy | Mover::None => Step::Nothing,
    }
}

/// The writer's care for the log.
pub(crate) struct WalCare {
    path: PathBuf,
    /// The database, to be synced where SQLite does not: it syncs only after moving the whole log.
    file: Option<&'static File>,
    mover: Option<JoinHandle<Result<(), StoreError>>>,
    /// Pages at which moving begins: more than usual where an open reader kept the log from being begun anew.
    begin_at: i32,
}

impl WalCare {
    /// Takes over the log of the database at `path`; `conn` is the writer's, on the writer's own thread.
    pub(crate) fn begin(conn: &Connection, path: PathBuf) -> Self {
        // Takes the place of SQLite's own hook, which would move pages inside a commit.
        conn.wal_hook(Some(count));
        // Never closed: closing any handle of a file gives up all locks this process has on it, SQLite's too
        // (<https://sqlite.org/howtocorrupt.html>, section 2.2).
        let file = OpenOptions::new().write(true).open(&path).ok().map(|file| &*Box::leak(Box::new(file)));
        Self { path, file, mover: None, begin_at: MOVED_PAGES_MIN }
    }

    /// Looks after the log; called after each commit.
    ///
    /// # Errors
    /// When moved pages could not be synced: SQLite may think them safe, so nothing more may be written.
    pub(crate) fn tend(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let pages = PAGES.get();
        if pages < MOVED_PAGES_MIN {
            // SQLite has begun the log anew.
            self.begin_at = MOVED_PAGES_MIN;
        }
        let mover = match &self.mover {
            None => Mover::None,
            Some(thread) if thread.is_finished() => Mover::Done,
            Some(_) => Mover::Busy,
        };
        match step(pages, self.begin_at, mover) {
            Step::Nothing => {}
            Step::Begin => self.start(conn, pages),
            Step::Await | Step::Rest => {
                self.end()?;
                self.rest(conn, pages);
            }
        }
        Ok(())
    }

    /// Waits for whoever is moving pages.
    ///
    /// # Errors
    /// As [`WalCare::tend`].
    pub(crate) fn end(&mut self) -> Result<(), StoreError> {
        let Some(mover) = self.mover.take() else { return Ok(()) };
        mover.join().unwrap_or_else(|_| {
            tracing::error!("the thread that moves pages panicked; the writer moves them");
            Ok(())
        })
    }

    fn start(&mut self, conn: &Connection, pages: i32) {
        let (path, file) = (self.path.clone(), self.file);
        let work = move || match create::open_mover(&path) {
            Ok(conn) => move_twice(&conn, file),
            unopened => {
                told(unopened.map(drop));
                Ok(())
            }
        };
        let spawned = std::thread::Builder::new().name("store-mover".to_owned()).spawn(work);
        match spawned {
            Ok(thread) => self.mover = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "no thread for moving pages; the writer moves them");
                self.rest(conn, pages);
            }
        }
    }

    fn rest(&mut self, conn: &Connection, pages: i32) {
        told(move_pages(conn));
        self.begin_at = pages.saturating_add(MOVED_PAGES_MIN);
    }
}

/// Counts the pages in the log; SQLite calls it after each commit, on the thread of the commit.
fn count(_: &Wal, pages: c_int) -> rusqlite::Result<()> {
    PAGES.set(pages);
    Ok(())
}

/// Moves what is in the log into the file, as far as open readers allow, and waits for nobody.
fn move_pages(conn: &Connection) -> Result<(), StoreError> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}

/// Moves what is in the log, and then what came in meanwhile; syncs both, so that little is left to the writer.
fn move_twice(conn: &Connection, file: Option<&File>) -> Result<(), StoreError> {
    for _ in 0..2 {
        told(move_pages(conn));
        if let Some(file) = file {
            let failed = |e| StoreError::Disk { message: format!("the disk did not take what was moved: {e}") };
            file.sync_data().map_err(failed)?;
        }
    }
    Ok(())
}

/// Pages that could not be moved stay in the log, where nothing is lost; it only grows.
fn told(moved: Result<(), StoreError>) {
    if let Err(error) = moved {
        tracing::warn!(%error, "pages of the write-ahead log could not be moved; they are tried again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_moved_when_they_are_many_and_waited_for_when_they_are_too_many() {
        let rows = [
            (0, 2_000, Mover::None, Step::Nothing),
            (1_999, 2_000, Mover::None, Step::Nothing),
            (2_000, 2_000, Mover::None, Step::Begin),
            (2_000, 2_000, Mover::Busy, Step::Nothing),
            (7_999, 2_000, Mover::Busy, Step::Nothing),
            (8_000, 2_000, Mover::Busy, Step::Await),
            (3, 2_000, Mover::Done, Step::Rest),
            (5_000, 2_000, Mover::Done, Step::Rest),
            // A reader kept the log: nobody tries again at every commit.
            (5_001, 7_000, Mover::None, Step::Nothing),
            (7_000, 7_000, Mover::None, Step::Begin),
            (12_999, 7_000, Mover::Busy, Step::Nothing),
            (13_000, 7_000, Mover::Busy, Step::Await),
            (i32::MAX, i32::MAX, Mover::Busy, Step::Await),
        ];
        for (pages, begin_at, mover, expected) in rows {
            assert_eq!(step(pages, begin_at, mover), expected, "{pages} {begin_at} {mover:?}");
        }
    }
}
