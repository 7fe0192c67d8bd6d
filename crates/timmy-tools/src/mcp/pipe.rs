//! What a program of others writes: lines that end, most of which are messages; anything else ends the connection.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use serde_json::Value;
use timmy_domain::{Secret, text};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Bytes one line of a server may have.
pub(super) const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of lines that are no message, over the life of a connection.
const NOISE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of complaints that are kept: the last ones.
const COMPLAINT_BYTES_MAX: usize = 4 * 1024;
/// Characters of a complaint that are told.
const COMPLAINT_CHARS_MAX: usize = 200;

/// What stands where a secret was said.
const HIDDEN: &str = "•••";

/// What is known about why a server fell silent, and the word that it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// Cancelled when nothing more comes.
    pub(super) ended: CancellationToken,
    why: Arc<Mutex<Why>>,
    hidden: Arc<[Secret]>,
}

#[derive(Debug, Default)]
struct Why {
    finding: Option<String>,
    noise_bytes: usize,
    complaint: Vec<u8>,
}

impl Fate {
    /// Of a server that knows the secrets `hidden`.
    pub(super) fn hiding(hidden: Vec<Secret>) -> Self {
        Self { hidden: hidden.into(), ..Self::default() }
    }

    /// `text` without the secrets that the server was given.
    pub(super) fn hide(&self, text: String) -> String {
        self.hidden.iter().fold(text, |text, secret| match text.contains(secret.expose()) {
            true => text.replace(secret.expose(), HIDDEN),
            false => text,
        })
    }

    /// The same for every text in `value`.
    pub(super) fn hide_in(&self, value: Value) -> Value {
        match value {
            _ if self.hidden.is_empty() => value,
            Value::String(text) => Value::String(self.hide(text)),
            Value::Array(all) => Value::Array(all.into_iter().map(|one| self.hide_in(one)).collect()),
            Value::Object(all) => {
                Value::Object(all.into_iter().map(|(name, one)| (self.hide(name), self.hide_in(one))).collect())
            }
            other => other,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Why)) {
        change(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn end(&self, finding: &str) {
        self.change(|why| {
            why.finding.get_or_insert_with(|| finding.to_owned());
        });
        self.ended.cancel();
    }

    /// In words, with its last complaint; empty when nothing is known.
    pub(super) fn words(&self) -> String {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts: Vec<String> = why.finding.clone().into_iter().collect();
        if why.noise_bytes > 0 {
            parts.push(format!("it wrote {} bytes that are no message", why.noise_bytes));
        }
        // Before it is cut, or a part of a secret would be left.
        let complaint = self.hide(String::from_utf8_lossy(&why.complaint).into_owned());
        let last = complaint.lines().rev().map(text::one_line).find(|line| !line.trim().is_empty());
        parts.extend(last.map(|line| format!("its last complaint: {}", text::cut(&line, COMPLAINT_CHARS_MAX))));
        parts.join("; ")
    }

    /// Reads complaints to their end, so that the program does not block, and keeps the last ones.
    pub(super) async fn listen(self, mut pipe: impl AsyncRead + Unpin) {
        let mut part = vec![0; COMPLAINT_BYTES_MAX];
        while let Ok(read @ 1..) = pipe.read(&mut part).await {
            self.change(|why| {
                why.complaint.extend_from_slice(&part[..read]);
                let over = why.complaint.len().saturating_sub(COMPLAINT_BYTES_MAX);
                why.complaint.drain(..over);
            });
        }
    }
}

/// Where in a line the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Message,
    Noise,
}

/// A pipe that is watched: it ends with an error at a line without end, or at too much that is no message.
pub(super) struct Watched<R> {
    pipe: R,
    fate: Fate,
    at: At,
    line_bytes: usize,
}

impl<R> Watched<R> {
    pub(super) const fn new(pipe: R, fate: Fate) -> Self {
        Self { pipe, fate, at: At::Start, line_bytes: 0 }
    }

    /// Looks at what came.
    fn look(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut noise_bytes = 0;
        for &byte in bytes {
            if byte == b'\n' {
                (self.at, self.line_bytes) = (At::Start, 0);
                continue;
            }
            self.line_bytes += 1;
            if self.line_bytes > LINE_BYTES_MAX {
                return Err("it wrote a line without end");
            }
            if self.at == At::Start && !byte.is_ascii_whitespace() {
                self.at = if matches!(byte, b'{' | b'[') { At::Message } else { At::Noise };
            }
            noise_bytes += usize::from(self.at == At::Noise);
        }
        let mut all = 0;
        self.fate.change(|why| {
            why.noise_bytes += noise_bytes;
            all = why.noise_bytes;
        });
        if all > NOISE_BYTES_MAX { Err("it speaks another language") } else { Ok(()) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = std::task::ready!(Pin::new(&mut self.pipe).poll_read(cx, buf));
        if let Err(error) = read {
            self.fate.end("its pipe broke");
            return Poll::Ready(Err(error));
        }
        let new = buf.filled().get(before..).unwrap_or_default().to_vec();
        if new.is_empty() {
            self.fate.end("it ended");
            return Poll::Ready(Ok(()));
        }
        if let Err(finding) = self.look(&new) {
            self.fate.end(finding);
            // With an error nothing counts as read.
            buf.set_filled(before);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, finding)));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (Result<usize, io::Error>, Fate) {
        let fate = Fate::default();
        let mut all = Vec::new();
        let read = Watched::new(bytes, fate.clone()).read_to_end(&mut all).await;
        (read, fate)
    }

    // shows: hands: A server of tools that writes a line without end, or only noise, is cut off and told about
    #[tokio::test]
    async fn lines_without_end_and_noise_end_the_connection_with_a_reason() {
        let (read_bytes, fate) = read(b"{\"a\":1}\n\n [1]\nstarting up\n").await;
        assert!(read_bytes.is_ok() && fate.ended.is_cancelled());
        assert_eq!(fate.words(), "it ended; it wrote 11 bytes that are no message");
        let (failed, fate) = read(&[b"{".as_slice(), &vec![b'x'; LINE_BYTES_MAX]].concat()).await;
        assert!(failed.is_err() && fate.words() == "it wrote a line without end", "{}", fate.words());
        let (whole, _) = read(&[b"{".as_slice(), &vec![b'x'; LINE_BYTES_MAX - 1], b"\n"].concat()).await;
        assert!(whole.is_ok(), "a line of the very bound is whole");
        let (failed, fate) = read(&b"<html>no</html>\n".repeat(NOISE_BYTES_MAX / 15 + 1)).await;
        assert!(failed.is_err() && fate.words().starts_with("it speaks another language"), "{}", fate.words());
    }

    #[tokio::test]
    async fn the_last_complaint_is_kept_on_one_clean_line() {
        let fate = Fate::default();
        let long = format!("{}\nno \u{1b}[31msuch module\n\n", "x".repeat(COMPLAINT_BYTES_MAX * 3));
        fate.clone().listen(long.as_bytes()).await;
        assert!(fate.words().starts_with("its last complaint: no ") && fate.words().ends_with("such module"));
        assert!(!fate.words().contains('\u{1b}'));
    }
}
