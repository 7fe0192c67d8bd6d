//! Durable events per second, and how fast a store opens and finds. Run with
//! `cargo bench -p timmy-store --bench append` (add `-- EVENTS` for another count).
//!
//! Figures are given beside the time of one sync of the same disk in the same run.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::unwrap_used, reason = "a failed measurement should stop")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use timmy_domain::event::{LoginFailed, Observed};
use timmy_domain::observation::ObservationKind;
use timmy_domain::{NewEvent, Timestamp};
use timmy_store::{EventQuery, Options, Store};
use tokio::runtime::{Builder, Runtime};

const PRODUCERS: usize = 4;
const OUTSTANDING: usize = 256;
const ROUNDS: usize = 5;

fn open(path: &Path) -> Store {
    let begun = Instant::now();
    let clock = Arc::new(move || {
        let micros = i64::try_from(begun.elapsed().as_micros()).unwrap();
        Timestamp::from_micros(1_780_000_000_000_000 + micros)
    });
    let state = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
    let random = Arc::new(move |out: &mut [u8]| {
        for chunk in out.chunks_mut(8) {
            let mut x = state.load(Ordering::Relaxed);
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            state.store(x, Ordering::Relaxed);
            chunk.copy_from_slice(&x.to_le_bytes()[..chunk.len()]);
        }
    });
    Store::open(path, clock, random, Options::default()).unwrap()
}

/// An event with a body of about 200 bytes.
fn event(number: usize, linked: bool) -> NewEvent {
    if number % 1_000 == 999 {
        return NewEvent::new("web", LoginFailed { how: "code".into(), failures: 1 });
    }
    let body = Observed {
        folder_id: 7,
        folder: "kelp".into(),
        kind: ObservationKind::Commits,
        summary: format!(
            "Commit {number:08}: teach the kelp to count its own leaves, and note in \
            the almanac how many there were at dawn and at dusk, for the record"
        ),
    };
    let event = NewEvent::new("world", body);
    if linked { event.agent("timmy").caused_by(number as i64 / 2 + 1) } else { event }
}

fn sync_micros(dir: &Path) -> u128 {
    let mut file = File::create(dir.join("sync")).unwrap();
    let mut times: Vec<u128> = (0..50)
        .map(|_| {
            file.write_all(&[7; 4096]).unwrap();
            let begun = Instant::now();
            file.sync_data().unwrap();
            begun.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    times[25]
}

async fn produce(store: Store, calls: usize, per_call: usize, linked: bool) -> Vec<Duration> {
    let mut open = FuturesUnordered::new();
    let mut waits = Vec::with_capacity(calls);
    let mut made = 0;
    while waits.len() < calls {
        while open.len() < OUTSTANDING && made < calls {
            let events = (0..per_call).map(|i| event(made * per_call + i, linked)).collect();
            let (store, begun) = (&store, Instant::now());
            open.push(async move {
                store.append(events).await.unwrap();
                begun.elapsed()
            });
            made += 1;
        }
        waits.extend(open.next().await);
    }
    waits
}

/// One way to append: its name, events a call, whether events have a cause and an agent, and what is
/// changed about the schema beforehand.
type Way = (&'static str, usize, bool, &'static str);

/// Events per second, the waits of the callers in order, and the batches.
fn measure(runtime: &Runtime, dir: &Path, events: usize, way: &Way) -> (f64, Vec<Duration>, u64) {
    let (_, per_call, linked, change) = *way;
    let path = dir.join("bench.db");
    let store = open(&path);
    if !change.is_empty() {
        rusqlite::Connection::open(&path).unwrap().execute_batch(change).unwrap();
    }
    let calls = events / per_call / PRODUCERS;
    let begun = Instant::now();
    let mut waits = runtime.block_on(async {
        let tasks: Vec<_> =
            (0..PRODUCERS).map(|_| tokio::spawn(produce(store.clone(), calls, per_call, linked))).collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await.unwrap());
        }
        waits
    });
    let rate = (calls * per_call * PRODUCERS) as f64 / begun.elapsed().as_secs_f64();
    waits.sort_unstable();
    let batches = store.stats().batches;
    runtime.block_on(store.close());
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("bench.db{suffix}")));
    }
    (rate, waits, batches)
}

/// All ways in turn, several times over, so that a busy moment of the machine falls on all of them.
fn compare(runtime: &Runtime, dir: &Path, events: usize, ways: &[Way]) {
    let mut rounds: Vec<Vec<(f64, Vec<Duration>, u64)>> = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for (way, found) in ways.iter().zip(&mut rounds) {
            found.push(measure(runtime, dir, events, way));
        }
    }
    for ((name, ..), mut found) in ways.iter().zip(rounds) {
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (best, waits, batches) = &found[0];
        let (median, slowest) = (found[ROUNDS / 2].0, found[ROUNDS - 1].0);
        let (p50, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
        println!(
            "{name:<46} best {best:>7.0}  median {median:>7.0}  worst {slowest:>7.0} events/s; best: ack p50 {p50:.1?} p99 {p99:.1?}, {batches} batches"
        );
    }
}

fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let out = work();
    println!("{name:<58} {:?}", begun.elapsed());
    out
}

fn main() {
    let events = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(1_000_000);
    let dir = tempfile::tempdir_in(".").unwrap();
    let dir = dir.path();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    println!("one sync of 4 KiB (median)  {} us", sync_micros(dir));
    let partial = "CREATE INDEX by_cause ON event_log (cause) WHERE cause IS NOT NULL;
        CREATE INDEX by_task ON event_log (task_id) WHERE task_id IS NOT NULL;
        CREATE INDEX by_agent ON event_log (agent_id) WHERE agent_id IS NOT NULL;";
    let ways: [Way; 6] = [
        ("as shipped, 1 event a call", 1, false, ""),
        ("as shipped, 16 events a call", 16, false, ""),
        ("as shipped, with cause and agent", 1, true, ""),
        ("with partial indexes", 1, false, partial),
        ("with partial indexes, with cause and agent", 1, true, partial),
        ("with an index on event_type", 1, false, "CREATE INDEX by_type ON event_log (event_type);"),
    ];
    compare(&runtime, dir, events, &ways);
    println!("one sync of 4 KiB (median)  {} us", sync_micros(dir));

    let path = dir.join("open.db");
    let store = timed("create an empty store", || open(&path));
    runtime.block_on(async {
        for _ in 0..events / 1_000 {
            store.append((0..1_000).map(|i| event(i, true)).collect()).await.unwrap();
        }
        store.close().await;
    });
    let store = timed("open it with all events", || open(&path));
    let query = |name: &str, query: EventQuery| {
        let found = timed(name, || store.read_blocking(move |r| r.events(&query)).unwrap());
        println!("{:<58} {} found", "", found.len());
    };
    let newest = EventQuery { newest_first: true, ..EventQuery::default() };
    query("newest 100", newest.clone());
    query("newest 100 of a type with 1 in 1,000", EventQuery { pattern: "login.*".parse().unwrap(), ..newest.clone() });
    query(
        "newest 100 of a type that does not occur",
        EventQuery { pattern: "watch.added".parse().unwrap(), ..newest.clone() },
    );
    query("an actor that does not occur (all rows)", EventQuery { actor: Some("stranger".into()), ..newest.clone() });
    query("a text that does not occur (all rows)", EventQuery { text: Some("no such words".into()), ..newest.clone() });
    query("an agent that does not occur", EventQuery { agent_id: Some("x".into()), ..newest });
    timed("the effects of an event", || {
        let found = store.read_blocking(|r| r.effects(200, 100)).unwrap();
        assert!(!found.is_empty());
    });
    timed("full chain", || runtime.block_on(store.verify_chain(1)).unwrap());
    timed("full integrity check", || runtime.block_on(store.check_integrity()).unwrap());
    timed("close", || runtime.block_on(store.close()));
}
