//! Traces for a collector: a real socket on the other side.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::QUIET;
use crate::support::{Server, home};

/// A collector that answers with these statuses in turn, and 200 from then on; hands on each head and body.
fn collector(statuses: &'static [u16]) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (to, got) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut all, mut piece) = (Vec::new(), [0; 16_384]);
            let (head, body) = loop {
                let count = stream.read(&mut piece).unwrap_or(0);
                all.extend_from_slice(&piece[..count]);
                let text = String::from_utf8_lossy(&all).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let head = head.to_lowercase();
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
                    if body.len() >= length.unwrap_or(0) {
                        break (head, body.to_owned());
                    }
                }
                if count == 0 {
                    break (text.to_lowercase(), String::new());
                }
            };
            let status = statuses.next().copied().unwrap_or(200);
            let _ = stream.write_all(
                format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}").as_bytes(),
            );
            if to.send((head, serde_json::from_str(&body).unwrap_or(Value::Null))).is_err() {
                return;
            }
        }
    });
    (address, got)
}

fn with_collector(address: &str) -> Vec<(&str, &str)> {
    let mut variables = QUIET.to_vec();
    variables.push(("TIMMY__TELEMETRY__OTLP_ENDPOINT", address));
    variables
}

/// Spans that came, until one of each of `names` is there.
fn spans_until(got: &Receiver<(String, Value)>, names: &[&str]) -> Vec<Value> {
    let mut spans: Vec<Value> = Vec::new();
    while !names.iter().all(|name| spans.iter().any(|span| span["name"] == *name)) {
        let (head, body) = got.recv_timeout(crate::support::PATIENCE).expect("spans in time");
        assert!(head.starts_with("post /v1/traces ") && head.contains("content-type: application/json"), "{head}");
        let resource = &body["resourceSpans"][0];
        let service = json!({"key": "service.name", "value": {"stringValue": "timmy"}});
        assert!(resource["resource"]["attributes"].as_array().is_some_and(|a| a.contains(&service)), "{body}");
        let scope = &resource["scopeSpans"][0];
        assert_eq!(scope["scope"]["name"], "timmy");
        spans.extend(scope["spans"].as_array().expect("spans").iter().cloned());
    }
    spans
}

/// One span as the protocol wants it: ids in hexadecimal, times as text, kinds and states as numbers.
fn check(span: &Value) {
    let hex = |value: &Value, length: usize| {
        value.as_str().is_some_and(|id| id.len() == length && id.bytes().all(|b| b"0123456789abcdef".contains(&b)))
    };
    assert!(hex(&span["traceId"], 32) && hex(&span["spanId"], 16), "{span}");
    assert!(span["parentSpanId"].is_null() || hex(&span["parentSpanId"], 16), "{span}");
    let nanos =
        |name: &str| span[name].as_str().and_then(|t| t.parse::<u64>().ok()).unwrap_or_else(|| panic!("{span}"));
    assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
    assert!(span["kind"].as_u64().is_some_and(|kind| (1..=3).contains(&kind)), "{span}");
    assert!(span["status"]["code"].as_u64().is_some_and(|code| code == 0 || code == 2), "{span}");
    for attribute in span["attributes"].as_array().expect("attributes") {
        let value = attribute["value"].as_object().expect("a value");
        assert!(attribute["key"].is_string() && value.len() == 1, "{attribute}");
        let given = value.get("stringValue").or(value.get("intValue"));
        assert!(given.is_some_and(Value::is_string), "{attribute}");
    }
}

fn named<'s>(spans: &'s [Value], name: &str) -> &'s Value {
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

// shows: models: in an hour in which all stays here no trace leaves for a collector elsewhere, and none of it is sent later
#[test]
fn no_trace_leaves_for_elsewhere_while_all_stays_here() {
    let (address, got) = collector(&[]);
    // The same socket, under an address of which nobody can tell that it is this machine.
    let elsewhere = address.replace("127.0.0.1", "[::ffff:127.0.0.1]");
    let home = home();
    if crate::pulling::elsewhere::trusted(home.path()).is_none() {
        return;
    }
    let server = Server::start_with(home.path(), &with_collector(&elsewhere));
    server.post("/api/v1/router/local-only", &json!({"minutes": 60}));
    server.get("/api/v1/models");
    let bearer = format!("Bearer {}", server.token);
    let figure = |name: &str| -> u64 {
        let (_, page) = server.request("GET", "/metrics", &[("Authorization", bearer.as_str())], None);
        let line = page.lines().find_map(|line| line.strip_prefix(name)).expect("a figure");
        line.trim().parse().expect("a number")
    };
    let (dropped, queued) = ("timmy_telemetry_spans_dropped_total", "timmy_telemetry_spans_queued");
    // With all that waits now, and a few more, the question from above is gone.
    let gone = figure(dropped) + figure(queued) + 5;
    server.wait_for(|| (figure(dropped) >= gone).then_some(()));
    let sent = figure("timmy_telemetry_spans_sent_total");
    server.post("/api/v1/router/local-only", &json!({"minutes": 0}));
    let complete = json!({"messages": [{"role": "user", "content": "walnut"}]});
    assert_eq!(server.ask("POST", "/api/v1/router/complete", Some(&complete)).0, 200);
    let spans = spans_until(&got, &["POST /api/v1/router/complete"]);
    assert!(
        !spans.iter().any(|span| span["name"] == "GET /api/v1/models"),
        "asked within the hour, {sent} sent before"
    );
}

// shows: models: traces for a collector elsewhere stand in the ledger of what leaves, all of an hour in one line
#[test]
fn traces_that_leave_stand_in_the_ledger() {
    let (address, got) = collector(&[]);
    let elsewhere = address.replace("127.0.0.1", "[::ffff:127.0.0.1]");
    let home = home();
    if crate::pulling::elsewhere::trusted(home.path()).is_none() {
        return;
    }
    let server = Server::start_with(home.path(), &with_collector(&elsewhere));
    let lines = || server.get("/api/v1/router/egress")["items"].as_array().expect("lines").clone();
    let complete = json!({"messages": [{"role": "user", "content": "walnut"}]});
    assert_eq!(server.ask("POST", "/api/v1/router/complete", Some(&complete)).0, 200);
    spans_until(&got, &["POST /api/v1/router/complete"]);
    let bytes = |lines: &[Value]| lines.iter().filter_map(|line| line["bytes"].as_u64()).sum::<u64>();
    let first = lines();
    assert!((1..=2).contains(&first.len()) && bytes(&first) > 0, "{first:?}");
    let port = address.rsplit(':').next().expect("a port");
    for line in &first {
        assert_eq!((&line["why"], &line["provider"]), (&json!("trace"), &json!("telemetry")), "{line}");
        assert!(line["host"].as_str().is_some_and(|host| host.ends_with(port)), "{line}");
    }
    server.get("/api/v1/models");
    spans_until(&got, &["GET /api/v1/models"]);
    let later = lines();
    // One more where the hour has struck in between.
    assert!(later.len() <= first.len() + 1 && bytes(&later) > bytes(&first), "{first:?} {later:?}");
}

// shows: api: traces in OTLP for a collector the owner names, with names and figures and nobody's words
#[test]
fn requests_thoughts_answers_and_model_calls_become_traces_without_words() {
    let (address, got) = collector(&[]);
    let home = home();
    let server = Server::start_with(home.path(), &with_collector(&address));
    let bearer = format!("Bearer {}", server.token);
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let chat = json!({"messages": [{"role": "user", "content": "walnut marzipan"}]}).to_string();
    let headers = [("Authorization", bearer.as_str()), ("traceparent", theirs)];
    assert_eq!(server.request("POST", "/api/chat", &headers, Some(&chat)).0, 200);
    assert_eq!(server.request("GET", "/health", &[("traceparent", theirs)], None).0, 200);
    let complete = json!({"messages": [{"role": "user", "content": "walnut"}]}).to_string();
    assert_eq!(server.request("POST", "/api/v1/router/complete", &headers, Some(&complete)).0, 200);
    server.ask("POST", "/thinking/api/think", None);
    let names =
        ["POST /api/chat", "GET /health", "POST /api/v1/router/complete", "reactor run", "thought", "model call"];
    let spans = spans_until(&got, &names);
    spans.iter().for_each(check);
    let complete = named(&spans, "POST /api/v1/router/complete");
    assert_eq!((&complete["traceId"], &complete["parentSpanId"]), (&theirs[3..35].into(), &theirs[36..52].into()));
    assert_eq!(complete["kind"], 2);
    let inside = spans.iter().find(|span| span["parentSpanId"] == complete["spanId"]).expect("a model call in it");
    assert_eq!((&inside["name"], &inside["kind"]), (&"model call".into(), &3.into()));
    let run = named(&spans, "reactor run");
    assert!(spans.iter().any(|span| span["name"] == "model call" && span["parentSpanId"] == run["spanId"]));
    assert_ne!(named(&spans, "GET /health")["traceId"], theirs[3..35], "a stranger names no trace");
    let all = Value::Array(spans).to_string();
    for word in ["walnut", "marzipan", "Scripted words", &server.token] {
        assert!(!all.contains(word), "{word} left the house");
    }
    let health = server.get("/api/health");
    assert_eq!(health["telemetry"], address.as_str(), "what leaves is told");
}

// shows: api: without a collector no trace is made and no socket is opened
#[test]
fn nothing_is_sent_while_no_collector_is_named() {
    let (_, got) = collector(&[]);
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    server.post("/api/chat", &json!({"messages": [{"role": "user", "content": "Hello."}]}));
    server.ask("POST", "/thinking/api/think", None);
    let health = server.get("/api/health");
    let parts = health["parts"].as_array().expect("parts");
    assert!(health["telemetry"].is_null() && parts.iter().all(|part| part["name"] != "telemetry"));
    // Remote addresses of this process's own sockets, apart from those of this test that ask it.
    let outgoing = outgoing(server.pid(), &server.address);
    assert!(outgoing.is_empty(), "sockets to {outgoing:?}");
    assert!(got.try_recv().is_err(), "somebody knocked");
}

/// Sockets of the process `pid` that it opened itself: those whose local end is not the one it listens on.
fn outgoing(pid: u32, listens: &str) -> Vec<String> {
    let port = listens.rsplit(':').next().and_then(|p| p.parse::<u16>().ok()).expect("a port");
    let own: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("readable")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|to| Some(to.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    let tables = ["tcp", "tcp6", "udp", "udp6"]
        .map(|t| std::fs::read_to_string(format!("/proc/{pid}/net/{t}")).unwrap_or_default());
    let rows =
        tables.iter().flat_map(|table| table.lines().skip(1)).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 9 && own.iter().any(|inode| inode == row[9]))
        .filter(|row| !row[1].ends_with(&format!(":{port:04X}")))
        .map(|row| row[2].to_owned())
        .collect()
}

// shows: api: a collector that is away costs nobody anything; spans are kept, tried again, and counted when they are lost
#[test]
fn a_collector_that_fails_is_tried_again_and_one_that_is_away_holds_nobody_up() {
    let (address, got) = collector(&[503]);
    let home_of_one = home();
    let server = Server::start_with(home_of_one.path(), &with_collector(&address));
    server.get("/api/status");
    let (_, first) = got.recv_timeout(crate::support::PATIENCE).expect("a batch");
    let (_, again) = got.recv_timeout(crate::support::PATIENCE).expect("the batch again");
    assert_eq!(first, again, "refused for now, so the same spans come again");
    let figure = |server: &Server, name: &str| {
        let (_, page) =
            server.request("GET", "/metrics", &[("Authorization", &format!("Bearer {}", server.token))], None);
        super::text::read(&page)[name].sum(&[])
    };
    server.wait_for(|| (figure(&server, "timmy_telemetry_spans_sent_total") >= 1.0).then_some(()));
    assert_eq!(figure(&server, "timmy_telemetry_post_failures_total"), 1.0);
    drop(server);

    let home = home();
    let server = Server::start_with(home.path(), &with_collector("http://127.0.0.1:9"));
    server.get("/api/status");
    let complains = |server: &Server| {
        let health = server.get("/api/health");
        let parts = health["parts"].as_array().expect("parts").clone();
        parts.into_iter().find(|p| p["name"] == "telemetry" && p["troubled"] == true)
    };
    let part = server.wait_for(|| complains(&server));
    assert!(part["note"].as_str().is_some_and(|note| note.contains("127.0.0.1:9")), "{part}");
    assert_eq!(server.terminate(), Some(0), "the end does not wait for it");
}

// shows: configuration: an address that cannot be a collector, or that would show a password, is refused at the start
#[test]
fn a_bad_collector_is_refused_before_anything_starts() {
    let home = home();
    for bad in ["collector", "grpc://127.0.0.1:4317", "http://me:secret@127.0.0.1:4318"] {
        std::fs::write(home.path().join("timmy.toml"), format!("[telemetry]\notlp_endpoint = \"{bad}\"\n"))
            .expect("written");
        let (code, _, said) = crate::support::run(home.path(), &["serve", "--port", "0"]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("[telemetry] otlp_endpoint"), "{said}");
    }
}
