//! The conversation: saying something, stopping an answer, asking again, waiting for the end.

use std::sync::{Arc, OnceLock};

use timmy_domain::message::{MESSAGE_CHARS_MAX, Message, MessageStatus, Speaker};
use timmy_domain::problem::Kind;
use timmy_domain::text::{clean, plural};
use timmy_domain::{MessageId, Problem, ThoughtId};
use timmy_store::NewMessage;

use super::turn::{Follower, Step, Turns};
use crate::ctx::Ctx;

/// Messages that may wait for an answer at once.
pub const OPEN_MESSAGES_MAX: usize = 8;

/// The conversation. Cheap to clone.
#[derive(Clone)]
pub struct Talk {
    ctx: Ctx,
    /// Turns in flight.
    pub turns: Turns,
}

/// Something the owner says.
#[derive(Clone, Debug, Default)]
pub struct Say {
    /// The words.
    pub content: String,
    /// The thought they reply to.
    pub about: Option<ThoughtId>,
    /// Through which door: `browser`, `cli` or `api`.
    pub channel: &'static str,
}

fn unknown(id: MessageId) -> Problem {
    Problem::unknown("unknown_message", format!("There is no message {id}."), "The page /talk shows the conversation.")
}

impl Talk {
    /// The conversation over `ctx`.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        let turns = Turns::new(ctx.attention.clone());
        Self { ctx, turns }
    }

    /// Stores the owner's words and begins a turn. The answer comes by itself; [`Self::follow`] listens to it.
    ///
    /// # Errors
    /// When the words are empty or too long, too many questions wait, the thought is unknown, or the store fails.
    pub async fn say(&self, say: Say) -> Result<Message, Problem> {
        let content = clean(&say.content).trim().to_owned();
        let chars = content.chars().count();
        if content.is_empty() {
            return Err(Problem::invalid("empty_message", "The message is empty.", "Write at least one word."));
        }
        if chars > MESSAGE_CHARS_MAX {
            return Err(Problem::new(
                Kind::TooLarge,
                "long_message",
                format!(
                    "The message has {}; at most {MESSAGE_CHARS_MAX} fit.",
                    plural(chars as u64, "character", "characters")
                ),
                "Send it in parts, or point Timmy at the folder that holds the text.",
            ));
        }
        if self.turns.count() >= OPEN_MESSAGES_MAX {
            return Err(Problem::new(
                Kind::TooMany,
                "too_many_messages",
                format!("{OPEN_MESSAGES_MAX} messages wait for an answer already."),
                "Wait for an answer, or stop one.",
            ));
        }
        let about = say.about;
        // Held before the words are stored, so that a thought in the making yields at once.
        let _held = self.ctx.attention.hold();
        let new = NewMessage {
            speaker: Speaker::Owner,
            content,
            about_thought: about,
            channel: say.channel.to_owned(),
            cause: None,
        };
        let (turns, begun) = (self.turns.clone(), Arc::new(OnceLock::new()));
        let begins = Arc::clone(&begun);
        let stored = self.ctx.store.write(move |tx| {
            if let Some(about) = about
                && tx.thought(about)?.is_none()
            {
                return Ok(None);
            }
            let message = tx.insert_message(&new)?;
            // Begun within the transaction: the answering part cannot see the message before the turn is there.
            turns.begin(begins.get_or_init(|| message.id).to_owned(), message.created_at);
            Ok(Some(message))
        });
        let stored = stored.await;
        if let (Err(_), Some(id)) = (&stored, begun.get()) {
            // The disk refused at the very end: nobody will answer, so nobody must wait.
            self.turns.end(*id);
        }
        self.ctx.attention.seen(self.ctx.now());
        stored.map_err(|e| e.problem())?.ok_or_else(|| {
            Problem::unknown(
                "unknown_thought",
                "The thought you reply to is not there.",
                "Reply to a thought on /thinking.",
            )
        })
    }

    /// Listens to the answer to `question` as it grows; `None` when no turn is in flight.
    #[must_use]
    pub fn follow(&self, question: MessageId) -> Option<Follower> {
        self.turns.follow(question)
    }

    /// Waits until the turn that answers `question` has ended, and gives the stored answer.
    ///
    /// # Errors
    /// When there is no such message or answer, or the store fails.
    pub async fn answer_to(&self, question: MessageId) -> Result<Message, Problem> {
        if let Some(mut follower) = self.follow(question) {
            while follower.next().await != Step::Ended {}
        }
        let answer = self.ctx.store.read(move |r| r.answer_to(question)).await.map_err(|e| e.problem())?;
        answer.ok_or_else(|| unknown(question))
    }

    /// Stops the answer to `question`. What has come so far is kept and marked as stopped.
    ///
    /// # Errors
    /// When no such message exists, when its answer has ended already, or the store fails.
    pub async fn stop(&self, question: MessageId) -> Result<(), Problem> {
        if let Some(turn) = self.turns.find(question) {
            turn.stop.cancel();
            return Ok(());
        }
        let message = self.ctx.store.read(move |r| r.message(question)).await.map_err(|e| e.problem())?;
        match message {
            Some(_) => Err(Problem::conflict(
                "answer_ended",
                "The answer has ended already; there is nothing to stop.",
                "Nothing needs to be done.",
            )),
            None => Err(unknown(question)),
        }
    }

    /// Asks again for an answer that failed or was stopped.
    ///
    /// # Errors
    /// When no such message exists, when it needs no new answer, or the store fails.
    pub async fn retry(&self, question: MessageId) -> Result<Message, Problem> {
        let _held = self.ctx.attention.hold();
        let turns = self.turns.clone();
        let now = self.ctx.now();
        let reopened = self.ctx.store.write(move |tx| {
            let Some(message) = tx.message(question)? else { return Ok(Err(unknown(question))) };
            let answer = tx.answer_to(question)?;
            let again = message.speaker == Speaker::Owner
                && answer.is_some_and(|a| matches!(a.status, MessageStatus::Failed | MessageStatus::Stopped));
            if !again {
                return Ok(Err(Problem::conflict(
                    "no_retry",
                    "This message has an answer, or waits for one.",
                    "Say it again as a new message to get another answer.",
                )));
            }
            let message = tx.reopen_message(question)?;
            turns.begin(question, now);
            Ok(message.ok_or_else(|| unknown(question)))
        });
        let reopened = reopened.await;
        if reopened.is_err() {
            self.turns.end(question);
        }
        self.ctx.attention.seen(now);
        reopened.map_err(|e| e.problem())?
    }
}
