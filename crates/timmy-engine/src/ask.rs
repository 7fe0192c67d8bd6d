//! What is asked of a loaded model: a conversation, tools, and how the answer is to be. It travels to the worker.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use timmy_llm::{AnswerFormat, Outbound, ToolChoice};

use crate::sample::Sampling;

/// One question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools the model may call.
    pub tools: Vec<Tool>,
    /// Whether it has to.
    pub choice: Choice,
    /// The form of the answer.
    pub form: Form,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// The answer ends before any of these texts.
    pub stop: Vec<String>,
    /// Tokens the answer may have.
    pub tokens_max: u32,
}

/// One message of the conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// Its text.
    pub content: String,
    /// Tools that were called in it.
    pub calls: Vec<CallMade>,
    /// For a result: the call it belongs to.
    pub call_id: Option<String>,
}

/// A tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Its parameters as a JSON schema.
    pub parameters: Value,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMade {
    /// Tells it from others of the same answer.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as they were written; cut short when the answer was.
    pub arguments: String,
}

/// Whether a tool is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// As the model sees fit.
    #[default]
    Auto,
    /// None.
    Never,
    /// One of them, whichever.
    Required,
    /// This one.
    Named(String),
}

/// The form of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Form {
    /// Any text.
    #[default]
    Text,
    /// A JSON object of any shape.
    Json,
    /// JSON that this schema describes.
    Schema(Value),
}

impl Ask {
    /// The question that `outbound` is, with `seed` where it names none.
    #[must_use]
    pub fn of(outbound: &Outbound, seed: u64) -> Self {
        let wanted = outbound.sampling();
        let messages = outbound.messages().iter().map(|m| Message {
            role: m.role().name().to_owned(),
            content: m.text().to_owned(),
            calls: m
                .tool_calls()
                .iter()
                .map(|c| CallMade { id: c.id.clone(), name: c.name.clone(), arguments: c.arguments.clone() })
                .collect(),
            call_id: m.tool_call_id().map(str::to_owned),
        });
        let tools = outbound.tools().iter().map(|t| Tool {
            name: t.name.clone(),
            description: t.description.clone(),
            parameters: t.parameters.clone(),
        });
        let mut sampling = Sampling { seed: wanted.seed.unwrap_or(seed), ..Sampling::default() };
        sampling.temperature = outbound.temperature().unwrap_or(sampling.temperature);
        sampling.top_p = wanted.top_p.unwrap_or(sampling.top_p);
        Self {
            messages: messages.collect(),
            tools: tools.collect(),
            choice: match &wanted.tool_choice {
                ToolChoice::Auto => Choice::Auto,
                ToolChoice::Never => Choice::Never,
                ToolChoice::Required => Choice::Required,
                ToolChoice::Named(name) => Choice::Named(name.clone()),
            },
            form: match &wanted.format {
                AnswerFormat::Text => Form::Text,
                AnswerFormat::Json => Form::Json,
                AnswerFormat::Schema { schema, .. } => Form::Schema(schema.clone()),
            },
            sampling,
            stop: wanted.stop.iter().take(timmy_llm::STOPS_MAX).filter(|s| !s.is_empty()).cloned().collect(),
            tokens_max: outbound.max_tokens(),
        }
    }

    /// The tools that may be called in this answer.
    #[must_use]
    pub fn tools_offered(&self) -> &[Tool] {
        if self.choice == Choice::Never { &[] } else { &self.tools }
    }
}
