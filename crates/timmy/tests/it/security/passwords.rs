//! The owner's password, at the door, on its page and in the terminal.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{FORM, QUIET};
use crate::support::{Server, home, json as cli_json, run, timmy};
use crate::web::session;

const FIRST: &str = "correct horse battery staple";
const SECOND: &str = "zwölf andere Wörter & mehr";

/// `timmy password` with this on its standard input.
fn piped(home: &std::path::Path, args: &[&str], input: &str) -> (i32, String) {
    let mut child = timmy(home)
        .arg("password")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // A command that needs no input may have ended already.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let out = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code().unwrap_or(-1), text)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn enter(server: &Server, password: &str) -> u16 {
    server.request("POST", "/login", &[FORM], Some(&format!("password={}", encoded(password)))).0
}

/// Posts the form of the page, as a browser without scripts does.
fn change(server: &Server, cookie: &str, csrf: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let own = format!("http://{}", server.address);
    let mut body = format!("csrf={csrf}");
    fields.iter().for_each(|(name, value)| body.push_str(&format!("&{name}={}", encoded(value))));
    let headers = [("Cookie", cookie), ("Origin", own.as_str()), ("Accept", "text/html"), FORM];
    server.request("POST", "/settings/password", &headers, Some(&body))
}

// shows: login: a password is set and changed on a page without scripts, the current one first; it opens the door, and every other browser is logged out
#[test]
fn a_password_is_set_changed_and_used_without_scripts() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let page = server.request("GET", "/login", &[], None).1;
    assert!(!page.contains("current-password"), "no field before there is a password");
    let ((cookie, csrf), (other, _)) = (session(&server), session(&server));
    let inside = |cookie: &str| server.request("GET", "/api/status", &[("Cookie", cookie)], None).0;
    for (fields, why) in [
        (vec![("password", "short"), ("again", "short")], "at least 12"),
        (vec![("password", FIRST), ("again", SECOND)], "differ"),
        (vec![("password", "aaaaaaaaaaaaaa"), ("again", "aaaaaaaaaaaaaa")], "first that somebody would try"),
        (vec![], "at least 12"),
    ] {
        let (status, page) = change(&server, &cookie, &csrf, &fields);
        assert!(status == 422 && page.contains(why), "{fields:?}: {status}");
    }
    assert_eq!(change(&server, &cookie, &csrf, &[("password", FIRST), ("again", FIRST)]).0, 303);
    assert_eq!((inside(&cookie), inside(&other)), (200, 401), "only the browser that set it stays in");
    let page = server.request("GET", "/login", &[("Accept", "text/html")], None).1;
    assert!(page.contains("name=\"password\" type=\"password\" autocomplete=\"current-password\""), "{page}");
    assert!(page.contains("id=\"code\""), "a code opens as well");
    assert_eq!((enter(&server, FIRST), enter(&server, SECOND)), (303, 401));

    let (status, page) =
        change(&server, &cookie, &csrf, &[("current", SECOND), ("password", SECOND), ("again", SECOND)]);
    assert!(status == 403 && page.contains("current password is wrong"), "{status}");
    let both = [("current", FIRST), ("password", SECOND), ("again", SECOND)];
    assert_eq!(change(&server, &cookie, &csrf, &both).0, 303);
    assert_eq!((enter(&server, FIRST), enter(&server, SECOND)), (401, 303));
    // A browser that asks the interface shows the current one too.
    let own = format!("http://{}", server.address);
    let script = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let by_script = json!({"password": FIRST}).to_string();
    assert_eq!(server.request("PUT", "/api/login/password", &script, Some(&by_script)).0, 403);
    assert_eq!(server.request("DELETE", "/api/login/password", &script, Some("{}")).0, 403);
    assert_eq!(change(&server, &cookie, &csrf, &[("remove", "yes")]).0, 403);
    assert_eq!(change(&server, &cookie, &csrf, &[("remove", "yes"), ("current", SECOND)]).0, 303);
    assert_eq!(server.get("/api/login/password"), json!({"set": false}));
    assert_eq!(enter(&server, SECOND), 409, "none is set any more");

    let log = server.get("/api/events?after=0&limit=1000").to_string();
    let files = std::fs::read_to_string(home.path().join("logs/timmy.log")).unwrap_or_default();
    for secret in [FIRST, SECOND, "argon2", "short"] {
        assert!(!log.contains(secret) && !files.contains(secret), "{secret} in log or events");
    }
    let names: Vec<&str> =
        ["login.password_set", "login.password_removed"].into_iter().filter(|n| log.contains(n)).collect();
    assert_eq!(names.len(), 2, "{log}");
}

// shows: cli: the password is set, asked for and removed in the terminal, with and without a server; it is never an argument
#[test]
fn the_password_is_set_in_the_terminal_with_and_without_a_server() {
    let home = home();
    let set = |home: &std::path::Path| cli_json(home, &["password", "status"])["set"].clone();
    assert_eq!(set(home.path()), false);
    let (code, out) = piped(home.path(), &["set"], &format!("{FIRST}\n"));
    assert!(code == 0 && out.contains("The password is set"), "{out}");
    assert!(!out.contains(FIRST));
    assert_eq!(set(home.path()), true);
    let (code, out, err) = run(home.path(), &["password", "set", FIRST]);
    assert_eq!(code, 2, "an argument is wrong usage: {out}{err}");
    for bad in ["", "\n", "short\n"] {
        let (code, out) = piped(home.path(), &["set"], bad);
        assert!(code == 1 && out.contains("at least 12"), "{out}");
    }
    let (code, out) = piped(home.path(), &["set"], &"x y z ä ".repeat(400));
    assert!(code == 1 && out.contains("at most"), "{out}");
    let server = Server::start_with(home.path(), &QUIET);
    let (cookie, _) = session(&server);
    assert_eq!(enter(&server, FIRST), 303, "what was set without a server opens");
    let (code, out) = piped(home.path(), &["set", "--json"], &format!("{SECOND}\r\n"));
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &told["set"], &told["sessions_ended"]), (0, &json!(true), &json!(2)), "{out}");
    assert_eq!(server.request("GET", "/api/status", &[("Cookie", &cookie)], None).0, 401);
    assert_eq!((enter(&server, FIRST), enter(&server, SECOND)), (401, 303));
    assert_eq!(piped(home.path(), &["remove"], "").0, 0);
    assert_eq!(set(home.path()), false);
    let (code, out) = piped(home.path(), &["remove"], "");
    assert!(code == 1 && out.contains("No password is set"), "{out}");
    let file = std::fs::read(home.path().join("timmy.db")).expect("readable");
    assert!(!file.windows(FIRST.len()).any(|w| w == FIRST.as_bytes()), "the database never held it");
}

/// A child that does not outlive its test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Ended already when all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// shows: cli: at a terminal the password is typed twice and not shown
#[test]
fn at_a_terminal_the_password_is_not_shown() {
    let home = home();
    let mut command = String::new();
    for part in [env!("CARGO_BIN_EXE_timmy"), "--home", home.path().to_str().expect("text"), "password", "set"] {
        command.push_str(&format!("'{part}' "));
    }
    let out = home.path().join("typescript");
    let child = std::process::Command::new("script")
        .env("SHELL", "/bin/sh")
        .args(["-qefc", &command])
        .arg(&out)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let Ok(child) = child else {
        assert!(std::env::var_os("CI").is_none(), "`script` of util-linux is needed to give the test a terminal");
        println!("skipped, not shown: `script` is not installed, so there is no terminal to type at");
        return;
    };
    let mut child = Ended(child);
    let mut keys = child.0.stdin.take().expect("piped");
    let asked = |what: &str| {
        let began = std::time::Instant::now();
        while !std::fs::read_to_string(&out).unwrap_or_default().contains(what) {
            assert!(began.elapsed() < crate::support::PATIENCE, "it never asked: {what}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };
    asked("New password");
    keys.write_all(format!("{FIRST}\n").as_bytes()).expect("typed");
    asked("once more");
    keys.write_all(format!("{FIRST}\n").as_bytes()).expect("typed");
    assert!(child.0.wait().expect("it ends").success());
    let shown = std::fs::read_to_string(&out).expect("text");
    assert!(shown.contains("The password is set") && !shown.contains(FIRST), "{shown}");
}
