//! Fetching one file of a model: goes on where it stopped, is checked before it is installed, and installs whole or
//! not at all.
//!
//! What comes lies under the file's own checksum in [`PART_FOLDER`], so that pieces of two files never mix. A thread of
//! its own writes and sums while the next piece comes over the wire. Where the owner knows no checksum nothing can be
//! verified: such a pull begins anew each time, and goes on within one run only while the server says that the file is
//! still the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_RANGE, LOCATION, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::wire::address::is_loopback;
use crate::wire::tls;

use range::{begins_at, whole_bytes};
use writing::{Part, Place};

mod failure;
mod leading;
mod range;
mod writing;

pub use failure::PullFailure;
pub use leading::{Asked, Further, Gate};

/// The folder inside that of the models in which unfinished files lie.
pub const PART_FOLDER: &str = ".part";
/// How often in a row a lost connection is made again without a byte having come.
const ATTEMPTS_MAX: u32 = 5;
/// How long a server may be silent, in seconds.
const SILENCE_SECONDS: u64 = 30;
/// How long the first wait before another connection is, in milliseconds; each next one is twice as long.
const AGAIN_MS: u64 = 500;
/// Room on the disk that is left free beside the file, in bytes.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;
/// The longest file that is fetched, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 40;
/// Redirections that are followed: a hub sends on to where its files lie.
const REDIRECTS_MAX: usize = 5;

/// One file, as exactly as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its address: encrypted, or on this machine.
    pub url: String,
    /// Its bytes; what the server says where that is not known.
    pub bytes: Option<u64>,
    /// Its SHA-256, in hexadecimal. Without one nothing is verified.
    pub sha256: Option<String>,
    /// Its name in the folder of models.
    pub file_name: String,
    /// What it begins with; empty when that is not looked at.
    pub head: &'static [u8],
}

impl Wanted {
    /// The name of its unfinished file: two files never share one.
    #[must_use]
    pub fn part_name(&self) -> String {
        match &self.sha256 {
            Some(sha256) => sha256.clone(),
            None => format!("unverified-{}", writing::hex(&Sha256::digest(&self.url))),
        }
    }
}

/// A file that is here, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// The SHA-256 of what came. It shows that this is the right file only where another one was known before.
    pub sha256: String,
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
#[derive(Clone)]
pub struct Puller {
    client: Client,
    gate: Option<Arc<dyn Gate>>,
    silence: Duration,
    again: Duration,
}

impl Puller {
    /// One that trusts what the system trusts.
    ///
    /// # Errors
    /// What the system said.
    pub async fn new() -> Result<Self, PullFailure> {
        let client = tls::fetching().await.map_err(PullFailure::Client)?;
        let (silence, again) = (Duration::from_secs(SILENCE_SECONDS), Duration::from_millis(AGAIN_MS));
        Ok(Self { client, gate: None, silence, again })
    }

    /// Asks `gate` before a redirection is followed to another host.
    #[must_use]
    pub fn through_gate(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Bears `silence` of a server, and waits `again` before another connection.
    #[must_use]
    pub fn bearing(mut self, silence: Duration, again: Duration) -> Self {
        (self.silence, self.again) = (silence, again);
        self
    }

    /// Fetches `wanted` into `folder`. `free_bytes` is what may be written there, where that is known.
    ///
    /// # Errors
    /// Why it is not here. What came stays for the next time, unless it is certainly wrong or cannot be verified.
    pub async fn fetch(
        &self,
        wanted: &Wanted,
        folder: &Path,
        free_bytes: Option<u64>,
        cancel: &CancellationToken,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Fetched, PullFailure> {
        let url = checked(wanted)?;
        let place = Place { folder, name: wanted.part_name(), keeps: wanted.sha256.is_some() };
        let opening = async {
            let bytes = match wanted.bytes {
                Some(bytes) => bytes,
                None => self.length(&url).await?,
            };
            Ok((bytes, Part::open(&place, bytes).await?))
        };
        let (bytes, mut part) = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(PullFailure::Cancelled),
            opened = opening => opened?,
        };
        let missing = bytes - part.bytes();
        if free_bytes.is_some_and(|free| free < missing.saturating_add(ROOM_BYTES)) {
            return Err(PullFailure::DiskFull { missing });
        }
        let mut run = Run { wanted, bytes, same: None, began_at: part.bytes(), progress };
        run.tell(part.bytes());
        self.through(&url, &mut run, &mut part, cancel).await?;
        run.tell(part.bytes());
        let path = folder.join(&wanted.file_name);
        let sha256 = part.install(&path, wanted).await?;
        Ok(Fetched { path, bytes, sha256 })
    }

    /// Makes one connection after the other until all is here.
    async fn through(
        &self,
        url: &Url,
        run: &mut Run<'_>,
        part: &mut Part,
        cancel: &CancellationToken,
    ) -> Result<(), PullFailure> {
        let mut lost = 0;
        while part.bytes() < run.bytes {
            let before = part.bytes();
            let done = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(PullFailure::Cancelled),
                done = self.connection(url, part, run) => done,
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
        Ok(())
    }

    /// One connection: until the file is whole, or the connection is not.
    async fn connection(&self, url: &Url, part: &mut Part, run: &mut Run<'_>) -> Result<(), PullFailure> {
        let mut response = self.ask(url, part, run).await?;
        while part.bytes() < run.bytes {
            let piece = timeout(self.silence, response.chunk()).await.map_err(|_| lost("it fell silent"))?;
            let Some(piece) = piece.map_err(|_| lost("the connection broke"))? else {
                return Err(lost("it ended early"));
            };
            if part.bytes() + piece.len() as u64 > run.bytes {
                part.discard().await?;
                return Err(PullFailure::Wrong { what: "more came than the file has".to_owned() });
            }
            part.write(piece.to_vec()).await?;
            run.tell(part.bytes());
        }
        Ok(())
    }

    /// Asks for what is missing. A server that cannot begin in the middle begins again.
    async fn ask(&self, url: &Url, part: &mut Part, run: &mut Run<'_>) -> Result<Response, PullFailure> {
        if run.wanted.sha256.is_none() && run.same.is_none() {
            // Nobody could tell whether the pieces belong together.
            part.discard().await?;
        }
        let from = part.bytes();
        let mut headers = HeaderMap::new();
        if from > 0 {
            headers.insert(RANGE, range::from(from));
            if let Some(same) = &run.same {
                headers.insert(IF_RANGE, same.clone());
            }
        }
        let response = self.send(url, &headers).await?;
        let said = match response.status() {
            StatusCode::OK => {
                part.discard().await?;
                response.content_length()
            }
            StatusCode::PARTIAL_CONTENT if begins_at(&response) == Some(from) => whole_bytes(&response),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                part.discard().await?;
                return Err(lost("it sent another part than was asked for"));
            }
            status => return Err(refused(status)),
        };
        if let Some(said) = said.filter(|said| *said != run.bytes) {
            return Err(PullFailure::Wrong { what: format!("it has {said} bytes instead of {}", run.bytes) });
        }
        if run.wanted.sha256.is_none() {
            // A weak mark only says that two files mean the same.
            let strong = |mark: &&HeaderValue| mark.as_bytes().starts_with(b"\"");
            run.same = response.headers().get(ETAG).filter(strong).cloned();
        }
        Ok(response)
    }

    /// How long the file is, as the server says.
    async fn length(&self, url: &Url) -> Result<u64, PullFailure> {
        let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-0"))]);
        let response = self.send(url, &headers).await?;
        let said = match response.status() {
            StatusCode::OK => response.content_length(),
            StatusCode::PARTIAL_CONTENT => whole_bytes(&response),
            status => return Err(refused(status)),
        };
        match said {
            Some(bytes @ 1..=FILE_BYTES_MAX) => Ok(bytes),
            Some(bytes) => Err(PullFailure::Wrong { what: format!("a file of {bytes} bytes is no model") }),
            None => Err(PullFailure::Wrong { what: "the server does not say how long it is".to_owned() }),
        }
    }

    /// Asks, and follows where it is sent on to.
    async fn send(&self, url: &Url, headers: &HeaderMap) -> Result<Response, PullFailure> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let asking = self.client.get(at.clone()).headers(headers.clone()).send();
            let sent = timeout(self.silence, asking).await.map_err(|_| lost("it did not answer"))?;
            let response = sent.map_err(|_| lost("it cannot be reached"))?;
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let Some(to) = leading::next(&at, response.status(), location)? else { return Ok(response) };
            if let (Some(gate), Some(further)) = (&self.gate, leading::further(&at, &to)) {
                gate.may_ask(&further).await?;
            }
            at = to;
        }
        Err(leading::astray())
    }
}

/// A fetch in the making.
struct Run<'a> {
    wanted: &'a Wanted,
    /// All its bytes.
    bytes: u64,
    /// By what the server knows this very file, where nothing else does.
    same: Option<HeaderValue>,
    began_at: u64,
    progress: &'a mut (dyn FnMut(Progress) + Send),
}

impl Run<'_> {
    /// Each piece is told: after one the server may be silent for long, and what is shown must be what is here.
    fn tell(&mut self, bytes_here: u64) {
        let bytes_new = bytes_here.saturating_sub(self.began_at);
        (self.progress)(Progress { bytes_here, bytes: self.bytes, bytes_new });
    }
}

/// Bytes of the file of this checksum that lie in `folder` unfinished.
#[must_use]
pub fn unfinished_bytes(folder: &Path, sha256: &str) -> u64 {
    fs::metadata(folder.join(PART_FOLDER).join(sha256)).map_or(0, |meta| meta.len())
}

/// Whether this is a SHA-256 in hexadecimal, in small letters.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Takes a file back that could not be registered, so that the next time finds it whole; one that nothing verifies is
/// removed. Waits for the disk.
///
/// # Errors
/// What the disk said; the file stays where it is.
pub fn take_back(folder: &Path, wanted: &Wanted, path: &Path) -> std::io::Result<()> {
    match wanted.sha256.is_some() {
        true => fs::rename(path, folder.join(PART_FOLDER).join(wanted.part_name())),
        false => fs::remove_file(path),
    }
}

/// Whether `wanted` can be asked for at all. Nothing is asked.
///
/// # Errors
/// What is wrong with it.
pub fn check(wanted: &Wanted) -> Result<(), PullFailure> {
    checked(wanted).map(|_| ())
}

/// Whether asking for `wanted` leaves this machine. An address that is none counts as if it did.
#[must_use]
pub fn leaves(wanted: &Wanted) -> bool {
    let here = |url: Url| url.host_str().is_some_and(is_loopback);
    !Url::parse(&wanted.url).is_ok_and(here)
}

fn checked(wanted: &Wanted) -> Result<Url, PullFailure> {
    let wrong = |what: &str| PullFailure::Wrong { what: what.to_owned() };
    let url = Url::parse(&wanted.url).map_err(|_| wrong("the address is none"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("the address names who asks, which would stand in the log"));
    }
    let here = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
    if url.scheme() != "https" && !here {
        return Err(wrong("the address is not encrypted"));
    }
    if wanted.sha256.as_deref().is_some_and(|sha256| !is_sha256(sha256)) {
        return Err(wrong("that is no checksum"));
    }
    if wanted.bytes.is_some_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(wrong("no file is that long"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if wanted.file_name.starts_with('.') || wanted.file_name.is_empty() || !wanted.file_name.chars().all(plain) {
        return Err(wrong("the name is not that of a file"));
    }
    Ok(url)
}

fn refused(status: StatusCode) -> PullFailure {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        lost("the server has a fault")
    } else {
        PullFailure::Refused { status: status.as_u16() }
    }
}

fn lost(what: &'static str) -> PullFailure {
    PullFailure::Lost { what }
}
