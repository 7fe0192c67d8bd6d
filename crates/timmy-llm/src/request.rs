//! What a model is asked: labelled parts, so that who may read a text travels with the text.

use timmy_domain::Sensitivity;

/// A piece of a message with the label that says how far it may travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The text.
    pub text: String,
    /// How far it may travel.
    pub sensitivity: Sensitivity,
    /// Whether the request still makes sense without it, so that it may be left out for a remote provider.
    pub droppable: bool,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The house, setting the frame.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool.
    Tool,
}

impl Role {
    /// The word of the wire formats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One message of a request.
///
/// Tool calls have no label of their own: they travel under the strictest label of the message's parts. Calls that
/// carry something local-only go with a part of that label, which may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// The text, in order. Joined without anything in between.
    pub parts: Vec<Part>,
    /// Tools the model called in this message.
    pub tool_calls: Vec<ToolCall>,
    /// For [`Role::Tool`]: the call this is the result of.
    pub tool_call_id: Option<String>,
}

/// A tool the model may call. It travels without a label, so it says nothing that must stay here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its parameters as a JSON schema.
    pub parameters: serde_json::Value,
}

/// A call the model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Tells it from other calls of the same answer.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: meant to be a JSON object, yet cut short when the model was.
    pub arguments: String,
}

/// What kind of work a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskClass {
    /// An answer to the owner.
    Chat,
    /// A thought of Timmy's own.
    Thought,
}

/// Something that is the case, told in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The sentence.
    pub text: String,
    /// How much it matters, 0 to 100.
    pub weight: u32,
    /// Whether it changed since Timmy last spoke of it.
    pub fresh: bool,
}

/// What reflex speaks from. It never leaves this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// What is the case.
    pub facts: Vec<Fact>,
    /// The owner's words, for an answer.
    pub question: Option<String>,
}

/// One question to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// The messages, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Tools the model may call.
    pub tools: Vec<ToolSpec>,
    /// What kind of work this is.
    pub class: TaskClass,
    /// Tokens the answer may have.
    pub max_tokens: u32,
    /// How freely the model chooses its words; `None` leaves it to the model.
    pub temperature: Option<f32>,
    /// A wish: the provider that has this model uses it, every other one uses its own.
    pub model: Option<String>,
    /// What reflex speaks from when no model answers.
    pub brief: Brief,
}

impl ChatRequest {
    /// The strictest label of all parts.
    #[must_use]
    pub fn sensitivity(&self) -> Sensitivity {
        let parts = self.messages.iter().flat_map(|m| &m.parts);
        parts.fold(Sensitivity::Open, |label, part| label.join(part.sensitivity))
    }
}
