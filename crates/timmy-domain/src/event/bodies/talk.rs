//! What events carry that tell of the conversation.

use crate::MessageId;
use crate::thought::Place;

bodies! {
    /// The owner said something.
    MessageReceived {
        /// The message.
        message_id: MessageId,
        /// Through which door.
        channel: String,
        /// The first 200 characters.
        content: String,
    }
    /// Timmy answered.
    MessageReplied {
        /// The answer.
        message_id: MessageId,
        /// The message it answers.
        answers: MessageId,
        /// The first 200 characters.
        content: String,
        /// Who answered.
        provider: String,
        /// Which model.
        model: String,
        /// Where.
        place: Place,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// The owner stopped an answer.
    MessageStopped {
        /// The answer as far as it came.
        message_id: MessageId,
        /// The message it answers.
        answers: MessageId,
    }
    /// No answer came.
    MessageFailed {
        /// The record of the failure.
        message_id: MessageId,
        /// The message that has no answer.
        answers: MessageId,
        /// Why, in words.
        why: String,
    }
}
