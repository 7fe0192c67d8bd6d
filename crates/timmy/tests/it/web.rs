//! The door and the interface on a real socket: who gets in, and what bad input gets.

use serde_json::{Value, json};

use crate::support::{Server, home, json as cli_json};

const QUIET: [(&str, &str); 2] = [("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__ENABLED", "false")];

// shows: login: on by default, also on the loopback; only health and login are open
#[test]
fn nothing_but_health_and_login_is_open() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let (status, body) = server.request("GET", "/health", &[], None);
    let health: Value = serde_json::from_str(&body).expect("JSON");
    let keys: Vec<&String> = health.as_object().expect("an object").keys().collect();
    assert_eq!((status, keys.len()), (200, 3), "status, version, uptime and nothing else: {body}");
    for open in ["/healthz", "/readyz", "/login"] {
        assert_eq!(server.request("GET", open, &[], None).0, 200, "{open}");
    }
    for page in ["/", "/talk", "/thinking", "/swarm/events", "/health/page"] {
        assert_eq!(server.request("GET", page, &[("Accept", "text/html")], None).0, 303, "{page} leads to the login");
    }
    for api in
        ["/thinking/api", "/api/status", "/api/events", "/api/tokens", "/api/watch", "/api/messages", "/api/health"]
    {
        let (status, body) = server.request("GET", api, &[], None);
        let error: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(status, 401, "{api}");
        assert!(error["error"]["hint"].as_str().is_some_and(|h| !h.is_empty()), "{api}: {body}");
    }
    for post in ["/thinking/api/inject", "/api/chat", "/api/login/code", "/thinking/api/pause", "/api/watch"] {
        assert_eq!(server.request("POST", post, &[], Some("{}")).0, 401, "{post}");
    }
}

// shows: login: a one-time code works once; wrong codes are throttled also from the loopback
#[test]
fn a_code_works_once_and_guessing_is_throttled() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let code = cli_json(home.path(), &["login"])["code"].as_str().expect("a code").to_owned();
    let form = |code: &str| {
        let body = format!("code={code}");
        server.request("POST", "/login", &[("Content-Type", "application/x-www-form-urlencoded")], Some(&body)).0
    };
    assert_eq!(form(&code), 303, "in");
    assert_eq!(form(&code), 401, "used up");
    let statuses: Vec<u16> = (0..12).map(|_| form("AAAAA-AAAAA")).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let good = cli_json(home.path(), &["login"])["code"].as_str().expect("a code").to_owned();
    assert_eq!(form(&good), 429, "even the right code waits now");
    let events = server.get("/api/events?after=0&type=login.*&limit=100");
    assert!(events["items"].as_array().is_some_and(|i| i.len() >= 6));
    assert!(
        !events.to_string().contains(&code.replace('-', "")) && !events.to_string().contains(&code),
        "no code in the log"
    );
}

/// A session cookie and its form word.
pub fn session(server: &Server) -> (String, String) {
    let code = cli_json(&server.home, &["login"])["code"].as_str().expect("a code").to_owned();
    let body = format!("code={code}");
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(&server.address).expect("listens");
    socket.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("answered");
    let set = answer
        .lines()
        .find(|l| l.to_lowercase().starts_with("set-cookie: timmy_session="))
        .expect("a cookie")
        .to_owned();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(flag), "{set}");
    }
    let cookie = set.split_once(": ").and_then(|(_, v)| v.split(';').next()).expect("a value").to_owned();
    let (_, page) = server.request("GET", "/thinking", &[("Cookie", &cookie), ("Accept", "text/html")], None);
    let csrf =
        page.split("name=\"csrf\" value=\"").nth(1).and_then(|r| r.split('"').next()).expect("a form word").to_owned();
    (cookie, csrf)
}

// shows: login: foreign hosts, foreign origins and forms without their word change nothing
#[test]
fn cross_site_requests_change_nothing() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let (cookie, csrf) = session(&server);
    let own = format!("http://{}", server.address);
    let good = format!("text=mine&csrf={csrf}");
    let post = |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        server.request("POST", "/thinking/inject", &all, Some(body)).0
    };
    let refused: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("a foreign origin", vec![("Origin", "https://evil.example")], &good),
        ("the null origin", vec![("Origin", "null")], &good),
        ("the right host on another port", vec![("Origin", "http://127.0.0.1:1")], &good),
        ("no form word", vec![("Origin", &own)], "text=forged"),
        ("a wrong form word", vec![("Origin", &own)], "text=forged&csrf=0123456789abcdef0123456789abcdef"),
        ("cross-site by the browser's own word", vec![("Sec-Fetch-Site", "cross-site")], &good),
    ];
    for (name, headers, body) in refused {
        assert_eq!(post(&headers, body), 403, "{name}");
    }
    for host in ["evil.example", "127.evil.com", "localhost.evil.com", "0x7f.1", "127.0.0.1.nip.io", ""] {
        let (status, _) = server.request("GET", "/health", &[("Host", host)], None);
        assert!(status == 403 || status == 400, "host {host:?} answered {status}");
    }
    let injected = |server: &Server| server.get("/thinking/api")["items"].as_array().map_or(0, Vec::len);
    assert_eq!(injected(&server), 0, "nothing was changed");
    assert_eq!(post(&[("Origin", &own)], &good), 303, "the owner's own form works");
    assert_eq!(injected(&server), 1);
}

// shows: api: every wrong body, query, header and id gets a clear message with a hint and no 5xx
#[test]
fn bad_input_gets_a_clear_message_and_never_a_5xx() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let long = "x".repeat(5_000);
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let id = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11";
    let rows: Vec<(&str, String, Option<String>, u16)> = vec![
        ("POST", "/thinking/api/inject".into(), Some("not json".into()), 422),
        ("POST", "/thinking/api/inject".into(), Some(String::new()), 422),
        ("POST", "/thinking/api/inject".into(), Some("[]".into()), 422),
        ("POST", "/thinking/api/inject".into(), Some("null".into()), 422),
        ("POST", "/thinking/api/inject".into(), Some("{}".into()), 422),
        ("POST", "/thinking/api/inject".into(), Some(json!({"content": 7}).to_string()), 422),
        ("POST", "/thinking/api/inject".into(), Some(json!({"content": "  "}).to_string()), 422),
        ("POST", "/thinking/api/inject".into(), Some(json!({"content": long}).to_string()), 422),
        ("POST", "/thinking/api/inject".into(), Some(deep), 422),
        ("POST", "/thinking/api/inject".into(), Some("{\"content\":\"\\ud800\"}".into()), 422),
        ("POST", "/thinking/api/pause".into(), Some(json!({"minutes": -1}).to_string()), 422),
        ("POST", "/thinking/api/pause".into(), Some(json!({"minutes": 0}).to_string()), 422),
        ("POST", "/thinking/api/think".into(), Some(json!({"seed_type": "lunch"}).to_string()), 422),
        ("POST", format!("/thinking/api/{id}/keep"), Some("{}".into()), 404),
        ("POST", "/thinking/api/nonsense/keep".into(), Some("{}".into()), 404),
        ("GET", format!("/thinking/api/{id}/chain"), None, 404),
        ("GET", "/thinking/api/42/chain".into(), None, 404),
        ("GET", "/thinking/api?limit=0".into(), None, 422),
        ("GET", "/thinking/api?limit=1001".into(), None, 422),
        ("GET", "/thinking/api?limit=many".into(), None, 422),
        ("GET", "/thinking/api?before=%FF".into(), None, 422),
        ("GET", "/api/events?type=A..b".into(), None, 422),
        ("GET", "/api/events?after=x".into(), None, 422),
        ("GET", "/api/events/999999999".into(), None, 404),
        ("POST", "/api/chat".into(), Some(json!({}).to_string()), 422),
        ("POST", "/api/chat".into(), Some(json!({"messages": []}).to_string()), 422),
        ("POST", "/api/chat".into(), Some(json!({"messages": ["hello"]}).to_string()), 422),
        (
            "POST",
            "/api/chat".into(),
            Some(json!({"messages": [{"role": "assistant", "content": "x"}]}).to_string()),
            422,
        ),
        ("POST", "/api/chat".into(), Some(json!({"messages": [{"role": "user", "content": ""}]}).to_string()), 422),
        ("POST", "/api/watch".into(), Some(json!({"path": "/nowhere/at/all"}).to_string()), 422),
        ("POST", "/api/watch".into(), Some(json!({"path": "\u{0}"}).to_string()), 422),
        ("DELETE", "/api/watch/nothing".into(), None, 404),
        ("DELETE", "/api/tokens/nobody".into(), None, 404),
        ("POST", "/api/tokens".into(), Some(json!({"name": "", "scope": "read"}).to_string()), 422),
        ("POST", "/api/tokens".into(), Some(json!({"name": "x", "scope": "god"}).to_string()), 422),
        ("GET", "/no/such/page".into(), None, 404),
        ("GET", "/static/0000/app.css".into(), None, 404),
        ("GET", "/static/../../etc/passwd".into(), None, 404),
    ];
    for (method, path, body, wanted) in rows {
        let bearer = format!("Bearer {}", server.token);
        let (status, text) = server.request(method, &path, &[("Authorization", &bearer)], body.as_deref());
        let shown = timmy_domain::text::cut(body.as_deref().unwrap_or(""), 80);
        assert_eq!(status, wanted, "{method} {path} {shown}: {text}");
        let error: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{method} {path} {shown}: {e}: {text}"));
        for field in ["code", "message", "hint"] {
            assert!(error["error"][field].as_str().is_some_and(|t| !t.is_empty()), "{method} {path} {shown}: {text}");
        }
    }
    assert_eq!(server.get("/thinking/api")["items"].as_array().map(Vec::len), Some(0), "nothing was stored");
    assert_eq!(server.request("GET", "/health", &[], None).0, 200, "and the process lives");
}

// shows: api: a body over 1 MiB is refused before it is read
#[test]
fn a_huge_body_is_refused_before_it_is_read() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let head = format!(
        "POST /thinking/api/inject HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\nConnection: close\r\n\r\n{{",
        server.address, server.token
    );
    assert_eq!(server.raw(head.as_bytes()).0, 413);
    for garbage in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"] {
        let (status, _) = server.raw(garbage);
        assert!(status < 500, "{garbage:?} answered {status}");
    }
    let many = format!(
        "GET /health HTTP/1.1\r\nHost: {}\r\n{}\r\n",
        server.address,
        "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(20_000)
    );
    assert!(server.raw(many.as_bytes()).0 < 500);
    assert_eq!(server.request("GET", "/health", &[], None).0, 200);
}

// shows: api: lists, thoughts and events keep the promised shapes
#[test]
fn shapes_are_as_promised() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    for n in 0..3 {
        let (status, made) =
            server.ask("POST", "/thinking/api/inject", Some(&json!({"content": format!("thought {n}")})));
        assert_eq!(status, 201, "{made}");
    }
    let list = server.get("/thinking/api?limit=2");
    let items = list["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["content"], "thought 2", "newest first");
    for field in ["id", "content", "seed_type", "parent_id", "created_at", "provider", "model"] {
        assert!(items[0].get(field).is_some(), "{field}: {}", items[0]);
    }
    let next = &list["next"];
    assert!(!next.is_null());
    let cursor = next.as_str().map_or_else(|| next.to_string(), str::to_owned);
    let rest = server.get(&format!("/thinking/api?limit=2&before={cursor}"));
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Value::Null));
    let chain = server.get(&format!("/thinking/api/{}/chain", items[0]["id"].as_str().expect("an id")));
    let contents: Vec<&str> =
        chain["items"].as_array().expect("items").iter().filter_map(|t| t["content"].as_str()).collect();
    assert_eq!(contents, ["thought 0", "thought 1", "thought 2"], "oldest first");
    let events = server.get("/api/events?after=0&type=timmy.*&limit=2");
    let first = &events["items"][0];
    for field in ["v", "seq", "event", "data", "timestamp"] {
        assert!(first.get(field).is_some(), "{field}: {first}");
    }
    assert!(first["seq"].as_i64() < events["items"][1]["seq"].as_i64(), "oldest first after a position");
    let reply = server.post("/api/chat", &json!({"messages": [{"role": "user", "content": "hello"}]}));
    for field in ["reply", "provider", "model", "place", "duration_ms"] {
        assert!(reply.get(field).is_some(), "{field}: {reply}");
    }
    let done = server
        .post("/api/v1/router/complete", &json!({"messages": [{"role": "user", "content": "hello"}], "model": "auto"}));
    for field in ["content", "provider", "model", "latency_ms", "attempts"] {
        assert!(done.get(field).is_some(), "{field}: {done}");
    }
    let providers = server.get("/api/v1/router/providers");
    for field in ["name", "kind", "place", "status"] {
        assert!(providers["items"][0].get(field).is_some(), "{field}: {providers}");
    }
}

// shows: models: with no model the router answers 503 and reflex never answers there
#[test]
fn without_a_model_the_router_says_so() {
    let home = home();
    let server = Server::start_with(
        home.path(),
        &[("TIMMY__OLLAMA__URL", "http://127.0.0.1:9"), ("TIMMY__THINKING__ENABLED", "false")],
    );
    let ask = json!({"messages": [{"role": "user", "content": "hello"}]});
    let (status, error) = server.ask("POST", "/api/v1/router/complete", Some(&ask));
    assert_eq!(status, 503, "{error}");
    assert!(error["error"]["hint"].as_str().is_some_and(|h| !h.is_empty()));
    let reply = server.post("/api/chat", &ask);
    assert_eq!(reply["place"], "reflex", "talk gets reflex, labelled: {reply}");
}
