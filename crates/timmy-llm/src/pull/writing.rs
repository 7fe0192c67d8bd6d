//! The unfinished file: written and summed on a thread of its own, kept when the rest is missing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::{PART_FOLDER, PullFailure, Wanted};

/// Pieces that wait for the disk.
const PIECES_MAX: usize = 64;
/// Bytes read at once when what is here is summed.
const READ_BYTES: usize = 1024 * 1024;
/// Bytes at the beginning that say what a file is.
const HEAD_BYTES: u64 = 16;

/// Where an unfinished file lies.
pub struct Place<'a> {
    /// The folder of models.
    pub folder: &'a Path,
    /// Its name there, in [`PART_FOLDER`].
    pub name: String,
    /// Whether what lies there from before is the same file.
    pub keeps: bool,
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the thread is told.
enum Order {
    Write(Vec<u8>),
    Discard,
    /// Asks for the sum and the beginning.
    Sum(oneshot::Sender<Result<(String, Vec<u8>), PullFailure>>),
}

/// An unfinished file.
pub struct Part {
    path: PathBuf,
    bytes: u64,
    keeps: bool,
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<tokio::task::JoinHandle<Result<(), PullFailure>>>,
}

impl Part {
    /// Opens what is here of the file, and sums it. What is longer than the file can be is thrown away.
    pub async fn open(place: &Place<'_>, bytes_max: u64) -> Result<Self, PullFailure> {
        let path = place.folder.join(PART_FOLDER).join(&place.name);
        let (at, keeps) = (path.clone(), place.keeps);
        let (ready, begun) = oneshot::channel();
        let (orders, inbox) = mpsc::channel(PIECES_MAX);
        let thread = tokio::task::spawn_blocking(move || match begin(&at, bytes_max, keeps) {
            Ok((file, sum, bytes)) => {
                // Whoever asked may have given up.
                let _ = ready.send(bytes);
                work(file, sum, bytes, bytes_max, inbox)
            }
            Err(error) => Err(PullFailure::disk(&error, bytes_max)),
        });
        match begun.await {
            Ok(bytes) => Ok(Self { path, bytes, keeps, orders: Some(orders), thread: Some(thread) }),
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

    /// Waits until what came is on the disk, or gone when nobody could go on with it, and gives `failure`, or what the disk
    /// said.
    pub async fn keep(&mut self, failure: PullFailure) -> PullFailure {
        self.orders = None;
        let failure = match self.thread.take() {
            Some(thread) => match thread.await {
                Ok(Err(disk)) => disk,
                _ => failure,
            },
            None => failure,
        };
        if !self.keeps {
            let path = self.path.clone();
            // What stays is thrown away when it is asked for again.
            let _ = tokio::task::spawn_blocking(move || fs::remove_file(path)).await;
        }
        failure
    }

    /// Makes the file the one at `target` when its sum and its beginning are those that are `wanted`, and gives its sum;
    /// else throws it away.
    pub async fn install(mut self, target: &Path, wanted: &Wanted) -> Result<String, PullFailure> {
        let (answer, asked) = oneshot::channel();
        self.order(Order::Sum(answer)).await?;
        let Ok(sum) = asked.await else { return Err(self.thread_failure().await) };
        let (sum, head) = sum?;
        let wrong = match &wanted.sha256 {
            Some(sha256) if *sha256 != sum => Some("its checksum is another one"),
            _ if !head.starts_with(wanted.head) => Some("it is no file of a model"),
            _ => None,
        };
        if let Some(what) = wrong {
            self.discard().await?;
            return Err(self.keep(PullFailure::Wrong { what: what.to_owned() }).await);
        }
        let (from, to) = (self.path.clone(), target.to_owned());
        let renamed = tokio::task::spawn_blocking(move || {
            fs::rename(&from, &to)?;
            // The name is on the disk when its folder is.
            to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        });
        match renamed.await {
            Ok(Ok(())) => Ok(sum),
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

/// Opens and sums what is here, or throws it away.
fn begin(path: &Path, bytes_max: u64, keeps: bool) -> io::Result<(File, Sha256, u64)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let (mut sum, mut bytes) = (Sha256::new(), 0_u64);
    if !keeps || file.metadata()?.len() > bytes_max {
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
                let said = file.sync_all().and_then(|()| head(&file)).map_err(|error| failed(error, bytes));
                // Whoever asked may have given up.
                let _ = answer.send(said.map(|head| (hex(&sum.clone().finalize()), head)));
            }
        }
    }
    // What is kept for the next time need not survive a power cut: it is summed again then.
    Ok(())
}

/// The beginning of a file.
fn head(file: &File) -> io::Result<Vec<u8>> {
    let (mut file, mut head) = (file, Vec::new());
    file.rewind()?;
    file.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}
