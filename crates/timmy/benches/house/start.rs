//! From the start of the process to the first 200 of `/health`.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::figure::{figure, ms};
use crate::http::Http;
use crate::server;

/// Starts of each home. The first is thrown away: it reads the binary from the disk, or makes the home.
const RUNS: usize = 12;
/// How often to knock, in microseconds.
const KNOCK_MICROS: u64 = 200;

fn one(home: &Path) -> Duration {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let begun = Instant::now();
    let mut child = server::command(home, &free.port().to_string(), &[]).spawn().unwrap();
    let address = free.to_string();
    loop {
        let answered = Http::to(&address).and_then(|mut http| http.ask("GET", "/health", "", ""));
        if answered.is_ok_and(|a| a.status == 200) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the server does not start");
        std::thread::sleep(Duration::from_micros(KNOCK_MICROS));
    }
    let took = begun.elapsed();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    took
}

/// Measures an empty home (a new one each time) and the full one.
pub fn measure(room: &Path, full: &Path) {
    let report = |name: &str, mut times: Vec<Duration>, bound: &str| {
        times.remove(0);
        times.sort_unstable();
        let spread = format!("{} to {} over {} starts", ms(times[0]), ms(times[times.len() - 1]), times.len());
        figure(name, &ms(times[times.len() / 2]), bound, &spread);
    };
    let fresh = |run| {
        let home = room.join(format!("start-{run}"));
        super::fresh(&home);
        one(&home)
    };
    report("Start to first 200, empty home", (0..RUNS).map(fresh).collect(), "≤ 30 ms");
    report("Start to first 200, 1,000,000 events", (0..RUNS).map(|_| one(full)).collect(), "≤ 60 ms");
}
