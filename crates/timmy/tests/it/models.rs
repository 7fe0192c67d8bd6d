//! Models that come and go, with a real socket at the other end, and `timmy model`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use timmy_core::settings::{Settings, ThinkingSettings};
use timmy_domain::Event;
use timmy_domain::thought::Place;
use timmy_llm::{Ollama, OllamaSettings, Provider, Reflex};
use timmy_testkit::engine;

use crate::support::{Server, home, json as cli, run};

/// A server that speaks as Ollama does: one model, one answer.
fn serve_as_ollama(listener: TcpListener) {
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
            let mut head = String::new();
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                    break;
                }
                if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
                    length = bytes.trim().parse().unwrap_or(0);
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let answer = if head.starts_with("POST /api/chat") {
                concat!(
                    r#"{"model":"small:1b","message":{"role":"assistant","content":"I am "},"done":false}"#,
                    "\n",
                    r#"{"model":"small:1b","message":{"role":"assistant","content":"awake."},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}"#,
                    "\n"
                )
            } else if head.starts_with("GET /api/tags") {
                r#"{"models":[{"name":"small:1b"}]}"#
            } else {
                r#"{"version":"0.9.9"}"#
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(answer.as_bytes()));
        }
    });
}

/// An address at which nobody listens, kept for later.
fn address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

// shows: models: a provider that was down at boot is found when it comes up, and Timmy thinks with it at once
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_was_down_at_boot_is_found_when_it_comes_up() {
    let at = address();
    let settings = OllamaSettings { url: format!("http://{at}"), ..OllamaSettings::default() };
    let ollama: Arc<dyn Provider> = Arc::new(Ollama::new(&settings).expect("an address"));
    let thinking = ThinkingSettings { adaptive_rest: false, ..ThinkingSettings::default() };
    let mut engine =
        engine(vec![ollama, Arc::new(Reflex::new("a-model"))], Settings { thinking, ..Settings::default() });
    engine.run_only(&["mind.thinking", "work.processor", "models", "talk.answer"]);
    engine.clock.advance(Duration::from_secs(1));
    let first = engine.wait_for_thoughts(1).await;
    assert_eq!(first[0].place, Place::Reflex, "nobody is there yet");
    assert_eq!(engine.ask("Who answers?").await.place, Some(Place::Reflex));
    assert!(engine.events("router.provider_up").await.is_empty());

    serve_as_ollama(TcpListener::bind(at).expect("the port is still free"));
    let up = engine.advance_until("router.provider_up", 1, Duration::from_secs(16)).await;
    assert!(matches!(up[0].event(), Event::ProviderUp(e) if e.provider == "ollama" && e.models == ["small:1b"]));
    let by_model = loop {
        engine.clock.advance(Duration::from_secs(3));
        let thoughts = engine.wait_for_thoughts(2).await;
        if let Some(thought) = thoughts.iter().find(|t| t.provider == "ollama") {
            break thought.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((by_model.content.as_str(), by_model.model.as_str()), ("I am awake.", "small:1b"));
    assert_eq!((by_model.place, by_model.tokens), (Place::Local, 10));
    let answer = engine.ask("And now?").await;
    assert_eq!((answer.provider.as_str(), answer.place), ("ollama", Some(Place::Local)));
    engine.stop().await;
}

/// A server that speaks OpenAI's protocol, has one model, and counts so many tokens of its answer; `None` counts none.
fn speaks(model: &'static str, tokens: Option<u64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            // Whoever asked may be gone.
            let _ = speak(socket, model, tokens);
        }
    });
    url
}

fn speak(mut socket: TcpStream, model: &str, tokens: Option<u64>) -> Option<()> {
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().ok()?;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let (kind, text) = if first.contains("/models") {
        ("application/json", json!({"object": "list", "data": [{"id": model, "object": "model"}]}).to_string())
    } else {
        let choice = json!({"index": 0, "delta": {"content": "one, two, three"}, "finish_reason": "stop"});
        let word = json!({"model": model, "choices": [choice]});
        let count = tokens.map(|n| json!({"prompt_tokens": 9, "completion_tokens": n, "total_tokens": n + 9}));
        let count = count.map(|usage| format!("data: {}\n\n", json!({"model": model, "choices": [], "usage": usage})));
        ("text/event-stream", format!("data: {word}\n\n{}data: [DONE]\n\n", count.unwrap_or_default()))
    };
    let head = format!("HTTP/1.1 200 x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", text.len());
    socket.write_all(format!("{head}Connection: close\r\n\r\n{text}").as_bytes()).ok()
}

/// A server process whose providers are `one` with the model m1, which counts no tokens, and behind it `two` with m2.
fn with_two(home: &Path) -> Server {
    let part = |name: &str, url: &str| format!("[provider.{name}]\nurl = \"{url}\"\nplace = \"local\"\n");
    let text = part("one", &speaks("m1", None)) + &part("two", &speaks("m2", Some(1_234)));
    std::fs::write(home.join("timmy.toml"), text).expect("written");
    let quiet = [("TIMMY__CASCADE__PROVIDERS", "one,two,reflex"), ("TIMMY__THINKING__ENABLED", "false")];
    let server = Server::start_with(home, &quiet);
    server.wait_for(|| {
        let list = server.get("/api/v1/router/providers");
        (list["items"][0]["models"] == json!(["m1"]) && list["items"][1]["models"] == json!(["m2"])).then_some(())
    });
    server
}

// shows: models: the command line measures the model that is named wherever it stands, by the tokens its provider counted
#[test]
fn the_named_model_is_measured_by_what_its_provider_counted() {
    let home = home();
    let _server = with_two(home.path());
    for named in ["m2", "two/m2"] {
        let told = cli(home.path(), &["model", "bench", named]);
        assert_eq!((&told["provider"], &told["model"]), (&json!("two"), &json!("m2")), "{told}");
        assert_eq!((&told["tokens"], &told["tokens_counted"]), (&json!(1_234), &json!(true)), "{told}");
    }
    let (code, out, err) = run(home.path(), &["model", "bench", "m2"]);
    assert!(code == 0 && out.starts_with("m2 of two: 1234 tokens in "), "{out}{err}");
    let (code, out, err) = run(home.path(), &["model", "bench"]);
    assert!(code == 0 && out.starts_with("m1 of one: about ") && out.contains("an estimate"), "{out}{err}");
}

// shows: models: when another model than the named one answers, the command line says so and measures nothing
#[test]
fn another_model_that_answers_is_told_and_not_measured() {
    let home = home();
    let _server = with_two(home.path());
    for named in ["m3", "two/m3", "one/m2"] {
        let (code, out, err) = run(home.path(), &["model", "bench", named]);
        assert_eq!((code, out.as_str()), (1, ""), "{named}: {err}");
        assert!(err.contains(&format!("{named} did not answer, but m")), "{err}");
        assert!(err.contains("nothing was measured") && err.contains("timmy router status"), "{err}");
    }
}

// shows: models: the command line removes a model: a file elsewhere stays where it is, one of Timmy's own is put aside, and neither is listed
#[test]
fn a_removed_model_is_listed_no_more_and_only_an_own_file_is_put_aside() {
    const WEIGHTS: &[u8] = b"GGUF\x03\0\0\0weights";
    let (home, elsewhere) = (home(), tempfile::tempdir().expect("a folder"));
    let (own, far) = (home.path().join("models/mine.gguf"), elsewhere.path().join("far.gguf"));
    std::fs::create_dir_all(home.path().join("models")).expect("a folder");
    let server = Server::start(home.path());
    for (path, name) in [(&own, "my-own"), (&far, "far-away")] {
        std::fs::write(path, WEIGHTS).expect("written");
        let (code, out, err) = run(home.path(), &["model", "import", path.to_str().expect("text"), "--name", name]);
        assert_eq!(code, 0, "{out}{err}");
    }
    let listed = || {
        let installed = cli(home.path(), &["model", "list"])["installed"].clone();
        let names = installed.as_array().into_iter().flatten().map(|model| model["name"].clone());
        names.collect::<Vec<Value>>()
    };
    assert_eq!(listed(), ["far-away", "my-own"]);
    let aside = home.path().join("models/.removed/mine.gguf");
    for name in ["my-own", "far-away"] {
        let (code, out, err) = run(home.path(), &["model", "rm", name]);
        assert!(code == 0 && out.contains(&format!("{name} is removed.")), "{out}{err}");
        assert!(out.contains(&format!("timmy model rm --undo {name}")), "{out}");
    }
    assert_eq!(listed(), Vec::<Value>::new());
    assert_eq!(std::fs::read(&far).expect("it stays where it is"), WEIGHTS);
    assert!(!own.exists(), "it is put aside");
    assert_eq!(std::fs::read(&aside).expect("it waits there"), WEIGHTS);
    let (code, out, err) = run(home.path(), &["model", "rm", "--undo", "my-own"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!((listed(), aside.exists()), (vec![json!("my-own")], false));
    assert_eq!(std::fs::read(&own).expect("it is back"), WEIGHTS);
    let (code, _, err) = run(home.path(), &["model", "rm", "far-away"]);
    assert!(code == 1 && err.contains("timmy model list"), "{err}");
    assert_eq!(server.terminate(), Some(0));
}

// shows: cli: whoever names a model or a provider that is none is told which command lists them
#[test]
fn a_wrong_name_is_answered_with_the_command_that_helps() {
    let home = home();
    let _server = Server::start(home.path());
    for (wrong, helps) in [
        (&["model", "use", "nothing"][..], "timmy model list"),
        (&["model", "rm", "nothing"], "timmy model list"),
        (&["model", "use", "auto"], "timmy model use NAME"),
        (&["model", "rm", "--undo", "nothing"], "timmy model pull NAME"),
        (&["router", "test", "nobody"], "timmy router status"),
        (&["router", "enable", "nobody"], "timmy router status"),
        (&["router", "order", "nobody"], "timmy router status"),
    ] {
        let (code, out, err) = run(home.path(), wrong);
        assert_eq!(code, 1, "{wrong:?}: {out}{err}");
        let hint = err.lines().nth(1).unwrap_or_default();
        assert!(hint.contains(helps), "{wrong:?}: {err}");
    }
}
