//! What the world throws at a server: a table of requests that should not be, each sent without and with a login to a
//! real process. Every row is answered as specified, nothing answers 5xx, the process lives, its memory comes back.

mod framing;
mod rows;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::security::raw::Raw;
use crate::support::{PATIENCE, Server, home};
use rows::{Row, Send};

/// Rows the table has at least.
const ROWS_MIN: usize = 80;
/// Times the table is sent after the level of memory was taken.
const ROUNDS: usize = 2;
/// Bytes that may be left over the level after it.
const LEFT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a flood that are sent at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Sends a row and gives the statuses of all that comes back; none when the connection is just closed.
fn answers(server: &Server, row: &Row, auth: &str) -> Vec<u16> {
    let mut socket = TcpStream::connect(&server.address).expect("the server listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.set_write_timeout(Some(PATIENCE)).expect("set");
    let fill = |text: &str| text.replace("{host}", &server.address).replace("{auth}", auth);
    // A server that refuses early may close while this still writes.
    match &row.send {
        Send::Text(text) => drop(socket.write_all(fill(text).as_bytes())),
        Send::Bytes(bytes) => drop(socket.write_all(bytes)),
        Send::Flood(head, bytes) => {
            let piece = vec![b'a'; PIECE_BYTES];
            let mut going = socket.write_all(fill(head).as_bytes()).is_ok();
            for _ in 0..bytes.div_ceil(PIECE_BYTES) {
                going = going && socket.write_all(&piece).is_ok();
            }
        }
    }
    if row.cut {
        // Nothing more will come.
        let _ = socket.shutdown(Shutdown::Write);
    }
    let (mut all, mut piece) = (Vec::new(), [0; 8_192]);
    loop {
        match socket.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&piece[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{}: neither answered nor closed: {error}", row.name),
        }
    }
    let text = String::from_utf8_lossy(&all);
    let lines = text.split("HTTP/1.").skip(1);
    lines.filter_map(|line| line.get(2..5)?.parse().ok()).filter(|status| *status != 100).collect()
}

/// Sends every row, and collects what is not as specified.
fn round(server: &Server, rows: &[Row], faults: &mut Vec<String>) {
    let bearer = format!("Authorization: Bearer {}\r\n", server.token);
    for row in rows {
        for (who, auth, wanted) in [("a stranger", "", row.stranger), ("the owner", bearer.as_str(), row.owner)] {
            let got = answers(server, row, auth);
            let first = got.first().copied().unwrap_or(rows::CLOSED);
            if !wanted.contains(&first) || got.len() > row.answers {
                faults.push(format!("{}: {who} got {got:?} instead of one of {wanted:?}", row.name));
            }
            // A 503 would mean no model or no disk, and none of these rows asks for either.
            if got.iter().any(|status| *status >= 500) {
                faults.push(format!("{}: {who} got {got:?}", row.name));
            }
        }
        let mut raw = Raw::open(server);
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        if raw.head().0 != 200 {
            faults.push(format!("{}: the server does not answer afterwards", row.name));
        }
    }
}

// shows: api: a hostile table of over eighty rows, with and without a login: each answered as specified, no 5xx, memory back to its level
#[test]
fn every_row_of_the_hostile_table_is_answered_as_specified() {
    let home = home();
    let server = Server::start_with(
        home.path(),
        &[("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__ENABLED", "false")],
    );
    let rows = rows::all();
    assert!(rows.len() >= ROWS_MIN, "{} rows", rows.len());
    let mut faults = Vec::new();
    // Once beforehand, so that what is made at first use counts as part of the level.
    round(&server, &rows, &mut faults);
    let (level, pid) = (crate::security::memory_bytes(&server), server.pid());
    for _ in 0..ROUNDS {
        round(&server, &rows, &mut faults);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    crate::security::settles(&server, level, LEFT_BYTES_MAX);
    println!(
        "{} rows, memory {} KiB before and {} KiB after",
        rows.len(),
        level / 1024,
        crate::security::memory_bytes(&server) / 1024
    );
    assert_eq!(server.pid(), pid);
    assert_eq!(server.ask("GET", "/api/status", None).0, 200, "the same process lives");
    let stored = server.get("/thinking/api");
    assert_eq!(
        stored["items"].as_array().map(Vec::len),
        Some(rows::THOUGHTS * (ROUNDS + 1)),
        "only what was well-formed: {stored}"
    );
    let faults = server.get("/api/events?after=0&type=error.captured&limit=10");
    assert_eq!(faults["items"].as_array().map(Vec::len), Some(0), "{faults}");
}
