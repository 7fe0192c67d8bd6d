//! Passing words on while they come, without ever waiting for the reader.

use std::mem;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

/// How long the end of an answer waits for a reader that is behind, in milliseconds.
pub const FLUSH_MS: u64 = 2_000;

/// The sending side of a stream of text. What the reader has no room for waits here and goes with the next piece.
#[derive(Debug)]
pub struct Deltas {
    to: Option<mpsc::Sender<String>>,
    waiting: String,
    begun: bool,
}

impl Deltas {
    /// Sends to `to`, or nowhere.
    #[must_use]
    pub fn new(to: Option<mpsc::Sender<String>>) -> Self {
        Self { to, waiting: String::new(), begun: false }
    }

    /// Says, once, that the model has begun, with an empty piece. A reader without room has heard enough already.
    pub fn begin(&mut self) {
        if !mem::replace(&mut self.begun, true) {
            self.offer(String::new());
        }
    }

    /// Whether the model has begun.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Passes `text` on, now or with what comes next.
    pub fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.begun = true;
        if self.to.is_some() {
            self.waiting.push_str(text);
            let piece = mem::take(&mut self.waiting);
            self.offer(piece);
        }
    }

    fn offer(&mut self, piece: String) {
        match self.to.as_ref().map(|to| to.try_send(piece)) {
            Some(Err(TrySendError::Full(piece))) => self.waiting = piece,
            Some(Err(TrySendError::Closed(_))) => self.to = None,
            Some(Ok(())) | None => {}
        }
    }

    /// Hands over what still waits, for at most [`FLUSH_MS`] and not after `cancel`.
    pub async fn flush(&mut self, cancel: &CancellationToken) {
        if self.waiting.is_empty() {
            return;
        }
        let piece = mem::take(&mut self.waiting);
        let Some(to) = &self.to else { return };
        tokio::select! {
            biased;
            // A reader that is gone or stuck has the whole text in the result of the call.
            _ = tokio::time::timeout(Duration::from_millis(FLUSH_MS), to.send(piece)) => {}
            () = cancel.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_reader_gets_longer_pieces_and_loses_nothing() {
        let (to, mut from) = mpsc::channel(2);
        let mut deltas = Deltas::new(Some(to));
        for word in ["one ", "two ", "three ", "four "] {
            deltas.push(word);
        }
        assert_eq!(from.recv().await.as_deref(), Some("one "));
        deltas.push("five");
        deltas.push(" six");
        let reading = async {
            let mut rest = String::new();
            while let Some(piece) = from.recv().await {
                rest.push_str(&piece);
            }
            rest
        };
        let flushing = async move { deltas.flush(&CancellationToken::new()).await };
        assert_eq!(tokio::join!(reading, flushing).0, "two three four five six");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_reader_holds_the_end_up_for_a_bounded_time() {
        let (to, from) = mpsc::channel(1);
        let mut deltas = Deltas::new(Some(to));
        deltas.push("a");
        deltas.push("b");
        let began = tokio::time::Instant::now();
        deltas.flush(&CancellationToken::new()).await;
        assert_eq!(began.elapsed(), Duration::from_millis(FLUSH_MS));
        drop(from);
    }

    #[tokio::test]
    async fn the_beginning_is_told_once_and_a_reader_that_left_is_forgotten() {
        let (to, mut from) = mpsc::channel(4);
        let mut deltas = Deltas::new(Some(to));
        deltas.begin();
        deltas.begin();
        deltas.push("x");
        assert_eq!((from.recv().await.as_deref(), from.recv().await.as_deref()), (Some(""), Some("x")));
        drop(from);
        deltas.push("y");
        deltas.push("z");
        deltas.flush(&CancellationToken::new()).await;
        assert!(deltas.to.is_none());
    }
}
