//! Reading: a few threads, each with a read-only connection and a small page cache.
//!
//! One piece of work sees one state of the data, however long it takes and whatever is written
//! meanwhile.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

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
}

impl Readers {
    /// Starts one thread for each connection.
    pub(crate) fn start(connections: Vec<Connection>) -> Result<Self, StoreError> {
        let (queue, work) = mpsc::channel(READS_QUEUED_MAX);
        let work = Arc::new(Mutex::new(work));
        let count = connections.len();
        for (number, conn) in connections.into_iter().enumerate() {
            let work = Arc::clone(&work);
            thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || serve(conn, &work))
                .map_err(|e| StoreError::io("a reader thread did not start", &e))?;
        }
        Ok(Self { queue, count })
    }

    /// Runs `work` on one of the threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let boxed: Work = Box::new(move |conn| {
            // The caller may have gone; then nobody wants the answer.
            let _ = reply.send(in_snapshot(conn, work));
        });
        self.queue.send(Command::Read(boxed)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends all threads after the work that waits, and closes their connections.
    pub(crate) async fn end(&self) {
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

fn serve(conn: Connection, work: &Mutex<mpsc::Receiver<Command>>) {
    loop {
        // One thread waits at the queue, the others at the lock; each piece of work wakes one.
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match next {
            Some(Command::Read(work)) => work(&conn),
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
    // Dropping it rolls back, which for reading is the same as an end.
    let _snapshot = conn.unchecked_transaction()?;
    catch_unwind(AssertUnwindSafe(|| work(&Reader::new(conn)))).unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
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
