//! The conversation: the owner's messages, and one answer to each.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};
use timmy_domain::message::{Message, MessageStatus, Speaker};
use timmy_domain::text::cut;
use timmy_domain::thought::Place;
use timmy_domain::{Actor, MessageId, NewEvent, Problem, Seq, ThoughtId, event};

use super::thoughts::{EVENT_CONTENT_CHARS_MAX, LIST_LIMIT_MAX};
use crate::row::{id, optional_text, readable, text, time, word};
use crate::{Reader, StoreError, Tx};

const MESSAGE: &str = "SELECT id, speaker, content, status, answers, about_thought, channel, created_at, provider, model, place, duration_ms, tokens FROM messages";

/// The source of the events of the conversation.
const SOURCE: &str = "talk";

/// A message about to be stored that answers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Who speaks. The owner's words wait for an answer; Timmy's are whole.
    pub speaker: Speaker,
    /// The text.
    pub content: String,
    /// The thought it is about.
    pub about_thought: Option<ThoughtId>,
    /// Through which door it came: `browser`, `cli` or `api`.
    pub channel: String,
    /// The event that led here.
    pub cause: Option<Seq>,
}

/// Timmy's answer to a message, or the record that none came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnswer {
    /// [`MessageStatus::Done`], [`MessageStatus::Stopped`] or [`MessageStatus::Failed`].
    pub status: MessageStatus,
    /// The text; for a failure the reason.
    pub content: String,
    /// Who answered; empty when nobody did.
    pub provider: String,
    /// Which model; empty when none was used.
    pub model: String,
    /// Where it was made. A whole answer always has a place.
    pub place: Option<Place>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// Tokens read and written together.
    pub tokens: i64,
    /// The event that led here, usually that of the question.
    pub cause: Option<Seq>,
}

/// `None` when the id itself cannot be read.
fn message(row: &Row<'_>) -> rusqlite::Result<Option<Message>> {
    let Some(own_id) = id(row, 0)? else { return Ok(None) };
    // Words of a newer version read as Timmy's whole answer, which asks nothing of anybody.
    let speaker = if text(row, 1)? == "owner" { Speaker::Owner } else { Speaker::Timmy };
    let otherwise = match speaker {
        Speaker::Owner => MessageStatus::Answered,
        Speaker::Timmy => MessageStatus::Done,
    };
    Ok(Some(Message {
        id: own_id,
        speaker,
        content: text(row, 2)?,
        status: word(row, 3, otherwise)?,
        answers: id(row, 4)?,
        about_thought: id(row, 5)?,
        channel: text(row, 6)?,
        created_at: time(row, 7)?,
        provider: text(row, 8)?,
        model: text(row, 9)?,
        place: optional_text(row, 10)?.map(|word| word.parse().unwrap_or(Place::Remote)),
        duration_ms: row.get(11)?,
        tokens: row.get(12)?,
    }))
}

impl Reader<'_> {
    fn messages_where(&self, rest: &str, values: Vec<Value>) -> Result<Vec<Message>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!("{MESSAGE} {rest}"))?;
        let rows = statement.query_map(params_from_iter(values), message)?;
        Ok(readable(rows, "messages")?)
    }

    /// The message `id`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.messages_where("WHERE id = ?1", vec![id.to_string().into()])?.pop())
    }

    /// The position of the event that reported the message `id`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn message_seq(&self, id: MessageId) -> Result<Option<Seq>, StoreError> {
        let seq = self
            .conn()
            .prepare_cached("SELECT seq FROM messages WHERE id = ?1")?
            .query_row([id.to_string()], |row| row.get::<_, Option<Seq>>(0))
            .optional()?;
        Ok(seq.flatten())
    }

    /// The messages stored before `before` (all when `None`; none when it is unknown), newest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn messages(&self, before: Option<MessageId>, limit: usize) -> Result<Vec<Message>, StoreError> {
        let mut values: Vec<Value> = vec![(limit.min(LIST_LIMIT_MAX) as i64).into()];
        let mut rest = "";
        if let Some(before) = before {
            values.push(before.to_string().into());
            rest = "WHERE position < (SELECT position FROM messages WHERE id = ?2)";
        }
        self.messages_where(&format!("{rest} ORDER BY position DESC LIMIT ?1"), values)
    }

    /// The answer to the message `question`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn answer_to(&self, question: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.messages_where("WHERE answers = ?1", vec![question.to_string().into()])?.pop())
    }
}

impl Tx<'_> {
    /// Stores a message; for the owner's words also appends `message.received`, whose position
    /// [`Reader::message_seq`] tells.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when the thought it is about is not there.
    pub fn insert_message(&mut self, new: &NewMessage) -> Result<Message, StoreError> {
        if let Some(thought) = new.about_thought
            && self.thought(thought)?.is_none()
        {
            return Err(StoreError::Unknown { what: format!("thought {thought}") });
        }
        let stored = Message {
            id: self.new_message_id(),
            speaker: new.speaker,
            content: new.content.clone(),
            status: match new.speaker {
                Speaker::Owner => MessageStatus::Open,
                Speaker::Timmy => MessageStatus::Done,
            },
            answers: None,
            about_thought: new.about_thought,
            channel: new.channel.clone(),
            created_at: self.now(),
            provider: String::new(),
            model: String::new(),
            place: None,
            duration_ms: 0,
            tokens: 0,
        };
        let mut seq = None;
        if new.speaker == Speaker::Owner {
            let body = event::MessageReceived {
                message_id: stored.id,
                channel: stored.channel.clone(),
                content: cut(&stored.content, EVENT_CONTENT_CHARS_MAX),
            };
            let event = NewEvent::new(SOURCE, body).by(Actor::Owner).caused_by(new.cause);
            seq = Some(self.append(event)?);
        }
        self.store_message(&stored, seq)?;
        Ok(stored)
    }

    /// Stores the answer to the message `question`, marks that one answered, and appends
    /// `message.replied`, `message.stopped` or `message.failed`.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is no such question; [`StoreError::Refused`] when it has
    /// an answer already, or when the answer is not one that a message can have.
    pub fn answer_message(&mut self, question: MessageId, new: &NewAnswer) -> Result<Message, StoreError> {
        let asked =
            self.message(question)?.ok_or_else(|| StoreError::Unknown { what: format!("message {question}") })?;
        if asked.status != MessageStatus::Open {
            let hint = "Say it again as a new message to get another answer.";
            return Err(Problem::conflict("answered", "This message is answered.", hint).into());
        }
        let stored = Message {
            id: self.new_message_id(),
            speaker: Speaker::Timmy,
            content: new.content.clone(),
            status: new.status,
            answers: Some(question),
            about_thought: asked.about_thought,
            channel: asked.channel,
            created_at: self.now(),
            provider: new.provider.clone(),
            model: new.model.clone(),
            place: new.place,
            duration_ms: new.duration_ms,
            tokens: new.tokens,
        };
        let seq = self.append(answer_event(&stored, question, new)?)?;
        self.store_message(&stored, Some(seq))?;
        self.conn()
            .prepare_cached("UPDATE messages SET status = ?2 WHERE id = ?1")?
            .execute([question.to_string(), MessageStatus::Answered.name().to_owned()])?;
        Ok(stored)
    }

    fn store_message(&mut self, message: &Message, seq: Option<Seq>) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO messages (id, speaker, content, status, answers, about_thought, channel, created_at, provider, model, place, duration_ms, tokens, seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute(params![
                message.id.to_string(),
                match message.speaker {
                    Speaker::Owner => "owner",
                    Speaker::Timmy => "timmy",
                },
                message.content,
                message.status.name(),
                message.answers.map(|id| id.to_string()),
                message.about_thought.map(|id| id.to_string()),
                message.channel,
                message.created_at.micros(),
                message.provider,
                message.model,
                message.place.map(Place::name),
                message.duration_ms,
                message.tokens,
                seq,
            ])?;
        Ok(())
    }
}

/// The event that reports an answer.
fn answer_event(stored: &Message, question: MessageId, new: &NewAnswer) -> Result<NewEvent, StoreError> {
    let (message_id, answers) = (stored.id, question);
    let content = cut(&stored.content, EVENT_CONTENT_CHARS_MAX);
    let event = match (new.status, new.place) {
        (MessageStatus::Done, Some(place)) => {
            let (provider, model) = (new.provider.clone(), new.model.clone());
            let duration_ms = new.duration_ms;
            let body = event::MessageReplied { message_id, answers, content, provider, model, place, duration_ms };
            NewEvent::new(SOURCE, body).by(Actor::Timmy)
        }
        (MessageStatus::Stopped, _) => {
            NewEvent::new(SOURCE, event::MessageStopped { message_id, answers }).by(Actor::Owner)
        }
        (MessageStatus::Failed, _) => NewEvent::new(SOURCE, event::MessageFailed { message_id, answers, why: content }),
        (MessageStatus::Done | MessageStatus::Open | MessageStatus::Answered, _) => {
            let message = "An answer is done with a place, stopped, or failed.";
            let hint = "This is a fault of the house; please report it.";
            return Err(Problem::invalid("not_an_answer", message, hint).into());
        }
    };
    Ok(event.agent("timmy").caused_by(new.cause))
}
