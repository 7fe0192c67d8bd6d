//! Answers in the shape that OpenAI's clients read.

use serde_json::{Value, json};
use timmy_llm::{Answer, Finish, ToolCall, Usage};

use crate::web::Web;

/// What kind of answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A message of a conversation.
    Chat,
    /// The continuation of a text.
    Text,
}

/// An id for an answer.
#[must_use]
pub fn id(kind: &str, web: &Web) -> String {
    format!("{kind}-{}", timmy_core::chance::hex(&web.app.ctx.chance.bytes::<12>()))
}

/// When it is made, in seconds since the epoch.
#[must_use]
pub fn created(web: &Web) -> i64 {
    web.app.ctx.now().unix_seconds()
}

/// Why it ended.
#[must_use]
pub const fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
    }
}

/// Tokens.
#[must_use]
pub fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens.saturating_add(usage.completion_tokens),
    })
}

/// A call of a tool.
#[must_use]
pub fn call(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

/// The model that answered, under the name of its provider: asked for by that name, it answers again.
#[must_use]
pub fn model(answer: &Answer) -> String {
    format!("{}/{}", answer.provider, answer.model)
}

/// A whole `chat.completion`.
#[must_use]
pub fn chat(id: &str, created: i64, answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": answer.content, "refusal": null});
    if !answer.tool_calls.is_empty() {
        message["tool_calls"] = answer.tool_calls.iter().map(call).collect();
        if answer.content.is_empty() {
            message["content"] = Value::Null;
        }
    }
    json!({
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model(answer),
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(answer.finish)}],
        "usage": usage(answer.usage),
    })
}

/// A whole `text_completion`.
#[must_use]
pub fn text(id: &str, created: i64, answer: &Answer) -> Value {
    json!({
        "id": id,
        "object": "text_completion",
        "created": created,
        "model": model(answer),
        "choices": [{"index": 0, "text": answer.content, "logprobs": null, "finish_reason": finish(answer.finish)}],
        "usage": usage(answer.usage),
    })
}
