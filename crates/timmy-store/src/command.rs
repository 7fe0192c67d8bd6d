//! What the writer is asked to do, and how whoever asked is answered.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use timmy_domain::Seq;
use tokio::sync::oneshot;

use crate::StoreError;
use crate::readers::panicked;
use crate::tx::{Prepared, Tx};
use crate::writer::Shared;

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
pub(crate) enum Waiting {
    Append { done: Appended, reply: oneshot::Sender<Result<Appended, StoreError>> },
    Work(Box<dyn Job>),
}

impl Waiting {
    /// The failure of work that met a full disk.
    pub(crate) fn full(&self) -> Option<&StoreError> {
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

/// A batch that was committed, and everybody in it.
pub(crate) struct Batch {
    pub waiting: Vec<Waiting>,
    /// The end of the log with it.
    pub head: Seq,
    /// Events in it.
    pub rows: u64,
    /// When its commit began.
    pub begun: Instant,
}

impl Batch {
    /// Notes that the batch is on the disk, or the `fault` that keeps it from there; then answers everybody.
    pub(crate) fn answer(self, fault: Option<&StoreError>, shared: &Shared) {
        if fault.is_none() {
            let micros = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX);
            shared.counters.committed(self.rows, micros);
            if self.rows > 0 {
                // A later batch may have been faster.
                shared.head.send_if_modified(|head| self.head > std::mem::replace(head, self.head.max(*head)));
            }
        } else {
            shared.counters.failed.one();
        }
        for waiting in self.waiting {
            waiting.answer(fault.cloned());
        }
    }
}

/// Answers a command that is not done.
pub(crate) fn refuse(command: Command, fault: &StoreError) {
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
