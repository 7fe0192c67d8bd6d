//! The words of `/messages`: one JSON object in, named server-sent events out, each of which says its own kind.

use serde_json::{Map, Value, json};
use timmy_domain::Secret;

use crate::failure::Failure;
use crate::outbound::{OutMessage, Outbound};
use crate::provider::Finish;
use crate::request::{AnswerFormat, Image, Role, ToolChoice};
use crate::wire::growing::{CallPiece, Growing};
use crate::wire::lines::Flow;
use crate::wire::{base64, frame_json};

/// The most this format lets words be chosen freely.
const TEMPERATURE_MAX: f32 = 1.0;
/// What stands for the turn before the first one, when the model spoke first: the format begins with the user.
const BEFORE: &str = "…";

/// The tool by which an answer of a wanted shape is given.
const ANSWER_TOOL: &str = "give_answer";

/// The request.
pub fn body(outbound: &Outbound, model: &str) -> Value {
    let (system, messages) = turns(outbound.messages());
    let mut body = json!({
        "model": model,
        "max_tokens": outbound.max_tokens(),
        "messages": messages,
        "stream": true,
    });
    if !system.is_empty() {
        body["system"] = json!(system);
    }
    if let Some(temperature) = outbound.temperature() {
        body["temperature"] = json!(temperature.min(TEMPERATURE_MAX));
    }
    let sampling = outbound.sampling();
    if let Some(top_p) = sampling.top_p {
        body["top_p"] = json!(top_p);
    }
    if !sampling.stop.is_empty() {
        body["stop_sequences"] = json!(sampling.stop);
    }
    let (tools, choice) = tools(outbound);
    if !tools.is_empty() {
        body["tools"] = json!(tools);
        body["tool_choice"] = choice;
    }
    body
}

/// The tools, and whether one must be called. A wanted shape of the answer becomes a tool too, since that holds with
/// every server of this format: what the model would give it is the answer.
fn tools(outbound: &Outbound) -> (Vec<Value>, Value) {
    let sampling = outbound.sampling();
    let own = outbound.tools().iter();
    let mut tools: Vec<Value> =
        own.map(|t| json!({ "name": t.name, "description": t.description, "input_schema": t.parameters })).collect();
    let mut choice = match &sampling.tool_choice {
        ToolChoice::Auto => json!({ "type": "auto" }),
        ToolChoice::Never => json!({ "type": "none" }),
        ToolChoice::Required => json!({ "type": "any" }),
        ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
    };
    let schema = match &sampling.format {
        AnswerFormat::Text => return (tools, choice),
        AnswerFormat::Json => json!({ "type": "object" }),
        AnswerFormat::Schema { schema, .. } => schema.clone(),
    };
    if !sampling.tool_choice.is_required() {
        let others = !tools.is_empty() && sampling.tool_choice == ToolChoice::Auto;
        choice = if others { json!({ "type": "any" }) } else { json!({ "type": "tool", "name": ANSWER_TOOL }) };
        tools.push(json!({ "name": ANSWER_TOOL, "description": "Gives the answer.", "input_schema": schema }));
    }
    (tools, choice)
}

/// What the house says, and the turns of user and model. Neighbours of one side are one turn: results of tools
/// that were called together belong together.
fn turns(messages: &[OutMessage]) -> (String, Vec<Value>) {
    let (mut system, mut turns): (Vec<&str>, Vec<(&str, Vec<Value>)>) = (Vec::new(), Vec::new());
    for message in messages {
        if message.role() == Role::System {
            system.push(message.text());
            continue;
        }
        let role = if message.role() == Role::Assistant { "assistant" } else { "user" };
        let blocks = blocks(message);
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some((last, before)) if *last == role => before.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    if turns.first().is_none_or(|(role, _)| *role == "assistant") {
        turns.insert(0, ("user", vec![text(BEFORE)]));
    }
    let turn = |(role, content): (&str, Vec<Value>)| json!({ "role": role, "content": content });
    (system.join("\n\n"), turns.into_iter().map(turn).collect())
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The blocks of a message. Empty ones are refused by the format.
fn blocks(message: &OutMessage) -> Vec<Value> {
    if let Some(id) = message.tool_call_id() {
        return vec![json!({ "type": "tool_result", "tool_use_id": id, "content": message.text() })];
    }
    let picture = |image: &Image| {
        let source = json!({ "type": "base64", "media_type": image.media_type, "data": base64::of(&image.bytes) });
        json!({ "type": "image", "source": source })
    };
    let mut blocks: Vec<Value> = message.images().iter().map(picture).collect();
    if !message.text().trim().is_empty() {
        let said = if message.role() == Role::Assistant { message.text().trim_end() } else { message.text() };
        blocks.push(text(said));
    }
    blocks.extend(message.tool_calls().iter().map(|call| {
        // The format takes an object; what a model cut short is none.
        let input: Map<String, Value> = serde_json::from_str(&call.arguments).unwrap_or_default();
        json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input })
    }));
    blocks
}

/// Reads the data of one event.
pub fn read(growing: &mut Growing, data: &[u8], key: &Secret) -> Result<Flow, Failure> {
    let data = data.trim_ascii();
    if data.is_empty() {
        return Ok(Flow::More);
    }
    let event = frame_json(data, key)?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let index = event.get("index").and_then(Value::as_u64);
    match text("/type") {
        "message_start" => {
            growing.model = crate::providers::name(text("/message/model"));
            count(growing, event.pointer("/message/usage"));
        }
        "content_block_start" => match text("/content_block/type") {
            "tool_use" => begin_call(growing, &event, index)?,
            "thinking" | "redacted_thinking" => growing.reasons(),
            _ => growing.text(text("/content_block/text")),
        },
        "content_block_delta" => match text("/delta/type") {
            "input_json_delta" if growing.answer_call.is_some() && growing.answer_call == index => {
                growing.text(text("/delta/partial_json"));
            }
            "input_json_delta" => {
                growing.call(CallPiece { index, arguments: text("/delta/partial_json"), ..CallPiece::default() })?;
            }
            "thinking_delta" => growing.reasons(),
            _ => growing.text(text("/delta/text")),
        },
        "message_delta" => {
            count(growing, event.get("usage"));
            match text("/delta/stop_reason") {
                "" => {}
                "refusal" => return Err(Failure::ContentPolicy),
                "max_tokens" | "model_context_window_exceeded" => growing.finish = Some(Finish::Length),
                _ => growing.finish = Some(Finish::Stop),
            }
        }
        "message_stop" => {
            growing.finish.get_or_insert_default();
            return Ok(Flow::Done);
        }
        // Pings, ends of blocks, and what newer servers add.
        _ => {}
    }
    Ok(Flow::More)
}

/// A call begins with its name; its arguments follow in pieces, unless a server sends them at once.
fn begin_call(growing: &mut Growing, event: &Value, index: Option<u64>) -> Result<(), Failure> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let whole = match event.pointer("/content_block/input") {
        Some(Value::Object(input)) if !input.is_empty() => Value::Object(input.clone()).to_string(),
        _ => String::new(),
    };
    let (id, name) = (text("/content_block/id"), text("/content_block/name"));
    if name == ANSWER_TOOL {
        growing.answer_call = index;
        growing.text(&whole);
        return Ok(());
    }
    growing.call(CallPiece { index, id, name, arguments: &whole })
}

/// Tokens as the server counts them: those of a cache were read too.
fn count(growing: &mut Growing, usage: Option<&Value>) {
    let of = |name: &str| usage?.get(name)?.as_u64();
    let read = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
    if of("input_tokens").is_some() {
        growing.usage.prompt_tokens = read.into_iter().filter_map(of).fold(0, u64::saturating_add);
    }
    growing.usage.completion_tokens = of("output_tokens").unwrap_or(growing.usage.completion_tokens);
}
