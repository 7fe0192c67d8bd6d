//! Keys: what a small one may not do, and what becomes of one that is withdrawn.

use serde_json::json;
use timmy_web::routes::Door;

use super::raw::Raw;
use super::{FORM, QUIET, calls};
use crate::support::{Server, home};
use crate::web::session;

fn token(server: &Server, name: &str, scope: &str) -> String {
    let made = server.post("/api/tokens", &json!({"name": name, "scope": scope}));
    format!("Bearer {}", made["token"].as_str().expect("a token"))
}

// shows: login: nobody widens a key by saying so, nor makes a wider one with it (7, 8)
#[test]
fn cases_7_and_8_no_key_is_wider_than_it_was_made() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let (read, operate) = (token(&server, "eye", "read"), token(&server, "hand", "operate"));
    let body = json!({"scope": "admin", "scopes": ["admin"], "role": "admin", "admin": true, "name": "mine",
        "content": "forged", "password": "correct horse battery staple", "path": "/"});
    let claims = [
        ("X-Scope", "admin"),
        ("X-Timmy-Scope", "admin"),
        ("X-Role", "owner"),
        ("Scope", "admin"),
        ("Cookie", "scope=admin; timmy_session=1"),
    ];
    for (door, verb, path) in calls() {
        let needs_more = |scope: &str| match door {
            Door::Open | Door::Reader => false,
            Door::Owner | Door::Models => scope == "read" && verb != "GET",
            Door::Admin => true,
        };
        for (scope, key) in [("read", &read), ("operate", &operate)] {
            if !needs_more(scope) {
                continue;
            }
            let mut headers = vec![("Authorization", key.as_str())];
            headers.extend(claims);
            for query in ["", "?scope=admin&role=admin&admin=1"] {
                let (status, text) = server.request(verb, &format!("{path}{query}"), &headers, Some(&body.to_string()));
                assert_eq!(status, 403, "{scope}: {verb} {path}{query}: {text}");
                assert!(text.contains("forbidden_scope"), "{text}");
            }
        }
    }
    let names = server.get("/api/tokens");
    assert_eq!(names["items"].as_array().map(Vec::len), Some(2), "{names}");
    assert_eq!(server.get("/api/login/password")["set"], false);
    // A token decides alone: a wider cookie beside it does not help.
    let (cookie, _) = session(&server);
    let both = [("Authorization", read.as_str()), ("Cookie", cookie.as_str())];
    assert_eq!(server.request("GET", "/api/tokens", &both, None).0, 403);
    let odd = json!({"name": "odd", "scope": "ADMIN"});
    for scope in ["ADMIN", "admin ", "root", "*", "read,admin", ""] {
        let odd = json!({"name": odd["name"], "scope": scope});
        assert_eq!(server.ask("POST", "/api/tokens", Some(&odd)).0, 422, "{scope:?}");
    }
}

// shows: login: a revoked or replaced token, a session that ended and the key of an earlier start are refused from then on (9)
#[test]
fn case_9_a_withdrawn_key_opens_nothing() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let old = token(&server, "phone", "admin");
    let status = |server: &Server, key: &str| server.request("GET", "/api/tokens", &[("Authorization", key)], None).0;
    assert_eq!(status(&server, &old), 200);
    assert_eq!(server.ask("DELETE", "/api/tokens/phone", None).0, 200);
    assert_eq!(status(&server, &old), 401, "revoked");
    let new = token(&server, "phone", "admin");
    assert_eq!((status(&server, &old), status(&server, &new)), (401, 200), "replaced under the same name");
    let (cookie, csrf) = session(&server);
    let page = |server: &Server| server.request("GET", "/api/status", &[("Cookie", &cookie)], None).0;
    assert_eq!(page(&server), 200);
    let own = format!("http://{}", server.address);
    let out = [("Cookie", cookie.as_str()), ("Origin", own.as_str()), FORM];
    assert_eq!(server.request("POST", "/logout", &out, Some(&format!("csrf={csrf}"))).0, 303);
    assert_eq!(page(&server), 401, "logged out");
    let of_this_start = format!("Bearer {}", server.token);
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start_with(home.path(), &QUIET);
    assert_eq!(status(&server, &of_this_start), 401, "the key of an earlier start");
    assert_eq!(status(&server, &new), 200, "a token stays good over a restart");
}

/// What ends a key.
type Withdraw = fn(&Server, &str);

// shows: login: a key that is withdrawn closes its open sockets and streams at once, and no others (9)
#[test]
fn case_9_a_withdrawn_key_closes_what_it_opened() {
    let home = home();
    let words = "word ".repeat(2_000);
    let server = Server::start_with(
        home.path(),
        &[
            ("TIMMY__CASCADE__PROVIDERS", "scripted"),
            ("TIMMY__THINKING__ENABLED", "false"),
            ("TIMMY__SCRIPTED__REPLIES", &words),
            ("TIMMY__SCRIPTED__CHUNK_MS", "50"),
        ],
    );
    let (other, _) = session(&server);
    let own = format!("http://{}", server.address);
    let mut stays = Raw::feed(&server, &[("Cookie", &other), ("Origin", &own)]).expect("a socket");
    let rows: [(&str, Withdraw); 3] = [
        ("a token is revoked", |server, _| assert_eq!(server.ask("DELETE", "/api/tokens/phone", None).0, 200)),
        ("a session is logged out", |server, cookie| {
            let (_, page) = server.request("GET", "/thinking", &[("Cookie", cookie), ("Accept", "text/html")], None);
            let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|r| r.split('"').next()).expect("a word");
            let body = format!("csrf={csrf}");
            assert_eq!(server.request("POST", "/logout", &[("Cookie", cookie), FORM], Some(&body)).0, 303);
        }),
        ("a session is ended from the list", |server, cookie| {
            let list = server.request("GET", "/api/sessions", &[("Cookie", cookie)], None).1;
            let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
            let own = list["items"].as_array().and_then(|all| all.iter().find(|s| s["own"] == true)).expect("its own");
            let id = own["id"].as_str().expect("an id");
            assert_eq!(server.ask("DELETE", &format!("/api/sessions/{id}"), None).0, 200);
        }),
    ];
    for (name, withdraw) in rows {
        let (kind, key) = match name.contains("token") {
            true => ("Authorization", token(&server, "phone", "operate")),
            false => ("Cookie", session(&server).0),
        };
        let mut socket = Raw::feed(&server, &[(kind, &key), ("Origin", &own)]).expect("a socket");
        let mut stream = Raw::open(&server);
        let body = r#"{"messages":[{"role":"user","content":"talk for long"}],"stream":true}"#;
        stream.send(format!(
            "POST /api/chat HTTP/1.1\r\nHost: {}\r\n{kind}: {key}\r\nOrigin: {own}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        ));
        assert_eq!(stream.head().0, 200, "{name}");
        withdraw(&server, &key);
        assert_eq!(socket.close_code(), Some(1008), "{name}");
        let said = stream.rest();
        assert!(
            !said.contains("\"done\":true") && !said.contains("\r\n0\r\n"),
            "{name}: broken off, not ended: {said:.300}"
        );
    }
    // The last: the password is set by somebody else, and every session but the setter's ends.
    assert_eq!(server.ask("PUT", "/api/login/password", Some(&json!({"password": "a long enough one"}))).0, 200);
    assert_eq!(stays.close_code(), Some(1008), "it stayed open until its own key was withdrawn");
}
