//! The page of the router and `timmy router`, against a real server process and real model servers: one that
//! answers, one that refuses connections, one that fails, and one that never says a word.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Server, home, json as cli, run};

/// How a model server answers a chat.
#[derive(Clone, Copy)]
enum Manner {
    Well,
    Fails,
    Silent,
}

/// A server that speaks OpenAI's protocol, and how often it was asked for a chat.
fn backend(manner: Manner) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = Arc::clone(&shared);
            std::thread::spawn(move || answer(stream, manner, &asked));
        }
    });
    (url, asked)
}

fn answer(mut stream: TcpStream, manner: Manner, asked: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).ok()? == 0 {
        // Whoever called thought better of it, as a look does that is given up: nothing was asked.
        return None;
    }
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
    reader.read_exact(&mut vec![0; length]).ok()?;
    let models = json!({"object": "list", "data": [{"id": "m1", "object": "model"}]}).to_string();
    let word = json!({"id": "c", "model": "m1", "choices": [{"index": 0, "delta": {"content": "ready"}, "finish_reason": "stop"}]});
    let is_chat = !first.contains("/models");
    if is_chat {
        asked.fetch_add(1, Ordering::SeqCst);
    }
    let (status, kind, text) = match (is_chat, manner) {
        (false, _) => (200, "application/json", models),
        (true, Manner::Well) => (200, "text/event-stream", format!("data: {word}\n\ndata: [DONE]\n\n")),
        (true, Manner::Fails) => (500, "application/json", "{\"error\":{\"message\":\"out of memory\"}}".to_owned()),
        (true, Manner::Silent) => {
            // Waits until whoever asks has gone away.
            let _ = stream.read(&mut [0]);
            return None;
        }
    };
    let head =
        format!("HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close", text.len());
    stream.write_all(format!("{head}\r\n\r\n{text}").as_bytes()).ok()
}

/// The address of a port where nobody listens.
fn nobody() -> String {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    format!("http://{free}/v1")
}

fn configured(home: &Path, providers: &[(&str, &str, &str)]) -> String {
    let mut text = String::new();
    for (name, url, place) in providers {
        text.push_str(&format!("[provider.{name}]\nurl = \"{url}\"\nmodel = \"m1\"\nplace = \"{place}\"\n"));
    }
    std::fs::write(home.join("timmy.toml"), text).expect("written");
    let names: Vec<&str> = providers.iter().map(|(name, ..)| *name).collect();
    format!("{},reflex", names.join(","))
}

fn started(home: &Path, order: &str) -> Server {
    let quiet = [
        ("TIMMY__CASCADE__PROVIDERS", order),
        ("TIMMY__CASCADE__CIRCUIT_BREAKER_THRESHOLD", "2"),
        ("TIMMY__THINKING__ENABLED", "false"),
    ];
    Server::start_with(home, &quiet)
}

fn page(server: &Server, path: &str) -> String {
    let bearer = format!("Bearer {}", server.token);
    let (status, text) = server.request("GET", path, &[("Authorization", &bearer), ("Accept", "text/html")], None);
    assert_eq!(status, 200, "{path}: {text}");
    text
}

/// Presses a button of the page, as a browser without scripts does. Gives the status.
fn press(server: &Server, route: &str, body: &str) -> u16 {
    let bearer = format!("Bearer {}", server.token);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    server.request("POST", route, &[("Authorization", &bearer), form, ("Accept", "text/html")], Some(body)).0
}

fn order(server: &Server) -> Vec<String> {
    let list = server.get("/api/v1/router/providers");
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|p| p["name"].as_str().expect("a name").to_owned()).collect()
}

fn complete(server: &Server) -> (u16, Value) {
    let said = json!({"messages": [{"role": "user", "content": "Good morning"}]});
    server.ask("POST", "/api/v1/router/complete", Some(&said))
}

// shows: models: the page of the router says who answers, why others do not, when they are tried again, and what mends them
// shows: models: a provider is tried out by one small question from its page, without anybody waiting, and can be given up
#[test]
fn the_ladder_tells_how_each_provider_is_and_tries_it_out() {
    let home = home();
    let (well, asked) = backend(Manner::Well);
    let (sick, _) = backend(Manner::Fails);
    let (mute, _) = backend(Manner::Silent);
    let dead = nobody();
    let order = configured(
        home.path(),
        &[("dead", &dead, "local"), ("sick", &sick, "local"), ("well", &well, "local"), ("mute", &mute, "local")],
    );
    let server = started(home.path(), &order);
    for _ in 0..4 {
        let (status, answer) = complete(&server);
        assert_eq!((status, answer["provider"].as_str()), (200, Some("well")), "{answer}");
    }
    let text = page(&server, "/router/status");
    for said in [
        "Rests",
        "answered the last request",
        "sick: server error",
        "Check its url and key",
        "dead: not reached",
        "m1 rests after 2 failures in a row, tried again at",
    ] {
        assert!(text.contains(said), "{said}: {}", text.split_once("id=\"ladder\"").expect("a ladder").1);
    }
    assert!(
        text.contains("<time datetime=\"") && text.contains("data-until"),
        "the end of a rest, with and without a script"
    );

    // The page answers at once, and the rung tells how it ended.
    let before = asked.load(Ordering::SeqCst);
    assert_eq!(press(&server, "/router/test?name=well", ""), 303);
    server.wait_for(|| page(&server, "/router/status").contains("m1 in ").then_some(()));
    assert_eq!(asked.load(Ordering::SeqCst), before + 1, "asked once, and nobody else");
    assert_eq!(press(&server, "/router/test?name=mute", ""), 303);
    assert_eq!(press(&server, "/router/test?name=mute", ""), 409, "one at a time");
    assert!(page(&server, "/router/status").contains("the trial of mute"), "it can be given up");
    assert_eq!(press(&server, "/router/stop?name=mute", ""), 303);
    server.wait_for(|| page(&server, "/router/status").contains("Given up").then_some(()));
    assert_eq!(press(&server, "/router/test?name=reflex", ""), 409);
    assert_eq!(press(&server, "/router/test?name=nobody", ""), 404);
    // The page knows a moment before the log.
    server.wait_for(|| {
        let events = server.get("/api/events?after=0&type=router.tested&limit=10");
        (events["items"].as_array().map(Vec::len) == Some(2)).then_some(())
    });

    // A circuit is reset, and that is taken back.
    let circuit = || {
        let list = server.get("/api/v1/router/providers");
        let of = |p: &&Value| p["name"] == "sick";
        list["items"].as_array().expect("a list").iter().find(of).expect("sick")["circuit_state"].clone()
    };
    assert_eq!(circuit(), "open");
    assert_eq!((press(&server, "/router/reset?name=sick", ""), circuit()), (303, json!("closed")));
    assert_eq!((press(&server, "/router/unreset", "name=sick"), circuit()), (303, json!("open")));
    assert_eq!(press(&server, "/router/unreset", "name=sick"), 409, "once");

    // The terminal says the same.
    let told = cli(home.path(), &["router", "status"]);
    assert_eq!(told["providers"].as_array().map(Vec::len), Some(5));
    let (code, out, _) = run(home.path(), &["router"]);
    assert!(code == 0 && out.contains("2. sick (here)") && out.contains("tried again in"), "{out}");
    let trial = cli(home.path(), &["router", "test", "well"]);
    assert_eq!((trial["answered"].as_bool(), trial["model"].as_str()), (Some(true), Some("m1")));
    let (code, out, _) = run(home.path(), &["router", "test", "dead"]);
    assert!(code == 1 && out.contains("dead: no answer"), "{code}: {out}");
    let twin = page(&server, "/router/status.md");
    assert!(twin.contains("### 2. sick") && twin.contains("## What left this machine"), "{twin}");
}

// shows: models: the order of providers and who is switched off are changed and taken back from the page, and outlive a restart
#[test]
fn the_order_and_its_undo_outlive_a_restart() {
    let home = home();
    let (one, _) = backend(Manner::Well);
    let (two, _) = backend(Manner::Well);
    let providers = configured(home.path(), &[("one", &one, "local"), ("two", &two, "local")]);
    let server = started(home.path(), &providers);
    assert_eq!(order(&server), ["one", "two", "reflex"]);
    assert_eq!(press(&server, "/router/move?up=two", ""), 303);
    assert_eq!(press(&server, "/router/move?up=two", ""), 409, "it stands at the top");
    assert_eq!(press(&server, "/router/switch?off=two", ""), 303);
    server.terminate();
    let server = started(home.path(), &providers);
    assert_eq!(order(&server), ["two", "one", "reflex"], "as before the restart");
    assert!(page(&server, "/router/status").contains("Switched off"));
    assert_eq!(complete(&server).1["provider"], "one");
    // What the notices of both acts offer.
    assert_eq!(press(&server, "/router/switch", "on=two"), 303);
    assert_eq!(press(&server, "/router/order", "names="), 303);
    server.terminate();
    let server = started(home.path(), &providers);
    assert_eq!(order(&server), ["one", "two", "reflex"], "that of the settings");
    assert_eq!(complete(&server).1["provider"], "one");
    let told = cli(home.path(), &["router", "order", "two", "one"]);
    assert_eq!(told["items"][0]["name"], "two");
    cli(home.path(), &["router", "disable", "two"]);
    assert_eq!(complete(&server).1["provider"], "one");
    cli(home.path(), &["router", "enable", "two"]);
    assert_eq!(complete(&server).1["provider"], "two");
}

// shows: models: an hour at one key keeps every question here, ends at one key, and what left stands on the pages
// shows: models: who would be asked, and whether anything would leave, is said without asking anybody
#[test]
fn an_hour_in_which_all_stays_here_and_what_would_happen() {
    let home = home();
    let (far, asked) = backend(Manner::Well);
    let providers = configured(home.path(), &[("far", &far, "remote")]);
    let server = started(home.path(), &providers);
    let supposed = "/router/status?task_class=chat&sensitivity=open&tokens=500";
    let text = page(&server, supposed);
    assert!(text.contains("It would leave this machine, to far."), "{text}");
    let text = page(&server, "/router/status?sensitivity=local-only");
    assert!(text.contains("No model would be asked; reflex would speak. Nothing would leave this machine."), "{text}");

    assert_eq!(press(&server, "/router/local", "minutes=60"), 303);
    let text = page(&server, "/router/status");
    assert!(text.contains("Local only") && text.contains("Let others be asked again"), "{text}");
    assert!(page(&server, supposed).contains("Nothing would leave this machine."));
    assert_eq!(complete(&server).0, 503);
    assert_eq!(press(&server, "/router/test?name=far", ""), 303);
    server.wait_for(|| page(&server, "/router/status").contains("No answer").then_some(()));
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing left");
    let ledger = || server.get("/api/v1/router/egress")["items"].as_array().cloned().unwrap_or_default();
    assert!(ledger().iter().all(|line| line["why"] == "look"), "nothing but looks before the hour: {:?}", ledger());

    assert_eq!(press(&server, "/router/local", "minutes=0"), 303);
    assert_eq!(complete(&server).0, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let text = page(&server, "/router/status");
    assert!(text.contains("1 question, 12 B, $0.00"), "{text}");
    assert!(page(&server, "/health/page").contains("To far today"));
    assert_eq!(press(&server, "/router/local", "minutes=2000"), 422);

    let would = cli(home.path(), &["router", "explain", "--class", "chat", "--sensitivity", "local-only"]);
    assert_eq!(
        (would["items"][0]["asked"].as_bool(), would["items"][0]["reason"].as_str()),
        (Some(false), Some("privacy"))
    );
    let (_, out, _) = run(home.path(), &["router", "explain", "--tokens", "9"]);
    assert!(out.contains("1. far m1: asked, and it would leave this machine"), "{out}");
    assert!(cli(home.path(), &["router", "local-only"])["until"].is_string());
    assert!(cli(home.path(), &["router", "local-only", "0"])["until"].is_null());
    let left = cli(home.path(), &["router", "egress"]);
    let lines = left["items"].as_array().expect("lines");
    assert!(lines.iter().all(|line| line["provider"] == "far"), "{left}");
    assert_eq!(lines.iter().filter(|line| line["why"] != "look").count(), 1, "one question: {left}");
    assert_eq!(run(home.path(), &["router", "local-only", "1441"]).0, 2);
}
