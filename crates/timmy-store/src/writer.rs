//! Writing: one thread, which commits whatever has come in together.
//!
//! A batch grows while its channel has more, up to [`BATCH_COMMANDS_MAX`] commands and
//! [`BATCH_GROWTH_MS_MAX`] milliseconds, and is committed as soon as the channel is empty: nobody
//! waits for company. Everybody in it is answered after the COMMIT has reached the disk, which the writer
//! waits for itself unless there is a [`Crowd`].

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use timmy_domain::Seq;
use tokio::sync::{mpsc, oneshot, watch};

use crate::command::{Batch, Command, Waiting, refuse};
use crate::crowd::Crowd;
use crate::signing::Signer;
use crate::stats::Counters;
use crate::tx::Tx;
use crate::wal::WalCare;
use crate::{Clock, Random, StoreError, log};

/// Commands that may wait before callers wait too.
pub(crate) const COMMANDS_QUEUED_MAX: usize = 8_192;

/// Commands one batch may hold.
const BATCH_COMMANDS_MAX: usize = 4_096;

/// How long one batch may grow, in milliseconds.
const BATCH_GROWTH_MS_MAX: u64 = 5;

/// What the writer thread shares with the store.
pub(crate) struct Shared {
    pub path: PathBuf,
    pub head: watch::Sender<Seq>,
    pub stopped: Arc<OnceLock<String>>,
    pub counters: Arc<Counters>,
    pub full: Arc<Full>,
}

impl Shared {
    /// Stops all writing for what was found.
    pub(crate) fn stop(&self, finding: &str) {
        stop(&self.stopped, finding);
    }
}

/// Stops all writing for what was found; the first finding stays.
pub(crate) fn stop(stopped: &OnceLock<String>, finding: &str) {
    if stopped.set(finding.to_owned()).is_ok() {
        tracing::error!(finding, "writing to the database has stopped");
    }
}

/// Since when the disk is full, as the writer found it.
#[derive(Debug, Default)]
pub(crate) struct Full(AtomicI64);

impl Full {
    /// Since when, in microseconds; `None` when the last write was stored.
    pub(crate) fn since(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|micros| *micros != 0)
    }

    /// A write was refused at `micros` because the disk is full. The first one counts.
    fn begin(&self, micros: i64) {
        if self.0.compare_exchange(0, micros.max(1), Ordering::AcqRel, Ordering::Acquire).is_ok() {
            tracing::error!("the disk is full; nothing is stored until there is room");
        }
    }

    /// A write was stored.
    pub(crate) fn end(&self) {
        if self.0.swap(0, Ordering::AcqRel) != 0 {
            tracing::info!("the disk has room again");
        }
    }
}

/// The life of the writer thread.
pub(crate) fn serve(
    conn: Connection,
    clock: Clock,
    random: Random,
    signer: Signer,
    mut commands: mpsc::Receiver<Command>,
    shared: &Arc<Shared>,
) {
    let end = match Tx::new(&conn, clock, random, Some(signer)) {
        Ok(tx) => {
            let wal = WalCare::begin(&conn, shared.path.clone());
            let crowd = Crowd::new(shared.path.clone());
            Writer { conn: &conn, tx, shared, waiting: Vec::new(), held: None, wal, crowd }.run(&mut commands)
        }
        Err(error) => {
            tracing::error!(%error, "the writer did not start");
            None
        }
    };
    if shared.stopped.get().is_some() {
        // Damage was found: the file stays as it is, the write-ahead log too.
        let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    } else if let Err(error) = log::checkpoint(&conn) {
        tracing::warn!(%error, "the last checkpoint failed; the next start makes up for it");
    }
    drop(conn);
    commands.close();
    if let Some(reply) = end {
        let _ = reply.send(());
    }
}

struct Writer<'a> {
    conn: &'a Connection,
    tx: Tx<'a>,
    shared: &'a Arc<Shared>,
    waiting: Vec<Waiting>,
    /// The next command, where it was kept out of the last batch.
    held: Option<Command>,
    wal: WalCare,
    crowd: Crowd,
}

impl Writer<'_> {
    /// Works until the store ends; answers who asked for the end.
    fn run(mut self, commands: &mut mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
        let end = self.work(commands);
        self.crowd.end();
        if let Err(fault) = self.wal.end() {
            self.shared.stop(&fault.to_string());
        }
        end
    }

    fn work(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
        while let Some(first) = self.held.take().or_else(|| commands.blocking_recv()) {
            let first = match first {
                Command::End(reply) => return Some(reply),
                command => command,
            };
            if let Some(finding) = self.shared.stopped.get() {
                refuse(first, &StoreError::ReadOnly { finding: finding.clone() });
                continue;
            }
            if let Some(reply) = self.batch(first, commands) {
                return Some(reply);
            }
        }
        None
    }

    /// Takes in one batch and commits it.
    fn batch(&mut self, first: Command, commands: &mut mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
        if matches!(first, Command::Work(_)) {
            self.crowd.leave(self.conn);
        }
        let before = match log::begin(self.conn) {
            Ok(head) => head,
            Err(fault) => {
                self.undo();
                self.note_full(&fault);
                refuse(first, &fault);
                return None;
            }
        };
        self.tx.set_head(before);
        let (mut next, mut end) = (Some(first), None);
        let (begun, growth) = (Instant::now(), Duration::from_millis(BATCH_GROWTH_MS_MAX));
        let mut fault = None;
        while let Some(command) = next.take() {
            if self.crowd.is_here() && matches!(command, Command::Work(_)) && !self.waiting.is_empty() {
                self.held = Some(command);
                break;
            }
            match self.take(command) {
                Ok(None) => {}
                Ok(reply) => {
                    end = reply;
                    break;
                }
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
            if self.waiting.len() < BATCH_COMMANDS_MAX && begun.elapsed() < growth {
                next = self.next(commands);
            }
        }
        self.finish(before.seq, fault);
        end
    }

    /// What else comes in. Nobody waits for company, but for a disk that is busy with the batch before.
    fn next(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
        if self.crowd.is_enough(self.waiting.len()) {
            return None;
        }
        match commands.try_recv() {
            Ok(command) => Some(command),
            Err(_) if self.crowd.is_busy() => self.crowd.wait(commands),
            Err(_) => None,
        }
    }

    /// Commits the batch, or takes all of it back; then answers everybody, or has them answered.
    fn finish(&mut self, before: Seq, fault: Option<StoreError>) {
        let begun = Instant::now();
        let head = self.tx.head();
        #[cfg(debug_assertions)]
        crate::moments::reached(crate::moments::Moment::BeforeCommit);
        let fault = match fault {
            None => log::commit(self.conn, (head.seq != before).then_some(&head), self.tx.signer()).err(),
            fault => fault,
        };
        #[cfg(debug_assertions)]
        crate::moments::reached(crate::moments::Moment::AfterCommit);
        let refused = fault.as_ref().or_else(|| self.waiting.iter().find_map(Waiting::full));
        if let Some(refused) = refused {
            self.note_full(refused);
        }
        if fault.is_some() {
            self.undo();
        }
        let waiting = std::mem::take(&mut self.waiting);
        let (commands, only_appends) = (waiting.len(), waiting.iter().all(|w| matches!(w, Waiting::Append { .. })));
        let rows = u64::try_from(head.seq - before).unwrap_or(0);
        let batch = Batch { waiting, head: head.seq, rows, begun };
        if fault.is_none() && rows > 0 {
            // What was committed found room, wherever it is by now.
            self.shared.full.end();
        }
        // Behind a batch on its way nobody is answered earlier: should the disk refuse that one, this one is lost too.
        if fault.is_none() && (self.crowd.is_here() || self.crowd.is_busy()) {
            self.crowd.hand_over(batch, self.shared);
        } else {
            batch.answer(fault.as_ref(), self.shared);
        }
        self.crowd.note(self.conn, self.shared, commands, only_appends);
        if self.shared.stopped.get().is_none()
            && let Err(fault) = self.wal.tend(self.conn)
        {
            self.shared.stop(&fault.to_string());
        }
    }

    fn note_full(&self, refused: &StoreError) {
        if *refused == StoreError::DiskFull {
            self.shared.full.begin(self.tx.now().micros());
        }
    }

    /// Takes back the open transaction, if SQLite has not done so itself.
    fn undo(&self) {
        if let Err(error) = log::rollback(self.conn) {
            tracing::error!(%error, "a batch could not be rolled back");
        }
    }

    /// Does one command inside the open transaction. An error concerns the whole batch.
    fn take(&mut self, command: Command) -> Result<Option<oneshot::Sender<()>>, StoreError> {
        self.tx.next_command();
        match command {
            Command::Append(events, reply) => {
                let first = self.tx.head().seq + 1;
                // Bodies were checked before, so what fails here is the disk: the batch is lost.
                let outcome = events.iter().try_for_each(|event| self.tx.append_prepared(event).map(drop));
                let seqs = first..self.tx.head().seq + 1;
                self.waiting.push(Waiting::Append { done: (seqs, events), reply });
                outcome.map(|()| None)
            }
            Command::Work(mut job) => {
                let before = self.tx.head();
                let outcome = log::savepoint(self.conn).and_then(|()| match job.run(&mut self.tx) {
                    Ok(()) => log::release(self.conn),
                    // A full disk takes the whole batch back, and with it the savepoint.
                    Err(()) if self.conn.is_autocommit() => Err(job.failure().cloned().unwrap_or(StoreError::DiskFull)),
                    Err(()) => {
                        self.tx.set_head(before);
                        log::rollback_to_savepoint(self.conn)
                    }
                });
                self.waiting.push(Waiting::Work(job));
                outcome.map(|()| None)
            }
            Command::End(reply) => Ok(Some(reply)),
        }
    }
}

#[cfg(test)]
mod tests;
