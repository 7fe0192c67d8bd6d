//! Programs of others as live peers: the server of llama.cpp behind Timmy, and the official client of OpenAI's API before
//! him. `cargo xtask peers` installs both and runs these; elsewhere they say that they skip.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};
use timmy_engine::fixture::Fixture;
use timmy_engine::shape::Architecture;

use crate::support::{Server, home};

/// The Python that has both packages; says so and gives nothing where there is none.
#[expect(clippy::print_stderr, reason = "a check that is not made says so")]
fn python() -> Option<PathBuf> {
    let found = std::env::var_os("TIMMY_TEST_MODEL_PEER").map(|venv| PathBuf::from(venv).join("bin/python"));
    if found.is_none() {
        eprintln!("SKIPPED: TIMMY_TEST_MODEL_PEER names no folder with xllamacpp and openai; run `cargo xtask peers`.");
    }
    found
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/peers").join(name)
}

/// The server of llama.cpp. It ends with this value.
struct Llama {
    child: Child,
    url: String,
    _input: ChildStdin,
}

impl Llama {
    fn start(python: &Path, model: &Path) -> Self {
        let mut command = Command::new(python);
        command.arg(script("llama.py")).arg(model).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("python starts");
        let _input = child.stdin.take().expect("piped");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("listening ").map(str::to_owned)).expect("it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, _input }
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts the tiny model into the models of `home`.
fn tiny(home: &Path) -> PathBuf {
    let at = home.join("models/tiny.gguf");
    fs::create_dir_all(home.join("models")).expect("a folder");
    let file = File::create(&at).expect("a file");
    Fixture::tiny(Architecture::Llama).write(&mut BufWriter::new(file)).expect("a model");
    at
}

fn serve(home: &Path, providers: &str) -> Server {
    Server::start_with(
        home,
        &[
            ("TIMMY__CASCADE__PROVIDERS", providers),
            ("TIMMY__ENGINE__MEMORY_MB", "300"),
            ("TIMMY__ENGINE__THREADS", "1"),
            ("TIMMY__THINKING__ENABLED", "false"),
        ],
    )
}

// shows: models: a real llama.cpp server answers in the formats of OpenAI and of Anthropic, and says word for word what Timmy's own engine says with the same file
#[test]
fn llama_cpp_answers_in_both_formats_as_the_engine_does() {
    let Some(python) = python() else { return };
    let home = home();
    let llama = Llama::start(&python, &tiny(home.path()));
    let settings = [("llama", "llamacpp"), ("messages", "anthropic")]
        .map(|(name, kind)| format!("[provider.{name}]\nkind = \"{kind}\"\nurl = \"{}/v1\"\n", llama.url));
    fs::write(home.path().join("timmy.toml"), settings.concat()).expect("written");
    let server = serve(home.path(), "llama,messages,engine,reflex");
    let ask = |provider: &str, said: &str, stream: bool| {
        let body = json!({"model": provider, "max_tokens": 24, "temperature": 0, "stream": stream,
                          "messages": [{"role": "user", "content": said}]});
        let bearer = format!("Bearer {}", server.token);
        let (status, text) =
            server.request("POST", "/v1/chat/completions", &[("Authorization", &bearer)], Some(&body.to_string()));
        assert_eq!(status, 200, "{provider}: {text}");
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        if stream {
            let frames = text.lines().filter_map(|line| line.strip_prefix("data: "));
            frames.filter_map(|f| read(f)["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
        } else {
            let answer = read(&text);
            assert_eq!(answer["model"].as_str().and_then(|m| m.split('/').next()), provider.split('/').next());
            answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
        }
    };
    let model = server.wait_for(|| {
        let listed = server.get("/api/v1/router/providers");
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        let llama = items.iter().find(|p| p["name"] == "llama" && p["status"] == "up")?;
        llama["models"][0].as_str().map(str::to_owned)
    });
    for said in ["Tell me of the sea.", "Good morning", "Ünïcode → 🦀"] {
        let own = ask("engine/tiny", said, false);
        assert!(!own.is_empty());
        for provider in [format!("llama/{model}"), format!("messages/{model}")] {
            assert_eq!(ask(&provider, said, false), own, "{provider}: {said}");
            assert_eq!(ask(&provider, said, true), own, "{provider}, streamed: {said}");
        }
    }
    // Killed, it is passed by.
    drop(llama);
    let body = json!({"model": "auto", "max_tokens": 4, "messages": [{"role": "user", "content": "Still there?"}]});
    let answer = server.post("/v1/chat/completions", &body);
    assert_eq!(answer["model"], "engine/tiny", "{answer}");
}

// shows: models: the official Python client of OpenAI's API lists, asks, streams, holds to a schema, calls tools and makes vectors through Timmy
#[test]
fn the_official_client_drives_the_gateway() {
    let Some(python) = python() else { return };
    let home = home();
    tiny(home.path());
    let server = serve(home.path(), "engine,reflex");
    server.wait_for(|| (server.get("/v1/models")["data"].as_array()?.len() > 1).then_some(()));
    let mut command = Command::new(python);
    command.arg(script("client.py")).arg(format!("http://{}/v1", server.address)).arg(&server.token).arg("engine/tiny");
    let done = command.output().expect("python runs");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && out.trim() == "well", "{out}{err}");
}
