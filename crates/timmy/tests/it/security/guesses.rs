//! Guessing at the door.

use std::sync::mpsc;

use timmy_core::trust::access::HASHING_MAX;
use timmy_testkit::spoil;

use super::raw::Raw;
use super::{FORM, QUIET};
use crate::support::{PATIENCE, Server, home};
use crate::web::session;

/// Guesses that are made.
const GUESSES: usize = 10_000;
/// Guesses sent before their answers are read.
const AT_ONCE: usize = 50;

/// Logins that come while others are being checked.
const CROWD: usize = 6;
/// Times everything is asked for while passwords are being checked.
const ROUNDS: usize = 5;

/// Passwords from the loopback, each with other headers that claim to be somebody known or somewhere else.
fn guess(server: &Server, n: usize) -> String {
    let body =
        if n.is_multiple_of(2) { format!("password=correct+horse+battery+{n}") } else { format!("code=AAAAA-{n:05}") };
    format!(
        "POST /login HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Forwarded-For: 10.0.{}.{}\r\n\
         X-Device-Token: device-{n}\r\nCookie: timmy_session={n:064x}; device={n}\r\nUser-Agent: {n}\r\n\r\n{body}",
        server.address,
        FORM.1,
        body.len(),
        n / 250 % 250,
        n % 250
    )
}

// shows: login: ten thousand guesses from the loopback are throttled, whatever headers and cookies they bring; each refusal says when to try again (4)
#[test]
fn case_4_ten_thousand_guesses_get_nowhere() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let (status, text) =
        server.ask("PUT", "/api/login/password", Some(&serde_json::json!({"password": "a long enough one"})));
    assert_eq!(status, 200, "{text}");
    let (mut tried, mut throttled) = (0, 0);
    let mut raw = Raw::open(&server);
    for batch in 0..GUESSES / AT_ONCE {
        let guesses: String = (0..AT_ONCE).map(|n| guess(&server, batch * AT_ONCE + n)).collect();
        assert!(raw.send(guesses));
        for _ in 0..AT_ONCE {
            match raw.answer() {
                (401, _, _) => tried += 1,
                (429, head, body) => {
                    let after =
                        head.lines().find_map(|l| l.to_lowercase().strip_prefix("retry-after: ").map(str::to_owned));
                    assert!(
                        after.and_then(|s| s.parse::<u64>().ok()).is_some_and(|s| (1..=300).contains(&s)),
                        "{head}"
                    );
                    assert!(body.contains("again in"), "{body}");
                    throttled += 1;
                }
                (status, _, body) => panic!("{status}: {body}"),
            }
        }
    }
    assert_eq!(tried + throttled, GUESSES);
    // Five are free; then the wait doubles, so even a machine that takes an hour for this grants few more.
    assert!((5..=20).contains(&tried), "{tried} of {GUESSES} guesses were looked at");
    let good = server.request("POST", "/login", &[FORM], Some("password=a+long+enough+one"));
    assert_eq!(good.0, 429, "the right one waits as well");
    assert_eq!(server.ask("GET", "/api/status", None).0, 200, "whoever is in stays in");
    let failed = server.get("/api/events?after=0&type=login.failed&limit=1000");
    let failed = failed["items"].as_array().map(Vec::len);
    assert_eq!(failed, Some(tried), "only what was tried is written down: the log cannot be flooded");
}

// shows: login: guesses that come side by side cannot outrun the throttle, and never hash more than two at once (4)
#[test]
fn case_4_guesses_side_by_side_are_counted_too() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    server.ask("PUT", "/api/login/password", Some(&serde_json::json!({"password": "a long enough one"})));
    let guess = |n: usize| server.request("POST", "/login", &[FORM], Some(&format!("password=wrong+but+long+{n}"))).0;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40).map(|n| scope.spawn(move || guess(n))).collect();
        threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 401).count() <= 10, "{statuses:?}");
}

// shows: login: while passwords are being checked, /health and the pages of whoever is in answer long before the logins do: hashing has threads of its own (4)
#[test]
fn case_4_what_is_served_does_not_wait_for_a_password_to_be_checked() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    server.ask("PUT", "/api/login/password", Some(&serde_json::json!({"password": "a long enough one"})));
    // A hundred times the passes: one check takes seconds instead of milliseconds, so that the order tells.
    let dear = "value = replace(value, ',t=2,', ',t=200,')";
    spoil(home.path(), "state", dear, "key = 'login.password' AND value LIKE '%,t=2,%'");
    let (cookie, _) = session(&server);
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        for n in 0..CROWD {
            let (tell, server) = (tell.clone(), &server);
            scope.spawn(move || {
                let answer = server.request("POST", "/login", &[FORM], Some(&format!("password=wrong+but+long+{n}")));
                tell.send(answer).expect("somebody listens");
            });
        }
        let next = || told.recv_timeout(PATIENCE).expect("an answer");
        for _ in HASHING_MAX..CROWD {
            let (status, body) = next();
            assert!(status == 429 && body.contains("being checked already"), "{status}: {body}");
        }
        let mut served = 0;
        for _ in 0..ROUNDS {
            assert_eq!(server.request("GET", "/health", &[], None).0, 200);
            for page in ["/", "/thinking", "/settings"] {
                let headers = [("Cookie", cookie.as_str()), ("Accept", "text/html")];
                assert_eq!(server.request("GET", page, &headers, None).0, 200, "{page}");
            }
            served += 4;
        }
        assert_eq!(told.try_recv().err(), Some(mpsc::TryRecvError::Empty), "{served} answers came before any login's");
        for _ in 0..HASHING_MAX {
            assert_eq!(next().0, 401, "looked at, and wrong");
        }
    });
}
