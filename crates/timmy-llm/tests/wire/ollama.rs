//! What only Ollama does.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use timmy_llm::{
    ChatMessage, Failure, Finish, Ollama, OllamaSettings, Provider, Role, TOOL_CALLS_MAX, ToolCall, ToolSpec,
};

use crate::stub::{Act, Stub, ok, status};
use crate::{Format, patient, request};

fn ollama(stub: &Stub, model: &str) -> Ollama {
    let settings = OllamaSettings { url: stub.url.clone(), model: model.into(), ..OllamaSettings::default() };
    Ollama::new(&settings).expect("an address")
}

/// A server with these models that answers every chat with `reply`.
async fn having(models: &'static [&'static str], reply: String) -> Stub {
    let tags = json!({ "models": models.iter().map(|n| json!({ "name": n })).collect::<Vec<_>>() }).to_string();
    let answers = move |path: &str| match path {
        "/api/tags" => vec![Act::Write(ok(&tags))],
        "/api/chat" => vec![Act::Write(ok(&reply))],
        _ => vec![Act::Write(status(404, "", ""))],
    };
    Stub::start("127.0.0.1:0", Box::new(answers)).await
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
}

#[tokio::test]
async fn the_request_sets_context_and_loading_and_carries_tools() {
    let stub = having(&["llama3.1:8b-instruct"], Format::Ollama.end()).await;
    let mut ask = request("hello");
    ask.tools =
        vec![ToolSpec { name: "look".into(), description: "Looks.".into(), parameters: json!({ "type": "object" }) }];
    let calls = vec![
        ToolCall { id: "c1".into(), name: "look".into(), arguments: r#"{"at":1}"#.into() },
        ToolCall { id: "c2".into(), name: "look".into(), arguments: r#"{"at":"#.into() },
    ];
    let message = |role, tool_calls, id: Option<&str>| ChatMessage {
        role,
        parts: vec![],
        tool_calls,
        tool_call_id: id.map(str::to_owned),
        images: vec![],
    };
    ask.messages.push(message(Role::Assistant, calls, None));
    ask.messages.push(message(Role::Tool, vec![], Some("c1")));
    ollama(&stub, "llama3.1:8b-instruct").chat(&ask, &patient()).await.expect("an answer");
    let expected = json!({
        "model": "llama3.1:8b-instruct",
        "messages": [
            { "role": "user", "content": "hello" },
            { "role": "assistant", "content": "", "tool_calls": [
                { "id": "c1", "function": { "name": "look", "arguments": { "at": 1 } } },
                { "id": "c2", "function": { "name": "look", "arguments": {} } },
            ] },
            { "role": "tool", "content": "", "tool_call_id": "c1" },
        ],
        "stream": true,
        "keep_alive": "30m",
        "options": { "num_ctx": 8192, "num_predict": 64, "temperature": 0.5 },
        "tools": [{ "type": "function", "function": { "name": "look", "description": "Looks.", "parameters": { "type": "object" } } }],
    });
    assert_eq!(body(&stub.last()), expected);
}

// shows: models: when the configured model is not installed, the nearest one answers and is named
#[tokio::test]
async fn the_nearest_installed_model_answers_and_is_named() {
    let stub = having(&["nomic-embed-text", "qwen:7b"], Format::Ollama.end()).await;
    let ollama = ollama(&stub, "llama3.1:8b-instruct");
    let health = ollama.probe(Duration::from_secs(20)).await.expect("it is there");
    assert_eq!((health.model_in_use.as_str(), health.version, health.models.len()), ("qwen:7b", None, 2));
    ollama.chat(&request("x"), &patient()).await.expect("an answer");
    assert_eq!(body(&stub.last())["model"], "qwen:7b");
}

#[tokio::test]
async fn without_any_model_it_says_how_to_get_one() {
    let stub = having(&[], String::new()).await;
    let ollama = ollama(&stub, "a-model");
    for failure in [
        ollama.probe(Duration::from_secs(20)).await.expect_err("no model"),
        ollama.chat(&request("x"), &patient()).await.expect_err("no model"),
    ] {
        assert_eq!(failure.hint(), "Run `ollama pull a-model`.");
        assert!(matches!(failure, Failure::NoModel { .. }));
    }
}

#[tokio::test]
async fn a_model_that_was_removed_is_replaced_at_once() {
    let installed = Mutex::new(vec!["b", "a"]);
    let answers = move |path: &str| {
        let mut installed = installed.lock().expect("not poisoned");
        match path {
            "/api/tags" => {
                let models: Vec<Value> = installed.iter().map(|n| json!({ "name": n })).collect();
                vec![Act::Write(ok(&json!({ "models": models }).to_string()))]
            }
            // The first chat finds that the model has just gone.
            "/api/chat" if installed.len() == 2 => {
                installed.pop();
                vec![Act::Write(status(404, "", r#"{"error":"model 'a' not found"}"#))]
            }
            _ => vec![Act::Write(ok(&Format::Ollama.end()))],
        }
    };
    let stub = Stub::start("127.0.0.1:0", Box::new(answers)).await;
    let ollama = ollama(&stub, "a");
    ollama.probe(Duration::from_secs(20)).await.expect("it is there");
    assert!(ollama.chat(&request("x"), &patient()).await.is_ok());
    assert_eq!(body(&stub.last())["model"], "b");
}

#[tokio::test]
async fn reasoning_and_tool_calls_are_read() {
    let lines = [
        json!({ "message": { "content": "", "thinking": "hm" } }),
        json!({ "message": { "content": "", "tool_calls": [{ "function": { "name": "look", "arguments": { "at": 1 } } }] } }),
        json!({ "message": { "content": "", "tool_calls": [{ "function": { "name": "look", "arguments": { "at": 2 } } }] } }),
        json!({ "message": { "content": "" }, "done": true, "done_reason": "length" }),
    ];
    let reply: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let stub = having(&["m"], reply).await;
    let heard = ollama(&stub, "m").chat(&request("x"), &patient()).await.expect("an answer");
    let call = |id: &str, arguments: &str| ToolCall { id: id.into(), name: "look".into(), arguments: arguments.into() };
    assert_eq!(heard.tool_calls, [call("call_1", r#"{"at":1}"#), call("call_2", r#"{"at":2}"#)]);
    assert_eq!((heard.content.as_str(), heard.finish), ("", Finish::Length));

    let many = json!({ "message": { "tool_calls": vec![json!({ "function": { "name": "x" } }); TOOL_CALLS_MAX + 1] } });
    let stub = having(&["m"], format!("{many}\n")).await;
    let refused = ollama(&stub, "m").chat(&request("x"), &patient()).await;
    assert!(matches!(refused, Err(Failure::TooLarge { .. })), "{refused:?}");
}
