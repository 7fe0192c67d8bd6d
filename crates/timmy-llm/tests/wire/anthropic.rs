//! What only the Messages format does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::{Secret, Sensitivity, Timestamp};
use timmy_llm::{
    AnswerFormat, Anthropic, ChatMessage, ChatRequest, Completion, Failure, Finish, Image, Part, Provider, Role,
    ToolCall, ToolChoice, ToolSpec,
};

use crate::stub::{Act, Stub, chatting, ok, status};
use crate::{Format, KEY, api, data, patient, request};

fn anthropic(stub: &Stub) -> Anthropic {
    Anthropic::new(&api("anthropic", &stub.url, "m"), Secret::new(KEY.into())).expect("an address")
}

async fn heard(body: &str) -> Result<Completion, Failure> {
    let stub = chatting(vec![Act::Write(ok(body))]).await;
    anthropic(&stub).chat(&request("x"), &patient()).await
}

/// The head and the body of what was asked.
async fn asked(request: &ChatRequest) -> (String, Value) {
    let stub = chatting(vec![Act::Write(ok(&Format::Anthropic.end()))]).await;
    anthropic(&stub).chat(request, &patient()).await.expect("an answer");
    let asked = stub.last();
    let (head, body) = asked.split_once("\r\n\r\n").expect("a body");
    (head.to_owned(), serde_json::from_str(body).expect("JSON"))
}

fn message(role: Role, text: &str) -> ChatMessage {
    let part = Part { text: text.to_owned(), sensitivity: Sensitivity::Open, droppable: false };
    ChatMessage { role, parts: vec![part], tool_calls: vec![], tool_call_id: None, images: vec![] }
}

fn look() -> ToolSpec {
    ToolSpec { name: "look".into(), description: "Looks.".into(), parameters: json!({ "type": "object" }) }
}

#[tokio::test]
async fn the_key_travels_in_one_header_beside_the_version() {
    let (head, body) = asked(&request("hello")).await;
    let keys: Vec<&str> = head.lines().filter(|l| l.contains(KEY)).collect();
    assert_eq!(keys, [format!("x-api-key: {KEY}")]);
    assert!(head.contains("\r\nanthropic-version: 2023-06-01"), "{head}");
    assert!(head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{head}");
    let expected = json!({
        "model": "m",
        "max_tokens": 64,
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": "hello" }] }],
        "stream": true,
        "temperature": 0.5,
    });
    assert_eq!(body, expected);
}

// shows: models: the Messages format gets its turns, tools, pictures and results as it wants them
#[tokio::test]
async fn turns_alternate_and_results_follow_their_calls() {
    let mut ask = request("look twice");
    ask.messages[0].images.push(Image {
        media_type: "image/png".into(),
        bytes: Arc::from(&b"foo"[..]),
        sensitivity: Sensitivity::Open,
        droppable: false,
    });
    ask.messages.insert(0, message(Role::System, "Be brief."));
    let call = |id: &str, arguments: &str| ToolCall { id: id.into(), name: "look".into(), arguments: arguments.into() };
    let calls = vec![call("c1", r#"{"at":1}"#), call("c2", r#"{"at":"#)];
    ask.messages.push(ChatMessage { tool_calls: calls, ..message(Role::Assistant, "I look. \n") });
    for id in ["c1", "c2"] {
        ask.messages.push(ChatMessage { tool_call_id: Some(id.into()), ..message(Role::Tool, id) });
    }
    ask.messages.push(message(Role::User, "And?"));
    ask.tools = vec![look()];
    ask.temperature = Some(1.7);
    ask.sampling.top_p = Some(0.5);
    ask.sampling.stop = vec!["END".into()];
    let (_, body) = asked(&ask).await;
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "Zm9v" });
    let result = |id: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": id });
    let used = |id: &str, input: Value| json!({ "type": "tool_use", "id": id, "name": "look", "input": input });
    let text = |text: &str| json!({ "type": "text", "text": text });
    let expected = json!({
        "model": "m",
        "max_tokens": 64,
        "stream": true,
        "system": "Be brief.",
        "temperature": 1.0,
        "top_p": 0.5,
        "stop_sequences": ["END"],
        "tools": [{ "name": "look", "description": "Looks.", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "auto" },
        "messages": [
            { "role": "user", "content": [{ "type": "image", "source": source }, text("look twice")] },
            { "role": "assistant",
              "content": [text("I look."), used("c1", json!({ "at": 1 })), used("c2", json!({}))] },
            { "role": "user", "content": [result("c1"), result("c2"), text("And?")] },
        ],
    });
    assert_eq!(body, expected);
    ask.messages.drain(..2);
    assert_eq!(asked(&ask).await.1["messages"][0], json!({ "role": "user", "content": [text("…")] }));
}

#[tokio::test]
async fn a_wanted_shape_is_a_tool_whose_arguments_are_the_answer() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } } });
    let mut ask = request("x");
    ask.sampling.format = AnswerFormat::Schema { name: "s".into(), schema: schema.clone() };
    let (_, body) = asked(&ask).await;
    assert_eq!(body["tools"][0]["input_schema"], schema);
    assert_eq!(body["tool_choice"], json!({ "type": "tool", "name": "give_answer" }));
    ask.tools = vec![look()];
    assert_eq!(asked(&ask).await.1["tool_choice"], json!({ "type": "any" }));
    ask.sampling.tool_choice = ToolChoice::Named("look".into());
    let (_, body) = asked(&ask).await;
    assert_eq!(body["tool_choice"], json!({ "type": "tool", "name": "look" }));
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(1));

    let block = json!({ "type": "tool_use", "id": "c", "name": "give_answer", "input": {} });
    let delta = |json: &str| {
        let delta = json!({ "type": "input_json_delta", "partial_json": json });
        data(&json!({ "type": "content_block_delta", "index": 0, "delta": delta }))
    };
    let body = [
        data(&json!({ "type": "content_block_start", "index": 0, "content_block": block })),
        delta("{\"a\":"),
        delta("1}"),
        data(&json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" } })),
        data(&json!({ "type": "message_stop" })),
    ];
    let completion = heard(&body.concat()).await.expect("an answer");
    assert_eq!((completion.content.as_str(), completion.tool_calls.len()), ("{\"a\":1}", 0));
    assert_eq!(completion.finish, Finish::Stop);
}

// shows: models: the Messages format is read with its thinking, its calls and every way it ends
#[tokio::test]
async fn a_whole_answer_is_read_block_by_block() {
    let start = |index: u64, block: Value| {
        data(&json!({ "type": "content_block_start", "index": index, "content_block": block }))
    };
    let delta =
        |index: u64, delta: Value| data(&json!({ "type": "content_block_delta", "index": index, "delta": delta }));
    let usage = json!({ "input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 1 });
    let body = |stop: &str| {
        [
            data(&json!({ "type": "message_start", "message": { "model": "m-1", "usage": usage } })),
            start(0, json!({ "type": "thinking", "thinking": "" })),
            delta(0, json!({ "type": "thinking_delta", "thinking": "hm" })),
            delta(0, json!({ "type": "signature_delta", "signature": "x" })),
            start(1, json!({ "type": "text", "text": "" })),
            delta(1, json!({ "type": "text_delta", "text": "I look." })),
            start(2, json!({ "type": "tool_use", "id": "c1", "name": "look", "input": {} })),
            delta(2, json!({ "type": "input_json_delta", "partial_json": "{\"at\":" })),
            start(3, json!({ "type": "tool_use", "id": "c2", "name": "go", "input": { "to": "home" } })),
            delta(2, json!({ "type": "input_json_delta", "partial_json": "1}" })),
            data(&json!({ "type": "a_kind_of_tomorrow", "x": 1 })),
            data(
                &json!({ "type": "message_delta", "delta": { "stop_reason": stop }, "usage": { "output_tokens": 9 } }),
            ),
            data(&json!({ "type": "message_stop" })),
        ]
        .concat()
    };
    let completion = heard(&body("tool_use")).await.expect("an answer");
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    assert_eq!(completion.content, "I look.");
    assert_eq!(completion.tool_calls, [call("c1", "look", "{\"at\":1}"), call("c2", "go", "{\"to\":\"home\"}")]);
    assert_eq!((completion.model.as_str(), completion.finish), ("m-1", Finish::ToolCalls));
    assert_eq!((completion.usage.prompt_tokens, completion.usage.completion_tokens), (43, 9));
    assert_eq!(heard(&body("max_tokens")).await.map(|c| c.finish), Ok(Finish::Length));
    assert_eq!(heard(&body("refusal")).await, Err(Failure::ContentPolicy));
}

// shows: models: a used-up account is told with the day it opens again
#[tokio::test]
async fn refusals_of_this_format_have_their_reason() {
    let error = |kind: &str, message: &str| json!({ "type": "error", "error": { "type": kind, "message": message } });
    let limits = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.";
    let until = Timestamp::parse("2026-12-01T00:00:00Z").ok();
    let retry = |seconds| Failure::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
    let rows = [
        (400, "", error("invalid_request_error", limits), Failure::Billing { until }),
        (529, "retry-after: 3\r\n", error("overloaded_error", "Overloaded"), retry(3)),
        (401, "", error("authentication_error", "invalid x-api-key"), Failure::Auth),
        (403, "", error("permission_error", "no"), Failure::Auth),
        (400, "", error("invalid_request_error", "prompt is too long: 9 > 8"), Failure::ContextLength),
        (
            404,
            "",
            error("not_found_error", "model: m"),
            Failure::NoModel {
                model: "m".into(),
                hint: "Set model in [provider.api] of timmy.toml to one that the server has.".into(),
            },
        ),
    ];
    for (code, headers, body, expected) in rows {
        let stub = chatting(vec![Act::Write(status(code, headers, &body.to_string()))]).await;
        assert_eq!(anthropic(&stub).chat(&request("x"), &patient()).await, Err(expected), "{body}");
    }
    let busy = data(&error("overloaded_error", "Overloaded"));
    assert_eq!(heard(&busy).await, Err(Failure::RateLimited { retry_after: None }));
}
