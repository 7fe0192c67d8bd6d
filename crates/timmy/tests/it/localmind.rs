//! The local mind through the real program: a model file in the home answers page, programs and other tools by a worker
//! process, and whatever becomes of that worker, the next question is answered.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::TcpStream;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use timmy_engine::fixture::Fixture;
use timmy_engine::shape::Architecture;

use crate::support::{PATIENCE, Server, home, json as cli, run};

/// Room for the model, in MiB. What the worker takes besides stands in the engine.
const MEMORY_MB: u64 = 300;

/// Makes a tiny model with random weights.
fn write(at: &Path, architecture: Architecture) {
    // The frame of a conversation is long in words of so small a vocabulary.
    let fixture = Fixture { context_tokens: 8_192, ..Fixture::tiny(architecture) };
    fixture.write(&mut BufWriter::new(File::create(at).expect("a file"))).expect("a model");
}

/// Puts one into the models of `home`.
fn model(home: &Path, name: &str, architecture: Architecture) {
    fs::create_dir_all(home.join("models")).expect("a folder");
    write(&home.join("models").join(format!("{name}.gguf")), architecture);
}

/// A server that asks these providers, with the model `tiny`, one thread, and no thoughts of its own.
fn serve(home: &Path, providers: &str, more: &[(&str, &str)]) -> Server {
    model(home, "tiny", Architecture::Llama);
    let memory = MEMORY_MB.to_string();
    let mut variables = vec![
        ("TIMMY__CASCADE__PROVIDERS", providers),
        ("TIMMY__ENGINE__MODEL", "tiny"),
        ("TIMMY__ENGINE__MEMORY_MB", memory.as_str()),
        ("TIMMY__ENGINE__THREADS", "1"),
        ("TIMMY__THINKING__ENABLED", "false"),
    ];
    variables.extend(more);
    Server::start_with(home, &variables)
}

/// The numbers of the workers of this server and what each was started with, the innermost last: the fence starts them.
pub fn workers(server: &Server) -> Vec<(i32, String)> {
    let mut parents = vec![i32::try_from(server.pid()).expect("a number")];
    let mut found = Vec::new();
    while let Some(parent) = parents.pop() {
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        for list in lists {
            parents.extend(list.split_whitespace().filter_map(|id| id.parse::<i32>().ok()));
        }
        let line = fs::read(format!("/proc/{parent}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        // The helper of the fence carries the same words behind its own.
        if line.split(' ').nth(1) == Some("engine-worker") {
            found.push((parent, line));
        }
    }
    found
}

fn kill_the_worker(server: &Server) {
    let (worker, _) = workers(server).pop().expect("a worker");
    kill_process(Pid::from_raw(worker).expect("a number"), Signal::KILL).expect("killed");
}

pub fn asks(model: &str, tokens: u64) -> Value {
    json!({"model": model, "max_tokens": tokens, "temperature": 0.7, "seed": 1,
           "messages": [{"role": "user", "content": "Tell me of the sea."}]})
}

/// The data of a stream, as it comes.
pub fn stream(server: &Server, path: &str, body: &Value) -> impl Iterator<Item = String> {
    let body = body.to_string();
    let mut socket = TcpStream::connect(&server.address).expect("the server listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let head = format!(
        "POST {path} HTTP/1.1\r\nConnection: close\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.address,
        server.token,
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    let lines = BufReader::new(socket).lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned))
}

fn read(frame: &str) -> Value {
    serde_json::from_str(frame).unwrap_or(Value::Null)
}

// shows: engine: a GGUF file in the home answers the conversation, programs and other tools through the real program, and the model changes with the name
#[test]
fn a_model_file_answers_every_door_and_changes_with_the_name() {
    let home = home();
    model(home.path(), "other", Architecture::Qwen2);
    let server = serve(home.path(), "engine,reflex", &[("TIMMY__TALK__MAX_TOKENS", "32")]);
    assert!(workers(&server).is_empty(), "nothing is started before somebody asks");
    let said = server.post("/api/chat", &json!({"messages": [{"role": "user", "content": "Good morning"}]}));
    assert_eq!((said["provider"].as_str(), said["model"].as_str()), (Some("engine"), Some("tiny")), "{said}");
    assert!(said["place"] == "local" && said["reply"].as_str().is_some_and(|reply| !reply.is_empty()));

    let (pid, line) = workers(&server).pop().expect("a worker");
    assert!(line.contains("tiny.gguf"), "{line}");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
    let data = limits.lines().find(|line| line.starts_with("Max data size")).expect("a limit");
    let most: u64 = data.split_whitespace().nth(3).and_then(|bytes| bytes.parse().ok()).expect("a number of bytes");
    assert!(most >> 20 >= MEMORY_MB && most >> 20 < 2 * MEMORY_MB + 512, "{data}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("its state");
    let nice = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(16)).expect("its niceness");
    assert_eq!(nice, "10", "it steps back behind everything else");

    let page = server.get("/api/v1/router/providers");
    assert_eq!(page["items"][0]["models"], json!(["other", "tiny"]), "{page}");
    let direct = server.post("/api/v1/router/complete", &json!({"messages": [{"role": "user", "content": "Hello"}]}));
    assert_eq!((direct["provider"].as_str(), direct["model"].as_str()), (Some("engine"), Some("tiny")));
    assert_eq!(workers(&server).pop().map(|(pid, _)| pid), Some(pid), "the same worker all the time");

    let other = server.post("/v1/chat/completions", &asks("engine/other", 8));
    assert_eq!(other["model"], "engine/other", "{other}");
    assert!(workers(&server).iter().all(|(_, line)| line.contains("other.gguf")), "one model at a time");
    let back = server.post("/v1/chat/completions", &asks("auto", 8));
    assert_eq!(back["model"], "engine/tiny", "{back}");
    let frames: Vec<String> = {
        let mut asked = asks("engine/tiny", 12);
        asked["stream"] = json!(true);
        stream(&server, "/v1/chat/completions", &asked).collect()
    };
    assert!(frames.len() > 3 && frames.last().is_some_and(|frame| frame == "[DONE]"), "{frames:?}");
    let vectors = server.post("/v1/embeddings", &json!({"model": "engine", "input": ["the sea", "a tax form"]}));
    assert_eq!(vectors["data"].as_array().map(Vec::len), Some(2));

    let schema = json!({"type": "object", "properties": {"wet": {"type": "boolean"}}, "required": ["wet"],
                        "additionalProperties": false});
    let mut held = asks("engine/tiny", 64);
    held["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "sea", "schema": schema}});
    let held = server.post("/v1/chat/completions", &held);
    assert!(read(held["choices"][0]["message"]["content"].as_str().unwrap_or_default())["wet"].is_boolean(), "{held}");
}

// shows: engine: a GGUF file anywhere on the disk, and one that Ollama keeps, are used where they lie once the owner says so
#[test]
fn files_elsewhere_are_used_without_a_copy() {
    let (home, far) = (home(), tempfile::tempdir().expect("another folder"));
    // What Ollama keeps: a list, and the file under its checksum.
    let kept = home.path().join(".ollama/models");
    let lists = kept.join("manifests/registry.ollama.ai/library/kept");
    fs::create_dir_all(&lists).expect("a folder");
    fs::create_dir_all(kept.join("blobs")).expect("a folder");
    let layers = json!({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:ab"}]});
    fs::write(lists.join("1b"), layers.to_string()).expect("written");
    write(&kept.join("blobs/sha256-ab"), Architecture::Qwen2);
    let path = far.path().join("far-away.gguf");
    write(&path, Architecture::Phi3);
    let server = serve(home.path(), "scripted,engine,reflex", &[]);
    let asked = || server.post("/v1/chat/completions", &asks("auto", 4))["model"].clone();
    assert!(asked().as_str().is_some_and(|model| model.starts_with("scripted/")));

    cli(home.path(), &["model", "import", "--name", "far", &path.to_string_lossy()]);
    cli(home.path(), &["model", "use", "far"]);
    assert_eq!(asked(), "engine/far", "the owner's own choice goes before the order of providers");
    let real = fs::canonicalize(&path).expect("a path");
    assert!(workers(&server).iter().all(|(_, line)| line.contains(&*real.to_string_lossy())), "where it lies");
    assert!(!home.path().join("models/far.gguf").exists() && !home.path().join("models/far-away.gguf").exists());
    assert_eq!(server.post("/v1/chat/completions", &asks("engine/kept:1b", 4))["model"], "engine/kept:1b");
    server.wait_for(|| {
        let listed = server.get("/v1/models");
        listed["data"].as_array()?.iter().any(|model| model["id"] == "engine/far").then_some(())
    });
    cli(home.path(), &["model", "use", "auto"]);
    assert!(asked().as_str().is_some_and(|model| model.starts_with("scripted/")));
}

// shows: engine: the terminal, the page Models and programs say before a model is loaded which way its weights come and what a token takes
#[test]
fn how_a_model_would_run_is_told_before_it_is_loaded() {
    let home = home();
    let more = [("TIMMY__ENGINE__MEMORY_MB", "26"), ("TIMMY__ENGINE__CONTEXT", "512")];
    let server = serve(home.path(), "engine,reflex", &more);
    // About 14 MB in 16 layers, more than is left of the 26 MB beside what looks back.
    let large = Fixture { width: 256, inner: 1_024, layers: 16, key_width: 64, ..Fixture::tiny(Architecture::Llama) };
    let path = |name: &str| home.path().join(format!("models/{name}.gguf"));
    large.write(&mut BufWriter::new(File::create(path("large")).expect("a file"))).expect("a model");
    fs::write(path("broken"), b"GGUF and nothing that follows").expect("written");
    for name in ["tiny", "large", "broken"] {
        cli(home.path(), &["model", "import", "--name", name, &path(name).to_string_lossy()]);
    }
    let listed = cli(home.path(), &["model", "list"]);
    let told = |name: &str| {
        let all = listed["running"].as_array().expect("a list");
        all.iter().find(|running| running["name"] == name).cloned().unwrap_or_else(|| panic!("{name}: {listed}"))
    };
    let (tiny, large, broken) = (told("tiny"), told("large"), told("broken"));
    assert_eq!((&tiny["way"], &large["way"], &broken["way"]), (&json!("resident"), &json!("streamed"), &Value::Null));
    assert!(tiny["words"].as_str().is_some_and(|words| words.contains("in memory whole")), "{tiny}");
    let streams = "of 16 layers stay";
    assert!(
        large["words"].as_str().is_some_and(|words| words.contains(streams) && words.contains("a token")),
        "{large}"
    );
    assert!(broken["words"].as_str().is_some_and(|words| words.contains("cannot be run: ")), "{broken}");
    // The listing waits until the machine is measured, and where its disk was, the time is known.
    let measured = listed["disk_read_bytes_per_second"].as_u64().is_some_and(|speed| speed > 0);
    assert_eq!(large["milliseconds_per_token"].as_u64().is_some_and(|ms| ms > 0), measured, "{large}");

    let (_, words, _) = run(home.path(), &["model", "list"]);
    let bearer = format!("Bearer {}", server.token);
    let page = server.request("GET", "/models", &[("Authorization", &bearer), ("Accept", "text/html")], None).1;
    for shown in [words, page] {
        assert!(shown.contains("n memory whole") && shown.contains(streams), "{shown}");
    }
    assert!(workers(&server).is_empty(), "nothing was loaded for it");
}

// shows: engine: a worker killed with -9 in the middle of an answer is told, begun again by the next provider behind a mark, and started anew for the next question
#[test]
fn a_worker_killed_in_the_middle_costs_an_answer_and_no_more() {
    let home = home();
    let server = serve(home.path(), "engine,scripted,reflex", &[("TIMMY__TALK__MAX_TOKENS", "4096")]);
    let chat = json!({"stream": true, "messages": [{"role": "user", "content": "Tell me everything."}]});
    let mut heard = stream(&server, "/api/chat", &chat).map(|frame| read(&frame));
    let first = heard.next().expect("a word");
    assert!(first["delta"].as_str().is_some_and(|delta| !delta.is_empty()), "{first}");
    kill_the_worker(&server);
    let done = heard.find(|frame| frame["done"] == true).expect("an end");
    let reply = done["reply"].as_str().unwrap_or_default().to_owned();
    let (before, after) =
        reply.split_once("[The answer broke off here.").unwrap_or_else(|| panic!("no mark in {done}"));
    assert!(!before.trim().is_empty() && after.contains("Scripted reply 1"), "{reply}");
    assert_eq!(done["provider"], "scripted");
    let status = server.get("/api/v1/router/status");
    let path = &status["recent"][0]["path"];
    assert_eq!((path[0]["provider"].as_str(), path[0]["outcome"].as_str()), (Some("engine"), Some("server_fault")));
    assert_eq!((path[1]["provider"].as_str(), path[1]["outcome"].as_str()), (Some("scripted"), Some("answered")));
    let engine = &status["providers"][0];
    assert!(engine["last_failure"].as_str().is_some_and(|why| why.contains("killed")), "{engine}");

    // A program that reads along is told, typed, and gets no other model's words.
    let mut asked = asks("auto", 4_000);
    asked["stream"] = json!(true);
    let mut heard = stream(&server, "/v1/chat/completions", &asked).map(|frame| read(&frame));
    assert!(heard.any(|frame| frame["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty())));
    kill_the_worker(&server);
    let told = heard.find(|frame| frame["error"].is_object()).expect("an error");
    assert_eq!(told["error"]["type"], "server_error", "{told}");

    // One that waits for the whole gets it from the next provider, without a trace of the half.
    let address = &server;
    let whole = std::thread::scope(|scope| {
        let asked = scope.spawn(|| address.post("/v1/chat/completions", &asks("auto", 4_000)));
        address.wait_for(|| (!workers(address).is_empty()).then_some(()));
        kill_the_worker(address);
        asked.join().expect("an answer")
    });
    assert!(whole["model"].as_str().is_some_and(|model| model.starts_with("scripted/")), "{whole}");

    // It lives on: the pause after several deaths is over sooner or later, and then the engine answers again.
    server.wait_for(|| {
        let answer = server.post("/v1/chat/completions", &asks("auto", 4));
        (answer["model"] == "engine/tiny").then_some(())
    });
}

// shows: engine: a model nobody asks for leaves memory with its worker, and a file that is no model is refused with the reason
#[test]
fn an_idle_worker_ends_and_a_wrong_file_is_refused() {
    let home = home();
    let server = serve(home.path(), "engine,scripted,reflex", &[("TIMMY__ENGINE__IDLE_UNLOAD_SECONDS", "1")]);
    assert_eq!(server.post("/v1/chat/completions", &asks("auto", 4))["model"], "engine/tiny");
    server.wait_for(|| workers(&server).is_empty().then_some(()));
    assert_eq!(server.post("/v1/chat/completions", &asks("auto", 4))["model"], "engine/tiny", "and comes back");

    let tiny = fs::read(home.path().join("models/tiny.gguf")).expect("the model");
    fs::write(home.path().join("models/cut.gguf"), &tiny[..tiny.len() / 2]).expect("written");
    let cut = server.post("/v1/chat/completions", &asks("engine/cut", 4));
    assert!(cut["model"].as_str().is_some_and(|model| model.starts_with("scripted/")), "{cut}");
    let engine = server.get("/api/v1/router/providers")["items"][0].clone();
    assert!(engine["last_failure"].as_str().is_some_and(|why| why.contains("cut.gguf")), "{engine}");
    assert_eq!(engine["circuit_state"], "closed", "the file is at fault, nobody else");
    assert_eq!(server.post("/v1/chat/completions", &asks("auto", 4))["model"], "engine/tiny");
}

// shows: engine: where llama.cpp is set and not built in, answer, listing, Router and doctor say so and name the one step
#[cfg(not(feature = "engine-llama"))]
#[test]
fn what_is_not_built_in_is_said_with_the_step_that_helps() {
    let home = home();
    let server = serve(home.path(), "engine,reflex", &[("TIMMY__ENGINE__RUNNER", "llama.cpp")]);
    cli(home.path(), &["model", "import", "--name", "tiny", &home.path().join("models/tiny.gguf").to_string_lossy()]);
    let (what, step) = ("llama.cpp is not built into this Timmy", "--features engine-llama");
    let (status, refused) = server.ask("POST", "/v1/chat/completions", Some(&asks("engine/tiny", 4)));
    assert!(status >= 400 && refused.to_string().contains(what), "{status} {refused}");
    assert!(refused.to_string().contains(step), "{refused}");
    let (_, listed, _) = run(home.path(), &["model", "list"]);
    assert!(listed.contains(&format!("cannot be run: {what}")), "{listed}");
    let engine = server.wait_for(|| {
        let engine = server.get("/api/v1/router/providers")["items"][0].clone();
        (engine["status"] == "down").then_some(engine)
    });
    assert!(engine["why"].as_str().is_some_and(|why| why.contains(what)), "{engine}");
    assert!(engine["hint"].as_str().is_some_and(|hint| hint.contains(step)), "{engine}");
    let bearer = format!("Bearer {}", server.token);
    let page = server.request("GET", "/router/status", &[("Authorization", &bearer), ("Accept", "text/html")], None).1;
    // A sentence there, so it begins with a large letter.
    assert!(page.contains(&what[1..]) && page.contains(step), "{page}");
    assert!(!page.contains("Get a model on the page Models"), "{page}");
    let (_, told, _) = run(home.path(), &["doctor"]);
    assert!(told.contains(what) && told.contains(step), "{told}");
    assert!(workers(&server).is_empty());
}
