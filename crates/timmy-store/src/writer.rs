//! Writing: one thread, which commits whatever has come in together.
//!
//! A batch grows while its channel has more, up to [`BATCH_COMMANDS_MAX`] commands and
//! [`BATCH_GROWTH_MS_MAX`] milliseconds, and is committed as soon as the channel is empty: nobody
//! waits for company. Everybody in it is answered after the COMMIT has reached the disk.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use timmy_domain::Seq;
use tokio::sync::{mpsc, oneshot, watch};

use crate::readers::panicked;
use crate::signing::Signer;
use crate::stats::Counters;
use crate::tx::{Prepared, Tx};
use crate::wal::WalCare;
use crate::{Clock, Random, StoreError, log};

/// Commands that may wait before callers wait too.
pub(crate) const COMMANDS_QUEUED_MAX: usize = 8_192;

/// Commands one batch may hold.
const BATCH_COMMANDS_MAX: usize = 4_096;

/// How long one batch may grow, in milliseconds.
const BATCH_GROWTH_MS_MAX: u64 = 5;

/// The positions of what was appended, and the events themselves.
pub(crate) type Appended = (Range<Seq>, Vec<Prepared>);

/// What the writer is asked to do.
pub(crate) enum Command {
    /// Append events, all of them or none. Answers their positions, and gives the events back: taking
    /// them apart costs their caller's thread less than this one, which everybody waits for.
    Append(Vec<Prepared>, oneshot::Sender<Result<Appended, StoreError>>),
    /// Run a piece of work.
    Work(Box<dyn Job>),
    /// End the thread; answers when the connection is closed.
    End(oneshot::Sender<()>),
}

/// A piece of work that remembers its result until the batch is committed.
pub(crate) trait Job: Send {
    /// Does the work. `Err` asks for a rollback of this work alone.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), ()>;
    /// What the work itself failed with, when it did.
    fn failure(&self) -> Option<&StoreError>;
    /// Tells the caller; `fault` is what befell the whole batch.
    fn answer(self: Box<Self>, fault: Option<StoreError>);
}

/// A closure of a caller, its result and the way back to him.
pub(crate) struct Typed<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Typed<T, F> {
    pub(crate) fn new(work: F, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { work: Some(work), result: None, reply }
    }
}

impl<T, F> Job for Typed<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), ()> {
        let Some(work) = self.work.take() else { return Err(()) };
        let result = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        let outcome = if result.is_ok() { Ok(()) } else { Err(()) };
        self.result = Some(result);
        outcome
    }

    fn failure(&self) -> Option<&StoreError> {
        self.result.as_ref()?.as_ref().err()
    }

    fn answer(self: Box<Self>, fault: Option<StoreError>) {
        let answer = match (self.result, fault) {
            // Work that failed by itself keeps its own reason.
            (Some(Err(own)), _) => Err(own),
            (_, Some(fault)) => Err(fault),
            (Some(result), None) => result,
            (None, None) => Err(StoreError::Closed),
        };
        // The caller may have gone; what was committed stays.
        let _ = self.reply.send(answer);
    }
}

/// Somebody in the batch who waits for the commit.
enum Waiting {
    Append { done: Appended, reply: oneshot::Sender<Result<Appended, StoreError>> },
    Work(Box<dyn Job>),
}

impl Waiting {
    /// The failure of work that met a full disk.
    fn full(&self) -> Option<&StoreError> {
        match self {
            Self::Append { .. } => None,
            Self::Work(job) => job.failure().filter(|error| **error == StoreError::DiskFull),
        }
    }

    fn answer(self, fault: Option<StoreError>) {
        match self {
            Self::Append { done, reply } => {
                let _ = reply.send(fault.map_or(Ok(done), Err));
            }
            Self::Work(job) => job.answer(fault),
        }
    }
}

/// What the writer thread shares with the store.
pub(crate) struct Shared {
    pub path: PathBuf,
    pub head: watch::Sender<Seq>,
    pub stopped: Arc<OnceLock<String>>,
    pub counters: Arc<Counters>,
    pub full: Arc<Full>,
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
    fn end(&self) {
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
    shared: &Shared,
) {
    let end = match Tx::new(&conn, clock, random, Some(signer)) {
        Ok(tx) => {
            let wal = WalCare::begin(&conn, shared.path.clone());
            Writer { conn: &conn, tx, shared, waiting: Vec::new(), wal }.run(&mut commands)
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
    shared: &'a Shared,
    waiting: Vec<Waiting>,
    wal: WalCare,
}

impl Writer<'_> {
    /// Works until the store ends; answers who asked for the end.
    fn run(mut self, commands: &mut mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
        let end = self.work(commands);
        self.wal.end();
        end
    }

    fn work(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
        while let Some(first) = commands.blocking_recv() {
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
                next = commands.try_recv().ok();
            }
        }
        self.finish(before.seq, fault);
        end
    }

    /// Commits the batch, or takes all of it back; then answers everybody.
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
        if fault.is_none() {
            let rows = u64::try_from(head.seq - before).unwrap_or(0);
            let micros = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
            self.shared.counters.committed(rows, micros);
            if rows > 0 {
                self.shared.full.end();
                self.shared.head.send_replace(head.seq);
            }
        } else {
            self.shared.counters.failed.one();
            self.undo();
        }
        for waiting in self.waiting.drain(..) {
            waiting.answer(fault.clone());
        }
        self.wal.tend(self.conn);
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

/// Answers a command that is not done.
fn refuse(command: Command, fault: &StoreError) {
    match command {
        Command::Append(_, reply) => {
            let _ = reply.send(Err(fault.clone()));
        }
        Command::Work(job) => job.answer(Some(fault.clone())),
        Command::End(reply) => {
            let _ = reply.send(());
        }
    }
}

#[cfg(test)]
mod tests;
