//! llama.cpp built in, `make test-llama`: the whole program runs a model by it when the owner says so, and says that.

use std::fs::File;
use std::io::BufWriter;

use serde_json::{Value, json};
use timmy_engine::fixture::Fixture;
use timmy_engine::shape::Architecture;

use crate::localmind::{asks, stream, workers};
use crate::support::{Server, home, json as cli, run};

/// What a stream of an answer said, put together.
fn said(frames: &[String]) -> String {
    let piece = |frame: &String| {
        let frame: Value = serde_json::from_str(frame).unwrap_or_default();
        frame["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
    };
    frames.iter().filter_map(piece).collect()
}

// shows: engine: with llama.cpp built in, the program streams an answer by it from a worker once the owner says so, and terminal, Router, Health and doctor name it
#[test]
fn an_imported_file_is_run_by_llama_cpp_and_that_is_said() {
    let (home, far) = (home(), tempfile::tempdir().expect("another folder"));
    let path = far.path().join("far.gguf");
    let fixture = Fixture { context_tokens: 8_192, ..Fixture::tiny(Architecture::Llama) };
    fixture.write(&mut BufWriter::new(File::create(&path).expect("a file"))).expect("a model");
    let asked = |runner: &str| {
        let variables = [
            ("TIMMY__CASCADE__PROVIDERS", "engine,reflex"),
            ("TIMMY__ENGINE__RUNNER", runner),
            ("TIMMY__ENGINE__MEMORY_MB", "600"),
            ("TIMMY__ENGINE__THREADS", "1"),
            ("TIMMY__THINKING__ENABLED", "false"),
        ];
        Server::start_with(home.path(), &variables)
    };
    let mut asks = asks("auto", 24);
    asks["stream"] = json!(true);
    asks["temperature"] = json!(0);

    let server = asked("llama.cpp");
    cli(home.path(), &["model", "import", "--name", "far", &path.to_string_lossy()]);
    cli(home.path(), &["model", "use", "far"]);
    assert!(workers(&server).is_empty(), "nothing is started before somebody asks");
    let frames: Vec<String> = stream(&server, "/v1/chat/completions", &asks).collect();
    assert!(frames.len() > 3 && frames.last().is_some_and(|frame| frame == "[DONE]"), "{frames:?}");
    let (worker, line) = workers(&server).pop().expect("a worker");
    assert!(line.contains("far.gguf"), "{line}");
    let mapped = std::fs::read_to_string(format!("/proc/{worker}/maps")).expect("its memory");
    assert!(mapped.contains("far.gguf"), "llama.cpp maps the file; the engine of the house reads it");

    let listed = cli(home.path(), &["model", "list"]);
    assert_eq!(listed["running"][0]["by"], "llama.cpp", "{listed}");
    let (_, words, _) = run(home.path(), &["model", "list"]);
    assert!(words.contains("run by llama.cpp: stays in memory whole"), "{words}");
    // Health and Router know it once the look at all providers is through.
    let bearer = format!("Bearer {}", server.token);
    let page = |path: &str| server.request("GET", path, &[("Authorization", &bearer), ("Accept", "text/html")], None).1;
    server.wait_for(|| (server.get("/api/v1/router/providers")["items"][0]["version"] == "llama.cpp").then_some(()));
    assert!(page("/health/page").contains("run by llama.cpp"));
    let router = page("/router/status");
    assert!(router.contains("Models run by") && router.contains("llama.cpp"));
    let (_, told, _) = run(home.path(), &["doctor"]);
    assert!(told.contains("engine answers (llama.cpp)"), "{told}");
    assert_eq!(server.terminate(), Some(0));

    // The other one says the same: the words are those of the file.
    let server = asked("own");
    let own: Vec<String> = stream(&server, "/v1/chat/completions", &asks).collect();
    assert_eq!(said(&own), said(&frames));
    let (worker, _) = workers(&server).pop().expect("a worker");
    let mapped = std::fs::read_to_string(format!("/proc/{worker}/maps")).expect("its memory");
    assert!(!mapped.contains("far.gguf"));
    let (_, words, _) = run(home.path(), &["model", "list"]);
    assert!(!words.contains("llama.cpp"), "{words}");
}
