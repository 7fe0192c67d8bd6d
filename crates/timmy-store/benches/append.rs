//! Durable events per second, and how fast a store opens and finds. Run with
//! `cargo bench -p timmy-store --bench append -- 300000` (events appended in each of five rounds), or with
//! `-- queries` to search only, or with `-- crowd 300000` for the first way of appending alone.
//!
//! Rates are given beside the time of one sync of the same disk in the same run, and beside the processor time of one
//! event, which a busy machine does not change. Lines that begin with `figure` go into docs/performance.md.

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
use timmy_domain::{NewEvent, Severity, Timestamp};
use timmy_store::{EventQuery, Options, Store};
use tokio::runtime::{Builder, Runtime};

const PRODUCERS: usize = 4;
const OUTSTANDING: usize = 256;
const ROUNDS: usize = 5;
/// Events in the store in which is searched.
const QUERIED_EVENTS: usize = 1_000_000;

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

async fn produce(store: Store, calls: usize, outstanding: usize, per_call: usize, linked: bool) -> Vec<Duration> {
    let mut open = FuturesUnordered::new();
    let mut waits = Vec::with_capacity(calls);
    let mut made = 0;
    while waits.len() < calls {
        while open.len() < outstanding && made < calls {
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

/// One way to append: its name, calls each producer has outstanding, events a call, and whether events have a
/// cause and an agent.
type Way = (&'static str, usize, usize, bool);

/// What one measurement found.
struct Found {
    /// Events per second.
    rate: f64,
    /// Processor time of the whole process per event, in microseconds.
    cpu: f64,
    /// The same of the writer thread alone.
    writer: f64,
    /// How long callers waited, shortest first.
    waits: Vec<Duration>,
    batches: u64,
}

/// Processor time in ticks of 10 ms: of this process, and of its writer thread.
fn ticks() -> (f64, f64) {
    let of = |path: &Path| -> f64 {
        let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum()
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    let writer = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "store-writer")
    });
    (of(Path::new("/proc/self")), writer.map(|task| of(&task.path())).sum())
}

fn measure(runtime: &Runtime, dir: &Path, events: usize, way: &Way) -> Found {
    let (_, outstanding, per_call, linked) = *way;
    let path = dir.join("bench.db");
    let store = open(&path);
    let calls = events / per_call / PRODUCERS;
    let (before, begun) = (ticks(), Instant::now());
    let mut waits = runtime.block_on(async {
        let tasks: Vec<_> = (0..PRODUCERS)
            .map(|_| tokio::spawn(produce(store.clone(), calls, outstanding, per_call, linked)))
            .collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await.unwrap());
        }
        waits
    });
    let count = (calls * per_call * PRODUCERS) as f64;
    let (rate, after) = (count / begun.elapsed().as_secs_f64(), ticks());
    waits.sort_unstable();
    let batches = store.stats().batches;
    runtime.block_on(store.close());
    for suffix in ["", "-wal", "-shm", ".key"] {
        let _ = std::fs::remove_file(dir.join(format!("bench.db{suffix}")));
    }
    let micros = |ticks: f64| ticks * 10_000.0 / count;
    Found { rate, cpu: micros(after.0 - before.0), writer: micros(after.1 - before.1), waits, batches }
}

/// A way over several rounds: rates with the best first, and the lowest processor time of an event.
struct Sum {
    best: f64,
    median: f64,
    cpu: f64,
    writer: f64,
}

/// All ways in turn, several times over, so that a busy moment of the machine falls on all of them.
fn compare(runtime: &Runtime, dir: &Path, ways: &[(usize, Way)]) -> Vec<Sum> {
    let mut rounds: Vec<Vec<Found>> = ways.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((events, way), found) in ways.iter().zip(&mut rounds) {
            found.push(measure(runtime, dir, *events, way));
        }
    }
    let mut sums = Vec::new();
    for ((_, (name, ..)), mut found) in ways.iter().zip(rounds) {
        found.sort_by(|a, b| b.rate.total_cmp(&a.rate));
        let (best, median, slowest) = (&found[0], found[ROUNDS / 2].rate, found[ROUNDS - 1].rate);
        let (p50, p99) = (best.waits[best.waits.len() / 2], best.waits[best.waits.len() * 99 / 100]);
        let least = |of: fn(&Found) -> f64| found.iter().map(of).fold(f64::INFINITY, f64::min);
        let (cpu, writer) = (least(|f| f.cpu), least(|f| f.writer));
        println!(
            "{name:<36} best {:>7.0}  median {median:>7.0}  worst {slowest:>7.0} events/s; {cpu:.2} us of processor an event, {writer:.2} of them the writer's; best: ack p50 {p50:.1?} p99 {p99:.1?}, {} batches",
            best.rate, best.batches
        );
        sums.push(Sum { best: best.rate, median, cpu, writer });
    }
    sums
}

/// The time of the first or the last event.
fn at_of(store: &Store, newest_first: bool) -> Timestamp {
    let query = EventQuery { limit: 1, newest_first, ..EventQuery::default() };
    store.read_blocking(move |r| r.events(&query)).unwrap()[0].at
}

fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let out = work();
    println!("{name:<58} {:?}", begun.elapsed());
    out
}

/// How fast events are stored: everything printed, and the figures that a page of figures takes over.
fn appends(runtime: &Runtime, dir: &Path, events: usize) {
    let before = sync_micros(dir);
    println!("one sync of 4 KiB (median)  {before} us");
    let ways: [(usize, Way); 4] = [
        (events, ("256 outstanding, 1 event a call", OUTSTANDING, 1, false)),
        (events, ("256 outstanding, 16 events a call", OUTSTANDING, 16, false)),
        (events, ("the same as first, cause and agent", OUTSTANDING, 1, true)),
        ((events / 100).max(PRODUCERS), ("1 outstanding, 1 event a call", 1, 1, false)),
    ];
    if std::env::args().any(|a| a == "crowd") {
        compare(runtime, dir, &ways[..1]);
        return;
    }
    let sums = compare(runtime, dir, &ways);
    let after = sync_micros(dir);
    println!("one sync of 4 KiB (median)  {after} us");
    // With one outstanding each, a batch holds at most as many events as there are producers.
    let sync = u128::midpoint(before, after).max(1);
    let ratio = sums[3].median * sync as f64 / 1e6;
    println!("with one outstanding each: {:.0} events/s, {ratio:.2} events in the time of one sync", sums[3].median);
    let figure =
        |name: &str, value: String, bound: &str, spread: String| println!("figure\t{name}\t{value}\t{bound}\t{spread}");
    figure(
        "Durable appends, four producers with 256 outstanding each",
        format!("{:.0} events/s", sums[0].median),
        "≥ 250,000/s",
        format!(
            "best of {ROUNDS} rounds {:.0}; {:.2} µs of processor an event, {:.2} µs of it on the writer",
            sums[0].best, sums[0].cpu, sums[0].writer
        ),
    );
    figure(
        "The same, 16 events a call",
        format!("{:.0} events/s", sums[1].median),
        "",
        format!("best {:.0}", sums[1].best),
    );
    figure(
        "Durable appends, one outstanding each",
        format!("{ratio:.2} events in the time of one fsync"),
        "",
        format!("{:.0} events/s; one fsync of 4 KiB took {sync} µs in the same run", sums[3].median),
    );
}

/// How fast events are found.
fn queries(store: &Store) {
    let query = |name: &str, query: EventQuery| {
        let found = timed(name, || store.read_blocking(move |r| r.events(&query)).unwrap());
        println!("{:<58} {} found", "", found.len());
    };
    let newest = EventQuery { newest_first: true, ..EventQuery::default() };
    let pattern = |text: &str| text.parse().unwrap();
    let some = |text: &str| Some(text.to_owned());
    query("newest 100", newest.clone());
    query("newest 100 of a type with 1 in 1,000", EventQuery { pattern: pattern("login.*"), ..newest.clone() });
    query("newest 100 of a type that does not occur", EventQuery { pattern: pattern("watch.added"), ..newest.clone() });
    query("newest 100 but not the frequent type", EventQuery { exclude: vec![pattern("watch.*")], ..newest.clone() });
    query("newest 100 warnings", EventQuery { severity_min: Some(Severity::Warning), ..newest.clone() });
    query("an actor that does not occur", EventQuery { actor: some("stranger"), ..newest.clone() });
    query("an actor that is everywhere", EventQuery { actor: some("system"), ..newest.clone() });
    query("a source with 1 in 1,000", EventQuery { source: some("web"), ..newest.clone() });
    query("a source that does not occur", EventQuery { source: some("talk"), ..newest.clone() });
    query("an agent that does not occur", EventQuery { agent_id: some("x"), ..newest.clone() });
    query("a task that does not occur", EventQuery { task_id: some("x"), ..newest.clone() });
    query(
        "a type and a source that never occur together",
        EventQuery { source: some("web"), pattern: pattern("watch.*"), ..newest.clone() },
    );
    query(
        "a text that does not occur (all rows)",
        EventQuery { texts: vec!["no such words".into()], ..newest.clone() },
    );
    timed("the same, 100,000 rows back", || {
        let query = EventQuery { texts: vec!["no such words".into()], ..newest.clone() };
        store.read_blocking(move |r| r.events_page(&query, 100_000)).unwrap().searched_to.unwrap()
    });
    let (first, last) = (at_of(store, false), at_of(store, true));
    let step = (last.micros() - first.micros()) / 60 + 1;
    let edges: Vec<Timestamp> = (0..=60).map(|n| Timestamp::from_micros(first.micros() + n * step)).collect();
    query("the middle tenth by time", EventQuery { since: Some(edges[27]), until: Some(edges[33]), ..newest.clone() });
    let count = |name: &str, query: EventQuery| {
        let edges = edges.clone();
        let counts = timed(name, || store.read_blocking(move |r| r.event_counts(&query, &edges, usize::MAX)).unwrap());
        println!("{:<58} {} counted", "", counts.counts.iter().sum::<u64>());
    };
    count("60 bars over all events", newest.clone());
    count("60 bars over a type with 1 in 1,000", EventQuery { pattern: pattern("login.*"), ..newest.clone() });
    count("60 bars over warnings", EventQuery { severity_min: Some(Severity::Warning), ..newest });
    timed("the effects of an event", || {
        let found = store.read_blocking(|r| r.effects(200, 100)).unwrap();
        assert!(!found.is_empty());
    });
}

fn main() {
    let events = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(1_000_000);
    let only_queries = std::env::args().any(|a| a == "queries");
    let dir = tempfile::tempdir_in(".").unwrap();
    let dir = dir.path();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    if !only_queries {
        appends(&runtime, dir, events);
    }
    if std::env::args().any(|a| a == "crowd") {
        return;
    }

    let path = dir.join("open.db");
    let store = timed("create an empty store", || open(&path));
    runtime.block_on(async {
        for batch in 0..QUERIED_EVENTS / 1_000 {
            store.append((0..1_000).map(|i| event(batch * 1_000 + i, true)).collect()).await.unwrap();
        }
        store.close().await;
    });
    println!("the rest with {QUERIED_EVENTS} events:");
    let store = timed("open", || open(&path));
    queries(&store);
    timed("full chain", || runtime.block_on(store.verify_chain(1)).unwrap());
    timed("full integrity check", || runtime.block_on(store.check_integrity()).unwrap());
    timed("close", || runtime.block_on(store.close()));
}
