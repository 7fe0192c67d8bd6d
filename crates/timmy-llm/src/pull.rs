//! Fetching one file of a model: goes on where it stopped, is checked before it is installed, and installs whole or
//! not at all.
//!
//! What comes lies under the file's own checksum in [`PART_FOLDER`], so that pieces of two files never mix. A thread of
//! its own writes and sums while the next piece comes over the wire.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::wire::address::is_loopback;
use crate::wire::tls;

use writing::Part;

mod failure;
mod writing;

pub use failure::PullFailure;

/// The folder inside that of the models in which unfinished files lie.
pub const PART_FOLDER: &str = ".part";
/// How often in a row a lost connection is made again without a byte having come.
const ATTEMPTS_MAX: u32 = 5;
/// How long a server may be silent, in seconds.
const SILENCE_SECONDS: u64 = 30;
/// How long the first wait before another connection is, in milliseconds; each next one is twice as long.
const AGAIN_MS: u64 = 500;
/// The least time between two words about how far it is, in milliseconds.
const PROGRESS_MS: u64 = 250;
/// Room on the disk that is left free beside the file, in bytes.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;
/// Redirections that are followed: a hub sends on to where its files lie.
const REDIRECTS_MAX: usize = 5;

/// One file, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its address: encrypted, or on this machine.
    pub url: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its name in the folder of models.
    pub file_name: String,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub bytes_here: u64,
    /// All bytes.
    pub bytes: u64,
    /// Bytes that came in this run, for a speed.
    pub bytes_new: u64,
}

/// Fetches files. Reads certificates when it is made, so it is made when it is needed.
#[derive(Clone, Debug)]
pub struct Puller {
    client: Client,
    silence: Duration,
    again: Duration,
}

impl Puller {
    /// One that trusts what the system trusts.
    ///
    /// # Errors
    /// What the system said.
    pub async fn new() -> Result<Self, PullFailure> {
        let client = tls::fetching(REDIRECTS_MAX).await.map_err(PullFailure::Client)?;
        Ok(Self { client, silence: Duration::from_secs(SILENCE_SECONDS), again: Duration::from_millis(AGAIN_MS) })
    }

    /// Bears `silence` of a server, and waits `again` before another connection.
    #[must_use]
    pub fn bearing(mut self, silence: Duration, again: Duration) -> Self {
        (self.silence, self.again) = (silence, again);
        self
    }

    /// Fetches `wanted` into `folder` and gives its path. `free_bytes` is what may be written there, where that is known.
    ///
    /// # Errors
    /// Why it is not here. What came stays for the next time, unless it is certainly wrong.
    pub async fn fetch(
        &self,
        wanted: &Wanted,
        folder: &Path,
        free_bytes: Option<u64>,
        cancel: &CancellationToken,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<PathBuf, PullFailure> {
        let url = checked(wanted)?;
        let target = folder.join(&wanted.file_name);
        let mut run = Run { wanted, told: None, began_at: 0, progress };
        let mut part = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(PullFailure::Cancelled),
            opened = Part::open(folder, &wanted.sha256, wanted.bytes) => opened?,
        };
        run.began_at = part.bytes();
        let missing = wanted.bytes - part.bytes();
        if free_bytes.is_some_and(|free| free < missing.saturating_add(ROOM_BYTES)) {
            return Err(PullFailure::DiskFull { missing });
        }
        run.tell(part.bytes(), true);
        let mut lost = 0;
        while part.bytes() < wanted.bytes {
            let before = part.bytes();
            let done = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(PullFailure::Cancelled),
                done = self.connection(&url, &mut part, &mut run) => done,
            };
            match done {
                Ok(()) => {}
                Err(PullFailure::Lost { .. }) if lost < ATTEMPTS_MAX => {
                    lost = if part.bytes() > before { 0 } else { lost + 1 };
                    tokio::select! {
                        () = cancel.cancelled() => return Err(part.keep(PullFailure::Cancelled).await),
                        () = sleep(self.again * 2_u32.pow(lost)) => {}
                    }
                }
                Err(failure) => return Err(part.keep(failure).await),
            }
        }
        run.tell(part.bytes(), true);
        part.install(&target, &wanted.sha256).await?;
        Ok(target)
    }

    /// One connection: until the file is whole, or the connection is not.
    async fn connection(&self, url: &Url, part: &mut Part, run: &mut Run<'_>) -> Result<(), PullFailure> {
        let mut response = self.ask(url, part).await?;
        while part.bytes() < run.wanted.bytes {
            let piece = timeout(self.silence, response.chunk()).await.map_err(|_| lost("it fell silent"))?;
            let Some(piece) = piece.map_err(|_| lost("the connection broke"))? else {
                return Err(lost("it ended early"));
            };
            if part.bytes() + piece.len() as u64 > run.wanted.bytes {
                part.discard().await?;
                return Err(PullFailure::Wrong { what: "more came than the file has".to_owned() });
            }
            part.write(piece.to_vec()).await?;
            run.tell(part.bytes(), false);
        }
        Ok(())
    }

    /// Asks for what is missing. A server that cannot begin in the middle begins again.
    async fn ask(&self, url: &Url, part: &mut Part) -> Result<Response, PullFailure> {
        let from = part.bytes();
        let request = self.client.get(url.clone());
        let request = if from > 0 { request.header(RANGE, format!("bytes={from}-")) } else { request };
        let sent = timeout(self.silence, request.send()).await.map_err(|_| lost("it did not answer"))?;
        let response = sent.map_err(|error| match error.is_redirect() {
            true => PullFailure::Refused { status: 0 },
            false => lost("it cannot be reached"),
        })?;
        match response.status() {
            StatusCode::OK => {
                part.discard().await?;
                Ok(response)
            }
            StatusCode::PARTIAL_CONTENT if begins_at(&response) == Some(from) => Ok(response),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                part.discard().await?;
                Err(lost("it sent another part than was asked for"))
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(lost("the server has a fault"))
            }
            status => Err(PullFailure::Refused { status: status.as_u16() }),
        }
    }
}

/// A fetch in the making, and what was told of it.
struct Run<'a> {
    wanted: &'a Wanted,
    told: Option<Instant>,
    began_at: u64,
    progress: &'a mut (dyn FnMut(Progress) + Send),
}

impl Run<'_> {
    fn tell(&mut self, bytes_here: u64, always: bool) {
        let now = Instant::now();
        let due = self.told.is_none_or(|at| now >= at + Duration::from_millis(PROGRESS_MS));
        if due || always {
            self.told = Some(now);
            let bytes_new = bytes_here.saturating_sub(self.began_at);
            (self.progress)(Progress { bytes_here, bytes: self.wanted.bytes, bytes_new });
        }
    }
}

/// Bytes of the file of this checksum that lie in `folder` unfinished.
#[must_use]
pub fn unfinished_bytes(folder: &Path, sha256: &str) -> u64 {
    fs::metadata(writing::path(folder, sha256)).map_or(0, |meta| meta.len())
}

fn checked(wanted: &Wanted) -> Result<Url, PullFailure> {
    let wrong = |what: &str| PullFailure::Wrong { what: what.to_owned() };
    let url = Url::parse(&wanted.url).map_err(|_| wrong("the address is none"))?;
    let here = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
    if url.scheme() != "https" && !here {
        return Err(wrong("the address is not encrypted"));
    }
    if wanted.sha256.len() != 64 || !wanted.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(wrong("there is no checksum"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if wanted.file_name.starts_with('.') || wanted.file_name.is_empty() || !wanted.file_name.chars().all(plain) {
        return Err(wrong("the name is not that of a file"));
    }
    Ok(url)
}

/// Where the body of a partial answer begins.
fn begins_at(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn lost(what: &'static str) -> PullFailure {
    PullFailure::Lost { what }
}
