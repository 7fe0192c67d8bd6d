//! The store: opening it, and the doors to its threads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use timmy_domain::{NewEvent, Seq, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};

use crate::block_on::block_on;
use crate::command::{Command, Typed};
use crate::readers::Readers;
use crate::signing::Signer;
use crate::stats::Counters;
use crate::tx::Prepared;
use crate::writer::{self, COMMANDS_QUEUED_MAX, Full, Shared};
use crate::{
    ChainReport, CheckReport, Reader, StoreError, StorePace, StoreStats, Tx, check, create, log, migrate, signing,
    spent, verify, watched,
};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where randomness comes from: fills the whole slice.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Fewest reader threads.
const READERS_MIN: usize = 2;

/// Connections for reading on the caller's own thread.
const READERS_HERE: usize = 2;

/// Most reader threads.
const READERS_MAX: usize = 4;

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Reader threads, 2 to 4; other values are moved into that range.
    pub readers: usize,
    /// Whether nothing may be written: no creation, no migration, no writer.
    pub read_only: bool,
    /// Whether the statements of the readers are noted, for [`watched`](crate::watched).
    pub watched: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: READERS_MIN, read_only: false, watched: false }
    }
}

/// One open database. Clones share it; the last one to go ends its threads.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    read_only: bool,
    schema_version: i64,
    reader_count: usize,
    readers: Readers,
    commands: mpsc::Sender<Command>,
    head: watch::Receiver<Seq>,
    stopped: Arc<OnceLock<String>>,
    counters: Arc<Counters>,
    full: Arc<Full>,
    closed: AtomicI64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database at `path`, or creates it. An older one is migrated after a copy was made.
    ///
    /// A file that is damaged, of another program or of a newer version is refused and left as it
    /// is, byte for byte. Checked are the header, the schema against its stored hash, the page count
    /// against the size of the file, and the last 1,000 rows of the chain.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Foreign`], [`StoreError::NewerSchema`]; for reading
    /// only also [`StoreError::OlderSchema`] and [`StoreError::Missing`]; else what the disk said.
    pub fn open(path: &Path, clock: Clock, random: Random, options: Options) -> Result<Self, StoreError> {
        match check::file(path)? {
            check::Found::File => {}
            check::Found::Nothing if options.read_only => {
                return Err(StoreError::Missing { path: path.display().to_string() });
            }
            check::Found::Nothing => create::create(path, &random, clock())?,
        }
        if !options.read_only {
            create::roll_back(path)?;
        }
        let first = create::open_reader(path)?;
        let version = check::content(&first, path)?;
        if version < migrate::LATEST && options.read_only {
            return Err(StoreError::OlderSchema { found: version });
        }
        let writer = if options.read_only { None } else { Some(create::open_writer(path)?) };
        let (first, writer) = match writer {
            Some(mut conn) if version < migrate::LATEST => {
                drop(first);
                migrate::copy_before(&conn, path, version, clock())?;
                if !migrate::is_signed(version) {
                    // A key that lies here signed another database; it may sign this one.
                    signing::demote(path)?;
                }
                migrate::to_latest(&mut conn)?;
                crate::space::learn_to_shrink(&conn)?;
                (create::open_reader(path)?, Some(conn))
            }
            writer => (first, writer),
        };
        let last = log::head(&first)?.seq;
        let reader_count = options.readers.clamp(READERS_MIN, READERS_MAX);
        let readers = readers(path, first, reader_count, options.watched)?;
        let (head, head_seen) = watch::channel(last);
        let (commands, received) = mpsc::channel(COMMANDS_QUEUED_MAX);
        let stopped = Arc::new(OnceLock::new());
        let counters = Arc::new(Counters::default());
        let full = Arc::new(Full::default());
        let shared = Shared {
            path: path.to_owned(),
            head,
            stopped: Arc::clone(&stopped),
            counters: Arc::clone(&counters),
            full: Arc::clone(&full),
        };
        if let Some(conn) = writer {
            let signer = signing::settle(&conn, path, &random, clock())?;
            signing::promote(path)?;
            start_writer(conn, clock, random, signer, received, shared)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                read_only: options.read_only,
                schema_version: migrate::LATEST,
                reader_count,
                readers,
                commands,
                head: head_seen,
                stopped,
                counters,
                full,
                closed: AtomicI64::new(0),
            }),
        })
    }

    /// Runs `work` on the writer thread, in a transaction it shares with others, yet on a savepoint
    /// of its own: when it fails or panics, only its own changes are taken back. Answers after the
    /// COMMIT has reached the disk.
    ///
    /// # Errors
    /// What `work` said; [`StoreError::Panicked`]; [`StoreError::ReadOnly`] after
    /// [`Store::stop_writes`]; what the disk said when the commit failed.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let asked = Instant::now();
        self.send(Command::Work(Box::new(Typed::new(work, reply)))).await?;
        let answer = answer.await.map_err(|_| StoreError::Closed)?;
        spent::note(asked.elapsed());
        answer
    }

    /// Appends `events`, all of them or none, and answers their positions after the COMMIT has
    /// reached the disk. The fast path: bodies are encoded here, and there is no savepoint.
    ///
    /// # Errors
    /// [`StoreError::EventTooLarge`]; else as [`Store::write`].
    pub async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Seq>, StoreError> {
        let mut prepared = Vec::with_capacity(events.len());
        for event in events {
            prepared.push(Prepared::new(event)?);
        }
        let (reply, answer) = oneshot::channel();
        self.send(Command::Append(prepared, reply)).await?;
        answer.await.map_err(|_| StoreError::Closed)?.map(|(seqs, _)| seqs.collect())
    }

    /// Runs `work` on a reader thread, over one state of the data.
    ///
    /// # Errors
    /// What `work` said; [`StoreError::Panicked`]; [`StoreError::Closed`].
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.readers.read(work).await
    }

    /// [`Store::read`], on the caller's own thread when a connection is free there. It saves two changes of
    /// thread, so it is meant for work of microseconds: a bounded number of rows that an index finds.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn read_here<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.readers.read_here(work).await
    }

    /// [`Store::write`], for a thread that has no runtime.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        block_on(self.write(work))
    }

    /// [`Store::append`], for a thread that has no runtime.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_blocking(&self, events: Vec<NewEvent>) -> Result<Vec<Seq>, StoreError> {
        block_on(self.append(events))
    }

    /// [`Store::read`], for a thread that has no runtime.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        block_on(self.read(work))
    }

    /// The doorbell: the last committed position. Rings after a COMMIT, never before.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Seq> {
        self.inner.head.clone()
    }

    /// The last committed position; 0 when the log is empty.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        *self.inner.head.borrow()
    }

    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Stops writing for good: every later write answers [`StoreError::ReadOnly`] with `finding`.
    /// The first finding stays.
    pub fn stop_writes(&self, finding: &str) {
        writer::stop(&self.inner.stopped, finding);
    }

    /// Why writing has stopped, if it has.
    #[must_use]
    pub fn writes_stopped(&self) -> Option<String> {
        self.inner.stopped.get().cloned()
    }

    /// Since when the disk is full: writes are refused with [`StoreError::DiskFull`] until one is stored
    /// again. `None` when there is room.
    #[must_use]
    pub fn full_since(&self) -> Option<Timestamp> {
        self.inner.full.since().map(Timestamp::from_micros)
    }

    /// Why nothing is stored right now, for good or for a while, in words.
    #[must_use]
    pub fn writes_refused(&self) -> Option<String> {
        self.writes_stopped().or_else(|| self.full_since().map(|_| "the disk is full".to_owned()))
    }

    /// Figures about the store.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let inner = &self.inner;
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
        let (batches, rows, last_commit_micros) = inner.counters.read();
        StoreStats {
            path: inner.path.clone(),
            file_bytes: bytes(&inner.path),
            wal_bytes: bytes(&create::wal_path(&inner.path)),
            schema_version: inner.schema_version,
            writer_queue: inner.commands.max_capacity() - inner.commands.capacity(),
            batches,
            rows,
            last_commit_micros,
            last_seq: self.last_seq(),
            readers: inner.reader_count,
            writes_stopped: self.writes_stopped(),
        }
    }

    /// How fast the store is, and how much is asked of it.
    #[must_use]
    pub fn pace(&self) -> StorePace {
        let (commits, latest_commits_micros) = self.inner.counters.commits();
        let readers = self.inner.readers.figures();
        StorePace {
            commits,
            latest_commits_micros,
            writer_queue_max: COMMANDS_QUEUED_MAX,
            failed_batches: self.inner.counters.failed.get(),
            reads: readers.took.spread(),
            failed_reads: readers.failed.get(),
            readers_busy: readers.busy.get(),
            reads_waiting: self.inner.readers.waiting(),
        }
    }

    /// SQLite's full integrity check, and the check of foreign keys. Takes seconds on a large file;
    /// runs on a thread of its own.
    ///
    /// # Errors
    /// What the disk said. Damage that was found is no error; it is in the report.
    pub async fn check_integrity(&self) -> Result<CheckReport, StoreError> {
        let path = self.inner.path.clone();
        in_background("store-integrity", move || verify::integrity(&create::open_reader(&path)?)).await
    }

    /// Checks the chain from position `from` (1 for all of it) to its end and answers the first bad
    /// row. Runs on a thread of its own, in small steps, while others write.
    ///
    /// # Errors
    /// What the disk said. A bad row is no error; it is in the report.
    pub async fn verify_chain(&self, from: Seq) -> Result<ChainReport, StoreError> {
        let path = self.inner.path.clone();
        in_background("store-chain", move || verify::chain(&create::open_reader(&path)?, from)).await
    }

    /// Ends the store: waiting work is done, the write-ahead log is moved into the file, the threads
    /// end. Later calls answer [`StoreError::Closed`]. A second call does nothing.
    pub async fn close(&self) {
        if self.inner.closed.swap(1, Ordering::AcqRel) != 0 {
            return;
        }
        self.inner.readers.end().await;
        let (reply, ended) = oneshot::channel();
        if self.inner.commands.send(Command::End(reply)).await.is_ok() {
            let _ = ended.await;
        }
    }

    async fn send(&self, command: Command) -> Result<(), StoreError> {
        if self.inner.read_only {
            return Err(StoreError::ReadOnly { finding: "it was opened for reading only".into() });
        }
        if let Some(finding) = self.inner.stopped.get() {
            return Err(StoreError::ReadOnly { finding: finding.clone() });
        }
        self.inner.commands.send(command).await.map_err(|_| StoreError::Closed)
    }
}

fn start_writer(
    conn: Connection,
    clock: Clock,
    random: Random,
    signer: Signer,
    commands: mpsc::Receiver<Command>,
    shared: Shared,
) -> Result<(), StoreError> {
    thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer::serve(conn, clock, random, signer, commands, &Arc::new(shared)))
        .map(drop)
        .map_err(|e| StoreError::io("the writer thread did not start", &e))
}

/// The threads that read, and the connections for reading on the caller's own; `first` is one of them.
fn readers(path: &Path, first: Connection, count: usize, noted: bool) -> Result<Readers, StoreError> {
    let mut connections = vec![first];
    while connections.len() < count {
        connections.push(create::open_reader(path)?);
    }
    let here = (0..READERS_HERE).map(|_| create::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
    if noted {
        connections.iter().chain(&here).for_each(watched::begin);
    }
    Readers::start(connections, here)
}

/// Runs `work` on a thread of its own.
pub(crate) async fn in_background<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (reply, answer) = oneshot::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _ = reply.send(work());
        })
        .map_err(|e| StoreError::io("a checking thread did not start", &e))?;
    answer.await.map_err(|_| StoreError::Panicked { message: format!("{name} ended early") })?
}
