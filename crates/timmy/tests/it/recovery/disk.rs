//! A disk that is really full: a small one of its own, filled to the last byte while Timmy runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::may_mount;
use crate::support::{Server, home, timmy};

/// A server whose home is a disk of so many MiB that only it sees; and where that home is seen from here.
pub fn server_on_a_small_disk(home: &Path, mib: u64) -> Server {
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o size={mib}m,mode=700 none \"$1\" && shift && exec \"$@\"");
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", home);
    command.env("TIMMY__CASCADE__PROVIDERS", "scripted,reflex").env("TIMMY__THINKING__INTERVAL_SECONDS", "1");
    command.env("TIMMY__THINKING__DAILY_CALLS", "0").env("TIMMY__THINKING__DAILY_TOKENS", "0");
    command.env("TIMMY__THINKING__ADAPTIVE_REST", "false");
    command.args(["-rm", "sh", "-c", &script, "sh"]).arg(home).arg(timmy(home).get_program());
    command.arg("--home").arg(home).args(["serve", "--port", "0"]);
    let below = home.strip_prefix("/").expect("absolute").to_owned();
    Server::of(command, Stdio::null(), move |pid| PathBuf::from(format!("/proc/{pid}/root")).join(below))
}

/// Writes to `at` until not one byte more finds room.
pub fn fill(at: &Path) {
    let mut file = std::fs::File::create(at).expect("made");
    let piece = [b'x'; 4_096];
    while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    while std::io::Write::write_all(&mut file, b"x").is_ok() {}
}

/// The contents of all thoughts.
fn all_thoughts(server: &Server) -> std::collections::BTreeSet<String> {
    let mut there = std::collections::BTreeSet::new();
    let mut path = "/thinking/api?limit=1000".to_owned();
    loop {
        let page = server.get(&path);
        there.extend(
            page["items"].as_array().expect("items").iter().filter_map(|t| t["content"].as_str().map(str::to_owned)),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/thinking/api?limit=1000&before={next}"),
            None => break,
        }
    }
    there
}

fn resumed(server: &Server) -> usize {
    server.get("/api/events?type=store.resumed&limit=1000")["items"].as_array().map_or(0, Vec::len)
}

fn inject(server: &Server, words: &str) -> (u16, Value) {
    server.ask("POST", "/thinking/api/inject", Some(&json!({"content": words})))
}

// shows: process: on a full disk writes are refused with 503 disk_full, reading goes on, thinking rests, and all goes on by itself
#[test]
fn a_full_disk_refuses_writes_and_all_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let place = home();
    let server = server_on_a_small_disk(place.path(), 24);
    let filler = server.home.join("filler");
    let mut acknowledged = Vec::new();
    let mut keep = |words: String| {
        let (status, told) = inject(&server, &words);
        if status < 300 {
            acknowledged.push(words);
        }
        (status, told)
    };
    assert!(keep("before".to_owned()).0 < 300);
    for round in 0..2 {
        fill(&filler);
        // What is left in the file of the write-ahead log is used up first, down to the smallest write.
        let text = "kelp ".repeat(390);
        let mut n = 0;
        let told = server.wait_for(|| {
            n += 1;
            let (status, told) = keep(format!("{round} {n} {}", if n % 2 == 0 { &text } else { "small" }));
            let state = server.get("/api/status");
            let rests = state["state"] == "degraded" && state["thinking"]["why"] == "the disk is full";
            (status >= 400 && rests).then_some((status, told, state))
        });
        let (status, told, state) = told;
        assert_eq!((status, told["error"]["code"].as_str()), (503, Some("disk_full")), "{told}");
        assert!(told["error"]["hint"].as_str().is_some_and(|h| h.contains("Make room")), "{told}");
        assert!(state["act"].as_str().is_some_and(|a| a.contains("disk is full")), "{state}");
        // Reading goes on, and says what is the case.
        for path in ["/thinking/api", "/api/events", "/api/health", "/health", "/swarm/events", "/thinking", "/"] {
            let (status, body) =
                server.request("GET", path, &[("Authorization", &format!("Bearer {}", server.token))], None);
            assert_eq!(status, 200, "{path}: {body}");
        }
        // Room again: nobody has to do anything.
        let told_before = resumed(&server);
        std::fs::remove_file(&filler).expect("removed");
        server.wait_for(|| (resumed(&server) > told_before).then_some(()));
        let count = || server.get("/thinking/api?limit=1000")["items"].as_array().map_or(0, Vec::len);
        let before = count();
        server.wait_for(|| (count() > before || before == 1_000).then_some(()));
        assert!(keep(format!("after {round}")).0 < 300);
        server.wait_for(|| (server.get("/api/status")["state"] != "degraded").then_some(()));
    }
    assert_eq!(server.get("/api/events/verify")["ok"], true);
    // Killed with the disk full, and started again elsewhere: all that was acknowledged is there.
    fill(&filler);
    let _ = inject(&server, &"x".repeat(1_900));
    let other = home();
    for name in ["timmy.db", "timmy.db-wal", "timmy.db.key"] {
        let from = server.home.join(name);
        if from.exists() {
            std::fs::copy(from, other.path().join(name)).expect("copied");
        }
    }
    server.kill();
    let again = Server::start(other.path());
    let there = all_thoughts(&again);
    // Long thoughts are cut at a word; their beginning tells them apart.
    let start = |text: &str| text.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let there: std::collections::BTreeSet<String> = there.iter().map(|t| start(t)).collect();
    for words in &acknowledged {
        assert!(there.contains(&start(words)), "{} was acknowledged and is gone", start(words));
    }
    assert_eq!(again.get("/api/events/verify")["ok"], true);
    assert_eq!(again.terminate(), Some(0));
}
