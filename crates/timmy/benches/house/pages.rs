//! Processor time of a page, compressed and for a browser that is logged in, while ten events a second arrive.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::figure::{figure, quantile};
use crate::http::Http;
use crate::server::Server;

/// Requests of one run.
const REQUESTS: usize = 4_000;
/// Runs of each page; the median is told.
const RUNS: usize = 5;
/// Milliseconds between two events.
const EVENT_MS: u64 = 100;

/// Keeps and releases one thought in turn, so that ten events a second arrive.
fn events(server: &Server, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    let newest = server.get("/thinking/api?limit=1");
    let id = newest["items"][0]["id"].as_str().unwrap().to_owned();
    let (address, headers) = (server.address.clone(), format!("{}Content-Type: application/json\r\n", server.bearer()));
    std::thread::spawn(move || {
        let mut http = Http::to(&address).unwrap();
        let begun = Instant::now();
        let mut made = 0;
        while !stop.load(Ordering::Relaxed) {
            let act = if made % 2 == 0 { "keep" } else { "release" };
            let answer = http.ask("POST", &format!("/thinking/api/{id}/{act}"), &headers, "{}").unwrap();
            assert_eq!(answer.status, 200);
            made += 1;
            let due = begun + Duration::from_millis(made as u64 * EVENT_MS);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        made
    })
}

struct Run {
    cpu: f64,
    waits: Vec<Duration>,
    bytes: usize,
}

/// Asks for `paths` in turn until there were [`REQUESTS`].
fn run(server: &Server, paths: &[String], headers: &str) -> Run {
    let mut http = Http::to(&server.address).unwrap();
    let mut waits = Vec::with_capacity(REQUESTS);
    let mut bytes = 0;
    let before = server.cpu();
    for path in paths.iter().cycle().take(REQUESTS) {
        let begun = Instant::now();
        let answer = http.ask("GET", path, headers, "").unwrap();
        waits.push(begun.elapsed());
        assert_eq!(answer.status, 200, "{path}");
        bytes = answer.body.len();
    }
    let cpu = (server.cpu() - before).as_secs_f64() * 1e3 / REQUESTS as f64;
    waits.sort_unstable();
    Run { cpu, waits, bytes }
}

/// Older stretches of `page`, each of which differs from the others.
fn stretches(page: &str, before: impl Iterator<Item = u64>) -> Vec<String> {
    before.map(|seq| format!("{page}?before={seq}")).collect()
}

/// Measures the pages of the full home.
pub fn measure(full: &Path) {
    let server = Server::start(full, &[("TIMMY__CASCADE__PROVIDERS", "reflex")]);
    server.settle();
    let browser = server.browser();
    let stop = Arc::new(AtomicBool::new(false));
    let arriving = events(&server, Arc::clone(&stop));
    for path in ["/", "/thinking", "/swarm/events", "/talk", "/health/page"] {
        let bound = if ["/", "/thinking", "/swarm/events"].contains(&path) { "≤ 0.2 ms" } else { "" };
        tell(&server, &browser, &format!("`{path}`"), &[path.to_owned()], bound);
    }
    let newest = server.get("/thinking/api?limit=1000");
    let thoughts: Vec<u64> = newest["items"].as_array().unwrap().iter().filter_map(|one| one["seq"].as_u64()).collect();
    assert!(thoughts.len() >= 500, "thoughts to turn pages with");
    let (thoughts, events) = (thoughts.into_iter().take(500), (1..=1_000).map(|turn| 900_000 - turn * 100));
    tell(&server, &browser, "`/thinking`, another stretch each time", &stretches("/thinking", thoughts), "");
    tell(&server, &browser, "`/swarm/events`, another stretch each time", &stretches("/swarm/events", events), "");
    stop.store(true, Ordering::Relaxed);
    println!("{} events arrived meanwhile", arriving.join().unwrap());
}

/// Measures and tells the median of some runs over `paths`.
fn tell(server: &Server, browser: &str, name: &str, paths: &[String], bound: &str) {
    let mut runs: Vec<Run> = (0..RUNS).map(|_| run(server, paths, browser)).collect();
    runs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    let median = &runs[RUNS / 2];
    let spread = format!(
        "{:.3} to {:.3} ms over {RUNS} runs of {REQUESTS}; wall p50 {:.2?} p95 {:.2?}, {} bytes on the wire",
        runs[0].cpu,
        runs[RUNS - 1].cpu,
        quantile(&median.waits, 0.5),
        quantile(&median.waits, 0.95),
        median.bytes,
    );
    figure(&format!("Processor time of {name}, 1,000,000 events"), &format!("{:.3} ms", median.cpu), bound, &spread);
}
