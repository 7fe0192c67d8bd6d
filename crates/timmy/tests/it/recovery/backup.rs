//! Backups made while Timmy runs: whole, without secrets, and never half.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use timmy_core::backup::proof::NOTE;
use timmy_domain::event::LoginEnded;
use timmy_domain::{NewEvent, Timestamp};
use timmy_store::{Options, Store};

use super::{back_up, faults, think, thoughts};
use crate::support::{Server, home, json, run, timmy};

/// The bytes of everything in a backup, unpressed.
fn unpressed(file: &Path) -> Vec<u8> {
    let out = std::process::Command::new("gzip").args(["-dc"]).arg(file).output().expect("gzip runs");
    assert!(out.status.success());
    out.stdout
}

fn holds(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|w| w == canary.as_bytes())
}

/// A home with so much in it that a backup takes a while.
pub fn large(home: &Path, events: usize) {
    let chance = Arc::new(|out: &mut [u8]| getrandom(out));
    let clock = Arc::new(|| Timestamp::from_micros(1_795_248_000_000_000));
    let store = Store::open(&home.join("timmy.db"), clock, chance, Options::default()).expect("opens");
    for _ in 0..events / 10_000 {
        let batch = (0..10_000).map(|_| NewEvent::new("test", LoginEnded {})).collect();
        store.append_blocking(batch).expect("written");
    }
    let closing = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    closing.block_on(store.close());
}

fn getrandom(out: &mut [u8]) {
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(out)).expect("randomness");
}

/// Looks into every byte of the backup, unpressed, and at the names in it.
fn holds_no_secret(file: &Path, secrets: &[&str]) {
    let bytes = unpressed(file);
    assert!(holds(&bytes, "thought 0") && holds(&bytes, "interval_seconds = 7_000"), "it was unpressed rightly");
    for canary in [&["canary-of-secrets"], secrets].concat() {
        assert!(!holds(&bytes, canary), "{canary} is in the backup");
    }
    let listed = std::process::Command::new("tar").arg("-tzf").arg(file).output().expect("tar runs").stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    assert!(listed.lines().any(|l| l == "timmy.db") && listed.lines().any(|l| l == "mind/.git/HEAD"), "{listed}");
    for absent in ["secrets.toml", "run.json", "lock", "logs", "models", ".key", "backups"] {
        assert!(
            !listed.lines().any(|l| l.split('/').next().is_some_and(|top| top.contains(absent))),
            "{absent}: {listed}"
        );
    }
}

/// A browser's cookie.
fn log_in(server: &Server) -> String {
    let code = server.post("/api/login/code", &serde_json::json!({}));
    let body = serde_json::json!({"code": code["code"]}).to_string();
    let raw = format!(
        "POST /login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    let mut socket = std::net::TcpStream::connect(&server.address).expect("listens");
    std::io::Write::write_all(&mut socket, raw.as_bytes()).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("answered");
    answer.split("timmy_session=").nth(1).and_then(|rest| rest.split(';').next()).expect("a cookie").to_owned()
}

// shows: backup: made under load through the running server, it holds everything acknowledged before, and no secret
#[test]
fn a_backup_under_load_holds_everything_acknowledged_and_no_secret() {
    let home = home();
    std::fs::write(home.path().join("secrets.toml"), "# canary-of-secrets\n").expect("written");
    std::fs::set_permissions(home.path().join("secrets.toml"), std::fs::Permissions::from_mode(0o600)).expect("closed");
    std::fs::write(home.path().join("timmy.toml"), "[thinking]\ninterval_seconds = 7_000\n").expect("written");
    let server = Server::start(home.path());
    server.wait_for(|| home.path().join("mind/.git/refs/heads/main").exists().then_some(()));
    let token = json(home.path(), &["token", "create", "--name", "phone", "--scope", "read"]);
    let token = token["token"].as_str().expect("a token").to_owned();
    let cookie = log_in(&server);
    let done = AtomicBool::new(false);
    let (made, before) = std::thread::scope(|threads| {
        let writing = threads.spawn(|| {
            // Bounded, so that a backup that fails ends the test.
            let (mut count, began) = (0, std::time::Instant::now());
            while !done.load(Ordering::SeqCst) && began.elapsed().as_secs() < 60 {
                server.post("/thinking/api/inject", &serde_json::json!({"content": format!("thought {count}")}));
                count += 1;
            }
            count
        });
        let before = server.wait_for(|| {
            let list = server.get("/thinking/api?limit=1000");
            let all: Vec<String> =
                list["items"].as_array()?.iter().filter_map(|t| t["content"].as_str().map(str::to_owned)).collect();
            (all.len() >= 5).then_some(all)
        });
        let made = json(home.path(), &["backup"]);
        done.store(true, Ordering::SeqCst);
        assert!(writing.join().expect("writes") > 0);
        (made, before)
    });
    assert_eq!(made["drilled"], true, "{made}");
    let file = PathBuf::from(made["path"].as_str().expect("a path"));
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(file.parent().expect("a folder")).expect("there").permissions().mode() & 0o777, 0o700);
    let run_token = server.token.clone();
    let events = server.get("/api/events?type=backup.*&limit=10");
    let names: Vec<&str> =
        events["items"].as_array().expect("items").iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(names, ["backup.made", "backup.drilled"]);
    assert_eq!(server.get("/api/backups")["last_drill"]["whole"], true);
    let key = std::fs::read_to_string(home.path().join("timmy.db.key")).expect("a signing key");
    assert_eq!(server.terminate(), Some(0));
    holds_no_secret(&file, &[&cookie, &token, &run_token, key.trim()]);
    // Into another home: everything that was acknowledged before is there, browsers log in anew, programs go on.
    let other = crate::support::home();
    let restored = json(other.path(), &["restore", file.to_str().expect("text"), "--yes"]);
    assert_eq!(restored["tokens"], 1);
    let there = thoughts(other.path());
    assert!(before.iter().all(|t| there.contains(t)), "{before:?} {there:?}");
    assert!(other.path().join("timmy.toml").exists() && !other.path().join("secrets.toml").exists());
    let server = Server::start(other.path());
    assert_eq!(server.request("GET", "/thinking/api", &[("Cookie", &format!("timmy_session={cookie}"))], None).0, 401);
    assert_eq!(server.request("GET", "/thinking/api", &[("Authorization", &format!("Bearer {token}"))], None).0, 200);
    assert_eq!(server.get("/api/events/verify")["ok"], true);
    assert_eq!(server.terminate(), Some(0));
}

// shows: backup: Ctrl-C and kill -9 leave no half file, and the next backup clears away what was left
#[test]
fn a_backup_that_is_cut_off_leaves_no_half_file() {
    let home = home();
    large(home.path(), 60_000);
    let backups = home.path().join("backups");
    let whole = |backups: &Path| -> Vec<String> {
        let names = std::fs::read_dir(backups).into_iter().flatten().filter_map(Result::ok);
        names.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    };
    let mut cut = 0;
    for (round, signal) in
        [rustix::process::Signal::INT, rustix::process::Signal::KILL].into_iter().cycle().take(8).enumerate()
    {
        let before = whole(&backups);
        let mut child =
            timmy(home.path()).arg("backup").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("runs");
        // Once its work has begun, a little later each time.
        let fresh = |name: &String| name.starts_with(".work-") && !before.contains(name);
        while !whole(&backups).iter().any(fresh) && child.try_wait().expect("looked").is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(round as u64 * 15));
        let pid = rustix::process::Pid::from_child(&child);
        // It may have ended already, when this machine is quick.
        let _ = rustix::process::kill_process(pid, signal);
        let ended = child.wait_with_output().expect("ended");
        let (ended, said) = (ended.status, String::from_utf8_lossy(&ended.stderr).into_owned());
        let there = whole(&backups);
        if ended.success() {
            continue;
        }
        cut += 1;
        if signal == rustix::process::Signal::INT {
            assert_eq!(ended.code(), Some(1));
            assert!(!there.iter().any(|n| n.starts_with(".work-") || n.ends_with(".new")), "{there:?}");
            // What is said is what is there.
            let is_made = there.iter().any(|n| n.ends_with(".tar.gz") && !before.contains(n));
            let words = if is_made { "is not checked to the end" } else { "no backup was made" };
            assert!(said.contains(words), "{words}: {said}");
        }
        for file in there.iter().filter(|n| n.ends_with(".tar.gz")) {
            // Cut off while it was checked: then it is whole and has its name.
            assert_eq!(
                run(home.path(), &["backup", "verify", backups.join(file).to_str().expect("text")]).0,
                0,
                "{file}"
            );
        }
    }
    assert!(cut > 0, "every backup was done before it could be cut off");
    let made = back_up(home.path());
    let there = whole(&backups);
    let known = |n: &String| n.ends_with(".tar.gz") || n == NOTE;
    assert!(there.iter().all(known), "what was left is cleared away: {there:?}");
    assert!(made.exists());
    assert_eq!(run(home.path(), &["events", "verify"]).0, 0);
}

// shows: backup: put where the owner wants it, listed, and checked, also on a home whose database is damaged
#[test]
fn backups_go_where_they_should_and_can_be_looked_at_without_a_database() {
    let home = home();
    think(home.path(), "kelp");
    let usb = crate::support::home();
    let usb_text = usb.path().to_str().expect("text");
    let into = json(home.path(), &["backup", "--to", usb_text]);
    let named = usb.path().join("mine.tar.gz");
    let file = json(home.path(), &["backup", "--to", named.to_str().expect("text")]);
    assert_eq!(file["file"], "mine.tar.gz");
    assert!(Path::new(into["path"].as_str().expect("a path")).starts_with(usb.path()) && named.exists());
    let (code, _, err) = run(home.path(), &["backup", "--to", named.to_str().expect("text")]);
    assert!(code == 1 && err.contains("is there already"), "{err}");
    assert_eq!(run(home.path(), &["backup", "--to", "/nowhere/at/all/x.tar.gz"]).0, 1);
    assert_eq!(
        json(home.path(), &["backup", "list"])["items"].as_array().map(Vec::len),
        Some(0),
        "they were moved out"
    );
    let kept = back_up(home.path());
    std::fs::write(home.path().join("timmy.db"), "no database at all").expect("written");
    assert_eq!(json(home.path(), &["backup", "list"])["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(json(home.path(), &["backup", "verify", kept.to_str().expect("text")])["ok"], true);
    let (code, _, err) = run(home.path(), &["backup"]);
    assert!(code == 1 && err.contains("damaged"), "no backup is made of what is damaged: {err}");
    // A backup of the owner's that is damaged says so.
    let mut bytes = std::fs::read(&named).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    std::fs::write(&named, bytes).expect("written");
    let (code, _, err) = run(home.path(), &["backup", "verify", named.to_str().expect("text")]);
    assert!(code == 1 && err.lines().count() >= 2, "{err}");
    assert!(!faults(home.path()).is_empty());
}

// shows: backup: with too little room none is begun, in plain words
#[test]
fn without_room_no_backup_is_begun() {
    let home = home();
    think(home.path(), "kelp");
    std::fs::create_dir(home.path().join("blobs")).expect("made");
    let vast = std::fs::File::create(home.path().join("blobs/vast")).expect("made");
    vast.set_len(1 << 43).expect("a file with nothing in it");
    let (code, _, err) = run(home.path(), &["backup"]);
    assert!(code == 1 && err.contains("too little room"), "{err}");
    drop(vast);
    std::fs::remove_file(home.path().join("blobs/vast")).expect("removed");
    std::fs::write(home.path().join("blobs/small"), "blob").expect("written");
    let other = crate::support::home();
    let file = back_up(home.path());
    json(other.path(), &["restore", file.to_str().expect("text"), "--yes"]);
    assert_eq!(std::fs::read_to_string(other.path().join("blobs/small")).expect("read"), "blob");
}

// shows: backup: a link in place of timmy.toml, mind/ or blobs/ is not followed, and named as left out
#[test]
fn what_is_left_out_is_named() {
    let (home, place) = (home(), home());
    think(home.path(), "kelp");
    std::fs::write(place.path().join("mine.toml"), "[thinking]\ninterval_seconds = 7_000\n").expect("written");
    for folder in ["mind", "blobs"] {
        let _ = std::fs::remove_dir_all(home.path().join(folder));
        std::fs::create_dir(place.path().join(folder)).expect("made");
        std::fs::write(place.path().join(folder).join("canary.md"), "canary behind a link").expect("written");
        std::os::unix::fs::symlink(place.path().join(folder), home.path().join(folder)).expect("linked");
    }
    std::os::unix::fs::symlink(place.path().join("mine.toml"), home.path().join("timmy.toml")).expect("linked");
    let made = json(home.path(), &["backup"]);
    let why = "a link, which is not followed";
    let expected = ["timmy.toml", "mind", "blobs"].map(|name| format!("{name} ({why})"));
    assert_eq!(made["left_out"], serde_json::json!(expected));
    assert_eq!(made["checked"], "whole");
    let file = made["path"].as_str().expect("a path");
    assert_eq!(json(home.path(), &["backup", "verify", file])["left_out"], serde_json::json!(expected));
    assert!(!holds(&unpressed(Path::new(file)), "canary behind a link"));
    for args in [&["backup"][..], &["backup", "verify", file]] {
        let (code, out, _) = run(home.path(), args);
        assert!(code == 0 && out.contains("LEFT OUT") && out.contains("mind (a link"), "{out}");
    }
    let (_, out, _) = run(home.path(), &["doctor"]);
    assert!(out.contains("blobs is a link, which no backup follows"), "{out}");
    let (code, _, err) = run(home.path(), &["backup", "--only", "settings"]);
    assert!(code == 1 && err.contains("timmy.toml (a link"), "{err}");
}

// shows: backup: a timmy.toml that grew too large while Timmy runs is named as left out
#[test]
fn settings_that_are_too_large_are_named_as_left_out() {
    let home = home();
    let server = Server::start(home.path());
    std::fs::write(home.path().join("timmy.toml"), "# kelp\n".repeat(200_000)).expect("written");
    let made = server.post("/api/backups", &serde_json::json!({}));
    assert_eq!(made["left_out"][0], "timmy.toml (over 1024 KiB)", "{made}");
    assert_eq!(server.terminate(), Some(0));
}

// shows: backup: one whose check did not come to its end is told as that, and not as one that would not restore
#[test]
fn a_check_that_did_not_come_to_its_end_is_told_as_that() {
    let home = home();
    let server = Server::start(home.path());
    let backups = home.path().join("backups");
    std::fs::create_dir(&backups).expect("made");
    // Where the server would unpack it lies something that is no folder: then nothing can be said of the backup.
    let taken = backups.join(format!(".work-drill-{}", server.pid()));
    std::fs::write(&taken, "").expect("written");
    let (code, out, err) = run(home.path(), &["backup"]);
    assert!(code == 3 && out.contains("NOT CHECKED TO THE END") && !out.contains("WOULD NOT"), "{code} {out}{err}");
    let listed = json(home.path(), &["backup", "list"]);
    assert_eq!(listed["items"][0]["checked"], "not checked");
    std::fs::remove_file(taken).expect("removed");
    assert_eq!(json(home.path(), &["backup"])["checked"], "whole");
    let listed = json(home.path(), &["backup", "list"]);
    let words = |n: usize| listed["items"][n]["checked"].as_str().map(str::to_owned);
    assert_eq!((words(0).as_deref(), words(1).as_deref()), (Some("whole"), Some("not checked")), "{listed}");
    assert_eq!(server.terminate(), Some(0));
}

// shows: backup: looking at one unpacks it beside the backups, clears away when it is interrupted, and after a kill with the next look
#[test]
fn looking_at_a_backup_leaves_nothing() {
    let (home, temporary) = (home(), home());
    large(home.path(), 60_000);
    let file = back_up(home.path());
    let backups = home.path().join("backups");
    let verify = || {
        let mut command = timmy(home.path());
        command.env("TMPDIR", temporary.path()).args(["backup", "verify"]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let left = || -> Vec<String> {
        let entries = std::fs::read_dir(&backups).expect("a folder").filter_map(Result::ok);
        let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".work-")).collect()
    };
    let mut cut = 0;
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
        let before = left();
        let mut child = verify().spawn().expect("runs");
        while !left().iter().any(|name| !before.contains(name)) && child.try_wait().expect("looked").is_none() {
            std::thread::yield_now();
        }
        // It may have ended already, when this machine is quick.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal);
        let ended = child.wait().expect("ended");
        if ended.success() {
            continue;
        }
        cut += 1;
        let expected = usize::from(signal == rustix::process::Signal::KILL);
        assert_eq!((left().len(), ended.code()), (expected, (expected == 0).then_some(1)), "{signal:?}");
    }
    assert!(cut > 0, "every look was done before it could be cut off");
    assert!(verify().status().expect("runs").success());
    assert_eq!(left(), Vec::<String>::new(), "the next look clears away what a kill left");
    assert_eq!(std::fs::read_dir(temporary.path()).expect("a folder").count(), 0, "nothing lay among what all may see");
    // A home that is not there is not begun for it.
    let absent = temporary.path().join("absent");
    assert_eq!(run(&absent, &["backup", "verify", file.to_str().expect("text")]).0, 0);
    assert!(!absent.exists());
}
