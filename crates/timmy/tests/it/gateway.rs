//! The models of the house for other programs, by OpenAI's words, against a real server process and real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{PATIENCE, Server, home, json as cli};

mod bounds;
mod roles;
mod spending;

/// What the backend was asked.
type Seen = Arc<Mutex<Vec<Value>>>;

/// What a backend answers to a call.
struct Reply {
    kind: &'static str,
    text: String,
    /// Bytes that are promised and never come.
    lacks: usize,
}

/// Frames of a stream, with its end.
fn events(frames: &[Value]) -> Reply {
    let frames: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    Reply { kind: "text/event-stream", text: format!("{frames}data: [DONE]\n\n"), lacks: 0 }
}

/// A word of an answer.
fn word(text: &str, finish: Option<&str>) -> Value {
    json!({"model": "m1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})
}

/// One word of a stream that breaks off behind it.
fn broken() -> Reply {
    Reply { kind: "text/event-stream", text: format!("data: {}\n\n", word("hello", None)), lacks: 100 }
}

/// A server that speaks OpenAI's protocol and answers each chat with these frames.
fn backend(frames: Vec<Value>) -> (String, Seen) {
    backend_that(move |_| events(&frames))
}

/// A server that speaks OpenAI's protocol, has one model, and answers the rest by its path.
fn backend_that(replies: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let (seen, replies) = (Seen::default(), Arc::new(replies));
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (replies, seen) = (Arc::clone(&replies), Arc::clone(&shared));
            std::thread::spawn(move || answer(stream, &*replies, &seen));
        }
    });
    (url, seen)
}

fn answer(mut stream: TcpStream, replies: &dyn Fn(&str) -> Reply, seen: &Seen) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let reply = if first.contains("/models") {
        let text = json!({"object": "list", "data": [{"id": "m1", "object": "model"}]}).to_string();
        Reply { kind: "application/json", text, lacks: 0 }
    } else {
        seen.lock().ok()?.push(serde_json::from_slice(&body).ok()?);
        replies(&first)
    };
    let Reply { kind, text, lacks } = reply;
    let length = text.len() + lacks;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close");
    stream.write_all(format!("{head}\r\n\r\n{text}").as_bytes()).ok()
}

fn configured(home: &Path, url: &str, place: &str) {
    let text = format!("[provider.house]\nurl = \"{url}\"\nmodel = \"m1\"\nplace = \"{place}\"\n");
    std::fs::write(home.join("timmy.toml"), text).expect("written");
}

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Good morning"}]})
}

/// A call of `/v1/chat/completions`, sent and not yet answered.
fn sent(server: &Server, token: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut socket = TcpStream::connect(&server.address).expect("the server listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    socket
}

/// The head of the answer, in lower case, and the rest of it.
fn answered(mut socket: TcpStream) -> (String, String) {
    let mut text = String::new();
    let _ = socket.read_to_string(&mut text);
    let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
    (head.to_lowercase(), rest.to_owned())
}

/// The frames of a stream and its head.
fn streamed(server: &Server, token: &str, body: &Value) -> (String, Vec<String>) {
    let (head, rest) = answered(sent(server, token, body));
    let frames = rest.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect();
    (head, frames)
}

/// Calls of the scripted provider that are under way.
fn under_way(server: &Server) -> Option<f64> {
    let text = server.request("GET", "/metrics", &[("Authorization", &format!("Bearer {}", server.token))], None).1;
    let line = text.lines().find(|l| l.starts_with("timmy_provider_calls_in_flight") && l.contains("scripted"));
    line.and_then(|l| l.rsplit(' ').next()).and_then(|n| n.parse().ok())
}

// shows: models: other programs ask the models of the house by OpenAI's words, and hear who answered
#[test]
fn a_chat_completion_has_the_shape_that_clients_read() {
    let home = home();
    let server = Server::start(home.path());
    let (status, answer) = server.ask("POST", "/v1/chat/completions", Some(&chat("auto")));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["object"], "chat.completion");
    assert!(answer["id"].as_str().is_some_and(|id| id.starts_with("chatcmpl-")));
    assert_eq!(answer["choices"][0]["message"]["content"], "Scripted reply 1: no model wrote this.");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let usage = &answer["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64(),
        Some(usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap())
    );
    let (status, text) = server.ask("POST", "/v1/completions", Some(&json!({"model": "auto", "prompt": "Once"})));
    assert_eq!((status, text["object"].as_str()), (200, Some("text_completion")));
    assert_eq!(text["choices"][0]["text"], "Scripted reply 2: this line stands in a list.");
    let models = server.get("/v1/models");
    assert_eq!(models["data"][0]["id"], "auto");
    assert!(models["data"].as_array().unwrap().iter().all(|m| m["owned_by"] != "reflex"));
}

// shows: models: an answer streams through the gateway word by word, and its head names the provider
#[test]
fn a_stream_names_its_provider_and_ends_as_clients_expect() {
    let home = home();
    let variables = [("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"), ("TIMMY__SCRIPTED__CHUNK_MS", "5")];
    let server = Server::start_with(home.path(), &variables);
    let mut wanted = chat("auto");
    wanted["stream"] = json!(true);
    wanted["stream_options"] = json!({"include_usage": true});
    let (head, frames) = streamed(&server, &server.token, &wanted);
    assert!(head.starts_with("http/1.1 200") && head.contains("x-timmy-provider: scripted"), "{head}");
    assert_eq!(frames.last().map(String::as_str), Some("[DONE]"));
    let read: Vec<Value> = frames[..frames.len() - 1].iter().map(|f| serde_json::from_str(f).expect("JSON")).collect();
    assert_eq!(read[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String = read.iter().filter_map(|f| f["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "Scripted reply 1: no model wrote this.");
    assert!(read.len() > 4, "it came in pieces: {frames:?}");
    assert_eq!(read[read.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert!(read[read.len() - 1]["usage"]["completion_tokens"].as_u64().is_some_and(|n| n > 0));
}

// shows: models: tools pass through the gateway in both directions
#[test]
fn calls_of_tools_pass_through() {
    let call = |arguments: &str, more: Value| {
        let mut call = json!({"index": 0, "function": {"arguments": arguments}});
        if let (Some(call), Some(more)) = (call.as_object_mut(), more.as_object()) {
            call.extend(more.clone());
        }
        json!({"model": "m1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}]})
    };
    let mut first = call("{\"city\":", json!({"id": "c1", "type": "function"}));
    first["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] = json!("weather");
    let end = json!({"model": "m1", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let (url, seen) = backend(vec![first, call("\"Rome\"}", json!({})), end]);
    let home = home();
    configured(home.path(), &url, "local");
    let server = Server::start_with(home.path(), &[("TIMMY__CASCADE__PROVIDERS", "house,reflex")]);
    let mut wanted = chat("house/m1");
    wanted["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    wanted["tool_choice"] = json!("required");
    let (status, answer) = server.ask("POST", "/v1/chat/completions", Some(&wanted));
    assert_eq!(status, 200, "{answer}");
    let made = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((made["id"].as_str(), made["function"]["name"].as_str()), (Some("c1"), Some("weather")));
    assert_eq!(made["function"]["arguments"], "{\"city\":\"Rome\"}");
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(answer["model"], "house/m1");
    wanted["stream"] = json!(true);
    let (head, frames) = streamed(&server, &server.token, &wanted);
    assert!(head.contains("x-timmy-provider: house"), "{head}");
    assert!(frames.iter().any(|f| f.contains("\"weather\"") && f.contains("\"index\":0")), "{frames:?}");
    let asked = seen.lock().unwrap();
    assert_eq!(asked[0]["model"], "m1", "the provider's own name of the model");
    assert_eq!(asked[0]["tools"][0]["function"]["name"], "weather");
}

// shows: models: without a model the gateway says so in the clients' shape, and reflex never answers there
#[test]
fn without_a_model_the_gateway_refuses_plainly() {
    let home = home();
    let server = Server::start_with(home.path(), &[("TIMMY__CASCADE__PROVIDERS", "reflex")]);
    for stream in [false, true] {
        let mut wanted = chat("auto");
        wanted["stream"] = json!(stream);
        let (status, answer) = server.ask("POST", "/v1/chat/completions", Some(&wanted));
        assert_eq!((status, answer["error"]["code"].as_str()), (503, Some("no_model")), "{answer}");
        assert_eq!(answer["error"]["type"], "server_error");
        assert!(answer["error"]["hint"].as_str().is_some_and(|h| !h.is_empty()));
    }
    let (status, answer) = server.ask("POST", "/v1/embeddings", Some(&json!({"input": "x"})));
    assert_eq!((status, answer["error"]["code"].as_str()), (503, Some("no_model")), "{answer}");
}

// shows: models: a token of scope models asks the models and nothing else, and one that only looks asks none
#[test]
fn scopes_part_asking_from_looking() {
    let home = home();
    let server = Server::start(home.path());
    let make = |name: &str, scope: &str| {
        cli(home.path(), &["token", "create", "--name", name, "--scope", scope])["token"].as_str().unwrap().to_owned()
    };
    let (models, reads) = (make("editor", "models"), make("wall", "read"));
    let status = |token: &str, method: &str, path: &str, body: Option<String>| {
        server.request(method, path, &[("Authorization", &format!("Bearer {token}"))], body.as_deref()).0
    };
    let asks = || Some(chat("auto").to_string());
    assert_eq!(status(&models, "POST", "/v1/chat/completions", asks()), 200);
    assert_eq!(status(&models, "GET", "/v1/models", None), 200);
    for path in
        ["/api/tasks", "/api/events", "/thinking/api", "/api/status", "/api/v1/router/providers", "/", "/metrics"]
    {
        assert_eq!(status(&models, "GET", path, None), 403, "{path}");
    }
    assert_eq!(status(&models, "POST", "/api/v1/router/complete", asks()), 403);
    assert_eq!(status(&models, "POST", "/api/chat", asks()), 403);
    assert_eq!(status(&reads, "GET", "/v1/models", None), 200);
    assert_eq!(status(&reads, "POST", "/v1/chat/completions", asks()), 403);
}

// shows: models: a token stays within its tokens of the day
#[test]
fn a_key_stays_within_its_budget() {
    let home = home();
    let server = Server::start(home.path());
    let args = ["token", "create", "--name", "editor", "--scope", "models", "--model-tokens-per-day", "5"];
    let token = cli(home.path(), &args)["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let ask = || {
        server.request("POST", "/v1/chat/completions", &[("Authorization", &bearer)], Some(&chat("auto").to_string()))
    };
    assert_eq!(ask().0, 200, "the first one begins within the bound and ends over it");
    let (status, text) = ask();
    assert_eq!(status, 429, "{text}");
    assert!(text.contains("token_budget") && text.contains("rate_limit_error"), "{text}");
    // Whoever has no bound of his own goes on.
    assert_eq!(server.ask("POST", "/v1/chat/completions", Some(&chat("auto"))).0, 200);
}

// shows: models: a gateway call that says so never leaves the machine
#[test]
fn a_call_that_must_stay_here_is_not_sent_elsewhere() {
    let (url, seen) = backend(vec![word("hello", Some("stop"))]);
    let home = home();
    configured(home.path(), &url, "remote");
    let server = Server::start_with(home.path(), &[("TIMMY__CASCADE__PROVIDERS", "house,reflex")]);
    let bearer = format!("Bearer {}", server.token);
    let ask = |local: &str| {
        let headers = [("Authorization", bearer.as_str()), ("X-Timmy-Local-Only", local)];
        server.request("POST", "/v1/chat/completions", &headers, Some(&chat("auto").to_string()))
    };
    for local in ["1", "true", "Yes", "on", "2", "please", "\u{fc}"] {
        let (status, text) = ask(local);
        assert_eq!(status, 503, "{local}: {text}");
    }
    assert!(seen.lock().unwrap().is_empty(), "nothing was sent");
    for open in ["0", "False", "off"] {
        assert_eq!(ask(open).0, 200, "{open}");
    }
    assert_eq!(seen.lock().unwrap().len(), 3);
}

// shows: models: what a gateway cannot read is refused in one shape, and fields it does not know are read over
#[test]
fn what_cannot_be_read_is_refused_as_clients_expect() {
    let home = home();
    let server = Server::start(home.path());
    let with = |field: &str, value: Value| {
        let mut wanted = chat("auto");
        wanted[field] = value;
        wanted
    };
    let rows = [
        with("messages", json!([])),
        with("messages", json!("hello")),
        with("n", json!(2)),
        with("temperature", json!(3.5)),
        with("top_p", json!(-1)),
        with("max_tokens", json!(0)),
        with("stop", json!(7)),
        with("tool_choice", json!("required")),
        with("response_format", json!({"type": "xml"})),
        with("messages", json!([{"role": "king", "content": "x"}])),
        with(
            "messages",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x"}}]}]),
        ),
    ];
    for row in rows {
        let (status, answer) = server.ask("POST", "/v1/chat/completions", Some(&row));
        assert_eq!(status, 422, "{row}: {answer}");
        assert_eq!(answer["error"]["type"], "invalid_request_error", "{answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|m| !m.is_empty()));
    }
    let strange = with("logit_bias", json!({"50256": -100}));
    assert_eq!(server.ask("POST", "/v1/chat/completions", Some(&strange)).0, 200);
    assert_eq!(server.ask("GET", "/v1/models/auto", None).0, 200);
    assert_eq!(server.ask("GET", "/v1/models/none/such", None).0, 404);
}

// shows: models: whoever goes away in the middle of a stream stops the model
#[test]
fn going_away_stops_the_model() {
    let home = home();
    let variables = [
        ("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"),
        ("TIMMY__SCRIPTED__CHUNK_MS", "60000"),
        // A thought would be a call under way that nobody stops.
        ("TIMMY__THINKING__ENABLED", "false"),
    ];
    let server = Server::start_with(home.path(), &variables);
    let mut wanted = chat("auto");
    wanted["stream"] = json!(true);
    let socket = sent(&server, &server.token, &wanted);
    server.wait_for(|| under_way(&server).filter(|n| *n > 0.0));
    drop(socket);
    server.wait_for(|| under_way(&server).filter(|n| *n == 0.0));
}

// shows: models: what is asked and answered can be written down and asked back by another run, and the page says while it is
#[test]
fn a_run_that_records_is_asked_back_by_another() {
    let home = home();
    let quiet = ("TIMMY__THINKING__ENABLED", "false");
    let recording = [("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__CASCADE__RECORD", "true"), quiet];
    let server = Server::start_with(home.path(), &recording);
    let bearer = format!("Bearer {}", server.token);
    let page = |server: &Server| server.request("GET", "/router/status", &[("Authorization", &bearer)], None).1;
    assert!(page(&server).contains("traffic.jsonl"), "the page says so");
    let asked = server.post("/v1/chat/completions", &chat("auto"));
    let local = [("Authorization", bearer.as_str()), ("X-Timmy-Local-Only", "1")];
    let secret = json!({"model": "auto", "messages": [{"role": "user", "content": "The key lies under the mat"}]});
    assert_eq!(server.request("POST", "/v1/chat/completions", &local, Some(&secret.to_string())).0, 200);
    assert_eq!(server.terminate(), Some(0));
    let record = std::fs::read_to_string(home.path().join("traffic.jsonl")).expect("a record");
    assert!(record.contains("Good morning") && !record.contains("under the mat"), "{record}");

    let server = Server::start_with(home.path(), &[("TIMMY__CASCADE__PROVIDERS", "replay"), quiet]);
    let again = server.post("/v1/chat/completions", &chat("auto"));
    assert_eq!(again["choices"][0]["message"]["content"], asked["choices"][0]["message"]["content"]);
    assert!(again["model"].as_str().is_some_and(|model| model.starts_with("replay/")), "{again}");
    let (status, never) = server.ask("POST", "/v1/chat/completions", Some(&secret));
    assert_eq!(status, 503, "{never}");
}
