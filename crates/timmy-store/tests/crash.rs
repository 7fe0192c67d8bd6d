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

/// The writer: appends until it is killed and prints each acknowledged position. Does nothing when
/// it is run as an ordinary test.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(WRITER) else { return };
    let store = open_at(path.as_ref(), Arc::new(|| at(support::BEGIN)), Options::default()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || while append(&store, n) {})
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Appends once, in one of three ways, and says what was acknowledged; false when nobody listens.
fn append(store: &Store, way: u32) -> bool {
    let work = |tx: &mut Tx<'_>| {
        let seq = tx.append(mind("a"))?;
        tx.set_cursor("last", seq)?;
        Ok(seq)
    };
    let last = match way {
        0 => store.write_blocking(work).unwrap(),
        // A crowd, whose batches the writer does not bring to the disk itself.
        1 => {
            let crowd = (0..100).map(|n| store.append(vec![login(n)]));
            wait(join_all(crowd)).into_iter().flat_map(|seqs| seqs.unwrap()).max().unwrap()
        }
        _ => *store.append_blocking((0..20).map(login).collect()).unwrap().last().unwrap(),
    };
    let line = format!("acknowledged {last}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).is_ok()
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
    for lines in [1, 37, 260, 900, 2_500] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
            .env(WRITER, house.path())
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
