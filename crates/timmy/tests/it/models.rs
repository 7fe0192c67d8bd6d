//! Models that come and go, with a real socket at the other end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use timmy_core::settings::{Settings, ThinkingSettings};
use timmy_domain::Event;
use timmy_domain::thought::Place;
use timmy_llm::{Ollama, OllamaSettings, Provider, Reflex};
use timmy_testkit::engine;

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
