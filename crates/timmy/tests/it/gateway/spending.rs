//! What a key with a bound has used: whatever was given out is counted, however the call ended.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use super::{backend, backend_that, broken, chat, configured, events, sent, streamed, under_way, word};
use crate::support::{Server, home, json as cli};

/// A provider whose first word comes at once and whose second one comes after the test: "Scripted ", 3 tokens. Nobody
/// thinks meanwhile, which would be a call under way that nobody hangs up.
const SLOW: [(&str, &str); 3] = [
    ("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"),
    ("TIMMY__SCRIPTED__CHUNK_MS", "60000"),
    ("TIMMY__THINKING__ENABLED", "false"),
];
/// The provider of [`configured`].
const HOUSE: [(&str, &str); 1] = [("TIMMY__CASCADE__PROVIDERS", "house,reflex")];

/// A token that may ask for so many tokens in a day. "Good morning" counts for 3.
fn key(home: &Path, name: &str, tokens: u64) -> String {
    let bound = tokens.to_string();
    let args = ["token", "create", "--name", name, "--scope", "models", "--model-tokens-per-day", &bound];
    cli(home, &args)["token"].as_str().expect("a token").to_owned()
}

/// Whether the key has used all it may. Asks for nothing that costs.
fn used_up(server: &Server, key: &str) -> bool {
    let nothing = json!({"input": []}).to_string();
    let bearer = format!("Bearer {key}");
    match server.request("POST", "/v1/embeddings", &[("Authorization", &bearer)], Some(&nothing)) {
        (422, _) => false,
        (429, text) if text.contains("token_budget") => true,
        other => panic!("{other:?}"),
    }
}

fn streaming() -> Value {
    let mut wanted = chat("auto");
    wanted["stream"] = json!(true);
    wanted
}

/// Reads until the first words have come.
fn first_words(socket: TcpStream) -> BufReader<TcpStream> {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    while !line.contains("\"content\":\"Scripted \"") {
        line.clear();
        assert!(reader.read_line(&mut line).expect("a line") > 0, "it ended without a word");
    }
    reader
}

// shows: models: whoever hangs up in the middle of a stream has used what was read and given
#[test]
fn hanging_up_in_a_stream_is_counted() {
    let home = home();
    let server = Server::start_with(home.path(), &SLOW);
    let (tight, wide) = (key(home.path(), "tight", 6), key(home.path(), "wide", 7));
    for key in [&tight, &wide] {
        drop(first_words(sent(&server, key, &streaming())));
    }
    server.wait_for(|| used_up(&server, &tight).then_some(()));
    server.wait_for(|| under_way(&server).filter(|n| *n == 0.0));
    assert!(!used_up(&server, &wide), "no more is counted than was given");
}

// shows: models: whoever hangs up before an answer has come has used what was read
#[test]
fn hanging_up_before_an_answer_is_counted() {
    let home = home();
    let server = Server::start_with(home.path(), &SLOW);
    let key = key(home.path(), "editor", 3);
    let socket = sent(&server, &key, &chat("auto"));
    server.wait_for(|| under_way(&server).filter(|n| *n > 0.0));
    assert!(!used_up(&server, &key));
    drop(socket);
    server.wait_for(|| used_up(&server, &key).then_some(()));
}

// shows: models: what a stream had given when the house stopped is counted, and the next run knows it
#[test]
fn what_was_given_when_the_house_stopped_is_counted() {
    let home = home();
    let server = Server::start_with(home.path(), &SLOW);
    let key = key(home.path(), "editor", 6);
    let open = first_words(sent(&server, &key, &streaming()));
    assert_eq!(server.terminate(), Some(0));
    drop(open);
    let server = Server::start_with(home.path(), &SLOW);
    assert!(used_up(&server, &key));
}

// shows: models: a stream that breaks off is counted before it says so
#[test]
fn a_stream_that_breaks_off_is_counted() {
    let (url, _) = backend_that(|_| broken());
    let home = home();
    configured(home.path(), &url, "local");
    let server = Server::start_with(home.path(), &HOUSE);
    // "hello" counts for 2.
    let (streams, waits) = (key(home.path(), "streams", 5), key(home.path(), "waits", 3));
    let (_, frames) = streamed(&server, &streams, &streaming());
    assert!(frames.iter().any(|f| f.contains("hello")), "{frames:?}");
    assert!(used_up(&server, &streams), "it is on the disk before the answer ends");
    let bearer = format!("Bearer {waits}");
    let whole = chat("auto").to_string();
    let (status, text) = server.request("POST", "/v1/chat/completions", &[("Authorization", &bearer)], Some(&whole));
    assert_eq!(status, 503, "{text}");
    assert!(used_up(&server, &waits), "nothing was given, yet the model had read");
}

// shows: models: a provider that tells no tokens costs what was read and given
#[test]
fn a_provider_that_tells_no_tokens_is_estimated() {
    let none = json!({"model": "m1", "choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}});
    let untold = backend(vec![word("hello", Some("stop"))]).0;
    let zero = backend_that(move |_| events(&[word("hello", Some("stop")), none.clone()])).0;
    for url in [untold, zero] {
        let home = home();
        configured(home.path(), &url, "local");
        let server = Server::start_with(home.path(), &HOUSE);
        let (tight, wide) = (key(home.path(), "tight", 5), key(home.path(), "wide", 6));
        for key in [&tight, &wide] {
            let (head, frames) = streamed(&server, key, &streaming());
            assert!(head.starts_with("http/1.1 200"), "{head}: {frames:?}");
        }
        assert!(used_up(&server, &tight) && !used_up(&server, &wide));
    }
}

// shows: models: a call that nobody was asked for costs nothing
#[test]
fn a_refused_call_costs_nothing() {
    let (url, seen) = backend(vec![word("hello", Some("stop"))]);
    let home = home();
    configured(home.path(), &url, "remote");
    let server = Server::start_with(home.path(), &HOUSE);
    let key = key(home.path(), "editor", 1);
    let bearer = format!("Bearer {key}");
    for stream in [false, true] {
        let mut wanted = chat("auto");
        wanted["stream"] = json!(stream);
        let headers = [("Authorization", bearer.as_str()), ("X-Timmy-Local-Only", "1")];
        let (status, text) = server.request("POST", "/v1/chat/completions", &headers, Some(&wanted.to_string()));
        assert_eq!(status, 503, "{text}");
    }
    assert!(seen.lock().unwrap().is_empty() && !used_up(&server, &key));
}
