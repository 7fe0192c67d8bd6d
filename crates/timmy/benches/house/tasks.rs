//! The queue when it is long: whose turn it is, a page of tasks, and tasks made, approved and completed over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use timmy_domain::task::birth::NewTask;
use timmy_domain::{Actor, TaskId, Timestamp};
use timmy_store::{Options, Store};

use crate::figure::{figure, ms, quantile};
use crate::http::Http;
use crate::server::Server;

/// Tasks of the long queue.
const TASKS: usize = 100_000;
/// Tasks made in one transaction.
const CALL_TASKS: usize = 1_000;
/// Looks at whose turn it is.
const PICKS: usize = 2_000;
/// Requests of one run for a page, and runs; the median is told.
const REQUESTS: usize = 1_000;
const RUNS: usize = 5;
/// Connections that make tasks at once, and how many tasks each of them makes in a run.
const CONNECTIONS: usize = 8;
const EACH: usize = 250;
/// Requests to one task from its making to its end.
const REQUESTS_PER_TASK: usize = 3;
/// Writes with `fdatasync` of 4 KiB, of which the median is told.
const SYNCS: usize = 200;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

fn open(home: &Path) -> Store {
    super::fresh(home);
    let state = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
    let random = Arc::new(move |out: &mut [u8]| {
        for chunk in out.chunks_mut(8) {
            // Weyl sequence through the SplitMix64 finaliser; only unlikeness matters here.
            let mut z = state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z ^= z >> 27;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    });
    Store::open(&home.join("timmy.db"), Arc::new(now), random, Options::default()).unwrap()
}

/// Makes [`TASKS`] tasks, each changed by `change`.
fn fill(store: &Store, change: impl Fn(usize, &mut NewTask) + Send + Sync + Copy + 'static) {
    for from in (0..TASKS).step_by(CALL_TASKS) {
        let made = store.write_blocking(move |tx| {
            for n in from..from + CALL_TASKS {
                let mut new = NewTask::titled(format!("Count the leaves of bed {n} in the kelp"), Actor::Owner);
                change(n, &mut new);
                tx.task_create(&new.checked(tx.now()).unwrap())?;
            }
            Ok(())
        });
        made.unwrap();
    }
}

fn close(store: &Store) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.close());
}

/// How long it takes to find whose turn it is, in a queue where every task could be begun.
fn picks(room: &Path) {
    let store = open(&room.join("picks"));
    fill(&store, |n, new| {
        new.priority = timmy_domain::task::Priority::ALL[n % 4];
        new.task_type = "skipped".to_owned();
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (what, skip) in [("", &[][..]), (", all of them of a kind that is busy", &["skipped"][..])] {
        let mut times: Vec<Duration> = (0..PICKS)
            .map(|_| {
                let begun = Instant::now();
                let picked = runtime.block_on(store.read(move |r| r.task_pick("timmy", skip))).unwrap();
                assert_eq!(picked.is_some(), skip.is_empty());
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        let spread = format!("p50 {}, max {} over {PICKS}", ms(quantile(&times, 0.5)), ms(times[PICKS - 1]));
        figure(&format!("The next of 100,000 tasks{what}, p99"), &ms(quantile(&times, 0.99)), "≤ 1 ms", &spread);
    }
    close(&store);
}

/// Processor time of the page and of the list for programs, with a queue in which nothing can be begun.
fn pages(room: &Path) {
    let home = room.join("pages");
    let store = open(&home);
    fill(&store, |n, new| {
        new.priority = timmy_domain::task::Priority::ALL[n % 4];
        new.requires_approval = Some(true);
    });
    close(&store);
    let server = Server::start(&home, &[("TIMMY__CASCADE__PROVIDERS", "reflex")]);
    server.settle();
    let (browser, bearer) = (server.browser(), server.bearer());
    for (path, headers, bound) in [("/tasks", &browser, "≤ 0.3 ms"), ("/api/tasks?limit=20", &bearer, "")] {
        let mut http = Http::to(&server.address).unwrap();
        let mut runs: Vec<f64> = (0..RUNS)
            .map(|_| {
                let before = server.cpu();
                for _ in 0..REQUESTS {
                    assert_eq!(http.ask("GET", path, headers, "").unwrap().status, 200, "{path}");
                }
                (server.cpu() - before).as_secs_f64() * 1e3 / REQUESTS as f64
            })
            .collect();
        runs.sort_by(f64::total_cmp);
        let spread = format!("{:.3} to {:.3} ms over {RUNS} runs of {REQUESTS}", runs[0], runs[RUNS - 1]);
        let name = format!("Processor time of `{path}`, 100,000 tasks");
        figure(&name, &format!("{:.3} ms", runs[RUNS / 2]), bound, &spread);
    }
}

/// The median of writing 4 KiB and waiting until the disk has them.
fn sync(room: &Path) -> Duration {
    use std::io::Write;
    let mut file = std::fs::File::create(room.join("sync")).unwrap();
    let mut times: Vec<Duration> = (0..SYNCS)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    quantile(&times, 0.5)
}

/// One connection makes its tasks, approves and completes each. They need `first`, so that no worker takes them.
fn lives(address: &str, headers: &str, first: &str) {
    let mut http = Http::to(address).unwrap();
    let new = format!(r#"{{"title":"Water the kelp","requires_approval":true,"needs":["{first}"]}}"#);
    for _ in 0..EACH {
        let made = http.ask("POST", "/api/tasks", headers, &new).unwrap();
        assert_eq!(made.status, 201);
        let id = id(&made.body);
        for act in ["approve", "complete"] {
            assert_eq!(
                http.ask("POST", &format!("/api/tasks/{id}/{act}"), headers, "{}").unwrap().status,
                200,
                "{act}"
            );
        }
    }
}

fn id(body: &[u8]) -> TaskId {
    let made: serde_json::Value = serde_json::from_slice(body).unwrap();
    made["id"].as_str().unwrap().parse().unwrap()
}

/// Tasks made, approved and completed in a second, each step on the disk before it is answered.
fn lifecycles(room: &Path) {
    let server = Server::start(&room.join("lives"), &[("TIMMY__CASCADE__PROVIDERS", "reflex")]);
    server.settle();
    let headers = format!("{}Content-Type: application/json\r\n", server.bearer());
    let first = r#"{"title":"Comes first","requires_approval":true}"#;
    let first = Http::to(&server.address).unwrap().ask("POST", "/api/tasks", &headers, first).unwrap();
    let first = id(&first.body).to_string();
    let before = sync(room);
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..CONNECTIONS {
                    scope.spawn(|| lives(&server.address, &headers, &first));
                }
            });
            (CONNECTIONS * EACH) as f64 / begun.elapsed().as_secs_f64()
        })
        .collect();
    let sync = (before + sync(room)) / 2;
    runs.sort_by(f64::total_cmp);
    let (rate, syncs) = (runs[RUNS / 2], 1.0 / sync.as_secs_f64());
    let spread = format!(
        "{:.0} to {:.0}/s over {RUNS} runs of {}; {:.0} durable requests/s, {:.2} in the time of one fsync of {:.0} µs \
         ({syncs:.0}/s) in the same run",
        runs[0],
        runs[RUNS - 1],
        CONNECTIONS * EACH,
        rate * REQUESTS_PER_TASK as f64,
        rate * REQUESTS_PER_TASK as f64 / syncs,
        sync.as_secs_f64() * 1e6,
    );
    let name = format!("Tasks made, approved and completed over HTTP, {CONNECTIONS} connections");
    figure(&name, &format!("{rate:.0}/s"), "≥ 1,000/s", &spread);
}

/// Measures all of it in homes below `room`.
pub fn measure(room: &Path) {
    picks(room);
    lifecycles(room);
    pages(room);
}
