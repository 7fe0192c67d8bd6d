//! Models fetched by the real program from a real socket: killed and begun again, on a full disk, by the command line,
//! stopped, without a checksum, and from servers that send something else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use timmy_core::library::pulls::PullState;
use timmy_core::settings::Settings;
use timmy_domain::model::catalogue;
use timmy_llm::pull::Wanted;
use timmy_llm::{Scripted, ScriptedSettings};
use timmy_testkit::engine;

use crate::recovery::{disk, may_mount};
use crate::support::{Server, home, json as cli, run, timmy};

pub mod elsewhere;

/// A server of one file. It sends only so many bytes of a connection before it waits to be let go on.
struct Far {
    url: String,
    /// Where each connection began.
    asked: Arc<Mutex<Vec<usize>>>,
    /// How far into the file it sends before it waits.
    until: Arc<AtomicUsize>,
}

impl Far {
    fn start(file: Vec<u8>, until: usize) -> Self {
        Self::serve(file, until, None)
    }

    /// The same at an address of which nobody can tell that it is this machine, and therefore encrypted.
    fn elsewhere(file: Vec<u8>, until: usize) -> Self {
        Self::serve(file, until, Some(elsewhere::encryption()))
    }

    fn serve(file: Vec<u8>, until: usize, encrypted: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let url = match &encrypted {
            None => format!("http://{address}/m.gguf"),
            Some(_) => format!("https://[{}]:{}/m.gguf", elsewhere::HOST, address.port()),
        };
        let (asked, until) = (Arc::<Mutex<Vec<usize>>>::default(), Arc::new(AtomicUsize::new(until)));
        let (seen, far, file) = (Arc::clone(&asked), Arc::clone(&until), Arc::new(file));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (seen, far, file) = (Arc::clone(&seen), Arc::clone(&far), Arc::clone(&file));
                let encrypted = encrypted.clone();
                std::thread::spawn(move || match encrypted {
                    None => send(socket, &file, &seen, &far),
                    Some(encrypted) => send(elsewhere::encrypt(socket, encrypted), &file, &seen, &far),
                });
            }
        });
        Self { url, asked, until }
    }

    fn go_on(&self) {
        self.until.store(usize::MAX, Ordering::SeqCst);
    }

    fn asked(&self) -> Vec<usize> {
        self.asked.lock().expect("whole").clone()
    }
}

fn send(mut socket: impl Read + Write, file: &[u8], seen: &Mutex<Vec<usize>>, until: &AtomicUsize) {
    let mut head = [0; 4_096];
    let read = socket.read(&mut head).unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..read]).to_ascii_lowercase();
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=").map(str::to_owned));
    let (from, to) = match range.as_deref().and_then(|range| range.split_once('-')) {
        Some((from, to)) => (from.parse().expect("a number"), to.parse().map_or(file.len(), |last: usize| last + 1)),
        None => (0, file.len()),
    };
    let body = &file[from..to];
    let status = if range.is_some() { 206 } else { 200 };
    let part = range.map(|_| format!("content-range: bytes {from}-{}/{}\r\n", to - 1, file.len())).unwrap_or_default();
    let head = format!("HTTP/1.1 {status} x\r\n{part}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    if to == file.len() {
        // The question how long it is does not count.
        seen.lock().expect("whole").push(from);
    }
    let mut sent = 0;
    if socket.write_all(head.as_bytes()).is_err() {
        return;
    }
    while sent < body.len() {
        let may = until.load(Ordering::SeqCst).saturating_sub(from).min(body.len());
        if may <= sent {
            std::thread::sleep(std::time::Duration::from_millis(5));
            continue;
        }
        let piece = &body[sent..may.min(sent + 65_536)];
        // Whoever asked may be gone.
        if socket.write_all(piece).is_err() {
            return;
        }
        sent += piece.len();
    }
}

/// Something that begins as a model does, and goes on without a repetition.
fn file(bytes: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut file: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        })
        .collect();
    file[..8].copy_from_slice(b"GGUF\x03\0\0\0");
    file
}

fn sum(file: &[u8]) -> String {
    Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ask_for(server: &Server, far: &Far, sha256: Option<&str>) {
    let what = json!({"name": "m", "url": far.url, "sha256": sha256});
    let (status, answer) = server.ask("POST", "/api/v1/models/fetch", Some(&what));
    assert_eq!(status, 201, "{answer}");
}

/// Waits until the pull stands so, and gives it.
fn stands(server: &Server, wanted: impl Fn(&Value) -> bool) -> Value {
    // Whoever asked for it may not have come so far.
    let look = || server.ask("GET", "/api/v1/models/pulls/m", None);
    server.wait_for(|| Some(look()).filter(|(status, pull)| *status == 200 && wanted(pull)).map(|(_, pull)| pull))
}

fn in_state(server: &Server, state: &str) -> Value {
    stands(server, |pull| {
        assert!(pull["state"] == state || pull["state"] != "failed", "{pull}");
        pull["state"] == state
    })
}

/// What lies in the folder of models, unfinished files left out.
fn lying(home: &Path) -> Vec<String> {
    let found = std::fs::read_dir(home.join("models")).into_iter().flatten().flatten();
    let names = found.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

fn part(home: &Path, sha256: &str) -> PathBuf {
    home.join("models/.part").join(sha256)
}

// shows: models: a pull goes on after the process was killed in the middle of it, and installs nothing by halves
#[test]
fn a_pull_goes_on_after_the_process_was_killed() {
    let home = home();
    let whole = file(3_000_000);
    let far = Far::start(whole.clone(), 2_000_000);
    let server = Server::start(home.path());
    ask_for(&server, &far, Some(&sum(&whole)));
    let at = part(home.path(), &sum(&whole));
    server.wait_for(|| std::fs::metadata(&at).is_ok_and(|meta| meta.len() >= 1_000_000).then_some(()));
    server.kill();
    assert_eq!(lying(home.path()), Vec::<String>::new());
    let here = usize::try_from(std::fs::metadata(&at).expect("it stays").len()).expect("small");

    far.go_on();
    let server = Server::start(home.path());
    assert_eq!(server.get("/api/v1/models/pulls")["items"], json!([]), "nothing is fetched unless it is asked for");
    ask_for(&server, &far, Some(&sum(&whole)));
    let pull = in_state(&server, "done");
    assert_eq!(far.asked(), [0, here], "what had come is not fetched again");
    assert_eq!((&pull["checksum_known"], &pull["sha256"]), (&json!(true), &json!(sum(&whole))));
    assert_eq!(std::fs::read(home.path().join("models/m.gguf")).expect("the file"), whole);
    let model = server.get("/api/v1/models/m");
    assert_eq!((&model["bytes"], &model["sha256"]), (&json!(3_000_000), &json!(sum(&whole))));
}

// shows: models: a disk that fills up in the middle of a pull is told, and the pull goes on when there is room
#[test]
fn a_disk_that_fills_up_midway_costs_nothing_that_came() {
    if !may_mount() {
        return;
    }
    let home = home();
    let whole = file(20_000_000);
    let far = Far::start(whole.clone(), 4_000_000);
    let server = disk::server_on_a_small_disk(home.path(), 120);
    ask_for(&server, &far, Some(&sum(&whole)));
    stands(&server, |pull| pull["bytes_here"].as_u64().is_some_and(|here| here > 0));
    let ballast = server.home.join("ballast");
    disk::fill(&ballast);
    far.go_on();
    let failed = stands(&server, |pull| pull["state"] == "failed");
    let why = failed["why"].as_str().unwrap_or_default();
    assert!(
        why.contains("no room on the disk") && failed["hint"].as_str().is_some_and(|h| h.contains("room")),
        "{failed}"
    );
    assert_eq!(lying(&server.home), Vec::<String>::new());
    assert_eq!(server.get("/api/v1/models")["items"], json!([]));

    std::fs::remove_file(&ballast).expect("room again");
    // The store takes up writing by itself; until then nothing can be begun.
    server.wait_for(|| {
        let what = json!({"name": "m", "url": far.url, "sha256": sum(&whole)});
        (server.ask("POST", "/api/v1/models/fetch", Some(&what)).0 == 201).then_some(())
    });
    in_state(&server, "done");
    let asked = far.asked();
    assert!(asked.last().is_some_and(|from| *from >= 4_000_000), "it went on: {asked:?}");
    assert_eq!(std::fs::read(server.home.join("models/m.gguf")).expect("the file"), whole);
}

// shows: models: what is not the file, or no model at all, is never installed by the program
#[test]
fn another_file_is_thrown_away_and_told() {
    let home = home();
    let server = Server::start(home.path());
    let whole = file(300_000);
    let far = Far::start(whole.clone(), usize::MAX);
    ask_for(&server, &far, Some(&"ab".repeat(32)));
    let failed = stands(&server, |pull| pull["state"] == "failed");
    assert!(failed["why"].as_str().is_some_and(|why| why.contains("checksum is another one")), "{failed}");
    assert_eq!(failed["bytes_here"], 0);
    let page = Far::start(b"<!doctype html><title>Please log in</title>".to_vec(), usize::MAX);
    ask_for(&server, &page, None);
    let failed = stands(&server, |pull| pull["why"].as_str().is_some_and(|why| why.contains("no file of a model")));
    assert_eq!(failed["state"], "failed");
    assert_eq!(lying(home.path()), Vec::<String>::new());
    assert_eq!(server.get("/api/v1/models")["items"], json!([]));
    let key = format!("Bearer {}", server.token);
    let headers = [("Authorization", key.as_str()), ("Accept", "text/html")];
    let (status, shown) = server.request("GET", "/models", &headers, None);
    assert!(status == 200 && shown.contains("no file of a model") && shown.contains("nothing is verified"), "{shown}");
}

// shows: models: offline, and for an hour at one key, no model is fetched from another machine
#[test]
fn nothing_is_fetched_from_elsewhere_while_all_stays_here() {
    let home = home();
    let elsewhere = json!({"name": "m", "url": "https://192.0.2.1/m.gguf"});
    let refused = |server: &Server| {
        let (status, answer) = server.ask("POST", "/api/v1/models/fetch", Some(&elsewhere));
        assert_eq!((status, &answer["error"]["code"]), (409, &json!("stays_here")), "{answer}");
        assert_eq!(server.get("/api/v1/models/pulls")["items"], json!([]));
        let (status, answer) =
            server.ask("POST", "/api/v1/models/pulls", Some(&json!({"name": "smollm2-135m-instruct"})));
        assert!(status == 409 || status == 404, "{status} {answer}");
    };
    let server = Server::start(home.path());
    server.post("/api/v1/router/local-only", &json!({"minutes": 60}));
    refused(&server);
    // From this machine it still is.
    let whole = file(300_000);
    let far = Far::start(whole.clone(), usize::MAX);
    ask_for(&server, &far, Some(&sum(&whole)));
    in_state(&server, "done");
    assert_eq!(server.terminate(), Some(0));
    let offline = [("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"), ("TIMMY__CASCADE__OFFLINE", "true")];
    let other = crate::support::home();
    refused(&Server::start_with(other.path(), &offline));
}

// shows: models: a pull from elsewhere is given up when an hour begins in which all stays here, says so, and goes on from there when it is asked for after it
#[test]
fn a_pull_from_elsewhere_is_given_up_for_an_hour_and_goes_on_after_it() {
    let home = home();
    let Some(trusted) = elsewhere::trusted(home.path()) else { return };
    let whole = file(3_000_000);
    let far = Far::elsewhere(whole.clone(), 2_000_000);
    let server = Server::start_with(home.path(), &[("SSL_CERT_FILE", trusted.as_str())]);
    ask_for(&server, &far, Some(&sum(&whole)));
    let at = part(home.path(), &sum(&whole));
    server.wait_for(|| std::fs::metadata(&at).is_ok_and(|meta| meta.len() >= 1_000_000).then_some(()));

    server.post("/api/v1/router/local-only", &json!({"minutes": 60}));
    let ended = stands(&server, |pull| pull["state"] != "fetching" && pull["state"] != "stopping");
    let said = |field: &str| ended[field].as_str().unwrap_or_default();
    assert_eq!(said("state"), "failed", "{ended}");
    assert!(said("why").contains("everything stays on this machine for another 60 min"), "{ended}");
    assert!(said("hint").contains("goes on where it stopped"), "{ended}");
    let here = usize::try_from(std::fs::metadata(&at).expect("it stays").len()).expect("small");
    assert_eq!((ended["bytes_here"].as_u64(), lying(home.path())), (Some(here as u64), vec![]));
    let what = json!({"name": "m", "url": far.url, "sha256": sum(&whole)});
    assert_eq!(server.ask("POST", "/api/v1/models/fetch", Some(&what)).0, 409, "nor is it begun meanwhile");

    server.post("/api/v1/router/local-only", &json!({"minutes": 0}));
    far.go_on();
    ask_for(&server, &far, Some(&sum(&whole)));
    in_state(&server, "done");
    assert_eq!(far.asked(), [0, here], "what had come is not fetched again");
    assert_eq!(std::fs::read(home.path().join("models/m.gguf")).expect("the file"), whole);
    // Both stand in the ledger of what left, with where they went and how they ended.
    let ledger = server.wait_for(|| {
        let ledger = server.get("/api/v1/router/egress");
        let open = ledger["items"].as_array().is_some_and(|lines| lines.iter().any(|line| line["state"] == "open"));
        (!open).then_some(ledger)
    });
    let lines = ledger["items"].as_array().expect("lines").clone();
    assert!(lines.iter().all(|line| line["host"].as_str().is_some_and(|host| far.url.contains(host))), "{ledger}");
    let lines: Vec<_> =
        lines.iter().map(|line| (line["why"].clone(), line["state"].clone(), line["bytes"].clone())).collect();
    let line = |state: &str| (json!("pull"), json!(state), json!(far.url.len()));
    assert_eq!(lines, [line("answered"), line("failed")], "{ledger}");
}

/// A hub elsewhere that only sends on to `to`.
fn hub(to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let head = format!("HTTP/1.1 302 x\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut socket = elsewhere::encrypt(socket, elsewhere::encryption());
            // Whoever asked may be gone.
            let _ = socket.read(&mut [0; 4_096]).and_then(|_| socket.write_all(head.as_bytes()));
        }
    });
    format!("https://[{}]:{port}/m.gguf", elsewhere::HOST)
}

// shows: models: a pull that is sent on to another host has a line in the ledger for each host that was asked
#[test]
fn each_host_of_a_pull_stands_in_the_ledger() {
    let home = home();
    let Some(trusted) = elsewhere::trusted(home.path()) else { return };
    let whole = file(300_000);
    let far = Far::elsewhere(whole.clone(), usize::MAX);
    let hub = hub(&far.url);
    let server = Server::start_with(home.path(), &[("SSL_CERT_FILE", trusted.as_str())]);
    let what = json!({"name": "m", "url": hub, "sha256": sum(&whole)});
    assert_eq!(server.ask("POST", "/api/v1/models/fetch", Some(&what)).0, 201);
    in_state(&server, "done");
    let lines = server.wait_for(|| {
        let lines = server.get("/api/v1/router/egress")["items"].as_array().expect("lines").clone();
        (!lines.iter().any(|line| line["state"] == "open")).then_some(lines)
    });
    let found: Vec<_> =
        lines.iter().map(|line| (line["why"].clone(), line["host"].clone(), line["bytes"].clone())).collect();
    let line = |url: &str| {
        let host = url.trim_start_matches("https://").trim_end_matches("/m.gguf");
        (json!("pull"), json!(host), json!(url.len()))
    };
    assert_eq!(found, [line(&far.url), line(&hub)], "newest first");
    assert_eq!(far.asked(), [0]);
}

// shows: models: the command line fetches, says how far it is, and says so when nothing was verified
#[test]
fn the_command_line_fetches_and_says_what_was_verified() {
    let home = home();
    let whole = file(300_000);
    let far = Far::start(whole.clone(), usize::MAX);
    let (code, out, err) = run(home.path(), &["model", "pull", "mine", "--url", &far.url]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("nothing was verified") && out.contains(&sum(&whole)), "{out}");
    let (code, out, err) = run(home.path(), &["model", "pull", "other", "--url", &far.url, "--sha256", &sum(&whole)]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("its checksum is right"), "{out}");
    for refused in [
        &["model", "pull", "mine", "--url", far.url.as_str()][..],
        &["model", "pull", "new", "--url", "http://192.0.2.1/m.gguf"],
        &["model", "pull", "new", "--url", far.url.as_str(), "--sha256", "abc"],
        &["model", "pull", "phi-4"],
        &["model", "stop", "mine"],
    ] {
        let (code, out, err) = run(home.path(), refused);
        assert_eq!(code, 1, "{refused:?}: {out}{err}");
    }
    let (_, out, _) = run(home.path(), &["model", "list"]);
    assert!(out.contains("mine") && out.contains("Measured here") && out.contains("tokens/s"), "{out}");
}

// shows: models: a model of the catalogue that is here already is told as present, and not one byte of it is fetched again; one whose file is gone or cut comes anew
#[tokio::test]
async fn what_is_here_already_is_not_fetched_again() {
    let mut settings = Settings::default();
    settings.thinking.enabled = false;
    let engine = engine(vec![Arc::new(Scripted::new(&ScriptedSettings::default()))], settings);
    let (library, pulls) = (&engine.app.library, &engine.app.library.pulls);
    let entry = catalogue::find("qwen3-0.6b").expect("an entry");
    let whole = file(300_000);
    let far = Far::start(whole.clone(), usize::MAX);
    let wanted = Wanted {
        url: far.url.clone(),
        bytes: Some(whole.len() as u64),
        sha256: Some(sum(&whole)),
        file_name: entry.file_name(),
        head: b"GGUF",
    };
    let done = || pulls.get(entry.name).is_some_and(|pull| pull.state == PullState::Done);
    pulls.begin(entry, wanted.clone()).await.expect("begun");
    engine.wait_until(done).await;
    let path = library.get(entry.name).await.expect("registered").path;
    let lies = std::fs::metadata(&path).expect("it lies there").ino();

    let refused = [pulls.begin(entry, wanted.clone()).await, pulls.start(entry.name).await];
    assert!(refused.iter().all(|r| r.as_ref().is_err_and(|p| p.code == "model_exists")), "{refused:?}");
    assert_eq!(far.asked(), [0], "nobody was asked for it");
    assert_eq!(std::fs::metadata(&path).expect("it lies there").ino(), lies, "the same file");

    std::fs::remove_file(&path).expect("removed");
    pulls.begin(entry, wanted.clone()).await.expect("begun");
    engine.wait_until(done).await;
    std::fs::write(&path, &whole[..1_000]).expect("cut");
    pulls.begin(entry, wanted).await.expect("begun");
    engine.wait_until(done).await;
    assert_eq!((far.asked(), std::fs::read(&path).expect("the file")), (vec![0, 0, 0], whole));
}

// shows: models: the command line, the page and programs are told that a model is here already, without anything being fetched
#[test]
fn every_door_says_that_a_model_is_here_already() {
    let (home, elsewhere) = (home(), tempfile::tempdir().expect("a folder"));
    let server = Server::start_with(
        home.path(),
        &[("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"), ("TIMMY__CASCADE__OFFLINE", "true")],
    );
    let mine = elsewhere.path().join("mine.gguf");
    std::fs::write(&mine, file(10_000)).expect("written");
    // Whichever of them is advised on this machine.
    for (entry, _) in catalogue::fetchable() {
        let what = json!({"name": entry.name, "path": mine.to_str().expect("text")});
        server.post("/api/v1/models/import", &what);
    }
    let name = "qwen3-0.6b";
    let (code, out, err) = run(home.path(), &["model", "pull", name]);
    assert!(code == 0 && out.contains("qwen3-0.6b is here already; nothing was fetched"), "{out}{err}");
    let told = cli(home.path(), &["model", "pull", name]);
    assert_eq!((&told["state"], &told["already_here"]), (&json!("done"), &json!(true)), "{told}");
    if server.get("/api/v1/models/catalogue")["advice"].is_string() {
        let (code, out, err) = run(home.path(), &["model", "pull"]);
        assert!(code == 0 && out.contains("is here already; nothing was fetched"), "{out}{err}");
    }
    let pull = || server.ask("POST", "/api/v1/models/pulls", Some(&json!({"name": name})));
    let (status, answer) = pull();
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("model_exists")), "{answer}");
    let bearer = format!("Bearer {}", server.token);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let headers = [("Authorization", bearer.as_str()), form, ("Accept", "text/html")];
    let (_, shown) = server.request("POST", "/models/pull", &headers, Some("name=qwen3-0.6b"));
    assert!(shown.contains("qwen3-0.6b is here already. Nothing was fetched."), "{shown}");
    assert_eq!(server.get("/api/v1/models/pulls")["items"], json!([]));

    // Without its file it is not here, and offline nothing comes.
    std::fs::remove_file(&mine).expect("removed");
    let (status, answer) = pull();
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("stays_here")), "{answer}");
    assert_eq!(run(home.path(), &["model", "pull", name]).0, 1);
}

// shows: models: a pull is stopped by an interrupt of the command that began it, and by another command
#[test]
fn a_pull_is_stopped_from_the_command_line() {
    let home = home();
    let whole = file(300_000);
    let far = Far::start(whole.clone(), 100_000);
    let server = Server::start(home.path());
    let pulling = |name: &str| {
        let mut command = timmy(home.path());
        command.args(["model", "pull", name, "--url", &far.url, "--sha256", &sum(&whole)]);
        let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        pipes.spawn().expect("it starts")
    };
    let child = pulling("m");
    // All that comes before the break; an earlier interrupt finds less.
    stands(&server, |pull| pull["state"] == "fetching" && pull["bytes_here"] == 100_000);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("interrupted");
    let out = child.wait_with_output().expect("ended");
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("was stopped") && said.contains("goes on from there"), "{said}");
    assert_eq!(in_state(&server, "cancelled")["bytes_here"], json!(100_000));

    let child = pulling("m");
    server.wait_for(|| (far.asked().len() == 2).then_some(()));
    let (code, out, err) = run(home.path(), &["model", "stop", "m"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(child.wait_with_output().expect("ended").status.code(), Some(1));
    assert_eq!(lying(home.path()), Vec::<String>::new());
    far.go_on();
    let child = pulling("m");
    assert_eq!(child.wait_with_output().expect("ended").status.code(), Some(0));
    assert_eq!(far.asked(), [0, 100_000, 100_000]);
}
