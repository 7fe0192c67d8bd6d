//! Too much, too slow, too large: the house answers everybody else meanwhile, and lets go.

use super::raw::{Raw, frame};
use super::{QUIET, memory_bytes, settles};
use crate::support::{Server, home};

/// Connections that say next to nothing.
const SLOW: usize = 300;
/// Bytes that what a flood leaves behind may take.
const LEFT_BYTES_MAX: u64 = 24 * 1024 * 1024;

const FIN_TEXT: u8 = 0x81;
const TEXT: u8 = 0x01;
const MORE: u8 = 0x00;

fn feed(server: &Server) -> Raw {
    Raw::feed(server, &[("Authorization", &format!("Bearer {}", server.token))]).expect("a socket")
}

// shows: api: frames of a gigabyte, floods of fragments, and everything a socket may not be sent close it with its reason (33)
#[test]
fn case_33_frames_that_should_not_be_close_their_socket() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let level = memory_bytes(&server);
    let subscribe = br#"{"action":"subscribe","events":[]}"#;
    let rows: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("a frame of a gigabyte", frame(FIN_TEXT, 1 << 30, b"x"), &[1009]),
        ("a frame of eight exabytes", frame(FIN_TEXT, u64::MAX >> 1, b"x"), &[1009]),
        ("a frame with an impossible length", frame(FIN_TEXT, u64::MAX, b"x"), &[1002, 1009]),
        ("a fragment of a gigabyte", frame(TEXT, 1 << 30, b"x"), &[1009]),
        (
            "fragments of 4 KiB without end",
            (0..64).flat_map(|n| frame(if n == 0 { TEXT } else { MORE }, 4_096, &[b'x'; 4_096])).collect(),
            &[1009],
        ),
        ("more than 16 KiB of text", frame(FIN_TEXT, 20_000, &[b'x'; 20_000]), &[1009]),
        ("binary", frame(0x82, 4, b"\0\x01\x02\x03"), &[1003]),
        ("text that is not UTF-8", frame(FIN_TEXT, 2, b"\xff\xfe"), &[1002, 1007]),
        ("an opcode nobody knows", frame(0x83, 1, b"x"), &[1002]),
        ("reserved bits", frame(0xf1, 1, b"x"), &[1002]),
        ("a continuation of nothing", frame(0x80, 1, b"x"), &[1002]),
        ("a ping of 200 bytes", frame(0x89, 200, &[b'x'; 200]), &[1002]),
        ("a ping in pieces", frame(0x09, 1, b"x"), &[1002]),
        ("a frame without a mask", vec![FIN_TEXT, 2, b'{', b'}'], &[1002]),
        ("plain HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), &[1002]),
        (
            "thirty frames at once",
            (0..30).flat_map(|_| frame(FIN_TEXT, subscribe.len() as u64, subscribe)).collect(),
            &[1008],
        ),
        ("a hundred pings at once", (0..100).flat_map(|_| frame(0x89, 0, b"")).collect(), &[1008]),
    ];
    for (name, bytes, codes) in rows {
        let mut socket = feed(&server);
        socket.send(bytes);
        let code = socket.close_code();
        assert!(code.is_some_and(|code| codes.contains(&code)), "{name}: {code:?}");
    }
    // Fragments of one byte: legal one by one, and many of them stay within one message's bound.
    let mut socket = feed(&server);
    let mut pieces: Vec<u8> = frame(TEXT, 1, b"x");
    pieces.extend((0..50_000).flat_map(|_| frame(MORE, 1, b"x")));
    pieces.extend((0..50_000).flat_map(|_| frame(MORE, 0, b"")));
    pieces.extend(frame(0x80, 1, b"x"));
    socket.send(pieces);
    assert_eq!(socket.close_code(), Some(1009), "a message of 50 KB in pieces");
    assert_eq!(server.request("GET", "/health", &[], None).0, 200);
    settles(&server, level, LEFT_BYTES_MAX);
}

// shows: process: three hundred connections that send a byte and wait keep nobody out, and are closed (33)
#[test]
fn case_33_slow_heads_keep_nobody_out_and_are_closed() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let mut slow: Vec<Raw> = (0..SLOW).map(|_| Raw::open(&server)).collect();
    for (n, raw) in slow.iter_mut().enumerate() {
        // Nothing at all, half a line, or a head without its end.
        let part = ["", "GE", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "][n % 3];
        raw.send(part);
    }
    for _ in 0..20 {
        assert_eq!(server.request("GET", "/health", &[], None).0, 200, "somebody else is served");
        assert_eq!(server.ask("GET", "/api/status", None).0, 200);
    }
    for raw in &mut slow {
        let last = raw.rest();
        assert!(last.is_empty() || last.starts_with("HTTP/1.1 4"), "{last}");
    }
}

// shows: process: bodies that never come, and readers that do not read, keep nobody out (33)
#[test]
fn case_33_slow_bodies_and_readers_keep_nobody_out() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let level = memory_bytes(&server);
    let (host, token) = (&server.address, &server.token);
    let mut held: Vec<Raw> = Vec::new();
    for n in 0..100 {
        let mut raw = Raw::open(&server);
        raw.send(match n % 4 {
            0 => format!("POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nContent-Length: 16000\r\n\r\nx"),
            1 => format!("POST /login HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            2 => format!("POST /api/chat HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Length: 900000\r\n\r\n{{"),
            // Asks for a large file again and again, and reads nothing.
            _ => format!("GET /static/{}/htmx.min.js HTTP/1.1\r\nHost: {host}\r\n\r\n", asset(&server)).repeat(60),
        });
        held.push(raw);
    }
    for _ in 0..20 {
        assert_eq!(server.request("GET", "/health", &[], None).0, 200, "somebody else is served");
        assert_eq!(server.ask("GET", "/api/status", None).0, 200);
    }
    drop(held);
    settles(&server, level, LEFT_BYTES_MAX);
}

/// The hash under which a file of the pages is served.
fn asset(server: &Server) -> String {
    let headers = [("Authorization", format!("Bearer {}", server.token)), ("Accept", "text/html".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (_, page) = server.request("GET", "/thinking", &headers, None);
    let script = page.split('"').find(|part| part.ends_with("/htmx.min.js")).expect("a script");
    script.split('/').nth(2).expect("a hash").to_owned()
}

// shows: process: a body that does not come is given up after half a minute, and a reader that does not read after a minute (33)
#[test]
#[ignore = "takes a minute and a half"]
fn case_33_slow_bodies_and_readers_are_given_up() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let host = &server.address;
    let mut body = Raw::open(&server);
    body.send(format!(
        "POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nContent-Length: 16000\r\n\r\nx"
    ));
    let mut reader = Raw::open(&server);
    reader.send(format!("GET /static/{}/htmx.min.js HTTP/1.1\r\nHost: {host}\r\n\r\n", asset(&server)).repeat(600));
    let sockets = |server: &Server| std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("readable").count();
    let open = sockets(&server);
    std::thread::sleep(std::time::Duration::from_secs(80));
    assert!(body.head().0 == 422, "told that it broke off");
    drop(body);
    server.wait_for(|| (sockets(&server) < open).then_some(()));
    drop(reader);
}
