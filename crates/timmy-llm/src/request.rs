//! What a model is asked: labelled parts, so that who may read a text travels with the text.

use std::fmt;
use std::sync::Arc;

use timmy_domain::Sensitivity;

/// Texts that may end an answer.
pub const STOPS_MAX: usize = 16;

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

/// A picture in a message, with a label of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// What its bytes are, such as `image/png`.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// How far it may travel.
    pub sensitivity: Sensitivity,
    /// Whether the request still makes sense without it, so that it may be left out for a remote provider.
    pub droppable: bool,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}, {} bytes, {:?})", self.media_type, self.bytes.len(), self.sensitivity)
    }
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
    /// Pictures that belong to the text, in order.
    pub images: Vec<Image>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskClass {
    /// An answer to the owner.
    Chat,
    /// A thought of Timmy's own.
    Thought,
    /// A step of work that calls tools.
    ToolUse,
    /// Reading and writing programs.
    Code,
    /// Looking at a picture.
    Vision,
    /// Turning text into vectors.
    Embedding,
    /// Saying the same in fewer words.
    Summary,
}

impl TaskClass {
    /// Every class, in the order of the house.
    pub const ALL: [Self; 7] =
        [Self::Chat, Self::Thought, Self::ToolUse, Self::Code, Self::Vision, Self::Embedding, Self::Summary];

    /// The word for it, in settings and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Thought => "thought",
            Self::ToolUse => "tool_use",
            Self::Code => "code",
            Self::Vision => "vision",
            Self::Embedding => "embedding",
            Self::Summary => "summary",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// Whether the model calls a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it sees fit.
    #[default]
    Auto,
    /// It calls none.
    Never,
    /// It has to call one; an answer without a call counts as a failure.
    Required,
    /// It has to call this one.
    Named(String),
}

impl ToolChoice {
    /// Whether an answer without a call is a failure.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        matches!(self, Self::Required | Self::Named(_))
    }
}

/// The form the answer must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnswerFormat {
    /// Any text.
    #[default]
    Text,
    /// A JSON document of any shape.
    Json,
    /// A JSON document that this schema describes. It travels without a label, so it says nothing that must stay here.
    Schema {
        /// A name for it, as some servers want one.
        name: String,
        /// The JSON schema.
        schema: serde_json::Value,
    },
}

/// How the answer is made, beyond what every request says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// The same seed and request give the same answer where the provider can.
    pub seed: Option<u64>,
    /// The share of likely words the model chooses from, over 0 and at most 1; `None` leaves it to the model.
    pub top_p: Option<f32>,
    /// The answer ends before any of these texts; at most [`STOPS_MAX`].
    pub stop: Vec<String>,
    /// Whether it calls a tool.
    pub tool_choice: ToolChoice,
    /// The form of the answer.
    pub format: AnswerFormat,
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
    /// How the answer is made, beyond that.
    pub sampling: Sampling,
    /// What reflex speaks from when no model answers.
    pub brief: Brief,
}

impl ChatRequest {
    /// The strictest label of all parts and pictures.
    #[must_use]
    pub fn sensitivity(&self) -> Sensitivity {
        let texts = self.messages.iter().flat_map(|m| &m.parts).map(|part| part.sensitivity);
        let images = self.messages.iter().flat_map(|m| &m.images).map(|image| image.sensitivity);
        texts.chain(images).fold(Sensitivity::Open, Sensitivity::join)
    }

    /// Bytes of what it says and shows, without what a wire format adds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let message = |m: &ChatMessage| {
            let texts = m.parts.iter().map(|p| p.text.len()).sum::<usize>();
            let images = m.images.iter().map(|i| i.bytes.len()).sum::<usize>();
            texts + images + m.tool_calls.iter().map(|c| c.name.len() + c.arguments.len()).sum::<usize>()
        };
        let tools = self.tools.iter().map(|t| t.name.len() + t.description.len() + t.parameters.to_string().len());
        (self.messages.iter().map(message).sum::<usize>() + tools.sum::<usize>()) as u64
    }

    /// Whether a picture is part of it.
    #[must_use]
    pub fn has_images(&self) -> bool {
        self.messages.iter().any(|m| !m.images.is_empty())
    }
}
