//! Reading: a few threads, each with a read-only connection and a small page cache.
//!
//! One piece of work sees one state of the data, however long it takes and whatever is written
//! meanwhile.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use timmy_domain::tally::{Counter, Histogram, Level, QUICK_MICROS};
use tokio::sync::{mpsc, oneshot};

use crate::{StoreError, spent};

/// Pieces of reading that may wait before callers wait too.
const READS_QUEUED_MAX: usize = 1_024;

/// The only way to read the data.
pub struct Reader<'conn> {
    conn: &'conn Connection,
}

impl<'conn> Reader<'conn> {
    pub(crate) fn new(conn: &'conn Connection) -> Self {
        Self { conn }
    }

    /// The connection; never leaves this crate.
    pub(crate) fn conn(&self) -> &'conn Connection {
        self.conn
    }
}

type Work = Box<dyn FnOnce(&Connection) + Send>;

enum Command {
    Read(Work),
    /// Ends one thread; answers when its connection is closed.
    End(oneshot::Sender<()>),
}

/// The reader threads.
#[derive(Debug)]
pub(crate) struct Readers {
    queue: mpsc::Sender<Command>,
    count: usize,
    /// Connections for reading on the caller's own thread.
    here: Mutex<Vec<Connection>>,
    figures: Arc<Figures>,
}

/// What the readers count.
#[derive(Debug)]
pub(crate) struct Figures {
    /// How long reads took, their waiting included.
    pub took: Histogram,
    /// Reads that ended with an error.
    pub failed: Counter,
    /// Threads at work.
    pub busy: Level,
}

impl Readers {
    /// Starts one thread for each of `connections`, and keeps those of `here` for [`Readers::read_here`].
    pub(crate) fn start(connections: Vec<Connection>, here: Vec<Connection>) -> Result<Self, StoreError> {
        let (queue, work) = mpsc::channel(READS_QUEUED_MAX);
        let work = Arc::new(Mutex::new(work));
        let count = connections.len();
        let figures = Arc::new(Figures {
            took: Histogram::new(QUICK_MICROS),
            failed: Counter::default(),
            busy: Level::default(),
        });
        for (number, conn) in connections.into_iter().enumerate() {
            let (work, figures) = (Arc::clone(&work), Arc::clone(&figures));
            thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || serve(conn, &work, &figures.busy))
                .map_err(|e| StoreError::io("a reader thread did not start", &e))?;
        }
        Ok(Self { queue, count, here: Mutex::new(here), figures })
    }

    /// Runs `work` on one of the threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let asked = Instant::now();
        let (reply, answer) = oneshot::channel();
        let boxed: Work = Box::new(move |conn| {
            // The caller may have gone; then nobody wants the answer.
            let _ = reply.send(in_snapshot(conn, work));
        });
        self.queue.send(Command::Read(boxed)).await.map_err(|_| StoreError::Closed)?;
        let answer = answer.await.map_err(|_| StoreError::Closed)?;
        self.counted(asked, answer)
    }

    /// Runs `work` on the caller's thread when a connection is free, else on one of the threads.
    pub(crate) async fn read_here<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let asked = Instant::now();
        let free = self.here().pop();
        let Some(conn) = free else { return self.read(work).await };
        let busy = Level::hold(&self.figures.busy);
        let answer = in_snapshot(&conn, work);
        drop(busy);
        self.here().push(conn);
        self.counted(asked, answer)
    }

    fn here(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted<T>(&self, asked: Instant, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let took = asked.elapsed();
        self.figures.took.observe(took);
        spent::note(took);
        if answer.is_err() {
            self.figures.failed.one();
        }
        answer
    }

    /// What the readers counted.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Reads that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Ends all threads after the work that waits, and closes their connections.
    pub(crate) async fn end(&self) {
        self.here().clear();
        let mut ended = Vec::new();
        for _ in 0..self.count {
            let (reply, answer) = oneshot::channel();
            if self.queue.send(Command::End(reply)).await.is_ok() {
                ended.push(answer);
            }
        }
        for answer in ended {
            let _ = answer.await;
        }
    }
}

fn serve(conn: Connection, work: &Mutex<mpsc::Receiver<Command>>, busy: &Level) {
    loop {
        // One thread waits at the queue, the others at the lock; each piece of work wakes one.
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match next {
            Some(Command::Read(work)) => {
                let _busy = Level::hold(busy);
                work(&conn);
            }
            Some(Command::End(reply)) => {
                drop(conn);
                let _ = reply.send(());
                return;
            }
            None => return,
        }
    }
}

/// Runs `work` inside one read transaction; a panic becomes an error.
pub(crate) fn in_snapshot<T>(
    conn: &Connection,
    work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Prepared once and kept: a transaction object would have both parsed anew each time.
    conn.prepare_cached("BEGIN")?.execute([])?;
    let found = catch_unwind(AssertUnwindSafe(|| work(&Reader::new(conn))))
        .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
    if let Err(error) = conn.prepare_cached("COMMIT").and_then(|mut end| end.execute([])) {
        conn.execute_batch("ROLLBACK")?;
        return found.and(Err(error.into()));
    }
    found
}

/// A panic as an error.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> StoreError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    StoreError::Panicked { message: timmy_domain::text::one_line(&message) }
}
