//! Asking again for an answer that failed or was stopped.

use rusqlite::params;
use timmy_domain::message::{Message, MessageStatus};
use timmy_domain::text::cut;
use timmy_domain::{Actor, MessageId, NewEvent, event};

use super::thoughts::EVENT_CONTENT_CHARS_MAX;
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// Opens the owner's message `id` again and appends `message.received` once more. The record of a failure
    /// goes (its event stays in the log); an answer that was stopped keeps its text and no longer counts as the answer.
    /// `None` when there is no such message.
    ///
    /// # Errors
    /// What the disk said.
    pub fn reopen_message(&mut self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let Some(message) = self.message(id)? else { return Ok(None) };
        let cause = match self.answer_to(id)? {
            Some(answer) => self.message_seq(answer.id)?,
            None => self.message_seq(id)?,
        };
        let key = id.to_string();
        self.conn()
            .prepare_cached("DELETE FROM messages WHERE answers = ?1 AND status = ?2")?
            .execute(params![key, MessageStatus::Failed.name()])?;
        self.conn().prepare_cached("UPDATE messages SET answers = NULL WHERE answers = ?1")?.execute([&key])?;
        let body = event::MessageReceived {
            message_id: id,
            channel: message.channel.clone(),
            content: cut(&message.content, EVENT_CONTENT_CHARS_MAX),
        };
        let seq = self.append(NewEvent::new("talk", body).by(Actor::Owner).caused_by(cause))?;
        self.conn().prepare_cached("UPDATE messages SET status = ?2, seq = ?3 WHERE id = ?1")?.execute(params![
            key,
            MessageStatus::Open.name(),
            seq
        ])?;
        self.message(id)
    }
}
