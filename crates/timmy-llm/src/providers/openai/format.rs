//! The words of `/chat/completions`: one JSON object in, server-sent events out. Reading is lenient, since every
//! compatible server is compatible in its own way.

use serde_json::{Value, json};
use timmy_domain::Secret;

use crate::failure::Failure;
use crate::outbound::{OutMessage, Outbound};
use crate::provider::Finish;
use crate::providers::text;
use crate::request::{AnswerFormat, Sampling, ToolChoice};
use crate::wire::growing::{CallPiece, Growing};
use crate::wire::lines::Flow;
use crate::wire::{base64, frame_json};

/// How deep a schema is looked at before it counts as not closed.
const SCHEMA_DEPTH_MAX: usize = 32;

/// The request. `newer` servers have renamed the bound on tokens, and refuse the old name.
pub fn body(outbound: &Outbound, model: &str, newer: bool) -> Value {
    let mut body = json!({
        "model": model,
        "messages": outbound.messages().iter().map(message).collect::<Vec<_>>(),
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    body[if newer { "max_completion_tokens" } else { "max_tokens" }] = json!(outbound.max_tokens());
    if let Some(temperature) = outbound.temperature() {
        body["temperature"] = json!(temperature);
    }
    if !outbound.tools().is_empty() {
        let tools = outbound.tools().iter().map(|t| {
            let function = json!({ "name": t.name, "description": t.description, "parameters": t.parameters });
            json!({ "type": "function", "function": function })
        });
        body["tools"] = tools.collect();
        match &outbound.sampling().tool_choice {
            ToolChoice::Auto => {}
            ToolChoice::Never => body["tool_choice"] = json!("none"),
            ToolChoice::Required => body["tool_choice"] = json!("required"),
            ToolChoice::Named(name) => {
                body["tool_choice"] = json!({ "type": "function", "function": { "name": name } });
            }
        }
    }
    sample(&mut body, outbound.sampling());
    body
}

fn sample(body: &mut Value, sampling: &Sampling) {
    if let Some(seed) = sampling.seed {
        body["seed"] = json!(seed);
    }
    if let Some(top_p) = sampling.top_p {
        body["top_p"] = json!(top_p);
    }
    if !sampling.stop.is_empty() {
        body["stop"] = json!(sampling.stop);
    }
    match &sampling.format {
        AnswerFormat::Text => {}
        AnswerFormat::Json => body["response_format"] = json!({ "type": "json_object" }),
        AnswerFormat::Schema { name, schema } => {
            let schema = json!({ "name": name, "schema": schema, "strict": is_closed(schema, 0) });
            body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
        }
    }
}

/// Whether every object of `schema` names all its properties, requires them and allows no others: only then do servers
/// take it as strict, and refuse it otherwise.
fn is_closed(schema: &Value, depth: usize) -> bool {
    let next = |value: &Value| is_closed(value, depth + 1);
    match schema {
        _ if depth > SCHEMA_DEPTH_MAX => false,
        Value::Array(items) => items.iter().all(next),
        Value::Object(keys) => {
            let closed = match keys.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let required = keys.get("required").and_then(Value::as_array);
                    let required = |name: &String| required.is_some_and(|r| r.iter().any(|n| n == name.as_str()));
                    keys.get("additionalProperties") == Some(&Value::Bool(false)) && properties.keys().all(required)
                }
                None => keys.get("type").is_none_or(|t| t != "object"),
            };
            closed && keys.values().all(next)
        }
        _ => true,
    }
}

fn message(message: &OutMessage) -> Value {
    let mut out = json!({ "role": message.role().name(), "content": message.text() });
    if !message.images().is_empty() {
        let text = json!({ "type": "text", "text": message.text() });
        let pictures = message.images().iter().map(|image| {
            let url = format!("data:{};base64,{}", image.media_type, base64::of(&image.bytes));
            json!({ "type": "image_url", "image_url": { "url": url } })
        });
        out["content"] = std::iter::once(text).chain(pictures).collect();
    }
    if !message.tool_calls().is_empty() {
        let calls = message.tool_calls().iter().map(|c| {
            let function = json!({ "name": c.name, "arguments": c.arguments });
            json!({ "id": c.id, "type": "function", "function": function })
        });
        out["tool_calls"] = calls.collect();
    }
    if let Some(id) = message.tool_call_id() {
        out["tool_call_id"] = json!(id);
    }
    out
}

/// Reads the data of one event.
pub fn read(growing: &mut Growing, data: &[u8], key: &Secret) -> Result<Flow, Failure> {
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        return Ok(Flow::Done);
    }
    if data.is_empty() {
        return Ok(Flow::More);
    }
    let value = frame_json(data, key)?;
    if growing.model.is_empty() {
        growing.model = crate::providers::name(text(&value, "model"));
    }
    let count = |name: &str| value["usage"][name].as_u64();
    growing.usage.prompt_tokens = count("prompt_tokens").unwrap_or(growing.usage.prompt_tokens);
    growing.usage.completion_tokens = count("completion_tokens").unwrap_or(growing.usage.completion_tokens);
    let choice = &value["choices"][0];
    let delta = &choice["delta"];
    // Servers name the reasoning differently; none of them is the answer.
    if ["reasoning_content", "reasoning"].iter().any(|name| !text(delta, name).is_empty()) {
        growing.reasons();
    }
    growing.text(text(delta, "content"));
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let function = &call["function"];
        growing.call(CallPiece {
            index: call["index"].as_u64(),
            id: text(call, "id"),
            name: text(function, "name"),
            arguments: text(function, "arguments"),
        })?;
    }
    match text(choice, "finish_reason") {
        "" => {}
        "content_filter" => return Err(Failure::ContentPolicy),
        "length" => growing.finish = Some(Finish::Length),
        _ => growing.finish = Some(Finish::Stop),
    }
    Ok(Flow::More)
}
