//! Memory at rest and after ten minutes of thinking with a page open.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::figure::figure;
use crate::http::Http;
use crate::server::Server;

/// Seconds an empty house rests before it is looked at.
const REST_SECONDS: u64 = 20;
/// Minutes of thinking before the full house is looked at.
const THINK_MINUTES: u64 = 10;
/// Seconds between two fragments that an open page asks for.
const LOOK_SECONDS: u64 = 5;

fn mib(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 / 1_000.0 * 1.024)
}

/// Measures both homes.
pub fn measure(empty: &Path, full: &Path) {
    let server = Server::start(empty, &[]);
    std::thread::sleep(Duration::from_secs(REST_SECONDS));
    figure(
        "Memory at rest, empty home",
        &mib(server.pss_kib()),
        "≤ 20 MB",
        &format!("{REST_SECONDS} s after the start, no page open"),
    );
    drop(server);

    let thinking = [("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"), ("TIMMY__THINKING__INTERVAL_SECONDS", "2")];
    let server = Server::start(full, &thinking);
    server.settle();
    let browser = server.browser();
    let begun = Instant::now();
    let mut http = Http::to(&server.address).unwrap();
    let mut live = std::net::TcpStream::connect(&server.address).unwrap();
    let _ = http.ask("GET", "/", &browser, "").unwrap();
    listen(&mut live, &server.address, &browser);
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(THINK_MINUTES * 60) {
        std::thread::sleep(Duration::from_secs(LOOK_SECONDS));
        let _ = http.ask("GET", "/now", &browser, "").unwrap();
        most = most.max(server.pss_kib());
    }
    let thoughts = server.get("/thinking/api?limit=1000")["items"].as_array().map_or(0, Vec::len);
    assert!(thoughts > 0);
    figure(
        "Memory after ten minutes of thinking, 1,000,000 events, one page open",
        &mib(server.pss_kib()),
        "≤ 20 MB",
        &format!("at most {} at any look", mib(most)),
    );
}

/// Opens the live feed as a page does, and reads whatever comes.
fn listen(live: &mut std::net::TcpStream, address: &str, browser: &str) {
    use std::io::Write;
    let upgrade = format!(
        "GET /swarm/live HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n{browser}Connection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    live.write_all(upgrade.as_bytes()).unwrap();
    let mut reading = live.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while reading.read(&mut bytes).is_ok_and(|n| n > 0) {}
    });
}
