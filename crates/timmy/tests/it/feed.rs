//! The live feed on a real socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{PATIENCE, Server, home};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A request for the feed with these headers.
fn request(
    server: &Server,
    query: &str,
    headers: &[(&'static str, String)],
) -> tokio_tungstenite::tungstenite::handshake::client::Request {
    let mut request = format!("ws://{}/swarm/live{query}", server.address).into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    request
}

async fn open(server: &Server, query: &str) -> Socket {
    let bearer = [("authorization", format!("Bearer {}", server.token))];
    connect_async(request(server, query, &bearer)).await.expect("the feed opens").0
}

/// The next frame, whatever it is.
async fn frame(socket: &mut Socket) -> Message {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time");
        match next.expect("the feed is open").expect("a whole frame") {
            Message::Ping(_) | Message::Pong(_) => {}
            other => return other,
        }
    }
}

/// The envelopes of the next frame.
async fn envelopes(socket: &mut Socket) -> Vec<Value> {
    let text = frame(socket).await.into_text().expect("text").to_string();
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["v"], 1);
    value["batch"].as_array().cloned().unwrap_or_else(|| vec![value])
}

async fn inject(server: &std::sync::Arc<Server>, count: usize) {
    let server = std::sync::Arc::clone(server);
    let injecting = move || {
        for n in 0..count {
            server.post("/thinking/api/inject", &json!({"content": format!("thought {n}")}));
        }
    };
    tokio::task::spawn_blocking(injecting).await.expect("injected");
}

/// Reads until `count` envelopes have come.
async fn collect(socket: &mut Socket, count: usize) -> Vec<i64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        seqs.extend(envelopes(socket).await.iter().map(|e| e["seq"].as_i64().expect("a position")));
    }
    seqs
}

const QUIET: [(&str, &str); 2] = [("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__ENABLED", "false")];

// shows: api: envelope, the last 20 on connect, resume across a restart without gap or double
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_resumes_across_a_restart_without_gap_or_double() {
    let home = home();
    let server = std::sync::Arc::new(Server::start_with(home.path(), &QUIET));
    inject(&server, 30).await;
    let mut socket = open(&server, "").await;
    let first = collect(&mut socket, 20).await;
    assert_eq!(first.len(), 20, "the last 20");
    let upto = *first.last().expect("some");
    inject(&server, 5).await;
    let more = collect(&mut socket, 5).await;
    let seen = *more.last().expect("some");
    assert_eq!(more, (upto + 1..=seen).collect::<Vec<_>>());
    std::sync::Arc::into_inner(server).expect("one owner").kill();
    let server = std::sync::Arc::new(Server::start_with(home.path(), &QUIET));
    inject(&server, 7).await;
    let mut socket = open(&server, &format!("?after={seen}")).await;
    let last = server.get("/api/events?newest=true&limit=1")["items"][0]["seq"].as_i64().expect("a position");
    let resumed = collect(&mut socket, usize::try_from(last - seen).expect("ahead")).await;
    assert!(
        resumed.len() >= 7 && resumed == (seen + 1..seen + 1 + resumed.len() as i64).collect::<Vec<_>>(),
        "{resumed:?}"
    );
    // And live from there on.
    inject(&server, 3).await;
    let live = collect(&mut socket, 3).await;
    assert_eq!(live.first(), resumed.last().map(|l| l + 1).as_ref());
}

// shows: api: subscribe by pattern; bad frames are answered, not punished
#[tokio::test(flavor = "multi_thread")]
async fn a_client_subscribes_by_pattern_and_bad_frames_are_told() {
    let home = home();
    let server = std::sync::Arc::new(Server::start_with(home.path(), &QUIET));
    let after = server.get("/api/events?newest=true&limit=1")["items"][0]["seq"].clone();
    let mut socket = open(&server, &format!("?after={after}")).await;
    for bad in [
        "not json",
        "{}",
        "{\"action\":\"dance\"}",
        "{\"action\":\"subscribe\",\"events\":[\"A..b\"]}",
        "{\"action\":\"subscribe\",\"events\":7}",
    ] {
        socket.send(Message::text(bad)).await.expect("sent");
        let told = loop {
            let text = frame(&mut socket).await.into_text().expect("text").to_string();
            let value: Value = serde_json::from_str(&text).expect("JSON");
            if value.get("error").is_some() {
                break value;
            }
        };
        assert!(told["error"]["hint"].as_str().is_some_and(|h| !h.is_empty()), "{bad}: {told}");
    }
    socket
        .send(Message::text(json!({"action": "subscribe", "events": ["thought.*"]}).to_string()))
        .await
        .expect("sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    inject(&server, 1).await;
    let id = server.get("/thinking/api?limit=1")["items"][0]["id"].as_str().expect("an id").to_owned();
    let asking = std::sync::Arc::clone(&server);
    let kept = format!("/thinking/api/{id}/keep");
    tokio::task::spawn_blocking(move || asking.post(&kept, &json!({}))).await.expect("kept");
    let heard = envelopes(&mut socket).await;
    assert_eq!(heard[0]["event"], "thought.kept", "only what was subscribed: {heard:?}");
}

// shows: api: nobody without login, from a foreign origin, or with the token in the address gets in
#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_get_the_feed() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let bearer = format!("Bearer {}", server.token);
    let (cookie, _) = crate::web::session(&server);
    let rows: Vec<(&str, String, Vec<(&'static str, String)>, u16)> = vec![
        ("no login", String::new(), vec![], 401),
        ("a wrong token", String::new(), vec![("authorization", "Bearer nonsense".into())], 401),
        ("a token in the address", format!("?token={}", server.token), vec![], 401),
        (
            "a foreign origin",
            String::new(),
            vec![("authorization", bearer.clone()), ("origin", "https://evil.example".into())],
            403,
        ),
        ("a cookie without an origin", String::new(), vec![("cookie", cookie.clone())], 403),
        (
            "a cookie from a foreign origin",
            String::new(),
            vec![("cookie", cookie.clone()), ("origin", "https://evil.example".into())],
            403,
        ),
        ("the null origin", String::new(), vec![("authorization", bearer.clone()), ("origin", "null".into())], 403),
        (
            "a rebound name",
            String::new(),
            vec![("authorization", bearer.clone()), ("host", "evil.example".into())],
            403,
        ),
    ];
    for (name, query, headers, status) in rows {
        let refused = connect_async(request(&server, &query, &headers)).await;
        let Err(Error::Http(answer)) = refused else { panic!("{name}: {refused:?}") };
        assert_eq!(answer.status().as_u16(), status, "{name}");
    }
    let own = [("cookie", cookie), ("origin", format!("http://{}", server.address))];
    connect_async(request(&server, "", &own)).await.expect("the owner's own page gets in");
    let (status, _) = server.request("GET", "/swarm/live", &[("Authorization", &bearer)], None);
    assert_eq!(status, 303, "a plain request goes to the page");
}

// shows: api: a token that is revoked ends its open socket
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_open_socket() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let made = server.post("/api/tokens", &json!({"name": "phone", "scope": "read"}));
    let bearer = [("authorization", format!("Bearer {}", made["token"].as_str().expect("a token")))];
    let (mut socket, _) = connect_async(request(&server, "", &bearer)).await.expect("the feed opens");
    assert_eq!(server.ask("DELETE", "/api/tokens/phone", None).0, 200);
    let closed = loop {
        if let Message::Close(frame) = frame(&mut socket).await {
            break frame.map(|f| u16::from(f.code));
        }
    };
    assert_eq!(closed, Some(1008));
}

// shows: api: at most ten frames a second; what falls into one slot travels together
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_travels_in_batches_and_loses_nothing() {
    let home = home();
    let server = std::sync::Arc::new(Server::start_with(home.path(), &QUIET));
    let after = server.get("/api/events?newest=true&limit=1")["items"][0]["seq"].as_i64().expect("a position");
    let mut socket = open(&server, &format!("?after={after}")).await;
    let writing = inject(&server, 60);
    let reading = async {
        let (mut frames, mut seqs) = (0, Vec::new());
        while seqs.len() < 60 {
            let batch = envelopes(&mut socket).await;
            frames += 1;
            seqs.extend(batch.iter().map(|e| e["seq"].as_i64().expect("a position")));
        }
        (frames, seqs)
    };
    let ((), (frames, seqs)) = tokio::join!(writing, reading);
    assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1), "no gap and no double: {seqs:?}");
    assert!(frames < 60, "{frames} frames for 60 events");
}
