//! Messages whose end can be read in two ways, hosts that differ, and what is no HTTP at all.

use super::rows::{CLOSED, Row, bytes, get, raw, whole};

const GOOD: &str = "{\"content\":\"x\"}";

/// A call with these header lines and this body, written out by hand.
fn post(headers: &str, body: &str) -> String {
    let line = "POST /thinking/api/inject HTTP/1.1\r\nHost: {host}\r\n{auth}Content-Type: application/json";
    format!("{line}\r\nConnection: close\r\n{headers}\r\n{body}")
}

/// All rows of this file.
pub fn all() -> Vec<Row> {
    [lengths(), both(), pieces(), hosts(), not_http()].into_iter().flatten().collect()
}

/// Lengths that are none.
fn lengths() -> Vec<Row> {
    vec![
        whole("two lengths that differ", &post("Content-Length: 15\r\nContent-Length: 3\r\n", GOOD), &[400], &[400]),
        whole("two lengths in one line", &post("Content-Length: 15, 3\r\n", GOOD), &[400], &[400]),
        whole("a length below zero", &post("Content-Length: -1\r\n", GOOD), &[400], &[400]),
        whole("a length with a sign", &post("Content-Length: +15\r\n", GOOD), &[400], &[400]),
        whole(
            "a length beyond every number",
            &post("Content-Length: 99999999999999999999999\r\n", GOOD),
            &[400],
            &[400],
        ),
        whole("a length in hexadecimal", &post("Content-Length: 0xf\r\n", GOOD), &[400], &[400]),
    ]
}

/// Bodies whose end is told twice, or in a coding nobody knows.
fn both() -> Vec<Row> {
    let smuggled = "0\r\n\r\nGET /api/tokens HTTP/1.1\r\nHost: localhost\r\n\r\n";
    vec![
        // Pieces rule (RFC 9112 6.3): the body is empty, and nothing after it is read as a request.
        whole(
            "a length and pieces at once",
            &post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", smuggled),
            &[401],
            &[422],
        ),
        whole(
            "pieces and a length at once",
            &post("Transfer-Encoding: chunked\r\nContent-Length: 60\r\n", smuggled),
            &[401],
            &[422],
        ),
        whole("pieces in a coding nobody knows", &post("Transfer-Encoding: xchunked\r\n", GOOD), &[400], &[400]),
        whole(
            "pieces that are not the last coding",
            &post("Transfer-Encoding: chunked, identity\r\n", GOOD),
            &[400],
            &[400],
        ),
        whole(
            "pieces twice",
            &post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", GOOD),
            &[400],
            &[400],
        ),
    ]
}

/// Pieces that are none.
fn pieces() -> Vec<Row> {
    vec![
        whole(
            "a piece whose size is no number",
            &post("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
            &[401],
            &[422, 400],
        ),
        raw(
            "a piece of eight exabytes",
            &post("Transfer-Encoding: chunked\r\n", "7fffffffffffffff\r\n{}"),
            &[401],
            &[422, 400, 413],
        ),
        whole(
            "a piece whose size overflows",
            &post("Transfer-Encoding: chunked\r\n", "fffffffffffffffffffff\r\n{}"),
            &[401],
            &[422, 400],
        ),
        raw(
            "pieces without an end",
            &post("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n"),
            &[401, CLOSED],
            &[422, 400, CLOSED],
        ),
        raw("a body that breaks off", &post("Content-Length: 900\r\n", GOOD), &[401, CLOSED], &[422, 400, CLOSED]),
        whole(
            "pieces with long remarks",
            &post("Transfer-Encoding: chunked\r\n", &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(60_000))),
            &[401],
            &[422, 400],
        ),
        whole(
            "trailers that claim things",
            &post(
                "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n",
                "2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
            ),
            &[401],
            &[422],
        ),
    ]
}

/// Hosts that differ, and first lines that are none.
fn hosts() -> Vec<Row> {
    vec![
        whole(
            "two hosts",
            "GET /api/status HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n{auth}Connection: close\r\n\r\n",
            &[400, 403],
            &[400, 403],
        ),
        whole("no host", "GET /api/status HTTP/1.1\r\n{auth}Connection: close\r\n\r\n", &[400, 403], &[400, 403]),
        whole(
            "an empty host",
            "GET /api/status HTTP/1.1\r\nHost:\r\n{auth}Connection: close\r\n\r\n",
            &[400, 403],
            &[400, 403],
        ),
        whole(
            "a whole address of elsewhere",
            "GET http://evil.example/api/status HTTP/1.1\r\nHost: {host}\r\n{auth}Connection: close\r\n\r\n",
            &[400, 403],
            &[400, 403],
        ),
        whole(
            "a whole address with a user",
            "GET http://a:b@{host}/api/status HTTP/1.1\r\nHost: {host}\r\n{auth}Connection: close\r\n\r\n",
            &[400, 403],
            &[400, 403],
        ),
        get("a whole address of this house", "GET http://{host}/api/status", "", &[401], &[200]),
        whole(
            "two spaces in the first line",
            "GET  /api/status  HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n",
            &[400],
            &[400],
        ),
        whole("a tab in the first line", "GET\t/api/status\tHTTP/1.1\r\nHost: {host}\r\n{auth}\r\n", &[400], &[400]),
        whole(
            "line ends without a return",
            "GET /api/status HTTP/1.1\nHost: {host}\nConnection: close\n\n",
            &[400, 401],
            &[400, 401],
        ),
        raw("returns without line ends", "GET /api/status HTTP/1.1\rHost: {host}\r\r", &[400, CLOSED], &[400, CLOSED]),
        Row {
            answers: 3,
            ..whole(
                "three requests at once",
                "GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\nGET /api/status HTTP/1.1\r\nHost: {host}\r\n{auth}\r\nGET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
                &[200],
                &[200],
            )
        },
    ]
}

/// What is no HTTP, or not of this age.
fn not_http() -> Vec<Row> {
    const NO: &[u16] = &[400, CLOSED];
    let zeros = vec![0; 100_000];
    let noise: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    vec![
        bytes("nothing", b"", NO),
        bytes("an empty line", b"\r\n\r\n", NO),
        bytes("zeros", &zeros, &[400, 431, CLOSED]),
        bytes("noise", &noise, &[400, 431, CLOSED]),
        bytes("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", NO),
        bytes(
            "HTTP/2 with prior knowledge",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
            NO,
        ),
        bytes("HTTP/0.9", b"GET /\r\n", NO),
        whole("HTTP/1.0 without a host", "GET /api/status HTTP/1.0\r\n\r\n", &[400, 403], &[400, 403]),
        bytes("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", NO),
        bytes("a verb with a zero byte", b"G\0ET / HTTP/1.1\r\nHost: localhost\r\n\r\n", NO),
        bytes("an address with a zero byte", b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", NO),
        bytes(
            "an address that is no ASCII",
            b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            &[400, 401, 404, CLOSED],
        ),
        bytes("SSH", b"SSH-2.0-OpenSSH_9.6\r\n", NO),
        bytes("SMTP", b"EHLO evil.example\r\nMAIL FROM:<a@b>\r\n", NO),
        bytes("Redis", b"*1\r\n$8\r\nFLUSHALL\r\n", NO),
        bytes(
            "a proxy's greeting",
            b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            NO,
        ),
        bytes("a shell's wish", b"() { :;}; /bin/sh -c id\r\n\r\n", NO),
    ]
}
