//! Crowds: while many append at once, one batch reaches the disk as the next one is taken in.
//!
//! SQLite would have the writer wait for the disk inside each COMMIT, a third of its time when many write. With a
//! crowd it commits without waiting, and a thread of its own syncs the write-ahead log and answers. Still nobody is
//! answered before what he wrote is on the disk. The one difference: readers may see an event of a crowd shortly
//! before it is there. What changes more than the log (a [`Command::Work`](crate::command::Command)) never takes this
//! way.

use std::fs::{File, OpenOptions};
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::Poll;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::block_on::block_on;
use crate::command::Batch;
use crate::writer::Shared;
use crate::{StoreError, create};

/// Appends in one batch from which on they are a crowd.
const CROWD_COMMANDS_MIN: usize = 64;

/// Appends in one batch below which the crowd has gone.
const CROWD_GONE_COMMANDS: usize = 8;

/// Appends of a crowd that are enough for a batch when the disk is free. Without a bound one batch would take in
/// everybody, and all would wait for the disk together; with 320 or 768 it was a little slower (benches/append.rs).
const CROWD_COMMANDS_MAX: usize = 512;

/// Brings a file to the disk: [`File::sync_data`], or what a test has in its place.
type Sync = Arc<dyn Fn(&File) -> std::io::Result<()> + Send + std::marker::Sync>;

/// Whether the next batch is a crowd's, after one of `commands` in which all were appends or not.
fn crowded(now: bool, commands: usize, only_appends: bool) -> bool {
    only_appends && commands >= if now { CROWD_GONE_COMMANDS } else { CROWD_COMMANDS_MIN }
}

/// The thread that brings committed batches to the disk.
struct Syncer {
    batches: SyncSender<Batch>,
    /// For each batch, whether it has reached the disk.
    synced: mpsc::UnboundedReceiver<bool>,
    thread: JoinHandle<()>,
}

/// The writer's way of dealing with a crowd.
pub(crate) struct Crowd {
    path: PathBuf,
    here: bool,
    /// Batches that were handed over and have not reached the disk; one that never will is away for ever, so that
    /// nobody behind it is told that his is there.
    away: usize,
    syncer: Option<Syncer>,
    pub(crate) sync: Sync,
}

impl Crowd {
    /// For the database at `path`. Nobody is there at first.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, here: false, away: 0, syncer: None, sync: Arc::new(File::sync_data) }
    }

    /// Whether the next batch is a crowd's: committed here, on the disk later.
    pub(crate) fn is_here(&self) -> bool {
        self.here
    }

    /// Whether a batch of so many appends should go now.
    pub(crate) fn is_enough(&mut self, commands: usize) -> bool {
        self.here && commands >= CROWD_COMMANDS_MAX && !self.is_busy()
    }

    /// Whether a batch is on its way to the disk.
    pub(crate) fn is_busy(&mut self) -> bool {
        let Some(syncer) = &mut self.syncer else { return false };
        while let Ok(synced) = syncer.synced.try_recv() {
            self.away = self.away.saturating_sub(usize::from(synced));
        }
        self.away > 0
    }

    /// Waits for a command, or until something is known of the batch on its way: then `None`.
    pub(crate) fn wait<T>(&mut self, commands: &mut mpsc::Receiver<T>) -> Option<T> {
        let syncer = self.syncer.as_mut()?;
        let (command, synced) = block_on(poll_fn(|cx| match commands.poll_recv(cx) {
            Poll::Ready(command) => Poll::Ready((command, false)),
            Poll::Pending => syncer.synced.poll_recv(cx).map(|synced| (None, synced == Some(true))),
        }));
        self.away = self.away.saturating_sub(usize::from(synced));
        command
    }

    /// Hands over a batch that was committed: without a sync, or behind one that has not reached the disk yet.
    pub(crate) fn hand_over(&mut self, batch: Batch, shared: &Shared) {
        // Takes note of those that have arrived.
        self.is_busy();
        let refused = match &self.syncer {
            Some(syncer) => syncer.batches.send(batch).err().map(|refused| refused.0),
            None => Some(batch),
        };
        match refused {
            None => self.away += 1,
            Some(batch) => {
                let finding = "the thread that syncs the write-ahead log is gone";
                shared.stop(finding);
                batch.answer(Some(&StoreError::ReadOnly { finding: finding.into() }), shared);
            }
        }
    }

    /// Notes what a batch held: a crowd comes with many appends, and goes with few.
    pub(crate) fn note(&mut self, conn: &Connection, shared: &Arc<Shared>, commands: usize, only_appends: bool) {
        match (self.here, crowded(self.here, commands, only_appends)) {
            (true, false) => self.leave(conn),
            (false, true) => {
                let started = self.start(shared);
                // Before SQLite is told: a batch may be synced twice, and never not at all.
                self.here = started.is_ok();
                if let Err(error) = started.and_then(|()| synchronous(conn, "NORMAL")) {
                    tracing::warn!(%error, "a crowd of appends waits for the disk batch by batch");
                }
            }
            _ => {}
        }
    }

    /// From the next batch on, the writer waits for the disk in each COMMIT.
    pub(crate) fn leave(&mut self, conn: &Connection) {
        if self.here {
            match synchronous(conn, "FULL") {
                Ok(()) => self.here = false,
                Err(error) => tracing::warn!(%error, "the next batch, too, is synced apart"),
            }
        }
    }

    /// Waits until everything handed over has reached the disk, and ends the thread.
    pub(crate) fn end(&mut self) {
        let Some(Syncer { batches, thread, .. }) = self.syncer.take() else { return };
        drop(batches);
        if thread.join().is_err() {
            tracing::error!("the thread that syncs the write-ahead log panicked");
        }
    }

    fn start(&mut self, shared: &Arc<Shared>) -> Result<(), StoreError> {
        if self.syncer.is_some() {
            return Ok(());
        }
        let failed = |e: &std::io::Error| StoreError::io("the write-ahead log cannot be synced apart", e);
        // A handle of our own: unlike the database's, this file carries no lock that closing it would release.
        let wal = OpenOptions::new().write(true).open(create::wal_path(&self.path)).map_err(|e| failed(&e))?;
        let (batches, waiting) = sync_channel::<Batch>(1);
        let (done, synced) = mpsc::unbounded_channel();
        let (shared, sync) = (Arc::clone(shared), Arc::clone(&self.sync));
        let work = move || {
            let mut failed = None;
            for batch in waiting {
                if failed.is_none() {
                    failed = bring(&shared, || sync(&wal)).err();
                }
                batch.answer(failed.as_ref(), &shared);
                // Gone only when the writer is: then nobody waits.
                let _ = done.send(failed.is_none());
            }
        };
        let thread = std::thread::Builder::new().name("store-syncer".to_owned()).spawn(work).map_err(|e| failed(&e))?;
        self.syncer = Some(Syncer { batches, synced, thread });
        Ok(())
    }
}

/// Brings the write-ahead log to the disk. A failure is the last word, a full disk's too: the kernel may have let go of
/// what it could not write, and a second try may succeed without it. What was refused so can still be read, and may or
/// may not be there after a start.
fn bring(shared: &Shared, sync: impl FnOnce() -> std::io::Result<()>) -> Result<(), StoreError> {
    sync().map_err(|error| {
        let message = format!("the disk did not take what was written: {error}");
        shared.stop(&message);
        StoreError::Disk { message }
    })
}

/// Who waits for the disk in a COMMIT: the writer (`FULL`) or somebody else (`NORMAL`).
fn synchronous(conn: &Connection, level: &str) -> Result<(), StoreError> {
    Ok(conn.pragma_update(None, "synchronous", level)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_comes_with_many_appends_and_goes_with_few_or_with_anything_else() {
        let rows = [
            (false, 63, true, false),
            (false, 64, true, true),
            (false, 4_096, false, false),
            (true, 63, true, true),
            (true, 8, true, true),
            (true, 7, true, false),
            (true, 4_096, false, false),
        ];
        for (now, commands, only_appends, expected) in rows {
            assert_eq!(crowded(now, commands, only_appends), expected, "{now} {commands} {only_appends}");
        }
    }
}
