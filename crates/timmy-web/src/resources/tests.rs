//! One row for each way a resource can be.

use std::path::PathBuf;

use timmy_domain::thought::Place;
use timmy_tools::machine::Pressure;

use super::*;

fn stats() -> StoreStats {
    StoreStats {
        path: PathBuf::from("/home/timmy/timmy.db"),
        file_bytes: 1,
        wal_bytes: 0,
        schema_version: 6,
        writer_queue: 0,
        batches: 2,
        rows: 2,
        last_commit_micros: 100,
        last_seq: 2,
        readers: 2,
        writes_stopped: None,
    }
}

fn machine() -> Machine {
    Machine {
        load: Some([0.5, 0.4, 0.3]),
        cores: Some(2),
        memory_total_bytes: Some(1_000),
        memory_available_bytes: Some(600),
        disk_total_bytes: Some(1_000_000_000),
        disk_free_bytes: Some(500_000_000),
        pressure: Pressure { cpu: Some(0.0), memory: Some(0.0), io: Some(1.5) },
        ..Machine::default()
    }
}

fn provider(up: Option<bool>, failures: u64) -> ProviderFigures {
    ProviderFigures {
        name: "ollama".into(),
        place: Place::Local,
        up,
        busy: 1,
        answers: 3,
        failures: [("unreachable", failures)].into(),
        usage: timmy_llm::Usage::default(),
        first_word: timmy_domain::tally::Spread::default(),
        took: timmy_domain::tally::Spread::default(),
    }
}

/// The rows after `change`, by name.
fn rows(
    change: impl FnOnce(&mut Machine, &mut Usage, &mut StoreStats, &mut StorePace, &mut Figures<'static>),
) -> Vec<Resource> {
    let (mut machine, mut stats, mut pace) =
        (machine(), stats(), StorePace { writer_queue_max: 8_192, ..StorePace::default() });
    let mut usage = Usage { open_files: Some(10), open_files_max: Some(1_000), ..Usage::default() };
    let (no_machine, no_usage) = (Box::leak(Box::default()), Box::leak(Box::default()));
    let mut figures = Figures {
        machine: no_machine,
        usage: no_usage,
        recent: Recent { over: Duration::from_secs(10), cpu: Duration::from_millis(200), busy: Duration::ZERO },
        home_bytes: Some((5_000, true)),
        stats: Box::leak(Box::new(stats.clone())),
        pace: Box::leak(Box::default()),
        uptime: Duration::from_secs(100),
        connections: (1, 1_024),
        in_flight: 1,
        server_errors: 0,
        sockets: (0, 64),
        behind: 0,
        too_slow: 0,
        providers: &[],
        workers: (2, 0),
        restarts: 0,
        log_dropped: 0,
    };
    change(&mut machine, &mut usage, &mut stats, &mut pace, &mut figures);
    all(&Figures { machine: &machine, usage: &usage, stats: &stats, pace: &pace, ..figures })
}

fn row(rows: &[Resource], name: &str) -> Resource {
    rows.iter().find(|r| r.name == name).expect("a row").clone()
}

#[test]
fn a_quiet_house_is_well_everywhere() {
    let rows = rows(|_, _, _, _, _| {});
    assert!(rows.iter().all(|r| matches!(r.grade, Grade::Well)), "{rows:#?}");
    assert_eq!(row(&rows, "Processor").used, "2.0 % of a core; machine load 0.5 on 2 cores");
    assert_eq!(row(&rows, "Disk").used, "500 MB free; the home takes 5.0 kB");
    assert_eq!(row(&rows, "Disk").waits, "work waited 1.5 % of 10 s");
    assert_eq!(row(&rows, "Memory").waits, "nothing");
}

// shows: dashboard: Health tells of each resource what is in use, what waits and what went wrong
#[test]
fn each_way_to_be_short_of_something_is_told() {
    let grade = |name: &str, rows: Vec<Resource>| row(&rows, name).grade;
    assert_eq!(grade("Processor", rows(|m, _, _, _, _| m.load = Some([1.9, 0.0, 0.0]))), Grade::Tight);
    assert_eq!(grade("Processor", rows(|m, _, _, _, _| m.pressure.cpu = Some(40.0))), Grade::Tight);
    assert_eq!(grade("Memory", rows(|m, _, _, _, _| m.memory_available_bytes = Some(50))), Grade::Tight);
    assert_eq!(grade("Disk", rows(|m, _, _, _, _| m.disk_total_bytes = Some(5_500_000_000))), Grade::Tight);
    assert_eq!(grade("Disk", rows(|m, _, _, _, _| m.disk_free_bytes = Some(1_000))), Grade::Failing);
    assert_eq!(grade("File handles", rows(|_, u, _, _, _| u.open_files = Some(990))), Grade::Tight);
    assert_eq!(grade("Store, writing", rows(|_, _, s, _, _| s.writer_queue = 8_000)), Grade::Tight);
    assert_eq!(grade("Store, writing", rows(|_, _, s, _, _| s.writes_stopped = Some("x".into()))), Grade::Failing);
    let busy = |p: &mut StorePace| (p.readers_busy, p.reads_waiting) = (2, 1);
    assert_eq!(grade("Store, reading", rows(|_, _, _, p, _| busy(p))), Grade::Tight);
    assert_eq!(grade("Requests", rows(|_, _, _, _, f| f.connections = (1_024, 1_024))), Grade::Tight);
    assert_eq!(grade("Live feed", rows(|_, _, _, _, f| f.behind = 2)), Grade::Tight);
    assert_eq!(grade("Tasks", rows(|_, _, _, _, f| f.workers = (2, 500))), Grade::Tight);
    assert_eq!(grade("Log lines", rows(|_, _, _, _, f| f.log_dropped = 1)), Grade::Tight);
    let down = rows(|_, _, _, _, f| f.providers = Box::leak(Box::new([provider(Some(false), 2)])));
    assert_eq!(row(&down, "Models").faults, "2 calls failed; 1 not reachable");
    assert_eq!(row(&down, "Models").grade, Grade::Tight);
}

#[test]
fn what_the_system_does_not_tell_is_silent_and_never_zero() {
    let rows = rows(|machine, usage, _, _, _| (*machine, *usage) = (Machine::default(), Usage::default()));
    for name in ["Memory", "Disk", "File handles"] {
        assert_eq!(row(&rows, name).grade, Grade::Silent, "{name}");
    }
    assert_eq!(row(&rows, "Processor").waits, "not told");
    assert_eq!(row(&rows, "Memory").used, "");
}

#[test]
fn recent_use_reaches_back_a_little_while_and_not_to_the_start() {
    let lately = Lately::default();
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    let cpu = Duration::from_millis;
    assert_eq!(lately.since(at(5), cpu(100), cpu(0)).cpu, cpu(100), "since the start");
    lately.since(at(20), cpu(200), cpu(0));
    lately.since(at(40), cpu(300), cpu(0));
    let recent = lately.since(at(45), cpu(310), cpu(0));
    assert_eq!((recent.cpu, recent.over.as_secs()), (cpu(110), 25), "since the look at 20");
}
