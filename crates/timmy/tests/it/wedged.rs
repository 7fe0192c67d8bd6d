//! The router's hardest days with real processes: the house is one, its model server another, and that one is missing
//! when the house starts, fails first, is killed in the middle of an answer, and comes back later. Nobody does anything
//! to the house; what it knows is read over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Server, home};

/// Set for the process that is the model server: where it listens.
const AT: &str = "TIMMY_TEST_BACKEND_AT";
/// How many of its first answers fail.
const FAILS: &str = "TIMMY_TEST_BACKEND_FAILS";
/// How long a look of the house may be away, and more.
const LOOK: Duration = Duration::from_secs(60);
/// What the model is asked when it is to stop in the middle.
const SLOWLY: &str = "slowly";

/// A model server as a process of its own: this program once more, with only the test below.
struct Backend {
    child: Child,
    says: BufReader<ChildStderr>,
}

impl Backend {
    fn start(at: SocketAddr, fails: usize) -> Self {
        let itself = std::env::current_exe().expect("a path");
        let mut command = Command::new(itself);
        command.args(["--exact", "wedged::the_model_server", "--nocapture", "--test-threads=1"]);
        command.env(AT, at.to_string()).env(FAILS, fails.to_string());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        let says = BufReader::new(child.stderr.take().expect("piped"));
        let mut started = Self { child, says };
        started.hear("listening");
        started
    }

    /// Waits until it says this.
    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        self.says.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), word);
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // Ended already where it was killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test but the model server, when a test wants one.
#[test]
fn the_model_server() {
    let Some(at) = std::env::var(AT).ok() else { return };
    let fails = AtomicUsize::new(std::env::var(FAILS).ok().and_then(|n| n.parse().ok()).unwrap_or(0));
    let listener = TcpListener::bind(&at).expect("the port is free");
    eprintln!("listening");
    std::thread::scope(|scope| {
        for socket in listener.incoming().flatten() {
            let fails = &fails;
            scope.spawn(move || answer(socket, fails));
        }
    });
}

fn answer(mut socket: TcpStream, fails: &AtomicUsize) {
    let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
    let (mut head, mut length) = (String::new(), 0);
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
    let mut asked = vec![0; length];
    let _ = reader.read_exact(&mut asked);
    let slowly = String::from_utf8_lossy(&asked).contains(SLOWLY);
    let token = r#"{"model":"small:1b","message":{"role":"assistant","content":"I am awake."},"done":false}"#;
    let end = r#"{"model":"small:1b","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#;
    let chat = format!("{token}\n{end}\n");
    let (status, body) = match head.split(' ').nth(1) {
        Some("/api/chat") if fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() => {
            (500, "{\"error\":\"out of memory\"}".to_owned())
        }
        Some("/api/chat") if slowly => {
            let half = format!("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n{token}\n");
            let _ = socket.write_all(half.as_bytes());
            let _ = writeln!(std::io::stderr(), "begun");
            std::thread::sleep(Duration::from_secs(3_600));
            return;
        }
        Some("/api/chat") => (200, chat),
        Some("/api/tags") => (200, r#"{"models":[{"name":"small:1b"}]}"#.to_owned()),
        _ => (200, r#"{"version":"0.9.9"}"#.to_owned()),
    };
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes()));
}

/// What the house knows of its model server.
fn ollama(server: &Server) -> Value {
    server.get("/api/v1/router/providers")["items"][0].clone()
}

/// Asks once; the words, or why there are none.
fn ask(server: &Server, text: &str) -> Result<String, String> {
    let body = json!({"messages": [{"role": "user", "content": text}]});
    let (status, answer) = server.ask("POST", "/api/v1/router/complete", Some(&body));
    match status {
        200 => Ok(answer["content"].as_str().unwrap_or_default().to_owned()),
        503 => Err(answer["error"]["message"].as_str().unwrap_or_default().to_owned()),
        other => panic!("{other}: {answer}"),
    }
}

/// Looks until it holds, longer than the house takes to look by itself.
fn until(server: &Server, what: &str, holds: impl Fn(&Value) -> bool) {
    let began = Instant::now();
    loop {
        let now = ollama(server);
        if holds(&now) {
            return;
        }
        assert!(began.elapsed() < LOOK, "{what} never came: {now}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

// shows: models: a model server that is missing at the start, fails first, is killed in the middle and comes back later is used again, as real processes and with nobody's help
#[test]
#[ignore = "long: it waits for the house to look by itself, every 15 s; make test-long runs it"]
fn a_model_server_comes_and_goes_as_it_likes() {
    let at = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let (home, url) = (home(), format!("http://{at}"));
    let server = Server::start_with(
        home.path(),
        &[
            ("TIMMY__CASCADE__PROVIDERS", "ollama"),
            ("TIMMY__OLLAMA__URL", &url),
            ("TIMMY__OLLAMA__MODEL", "small:1b"),
            ("TIMMY__THINKING__ENABLED", "false"),
        ],
    );
    until(&server, "the word that it is missing", |p| p["status"] == "down");
    let refused = ask(&server, "hello").expect_err("nobody listens");
    assert!(refused.contains("nobody listens"), "{refused}");

    // It comes up, and its very first answers fail.
    let mut backend = Backend::start(at, 3);
    until(&server, "the look that finds it", |p| p["status"] == "up");
    assert!(ask(&server, "hello").expect_err("it fails first").contains("out of memory"));
    assert_eq!(ask(&server, "hello"), Ok("I am awake.".to_owned()), "a bad start shuts nothing");

    // It is killed in the middle of an answer.
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&server, SLOWLY));
        backend.hear("begun");
        backend.kill();
        let broke = asked.join().expect("no panic").expect_err("half an answer is none");
        // Three failures, an answer and one more failure are more than half of a window, so it may rest already.
        assert!(["broke off", "nobody listens", "rests"].iter().any(|word| broke.contains(word)), "{broke}");
    });
    let mut asked = 0;
    while !ask(&server, "hello").expect_err("it is dead").contains("rests") {
        asked += 1;
        assert!(asked <= 5, "it is asked again and again");
    }
    assert_eq!(ollama(&server)["circuit_state"], "open");
    until(&server, "the word that it is gone", |p| p["status"] == "down");

    // It comes back, and the look that finds it ends its rest.
    let _backend = Backend::start(at, 0);
    until(&server, "the end of its rest", |p| p["status"] == "up" && p["circuit_state"] == "half_open");
    for _ in 0..2 {
        assert_eq!(ask(&server, "hello"), Ok("I am awake.".to_owned()));
    }
    assert_eq!(ollama(&server)["circuit_state"], "closed");
    let told = server.get("/api/events?after=0&limit=1000&type=router.*");
    let told: Vec<&str> = told["items"].as_array().expect("items").iter().filter_map(|e| e["event"].as_str()).collect();
    for name in ["router.provider_down", "router.provider_up", "router.circuit_opened"] {
        assert!(told.contains(&name), "{name}: {told:?}");
    }
    assert_eq!(server.terminate(), Some(0));
}
