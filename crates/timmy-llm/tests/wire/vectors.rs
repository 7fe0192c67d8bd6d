//! What providers do beside chats: vectors, wanted shapes of answers, and the models of an Ollama server.

use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::{Secret, Sensitivity};
use timmy_llm::{
    AnswerFormat, Embedder, Failure, Loaded, Ollama, OllamaSettings, OpenAi, Part, Provider, PullStep, ToolChoice,
    ToolSpec,
};
use tokio_util::sync::CancellationToken;

use crate::stub::{Act, Stub, lists, ok, status};
use crate::{FORMATS, Format, KEY, api, patient, request};

/// A server that answers `path` with `reply` and lists models else.
async fn at(path: &'static str, reply: Vec<u8>) -> Stub {
    let answers = move |asked: &str| match lists(asked) {
        _ if asked == path => vec![Act::Write(reply.clone())],
        Some(list) => list,
        None => vec![Act::Write(status(404, "", ""))],
    };
    Stub::start("127.0.0.1:0", Box::new(answers)).await
}

fn ollama(stub: &Stub) -> Ollama {
    let settings = OllamaSettings {
        url: stub.url.clone(),
        model: "m".into(),
        embed_model: "e".into(),
        ..OllamaSettings::default()
    };
    Ollama::new(&settings).expect("an address")
}

fn openai(stub: &Stub, place: &str) -> OpenAi {
    let settings = timmy_llm::ApiSettings { place: place.into(), ..api("llamacpp", &stub.url, "m") };
    OpenAi::new(&settings, Secret::new(KEY.into())).expect("an address")
}

fn text(text: &str, sensitivity: Sensitivity) -> Part {
    Part { text: text.to_owned(), sensitivity, droppable: true }
}

fn body(asked: &str) -> Value {
    serde_json::from_str(asked.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
}

// shows: models: vectors come from Ollama and from servers of the OpenAI format, in order and of one length
#[tokio::test]
async fn vectors_come_in_order_and_of_one_length() {
    let texts = [text("a", Sensitivity::Open), text("b", Sensitivity::Open)];
    let rows = json!({ "data": [
        { "index": 1, "embedding": [3, 4] }, { "index": 0, "embedding": [1, 2] },
    ], "usage": { "prompt_tokens": 5 } });
    let stub = at("/v1/embeddings", ok(&rows.to_string())).await;
    let made = openai(&stub, "").embed(&texts, &patient()).await.expect("vectors");
    assert_eq!((made.vectors, made.model.as_str()), (vec![vec![1.0, 2.0], vec![3.0, 4.0]], "m"));
    assert_eq!(made.usage.prompt_tokens, 5);
    assert_eq!(body(&stub.last()), json!({ "model": "m", "input": ["a", "b"] }));

    let rows = json!({ "embeddings": [[1, 2], [3, 4]], "prompt_eval_count": 5 }).to_string();
    let stub = at("/api/embed", ok(&rows)).await;
    let made = ollama(&stub).embed(&texts, &patient()).await.expect("vectors");
    assert_eq!((made.vectors, made.model.as_str()), (vec![vec![1.0, 2.0], vec![3.0, 4.0]], "e"));
    assert_eq!(body(&stub.last()), json!({ "model": "e", "input": ["a", "b"], "keep_alive": "30m" }));

    for wrong in [json!({}), json!({ "embeddings": [[1]] }), json!({ "embeddings": [[1], [2, 3]] })] {
        let stub = at("/api/embed", ok(&wrong.to_string())).await;
        let refused = ollama(&stub).embed(&texts, &patient()).await;
        assert!(matches!(refused, Err(Failure::Malformed { .. })), "{wrong}: {refused:?}");
    }
    let stub = at("/api/embed", status(404, "", r#"{"error":"model \"e\" not found"}"#)).await;
    assert!(matches!(ollama(&stub).embed(&texts, &patient()).await, Err(Failure::NoModel { .. })));
}

// shows: models: a text that must stay here becomes a vector on this machine or none
#[tokio::test]
async fn a_text_that_must_stay_is_not_sent_to_become_a_vector() {
    let texts = [text("open", Sensitivity::Open), text("secret", Sensitivity::LocalOnly)];
    let stub = at("/v1/embeddings", ok("{}")).await;
    let refused = openai(&stub, "remote").embed(&texts, &patient()).await;
    assert!(matches!(refused, Err(Failure::Privacy { .. })), "{refused:?}");
    assert!(stub.seen().is_empty(), "nothing was sent: {:?}", stub.seen());
}

#[tokio::test]
async fn wanted_shapes_and_choices_are_written_as_each_format_has_them() {
    let schema = json!({
        "type": "object", "properties": { "a": { "type": "integer" } },
        "required": ["a"], "additionalProperties": false,
    });
    let mut ask = request("x");
    ask.sampling.seed = Some(7);
    ask.sampling.top_p = Some(0.5);
    ask.sampling.stop = vec!["END".into()];
    ask.sampling.format = AnswerFormat::Schema { name: "s".into(), schema: schema.clone() };
    ask.sampling.tool_choice = ToolChoice::Required;
    let parameters = json!({ "type": "object" });
    ask.tools = vec![ToolSpec { name: "look".into(), description: "Looks.".into(), parameters }];

    let stub = at("/v1/chat/completions", ok(&Format::OpenAi.end())).await;
    openai(&stub, "").chat(&ask, &patient()).await.expect("an answer");
    let sent = body(&stub.last());
    assert_eq!((&sent["seed"], &sent["top_p"], &sent["stop"]), (&json!(7), &json!(0.5), &json!(["END"])));
    assert_eq!(sent["tool_choice"], "required");
    let shape = json!({ "name": "s", "schema": schema, "strict": true });
    assert_eq!(sent["response_format"], json!({ "type": "json_schema", "json_schema": shape }));

    let stub = at("/api/chat", ok(&Format::Ollama.end())).await;
    ollama(&stub).chat(&ask, &patient()).await.expect("an answer");
    let sent = body(&stub.last());
    assert_eq!(sent["format"], schema);
    assert_eq!((&sent["options"]["seed"], &sent["options"]["stop"]), (&json!(7), &json!(["END"])));
    assert_eq!(sent["tools"].as_array().map(Vec::len), Some(1));

    ask.sampling.tool_choice = ToolChoice::Never;
    ask.sampling.format = AnswerFormat::Json;
    ollama(&stub).chat(&ask, &patient()).await.expect("an answer");
    let sent = body(&stub.last());
    assert_eq!((sent.get("tools"), &sent["format"]), (None, &json!("json")));

    // An open schema cannot be strict: servers would refuse it.
    ask.sampling.format = AnswerFormat::Schema { name: "s".into(), schema: json!({ "type": "object" }) };
    let stub = at("/v1/chat/completions", ok(&Format::OpenAi.end())).await;
    openai(&stub, "").chat(&ask, &patient()).await.expect("an answer");
    assert_eq!(body(&stub.last())["response_format"]["json_schema"]["strict"], json!(false));
}

// shows: models: Ollama fetches a model with progress, can be stopped, and tells why it failed
#[tokio::test]
async fn a_pull_tells_each_step_and_how_it_ended() {
    let lines = [
        json!({ "status": "pulling manifest" }),
        json!({ "status": "pulling abc", "digest": "sha256:abc", "total": 10, "completed": 4 }),
        json!({ "status": "success" }),
    ];
    let reply: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let stub = at("/api/pull", ok(&reply)).await;
    let never = CancellationToken::new();
    let mut steps = Vec::new();
    ollama(&stub).pull("m:1b", &never, &mut |step| steps.push(step)).await.expect("fetched");
    let abc = PullStep { status: "pulling abc".into(), bytes_done: 4, bytes_total: 10 };
    assert_eq!((steps.len(), &steps[1]), (3, &abc));
    assert_eq!(body(&stub.last()), json!({ "model": "m:1b", "stream": true }));

    let stub =
        at("/api/pull", ok("{\"status\":\"pulling manifest\"}\n{\"error\":\"no space left on device\"}\n")).await;
    let failed = ollama(&stub).pull("m", &never, &mut |_| {}).await;
    assert_eq!(failed, Err(Failure::ServerFault { detail: "no space left on device".into() }));
    let stub = at("/api/pull", ok("{\"status\":\"pulling manifest\"}\n")).await;
    let failed = ollama(&stub).pull("m", &never, &mut |_| {}).await;
    assert!(matches!(failed, Err(Failure::Malformed { .. })), "an end without success: {failed:?}");

    let acts = vec![Act::Write(ok("{\"status\":\"pulling manifest\"}\n")), Act::Hold];
    let stub = Stub::start("127.0.0.1:0", Box::new(move |_| acts.clone())).await;
    let stop = CancellationToken::new();
    let stopped = ollama(&stub).pull("m", &stop, &mut |_| stop.cancel()).await;
    assert_eq!(stopped, Err(Failure::Cancelled));
    stub.closed().await;
}

#[tokio::test]
async fn what_is_loaded_is_told_and_a_model_can_be_removed() {
    let loaded = json!({ "models": [{ "name": "m:1b", "size": 9, "size_vram": 4 }, {}] }).to_string();
    let stub = at("/api/ps", ok(&loaded)).await;
    let told = ollama(&stub).loaded(Duration::from_secs(20)).await;
    assert_eq!(told, Ok(vec![Loaded { model: "m:1b".into(), bytes: 9, bytes_vram: 4 }]));

    let stub = at("/api/delete", ok("")).await;
    assert_eq!(ollama(&stub).remove("m").await, Ok(()));
    let asked = stub.seen().into_iter().find(|r| r.starts_with("DELETE")).expect("an order");
    assert_eq!(body(&asked)["model"], "m");
    let stub = at("/api/delete", status(404, "", r#"{"error":"model 'm' not found"}"#)).await;
    assert!(matches!(ollama(&stub).remove("m").await, Err(Failure::NoModel { .. })));
}

#[tokio::test]
async fn each_provider_says_what_it_speaks() {
    let stub = at("/none", Vec::new()).await;
    let kinds = FORMATS.map(|format| format.provider(&stub.url, "", 1).info().kind);
    assert_eq!(kinds, ["ollama", "openai", "anthropic"]);
    assert_eq!(Provider::info(&openai(&stub, "")).kind, "llamacpp");
}
