//! What listens, and what is sent to others.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::support::{Server, home, timmy};

/// Sockets of the process that take connections or datagrams: protocol, address, port.
fn listening(pid: u32) -> Vec<(String, String)> {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("readable");
    let own: HashSet<String> = fds
        .filter_map(|fd| {
            std::fs::read_link(fd.ok()?.path())
                .ok()?
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(str::to_owned)
        })
        .collect();
    let mut found = Vec::new();
    for (table, waiting) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07"), ("raw", ""), ("raw6", "")] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if own.contains(fields[9]) && (waiting.is_empty() || fields[3] == waiting) {
                found.push((table.to_owned(), fields[1].to_owned()));
            }
        }
    }
    found
}

// shows: login: nothing listens but the one address that was asked for (39)
#[test]
fn case_39_nothing_listens_beyond_the_bound_address() {
    let home = home();
    let variables = [("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"), ("TIMMY__THINKING__ENABLED", "true")];
    let server = Server::start_with(home.path(), &variables);
    server.post("/thinking/api/think", &serde_json::json!({}));
    server.post("/api/chat", &serde_json::json!({"messages": [{"role": "user", "content": "hello"}]}));
    let port: u16 = server.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    // 127.0.0.1, as the kernel writes it: hexadecimal, the bytes turned round.
    assert_eq!(listening(server.pid()), [("tcp".to_owned(), format!("0100007F:{port:04X}"))]);
}

/// A server that writes down everything it is told, and answers `answer`.
fn eavesdrop(answer: &'static str) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Arc::new(Mutex::new(String::new()));
    let notes = Arc::clone(&heard);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let notes = Arc::clone(&notes);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    notes.lock().expect("a lock").push_str(&line);
                    line.clear();
                }
                let _ = socket.write_all(answer.as_bytes());
            });
        }
    });
    (port, heard)
}

// shows: models: a port that is probed hears no key of the house; a provider hears only its own, and no redirect takes it elsewhere (13)
#[test]
fn case_13_keys_go_only_where_they_belong() {
    let home = home();
    let (elsewhere, strangers) = eavesdrop("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{elsewhere}/stolen\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let (paid, owed) = eavesdrop(redirect.leak());
    let (probed, overheard) = eavesdrop("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let config = format!(
        "[ollama]\nurl = \"http://127.0.0.1:{probed}\"\n[cascade]\nproviders = [\"ollama\", \"paid\", \"reflex\"]\n\
         [provider.paid]\nkind = \"openai\"\nurl = \"http://127.0.0.1:{paid}\"\nmodel = \"m\"\n"
    );
    std::fs::write(home.path().join("timmy.toml"), config).expect("written");
    std::fs::write(home.path().join("secrets.toml"), "[provider.paid]\napi_key = \"sk-only-for-paid\"\n")
        .expect("written");
    use std::os::unix::fs::PermissionsExt;
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(home.path().join("secrets.toml"), closed).expect("closed");
    let server =
        Server::start_with(home.path(), &[("HTTP_PROXY", "http://127.0.0.1:9"), ("http_proxy", "http://127.0.0.1:9")]);
    let (cookie, _) = crate::web::session(&server);
    server.post("/api/chat", &serde_json::json!({"messages": [{"role": "user", "content": "hello"}]}));
    let heard = |notes: &Arc<Mutex<String>>| notes.lock().expect("a lock").clone();
    server.wait_for(|| (!heard(&owed).is_empty() && !heard(&overheard).is_empty()).then_some(()));
    let (owed, overheard, strangers) = (heard(&owed), heard(&overheard), heard(&strangers));
    assert!(
        owed.to_lowercase().contains("authorization: bearer sk-only-for-paid"),
        "its own host gets the key: {owed}"
    );
    assert_eq!(strangers, "", "the redirect was followed");
    let secret = cookie.split_once('=').expect("a pair").1;
    for told in [&owed, &overheard] {
        assert!(!told.contains(&server.token) && !told.contains(secret), "{told}");
        assert!(!told.to_lowercase().contains("cookie:"), "{told}");
    }
    assert!(!overheard.contains("sk-only") && !overheard.to_lowercase().contains("authorization"), "{overheard}");
}

// shows: process: a start that cannot listen, or is badly configured, leaves no half-made home behind
#[test]
fn a_start_that_fails_leaves_nothing_behind() {
    let place = home();
    let new = place.path().join("new");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    for (args, why) in [(["--port", port.as_str()], "cannot listen"), (["--bind", "203.0.113.1"], "cannot listen")] {
        let out = timmy(&new).arg("serve").args(args).output().expect("it runs");
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{err}");
        assert!(err.contains(why), "{err}");
        assert!(!new.exists(), "{args:?} left {:?}", std::fs::read_dir(&new).map(Iterator::count));
    }
    let out = timmy(&new).args(["serve", "--port", "0"]).env("TIMMY__NO__SUCH", "1").output().expect("it runs");
    assert_ne!(out.status.code(), Some(0));
    assert!(!new.exists());
}
