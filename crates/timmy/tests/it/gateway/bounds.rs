//! Where the gateway says no: too many calls, names that are none, models it cannot ask, and answers that break off.

use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use super::{Reply, answered, backend_that, broken, chat, configured, events, sent, streamed, word};
use crate::support::{Server, home};

/// Calls that may be under way at once.
const CALLS_MAX: usize = 16;

// shows: models: a stream that breaks off ends with one error behind its words, and as clients expect
#[test]
fn a_stream_that_breaks_off_says_so_and_ends() {
    let (url, _) = backend_that(|_| broken());
    let home = home();
    configured(home.path(), &url, "local");
    let server = Server::start_with(home.path(), &[("TIMMY__CASCADE__PROVIDERS", "house,reflex")]);
    let mut wanted = chat("auto");
    wanted["stream"] = json!(true);
    wanted["stream_options"] = json!({"include_usage": true});
    let (head, frames) = streamed(&server, &server.token, &wanted);
    assert!(head.starts_with("http/1.1 200") && head.contains("x-timmy-provider: house"), "{head}");
    let [said, error, end] = &frames[..] else { panic!("the words, one error, and the end: {frames:?}") };
    let read = |frame: &str| -> Value { serde_json::from_str(frame).expect("JSON") };
    assert_eq!(read(said)["choices"][0]["delta"]["content"], "hello");
    let error = read(error)["error"].clone();
    assert_eq!(error["type"], "server_error", "{error}");
    assert!(error["message"].as_str().is_some_and(|m| m.contains("broke off")), "{error}");
    assert!(error["hint"].as_str().is_some_and(|h| !h.is_empty()), "{error}");
    assert_eq!(end, "[DONE]");
}

// shows: models: the gateway takes sixteen calls at once and tells the next one when to come again
#[test]
fn one_call_too_many_is_told_to_wait() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Arc::clone(&gate);
    let (url, seen) = backend_that(move |_| {
        let (open, opens) = &*held;
        drop(opens.wait_while(open.lock().unwrap(), |open| !*open));
        events(&[word("hello", Some("stop"))])
    });
    let home = home();
    configured(home.path(), &url, "local");
    // Whatever the house thinks by itself would be held as well.
    let variables = [("TIMMY__CASCADE__PROVIDERS", "house,reflex"), ("TIMMY__THINKING__ENABLED", "false")];
    let server = Server::start_with(home.path(), &variables);
    let calls: Vec<_> = (0..CALLS_MAX).map(|_| sent(&server, &server.token, &chat("auto"))).collect();
    server.wait_for(|| (seen.lock().unwrap().len() == CALLS_MAX).then_some(()));
    let (head, text) = answered(sent(&server, &server.token, &chat("auto")));
    assert!(head.starts_with("http/1.1 429") && head.contains("\r\nretry-after: 1"), "{head}");
    let refused: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(refused["error"]["code"], "busy", "{refused}");
    assert_eq!(refused["error"]["type"], "rate_limit_error", "{refused}");
    assert_eq!(server.ask("POST", "/v1/embeddings", Some(&json!({"input": "x"}))).0, 429, "vectors are calls too");
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for call in calls {
        let (head, text) = answered(call);
        assert!(head.starts_with("http/1.1 200"), "{head}: {text}");
    }
    assert_eq!(server.ask("POST", "/v1/chat/completions", Some(&chat("auto"))).0, 200, "its place is free again");
}

// shows: models: a name that no model can have is refused at every door that takes one
#[test]
fn a_name_that_is_none_is_refused() {
    let home = home();
    let server = Server::start(home.path());
    let longest = "x".repeat(200);
    let with = |mut body: Value, model: &str| {
        body["model"] = json!(model);
        body
    };
    let doors = [
        ("/v1/chat/completions", chat("auto")),
        ("/v1/completions", json!({"prompt": "Once"})),
        ("/v1/embeddings", json!({"input": "x"})),
        ("/api/v1/router/complete", chat("auto")),
    ];
    for (path, body) in &doors {
        for wrong in [format!("{longest}x"), "scripted/\u{1b}[2J".to_owned(), "a\nb".to_owned()] {
            let (status, answer) = server.ask("POST", path, Some(&with(body.clone(), &wrong)));
            assert_eq!((status, answer["error"]["code"].as_str()), (422, Some("bad_model")), "{path}: {answer}");
            assert!(answer["error"]["hint"].as_str().is_some_and(|h| !h.is_empty()), "{path}: {answer}");
        }
        let (_, answer) = server.ask("POST", path, Some(&with(body.clone(), &longest)));
        assert_ne!(answer["error"]["code"], "bad_model", "{path}: {answer}");
    }
}

// shows: models: vectors come from the model that was named, or the gateway says which one it has
#[test]
fn vectors_of_another_model_are_not_given() {
    let (url, seen) = backend_that(|_| {
        let text = json!({"data": [{"index": 0, "embedding": [0.5, 1.0]}], "usage": {"prompt_tokens": 1}}).to_string();
        Reply { kind: "application/json", text, lacks: 0 }
    });
    let home = home();
    let house = format!("[provider.house]\nurl = \"{url}\"\nmodel = \"m1\"\nembed_model = \"e1\"\nplace = \"local\"\n");
    std::fs::write(home.path().join("timmy.toml"), house).expect("written");
    let server = Server::start_with(home.path(), &[("TIMMY__CASCADE__PROVIDERS", "house,reflex")]);
    let ask = |model: &str| server.ask("POST", "/v1/embeddings", Some(&json!({"model": model, "input": "sea"})));
    for (asked, made) in [("auto", "e1"), ("house", "e1"), ("house/e1", "e1"), ("house/e2", "e2")] {
        let (status, answer) = ask(asked);
        assert_eq!(
            (status, answer["model"].as_str()),
            (200, Some(format!("house/{made}").as_str())),
            "{asked}: {answer}"
        );
        assert_eq!(seen.lock().unwrap().last().expect("asked")["model"], made);
    }
    let (status, answer) = ask("other/e1");
    assert_eq!((status, answer["error"]["code"].as_str()), (404, Some("model_not_found")), "{answer}");
    assert!(answer["error"]["hint"].as_str().is_some_and(|h| h.contains("\"house/e1\"")), "{answer}");
    assert!(answer["data"].is_null(), "{answer}");
}
