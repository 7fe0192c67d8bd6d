//! A turn in flight: the answer as it grows. Nothing here is stored; the finished text is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use timmy_domain::{MessageId, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::attention::{Attention, Held};

/// One answer in the making.
pub struct Turn {
    /// The message it answers.
    pub question: MessageId,
    /// When the owner asked.
    pub since: Timestamp,
    /// Cancelled when the owner presses stop.
    pub stop: CancellationToken,
    text: Mutex<String>,
    progress: watch::Sender<Progress>,
    /// Let go when the turn ends, even while somebody still listens to what came.
    held: Mutex<Option<Held>>,
}

/// How far a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    bytes: usize,
    ended: bool,
}

/// What a follower hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More of the answer.
    Text(String),
    /// The turn ended; the stored answer has the rest.
    Ended,
}

impl Turn {
    /// Adds to the answer.
    pub fn grow(&self, more: &str) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(more);
        let bytes = text.len();
        drop(text);
        self.progress.send_modify(|p| p.bytes = bytes);
    }

    /// Begins the answer anew, after a try that could not be stored.
    pub fn restart(&self) {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.progress.send_modify(|p| p.bytes = 0);
    }

    /// The answer so far.
    #[must_use]
    pub fn so_far(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn from(&self, byte: usize) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).get(byte..).unwrap_or_default().to_owned()
    }
}

/// Listens to a turn from its beginning, however late it joins. A slow listener gets more at once and misses nothing.
pub struct Follower {
    turn: Arc<Turn>,
    progress: watch::Receiver<Progress>,
    heard: usize,
}

impl Follower {
    /// The next step; [`Step::Ended`] from the end on.
    pub async fn next(&mut self) -> Step {
        let heard = self.heard;
        let reached = self.progress.wait_for(|p| p.bytes > heard || p.ended).await.map(|p| *p);
        match reached {
            Ok(p) if p.bytes > self.heard => {
                let text = self.turn.from(self.heard);
                self.heard += text.len();
                Step::Text(text)
            }
            _ => Step::Ended,
        }
    }
}

/// All turns in flight.
#[derive(Clone)]
pub struct Turns {
    open: Arc<Mutex<HashMap<MessageId, Arc<Turn>>>>,
    attention: Attention,
}

impl Turns {
    /// No turns yet; each one holds `attention` as long as it lasts.
    #[must_use]
    pub fn new(attention: Attention) -> Self {
        Self { open: Arc::default(), attention }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<MessageId, Arc<Turn>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn that answers `question`; begins it when there is none.
    pub fn begin(&self, question: MessageId, since: Timestamp) -> Arc<Turn> {
        let begin = || {
            Arc::new(Turn {
                question,
                since,
                stop: CancellationToken::new(),
                text: Mutex::default(),
                progress: watch::Sender::new(Progress { bytes: 0, ended: false }),
                held: Mutex::new(Some(self.attention.hold())),
            })
        };
        Arc::clone(self.open().entry(question).or_insert_with(begin))
    }

    /// The turn that answers `question`, when it is in flight.
    #[must_use]
    pub fn find(&self, question: MessageId) -> Option<Arc<Turn>> {
        self.open().get(&question).cloned()
    }

    /// Listens to the turn that answers `question`, when it is in flight.
    #[must_use]
    pub fn follow(&self, question: MessageId) -> Option<Follower> {
        let turn = self.find(question)?;
        let progress = turn.progress.subscribe();
        Some(Follower { turn, progress, heard: 0 })
    }

    /// The oldest turn in flight: the one being answered.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Turn>> {
        self.open().values().min_by_key(|t| (t.since, t.question)).cloned()
    }

    /// How many turns are in flight.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().len()
    }

    /// The turn is over: its answer is stored.
    pub fn end(&self, question: MessageId) {
        let ended = self.open().remove(&question);
        if let Some(turn) = ended {
            turn.held.lock().unwrap_or_else(PoisonError::into_inner).take();
            turn.progress.send_modify(|p| p.ended = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> MessageId {
        MessageId::new(1, &[n; 10])
    }

    #[tokio::test]
    async fn a_follower_that_joins_late_hears_everything_once() {
        let turns = Turns::new(Attention::default());
        let turn = turns.begin(id(1), Timestamp::EPOCH);
        turn.grow("Grü");
        let mut late = turns.follow(id(1)).expect("in flight");
        turn.grow("ße");
        assert_eq!(late.next().await, Step::Text("Grüße".into()));
        turn.grow("!");
        turns.end(id(1));
        assert_eq!(late.next().await, Step::Text("!".into()));
        assert_eq!(late.next().await, Step::Ended);
        assert!(turns.follow(id(1)).is_none());
    }

    #[tokio::test]
    async fn the_owner_has_attention_from_the_question_to_the_end() {
        let attention = Attention::default();
        let turns = Turns::new(attention.clone());
        drop(turns.begin(id(1), Timestamp::EPOCH));
        assert!(attention.busy(), "held by the hub although nobody else holds the turn");
        turns.end(id(1));
        assert!(!attention.busy());
    }
}
