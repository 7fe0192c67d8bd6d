//! The words of `/api/chat`: one JSON object in, one line of JSON for each token out.

use serde_json::{Map, Value, json};
use timmy_domain::Secret;

use super::OllamaSettings;
use crate::failure::Failure;
use crate::outbound::{OutMessage, Outbound};
use crate::provider::Finish;
use crate::providers::text;
use crate::request::{AnswerFormat, ToolCall, ToolChoice};
use crate::wire::growing::{CallPiece, Growing};
use crate::wire::lines::Flow;
use crate::wire::{base64, frame_json};

/// The request.
pub fn body(outbound: &Outbound, model: &str, settings: &OllamaSettings) -> Value {
    let mut options = json!({ "num_ctx": settings.num_ctx, "num_predict": outbound.max_tokens() });
    if let Some(temperature) = outbound.temperature() {
        options["temperature"] = json!(temperature);
    }
    let sampling = outbound.sampling();
    if let Some(seed) = sampling.seed {
        options["seed"] = json!(seed);
    }
    if let Some(top_p) = sampling.top_p {
        options["top_p"] = json!(top_p);
    }
    if !sampling.stop.is_empty() {
        options["stop"] = json!(sampling.stop);
    }
    let mut body = json!({
        "model": model,
        "messages": outbound.messages().iter().map(message).collect::<Vec<_>>(),
        "stream": true,
        "keep_alive": format!("{}m", settings.keep_alive_minutes),
        "options": options,
    });
    match &sampling.format {
        AnswerFormat::Text => {}
        AnswerFormat::Json => body["format"] = json!("json"),
        AnswerFormat::Schema { schema, .. } => body["format"] = schema.clone(),
    }
    // There is no word for a choice; without tools none is called.
    if !outbound.tools().is_empty() && sampling.tool_choice != ToolChoice::Never {
        let tools = outbound.tools().iter().map(|t| {
            let function = json!({ "name": t.name, "description": t.description, "parameters": t.parameters });
            json!({ "type": "function", "function": function })
        });
        body["tools"] = tools.collect();
    }
    body
}

fn message(message: &OutMessage) -> Value {
    let mut out = json!({ "role": message.role().name(), "content": message.text() });
    if !message.tool_calls().is_empty() {
        out["tool_calls"] = message.tool_calls().iter().map(call).collect();
    }
    if let Some(id) = message.tool_call_id() {
        out["tool_call_id"] = json!(id);
    }
    if !message.images().is_empty() {
        out["images"] = message.images().iter().map(|image| json!(base64::of(&image.bytes))).collect();
    }
    out
}

/// Ollama takes arguments as an object; what a model cut short is none.
fn call(call: &ToolCall) -> Value {
    let arguments: Map<String, Value> = serde_json::from_str(&call.arguments).unwrap_or_default();
    json!({ "id": call.id, "function": { "name": call.name, "arguments": arguments } })
}

/// Reads one line.
pub fn read(growing: &mut Growing, line: &[u8], key: &Secret) -> Result<Flow, Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(Flow::More);
    }
    let value = frame_json(line, key)?;
    let message = &value["message"];
    if growing.model.is_empty() {
        growing.model = crate::providers::name(text(&value, "model"));
    }
    if !text(message, "thinking").is_empty() {
        growing.reasons();
    }
    growing.text(text(message, "content"));
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        whole_call(growing, call)?;
    }
    if value.get("done").and_then(Value::as_bool) != Some(true) {
        return Ok(Flow::More);
    }
    let count = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    growing.usage.prompt_tokens = count("prompt_eval_count");
    growing.usage.completion_tokens = count("eval_count");
    growing.finish = Some(if text(&value, "done_reason") == "length" { Finish::Length } else { Finish::Stop });
    Ok(Flow::Done)
}

/// A call comes whole, in one line, with an id only from newer servers.
fn whole_call(growing: &mut Growing, call: &Value) -> Result<(), Failure> {
    let text = |pointer: &str| call.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let arguments = match call.pointer("/function/arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(object) => object.to_string(),
        None => String::new(),
    };
    growing.whole_call(CallPiece { index: None, id: text("/id"), name: text("/function/name"), arguments: &arguments })
}
