//! Words from outside in a terminal and in the log file: they cannot steer the one nor forge lines of the other (32).

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};
use timmy_core::settings::Settings;
use timmy_domain::text::is_harmful;
use timmy_domain::{Event, NewEvent};
use timmy_llm::{Provider, Scripted, Step};
use timmy_testkit::{Engine, FakeClock};

use crate::support::{Server, home, run};

/// Clears the screen, sets the title, turns text round, and begins a line of its own, in every way there is.
const STEERING: &str = "ok\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\n2026-01-01T00:00:00Z ERROR forged line\u{202e}txt\u{2028}next\u{85}\u{7f}\u{0}\u{8}\u{feff}\u{e0041}";

/// What of `text` steers a terminal, line breaks and tabs apart.
fn steering(text: &str) -> Vec<char> {
    text.chars().filter(|c| *c != '\n' && *c != '\t' && is_harmful(*c)).collect()
}

// shows: cli: no stored word steers a terminal, in no command, in words or in JSON (32)
#[tokio::test(flavor = "multi_thread")]
async fn case_32_stored_words_do_not_steer_a_terminal() {
    let (home, place) = (home(), home());
    let providers: Vec<std::sync::Arc<dyn Provider>> =
        vec![std::sync::Arc::new(Scripted::script(vec![Step::Reply(STEERING.into()), Step::Reply(STEERING.into())]))];
    let mut engine = Engine::open(home.path(), FakeClock::default(), providers, Settings::default());
    engine.run_only(&["mind.watch", "talk.answer"]);
    let dir = place.path().join("a\u{1b}[2Jb\u{9b}31m\u{202e}c");
    std::fs::create_dir(&dir).expect("made");
    let watched = engine.app.watch.add(dir.to_str().expect("text")).await;
    engine.ask(STEERING).await;
    engine.app.thinking.inject(STEERING).await.expect("put in");
    engine.app.ctx.capture("part", STEERING, STEERING).await;
    let name = "strange.thing".to_owned();
    let strange = NewEvent::new("test", Event::Unknown { name, data: json!({"why": STEERING, STEERING: STEERING}) });
    engine.app.ctx.store.append(vec![strange]).await.expect("written");
    engine.app.access.create_token("to\u{1b}[2Jken", timmy_core::trust::access::Scope::Read).await.expect("made");
    engine.stop().await;
    let seq = "1";
    let commands: [&[&str]; 14] = [
        &["events"],
        &["events", "list"],
        &["events", "show", seq],
        &["events", "verify"],
        &["thoughts"],
        &["thoughts", "list"],
        &["watch", "list"],
        &["watch", "add", dir.to_str().expect("text")],
        &["watch", "add", "/no/\u{1b}[2J\u{9b}31m"],
        &["watch", "remove", "\u{1b}[2J\u{202e}"],
        &["token", "list"],
        &["token", "revoke", "\u{1b}[2J"],
        &["status"],
        &["doctor"],
    ];
    let mut said = 0;
    for command in commands {
        for form in [&[][..], &["--json"]] {
            let (code, out, err) = run(home.path(), &[command, form].concat());
            if code == 2 {
                // Not a command of this version, told by the parser of the command line.
                continue;
            }
            assert!(steering(&out).is_empty(), "{command:?} {form:?}: {out:?}");
            assert!(steering(&err).is_empty(), "{command:?} {form:?}: {err:?}");
            if form == ["--json"] {
                serde_json::from_str::<Value>(out.lines().next().unwrap_or("null"))
                    .unwrap_or_else(|e| panic!("{command:?}: {e}: {out:?}"));
            }
            said += usize::from(out.contains("forged line") || out.contains("[2J"));
        }
    }
    assert!(said >= 3, "what was stored is shown, harmlessly: {said}; watched: {watched:?}");
}

// shows: process: what a model server says cannot forge lines of the error log (32)
#[test]
fn case_32_the_error_log_has_one_line_for_each_thing() {
    let home = home();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let _ = socket.read(&mut [0; 8_192]);
            let body = json!({"error": STEERING}).to_string();
            let head = format!(
                "HTTP/1.1 500 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                "no\u{1b}[2J",
                body.len()
            );
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes()));
        }
    });
    let variables =
        [("TIMMY__OLLAMA__URL", url.as_str()), ("TIMMY__CASCADE__PROVIDERS", "ollama"), ("TIMMY_LOG", "trace")];
    let told = home.path().join("stderr");
    let stderr = std::fs::File::create(&told).expect("made");
    let server = Server::start_telling(home.path(), &variables, stderr.into());
    let ask = json!({"messages": [{"role": "user", "content": STEERING}]});
    assert_eq!(server.ask("POST", "/api/v1/router/complete", Some(&ask)).0, 503);
    server.ask("POST", "/api/chat", Some(&ask));
    server.request("GET", "/x%1b[2J%0aERROR%20forged", &[("User-Agent", "a\u{9b}b"), ("X-Odd", "\u{202e}")], None);
    server.wait_for(|| server.get("/api/events?after=0&limit=1000").to_string().contains("provider").then_some(()));
    assert_eq!(server.terminate(), Some(0));
    let file = std::fs::read_to_string(home.path().join("logs/timmy.log")).unwrap_or_default();
    let told = std::fs::read_to_string(&told).expect("text");
    assert!(told.contains("/api/v1/router/complete"), "the finest log has a line for each request: {told}");
    for log in [&file, &told] {
        assert!(steering(log).is_empty(), "{log:?}");
        for line in log.lines().filter(|line| *line != "stopping") {
            let mut parts = line.split_whitespace();
            let at = parts
                .next()
                .is_some_and(|at| at.len() >= 20 && at.ends_with('Z') && !at.starts_with("2026-01-01T00:00:00Z"));
            let level = parts.next().is_some_and(|level| ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level));
            assert!(at && level, "a line that begins as none does: {line:?}");
        }
    }
}
