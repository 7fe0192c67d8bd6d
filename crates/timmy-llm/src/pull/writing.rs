//! The unfinished file: written and summed on a thread of its own, kept when the rest is missing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::{PART_FOLDER, PullFailure};

/// Pieces that wait for the disk.
const PIECES_MAX: usize = 64;
/// Bytes read at once when what is here is summed.
const READ_BYTES: usize = 1024 * 1024;

/// Where the unfinished file of this checksum lies.
pub fn path(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(PART_FOLDER).join(sha256)
}

/// What the thread is told.
enum Order {
    Write(Vec<u8>),
    Discard,
    Sum(oneshot::Sender<Result<String, PullFailure>>),
}

/// An unfinished file.
pub struct Part {
    path: PathBuf,
    bytes: u64,
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<tokio::task::JoinHandle<Result<(), PullFailure>>>,
}

impl Part {
    /// Opens what is here of the file, and sums it. What is longer than the file can be is thrown away.
    pub async fn open(folder: &Path, sha256: &str, bytes_max: u64) -> Result<Self, PullFailure> {
        let path = path(folder, sha256);
        let at = path.clone();
        let (ready, begun) = oneshot::channel();
        let (orders, inbox) = mpsc::channel(PIECES_MAX);
        let thread = tokio::task::spawn_blocking(move || match begin(&at, bytes_max) {
            Ok((file, sum, bytes)) => {
                // Whoever asked may have given up.
                let _ = ready.send(bytes);
                work(file, sum, bytes, bytes_max, inbox)
            }
            Err(error) => Err(PullFailure::disk(&error, bytes_max)),
        });
        match begun.await {
            Ok(bytes) => Ok(Self { path, bytes, orders: Some(orders), thread: Some(thread) }),
            Err(_) => Err(ended(thread.await)),
        }
    }

    /// Bytes that are here.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a piece.
    pub async fn write(&mut self, piece: Vec<u8>) -> Result<(), PullFailure> {
        let bytes = piece.len() as u64;
        self.order(Order::Write(piece)).await?;
        self.bytes += bytes;
        Ok(())
    }

    /// Throws away what is here.
    pub async fn discard(&mut self) -> Result<(), PullFailure> {
        if self.bytes > 0 {
            self.order(Order::Discard).await?;
            self.bytes = 0;
        }
        Ok(())
    }

    /// Waits until what came is on the disk, and gives `failure`, or what the disk said.
    pub async fn keep(mut self, failure: PullFailure) -> PullFailure {
        self.orders = None;
        match self.thread.take() {
            Some(thread) => match thread.await {
                Ok(Err(disk)) => disk,
                _ => failure,
            },
            None => failure,
        }
    }

    /// Makes the file the one at `target` when its sum is `sha256`; else throws it away.
    pub async fn install(mut self, target: &Path, sha256: &str) -> Result<(), PullFailure> {
        let (answer, asked) = oneshot::channel();
        self.order(Order::Sum(answer)).await?;
        let Ok(sum) = asked.await else { return Err(self.thread_failure().await) };
        let sum = sum?;
        if sum != sha256 {
            self.discard().await?;
            return Err(self.keep(PullFailure::Wrong { what: "its checksum is another one".to_owned() }).await);
        }
        let (from, to) = (self.path.clone(), target.to_owned());
        let renamed = tokio::task::spawn_blocking(move || {
            fs::rename(&from, &to)?;
            // The name is on the disk when its folder is.
            to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        });
        match renamed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(PullFailure::disk(&error, 0)),
            Err(_) => Err(PullFailure::Disk { what: "the thread that writes ended".to_owned() }),
        }
    }

    async fn order(&mut self, order: Order) -> Result<(), PullFailure> {
        let sent = match &self.orders {
            Some(orders) => orders.send(order).await.is_ok(),
            None => false,
        };
        if sent { Ok(()) } else { Err(self.thread_failure().await) }
    }

    async fn thread_failure(&mut self) -> PullFailure {
        self.orders = None;
        match self.thread.take() {
            Some(thread) => ended(thread.await),
            None => PullFailure::Disk { what: "the thread that writes ended".to_owned() },
        }
    }
}

fn ended(thread: Result<Result<(), PullFailure>, tokio::task::JoinError>) -> PullFailure {
    match thread {
        Ok(Err(failure)) => failure,
        _ => PullFailure::Disk { what: "the thread that writes ended".to_owned() },
    }
}

/// Opens and sums what is here.
fn begin(path: &Path, bytes_max: u64) -> io::Result<(File, Sha256, u64)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let (mut sum, mut bytes) = (Sha256::new(), 0_u64);
    if file.metadata()?.len() > bytes_max {
        file.set_len(0)?;
    }
    let mut piece = vec![0; READ_BYTES];
    // Not beyond its length: what is no plain file would never end.
    let mut here = (&file).take(file.metadata()?.len());
    loop {
        match here.read(&mut piece)? {
            0 => return Ok((file, sum, bytes)),
            read => {
                sum.update(piece.get(..read).unwrap_or_default());
                bytes += read as u64;
            }
        }
    }
}

fn work(
    mut file: File,
    mut sum: Sha256,
    mut bytes: u64,
    bytes_max: u64,
    mut inbox: mpsc::Receiver<Order>,
) -> Result<(), PullFailure> {
    while let Some(order) = inbox.blocking_recv() {
        let failed = |error: io::Error, bytes: u64| PullFailure::disk(&error, bytes_max.saturating_sub(bytes));
        match order {
            Order::Write(piece) => {
                file.write_all(&piece).map_err(|error| failed(error, bytes))?;
                sum.update(&piece);
                bytes += piece.len() as u64;
            }
            Order::Discard => {
                file.set_len(0).map_err(|error| failed(error, bytes))?;
                (sum, bytes) = (Sha256::new(), 0);
            }
            Order::Sum(answer) => {
                let synced = file.sync_all().map_err(|error| failed(error, bytes));
                let hex = || sum.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                // Whoever asked may have given up.
                let _ = answer.send(synced.map(|()| hex()));
            }
        }
    }
    // What is kept for the next time need not survive a power cut: it is summed again then.
    Ok(())
}
