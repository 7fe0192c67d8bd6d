//! Sudden death: a writer is killed at five different moments, and nothing it had acknowledged is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it starts itself again as a process that can be killed")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures_util::future::join_all;
use support::{House, at, login, mind, open_at, wait};
use timmy_store::{Options, Store, Tx};

/// Says to this program that it is the writer, and where the database lies.
const WRITER: &str = "TIMMY_STORE_TEST_WRITER";

/// Says that the writer appends in crowds only.
const CROWDS: &str = "TIMMY_STORE_TEST_CROWDS";

/// The writer: appends until it is killed and prints each acknowledged position. Does nothing when
/// it is run as an ordinary test.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(WRITER) else { return };
    let store = open_at(path.as_ref(), Arc::new(|| at(support::BEGIN)), Options::default()).unwrap();
    let ways = if std::env::var_os(CROWDS).is_some() { vec![Way::Crowd; 2] } else { Way::ALL.to_vec() };
    let threads: Vec<_> = ways
        .into_iter()
        .map(|way| {
            let store = store.clone();
            std::thread::spawn(move || while append(&store, way) {})
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// How the writer appends.
#[derive(Clone, Copy)]
enum Way {
    Work,
    Crowd,
    Together,
}

impl Way {
    const ALL: [Self; 4] = [Self::Work, Self::Crowd, Self::Together, Self::Together];
}

/// Appends once and says what was acknowledged; false when nobody listens.
fn append(store: &Store, way: Way) -> bool {
    let work = |tx: &mut Tx<'_>| {
        let seq = tx.append(mind("a"))?;
        tx.set_cursor("last", seq)?;
        Ok(seq)
    };
    let last = match way {
        Way::Work => store.write_blocking(work).unwrap(),
        // A crowd, whose batches the writer does not bring to the disk itself.
        Way::Crowd => {
            let crowd = (0..100).map(|n| store.append(vec![login(n)]));
            wait(join_all(crowd)).into_iter().flat_map(|seqs| seqs.unwrap()).max().unwrap()
        }
        Way::Together => *store.append_blocking((0..20).map(login).collect()).unwrap().last().unwrap(),
    };
    let line = format!("acknowledged {last}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).is_ok()
}

/// The threads of a process, by name.
#[cfg(target_os = "linux")]
fn threads(process: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().filter_map(Result::ok);
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

#[derive(PartialEq)]
enum Line {
    Acknowledged,
    Other,
    End,
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    let house = House::new();
    let mut before = 0;
    for (lines, crowds) in [(1, false), (37, false), (260, false), (900, false), (2_500, false), (400, true)] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
            .env(WRITER, house.path())
            .envs(crowds.then_some((CROWDS, "1")))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut acknowledged = 0;
        let mut read = |acknowledged: &mut i64| {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 {
                return Line::End;
            }
            // The harness prints its own words on the first line, before the writer's.
            if let Some((_, seq)) = line.trim_end().rsplit_once("acknowledged ")
                && line.ends_with('\n')
            {
                *acknowledged = (*acknowledged).max(seq.parse().unwrap());
                return Line::Acknowledged;
            }
            Line::Other
        };
        let mut seen = 0;
        while seen < lines {
            match read(&mut acknowledged) {
                Line::Acknowledged => seen += 1,
                Line::Other => {}
                Line::End => panic!("the writer ended by itself"),
            }
        }
        #[cfg(target_os = "linux")]
        assert!(!crowds || threads(child.id()).iter().any(|name| name == "store-syncer"), "no crowd came");
        child.kill().unwrap();
        while read(&mut acknowledged) != Line::End {}
        child.wait().unwrap();

        let store = house.open();
        assert!(acknowledged > before, "the writer did nothing");
        assert!(store.last_seq() >= acknowledged, "{acknowledged} was acknowledged, {} is there", store.last_seq());
        let report = wait(store.verify_chain(1)).unwrap();
        assert_eq!((report.rows, report.bad), (store.last_seq(), None));
        assert!(wait(store.check_integrity()).unwrap().findings.is_empty());
        // A cursor and its event were one work: both are there, or neither.
        let cursor = store.read_blocking(|r| r.cursor("last")).unwrap();
        let last_mind = store
            .read_blocking(|r| {
                r.events(&timmy_store::EventQuery {
                    pattern: "mind.changed".parse().unwrap(),
                    newest_first: true,
                    limit: 1,
                    ..Default::default()
                })
            })
            .unwrap();
        assert_eq!(last_mind.first().map_or(0, |r| r.seq), cursor);
        before = store.last_seq();
        wait(store.close());
    }
}
