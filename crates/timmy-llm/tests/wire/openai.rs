//! What only the OpenAI format does.

use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::Secret;
use timmy_llm::{
    ARGUMENTS_BYTES_MAX, ApiSettings, Completion, Failure, Finish, OpenAi, Provider, TOOL_CALLS_MAX, ToolCall,
};

use crate::stub::{Act, Stub, chatting, ok, status};
use crate::{Format, KEY, api, data, patient, request};

fn openai(stub: &Stub, model: &str) -> OpenAi {
    let settings = ApiSettings { url: format!("{}/v1/", stub.url), ..api("openai", "", model) };
    OpenAi::new(&settings, Secret::new(KEY.into())).expect("an address")
}

fn delta(delta: &Value, finish: Option<&str>) -> String {
    data(&json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }))
}

async fn heard(body: &str) -> Result<Completion, Failure> {
    let stub = chatting(vec![Act::Write(ok(body))]).await;
    openai(&stub, "m").chat(&request("x"), &patient()).await
}

#[tokio::test]
async fn the_key_travels_in_one_header_and_nowhere_else() {
    let stub = chatting(vec![Act::Write(ok(&Format::OpenAi.end()))]).await;
    let provider = openai(&stub, "m");
    provider.chat(&request("hello"), &patient()).await.expect("an answer");
    let asked = stub.last();
    let (head, body) = asked.split_once("\r\n\r\n").expect("a body");
    let places: Vec<&str> = head.lines().filter(|l| l.contains(KEY)).collect();
    assert_eq!(places, [format!("authorization: Bearer {KEY}")]);
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    let expected = json!({
        "model": "m",
        "messages": [{ "role": "user", "content": "hello" }],
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_tokens": 64,
        "temperature": 0.5,
    });
    assert_eq!(serde_json::from_str::<Value>(body).expect("JSON"), expected);
    assert!(!format!("{provider:?}").contains(KEY));
    let echo = format!(r#"{{"error":{{"message":"no such thing as {KEY}"}}}}"#);
    let stub = chatting(vec![Act::Write(status(400, "", &echo))]).await;
    let refused = openai(&stub, "m").chat(&request("x"), &patient()).await.expect_err("refused");
    assert!(!format!("{refused} {refused:?}").contains(KEY), "{refused:?}");
}

#[tokio::test]
async fn comments_split_data_and_a_missing_done_do_no_harm() {
    let begun = "\u{feff}: keep-alive\n\nevent: x\nid: 7\n";
    let split = "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"Yes.\"}}]}\n\n";
    let last = delta(&json!({ "content": null }), Some("length")).trim_end().to_owned();
    let completion = heard(&format!("{begun}{split}: more\n\n{last}")).await.expect("an answer");
    assert_eq!((completion.content.as_str(), completion.finish), ("Yes.", Finish::Length));
    let done = heard(&format!("{}data: [DONE]\n\ndata: garbage\n\n", Format::OpenAi.token("Yes."))).await;
    assert_eq!(done.map(|c| c.content), Ok("Yes.".into()));
}

#[tokio::test]
async fn tool_calls_are_put_together_and_survive_being_cut() {
    let piece = |call: Value| delta(&json!({ "tool_calls": [call] }), None);
    let body = [
        delta(&json!({ "role": "assistant", "reasoning_content": "hm" }), None),
        piece(json!({ "index": 0, "id": "a", "type": "function", "function": { "name": "look", "arguments": "" } })),
        piece(json!({ "index": 1, "id": "b", "function": { "name": "go", "arguments": "{\"to\"" } })),
        piece(json!({ "index": 0, "function": { "arguments": "{\"at\":1}" } })),
        piece(json!({ "index": 1, "function": { "arguments": ":\"the har" } })),
        delta(&json!({}), Some("length")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let completion = heard(&body.concat()).await.expect("an answer");
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    assert_eq!(completion.tool_calls, [call("a", "look", "{\"at\":1}"), call("b", "go", "{\"to\":\"the har")]);
    assert_eq!(completion.finish, Finish::Length);

    let unnumbered = [
        piece(json!({ "id": "a", "function": { "name": "look", "arguments": "{" } })),
        piece(json!({ "function": { "arguments": "}" } })),
        piece(json!({ "id": "b", "function": { "name": "go", "arguments": "{}" } })),
        delta(&json!({}), Some("tool_calls")),
    ];
    let completion = heard(&unnumbered.concat()).await.expect("an answer");
    assert_eq!(completion.tool_calls, [call("a", "look", "{}"), call("b", "go", "{}")]);
    assert_eq!(completion.finish, Finish::ToolCalls);
}

#[tokio::test]
async fn too_many_or_too_long_tool_calls_are_refused() {
    let call = |index: usize, arguments: &str| {
        delta(
            &json!({ "tool_calls": [{ "index": index, "id": format!("c{index}"), "function": { "name": "x", "arguments": arguments } }] }),
            None,
        )
    };
    let many: String = (0..=TOOL_CALLS_MAX).map(|n| call(n, "")).collect();
    let long = call(0, &"x".repeat(ARGUMENTS_BYTES_MAX / 2)).repeat(3);
    for body in [many, long] {
        let refused = heard(&body).await;
        assert!(matches!(refused, Err(Failure::TooLarge { .. })), "{refused:?}");
    }
    let most: String = (0..TOOL_CALLS_MAX).map(|n| call(n, "")).collect();
    let end = delta(&json!({}), Some("tool_calls"));
    assert_eq!(heard(&(most + &end)).await.map(|c| c.tool_calls.len()), Ok(TOOL_CALLS_MAX));
}

#[tokio::test]
async fn refused_content_is_told_also_in_the_middle() {
    let body = Format::OpenAi.token("I") + &delta(&json!({}), Some("content_filter"));
    assert_eq!(heard(&body).await, Err(Failure::ContentPolicy));
}

#[tokio::test]
async fn the_first_listed_model_answers_when_none_is_configured() {
    let stub = chatting(vec![Act::Write(ok(&Format::OpenAi.end()))]).await;
    let provider = openai(&stub, "");
    let mut wish = request("x");
    for (wished, used) in [(None, "m"), (Some("other"), "other"), (Some("llama3.1:8b"), "m")] {
        wish.model = wished.map(str::to_owned);
        provider.chat(&wish, &patient()).await.expect("an answer");
        assert!(stub.last().contains(&format!("\"model\":\"{used}\"")), "{wished:?}: {}", stub.last());
    }
    let health = provider.probe(Duration::from_secs(20)).await.expect("it is there");
    assert_eq!((health.models, health.model_in_use.as_str()), (vec!["m".to_owned(), "other".to_owned()], "m"));
}

#[tokio::test]
async fn a_server_without_a_list_has_the_configured_model() {
    let stub = Stub::start("127.0.0.1:0", Box::new(|_| vec![Act::Write(status(404, "", ""))])).await;
    let health = openai(&stub, "mine").probe(Duration::from_secs(20)).await.expect("it is there");
    assert_eq!(health.model_in_use, "mine");
    assert!(openai(&stub, "").probe(Duration::from_secs(20)).await.is_err());
    let gone =
        chatting(vec![Act::Write(status(404, "", r#"{"error":{"message":"The model `mine` does not exist"}}"#))]).await;
    let refused = openai(&gone, "mine").chat(&request("x"), &patient()).await;
    assert!(matches!(refused, Err(Failure::NoModel { .. })), "{refused:?}");
}
