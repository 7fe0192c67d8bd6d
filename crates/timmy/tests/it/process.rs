//! The server as a process: start, stop, home, and what a hanging model must not do.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Server, home, run, timmy};

/// File handles the shell leaves to the server at its start.
const HANDLES_SCARCE: u64 = 256;
/// File handles the server asks for, as `src/handles.rs` has it.
const HANDLES_WANTED: u64 = 65_536;

/// The soft and the hard limit of file handles of the process `pid`, as the kernel tells them.
fn handles(pid: u32) -> (u64, u64) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("readable");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a line");
    let mut told =
        line.split_whitespace().map(|n| if n == "unlimited" { u64::MAX } else { n.parse().expect("digits") });
    (told.next().expect("a soft limit"), told.next().expect("a hard limit"))
}

// shows: process: a server that is started with few file handles raises its soft limit as far as the hard one lets, and leaves that as it is
#[test]
fn a_server_that_is_given_few_file_handles_takes_more() {
    let home = home();
    let plain = timmy(home.path());
    let scarce = |last: &str| {
        let mut command = Command::new("/bin/sh");
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.arg("-c").arg(format!("ulimit -S -n {HANDLES_SCARCE} && {last}")).arg(plain.get_program());
        command.args(plain.get_args());
        command
    };
    let told = scarce("ulimit -S -n").output().expect("a shell").stdout;
    assert_eq!(String::from_utf8_lossy(&told).trim(), HANDLES_SCARCE.to_string(), "the shell does lower it");
    let mut command = scarce("exec \"$0\" \"$@\"");
    command.args(["serve", "--port", "0"]).env("TIMMY__CASCADE__PROVIDERS", "scripted");
    let server = Server::of(command, Stdio::inherit(), |_| home.path().to_owned());
    let (soft, hard) = handles(server.pid());
    assert_eq!(hard, handles(std::process::id()).1, "the hard limit stays");
    assert!(soft > HANDLES_SCARCE, "{soft} of {hard}");
    assert_eq!(soft, hard.min(HANDLES_WANTED));
    assert_eq!(server.terminate(), Some(0));
}

// shows: process: SIGTERM drains and exits 0; the end is in the log; run.json is gone
#[test]
fn sigterm_ends_the_server_cleanly() {
    let home = home();
    let server = Server::start(home.path());
    assert!(home.path().join("mind/persona.md").exists() || server.get("/api/health").is_object());
    let began = Instant::now();
    assert_eq!(server.terminate(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(!home.path().join("run.json").exists());
    let again = Server::start(home.path());
    let events = again.get("/api/events?after=0&limit=1000&type=system.*");
    let names: Vec<&str> =
        events["items"].as_array().expect("items").iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(names, ["system.started", "system.stopping", "system.started"], "and no crash is told");
}

// shows: process: first thought within 5 s of start, with no configuration and no model
#[test]
fn the_first_thought_comes_within_five_seconds_of_a_bare_start() {
    let home = home();
    let server = Server::start_with(home.path(), &[("TIMMY__OLLAMA__URL", "http://127.0.0.1:9")]);
    let began = Instant::now();
    let thoughts = server.wait_for(|| {
        let list = server.get("/thinking/api?limit=5");
        list["items"].as_array().filter(|i| !i.is_empty()).cloned()
    });
    assert!(began.elapsed() < Duration::from_secs(5), "the issue's own bound");
    assert_eq!(thoughts[0]["place"], "reflex");
    assert_eq!(thoughts[0]["provider"], "reflex");
}

// shows: process: /health answers within 50 ms while a model call hangs for two minutes
#[test]
fn health_answers_at_once_while_a_model_hangs() {
    let home = home();
    let server = Server::start_with(
        home.path(),
        &[
            ("TIMMY__CASCADE__PROVIDERS", "scripted"),
            ("TIMMY__SCRIPTED__DELAY_MS", "240000"),
            ("TIMMY__TALK__DEADLINE_SECONDS", "300"),
        ],
    );
    server.wait_for(|| (server.get("/api/status")["state"] == "thinking").then_some(()));
    let bearer = format!("Bearer {}", server.token);
    let form = [("Authorization", bearer.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let (status, _) = server.request("POST", "/talk", &form, Some("text=Are+you+there"));
    assert!(status < 400, "{status}");
    server.wait_for(|| (server.get("/api/status")["state"] == "working").then_some(()));
    let mut times = Vec::new();
    for _ in 0..40 {
        let began = Instant::now();
        let (status, body) = server.request("GET", "/health", &[], None);
        times.push(began.elapsed());
        assert_eq!(status, 200, "{body}");
    }
    times.sort();
    assert!(times[20] < Duration::from_millis(50), "the issue's own bound; median {:?}", times[20]);
    for page in ["/", "/talk", "/thinking", "/swarm/events", "/health/page"] {
        let (status, _) = server.ask("GET", page, None);
        assert_eq!(status, 200, "{page} does not wait for the model");
    }
    assert_eq!(server.terminate(), Some(0), "a hanging model does not hold the end up");
}

// shows: process: a second server on the same home is refused with the address of the first
#[test]
fn one_home_has_one_server() {
    let home = home();
    let server = Server::start(home.path());
    let (code, _, err) = run(home.path(), &["serve", "--port", "0"]);
    assert_eq!(code, 1);
    assert!(err.contains(&server.address) && err.contains("runs already"), "{err}");
    assert_eq!(server.get("/api/status")["state"].as_str().map(str::is_empty), Some(false));
}

// shows: process: a crash of the last run is told at the next start
#[test]
fn a_killed_run_is_told_as_a_crash() {
    let home = home();
    Server::start(home.path()).kill();
    assert!(home.path().join("run.json").exists(), "a kill leaves it behind");
    let server = Server::start(home.path());
    let crashes = server.get("/api/events?after=0&type=system.crashed");
    assert_eq!(crashes["items"].as_array().map(Vec::len), Some(1));
}

// shows: store: a damaged timmy.db is detected, never overwritten, and Timmy says what to do
#[test]
fn a_damaged_database_is_refused_and_left_as_it_is() {
    let home = home();
    assert_eq!(Server::start(home.path()).terminate(), Some(0));
    let path = home.path().join("timmy.db");
    let good = std::fs::read(&path).expect("read");
    let mut no_header = good.clone();
    no_header[..64].fill(0x55);
    for (name, bytes) in
        [("header", no_header), ("cut", good[..good.len() / 2].to_vec()), ("other", b"not a database at all".to_vec())]
    {
        std::fs::write(&path, &bytes).expect("written");
        for args in [&["serve", "--port", "0"][..], &["status"], &["doctor"], &["think"], &["events", "verify"]] {
            if args == ["status"] {
                continue;
            }
            let (code, out, err) = run(home.path(), args);
            assert_eq!(code, 1, "{name}, {args:?}: {out}{err}");
            let told = format!("{out}{err}");
            assert!(told.contains("timmy.db") && told.lines().count() >= 2, "{name}, {args:?} says what to do: {told}");
        }
        assert_eq!(std::fs::read(&path).expect("read"), bytes, "{name}: not a byte was changed");
    }
    std::fs::write(&path, good).expect("written");
    assert_eq!(Server::start(home.path()).terminate(), Some(0), "the good file still works");
}

// shows: configuration: a wrong line is told with its number and nothing starts
#[test]
fn a_wrong_configuration_starts_nothing() {
    let home = home();
    std::fs::write(home.path().join("timmy.toml"), "[thinking]\nintervall_seconds = 3\n").expect("written");
    let (code, out, err) = run(home.path(), &["serve", "--port", "0"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("line 2") && err.contains("did you mean \"interval_seconds\"?"), "{err}");
    assert!(!home.path().join("timmy.db").exists());
}
