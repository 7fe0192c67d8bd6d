//! A damaged database: refused, left as it is, found by the doctor, and mended by the one step he names.

use std::path::Path;

use timmy_store::{Options, Store};

use super::restore::copy;
use super::{back_up, everything, faults, follow, think, thoughts};
use crate::support::{Server, home, run};

fn change(home: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = home.join("timmy.db");
    let mut bytes = std::fs::read(&path).expect("read");
    change(&mut bytes);
    std::fs::write(&path, bytes).expect("written");
}

/// Replaces `from` by `to`, of the same length, everywhere in the file.
fn rewrite(home: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    change(home, |bytes| {
        let places: Vec<usize> =
            bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from.as_bytes()).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "{from} is not in the file");
        for at in places {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    });
}

/// Fills the home with rows that span many pages, early ones among them.
fn fill(home: &Path) {
    let clock = std::sync::Arc::new(|| timmy_domain::Timestamp::from_micros(1_795_248_000_000_000));
    let chance = std::sync::Arc::new(|out: &mut [u8]| out.fill(7));
    let store = Store::open(&home.join("timmy.db"), clock, chance, Options::default()).expect("opens");
    for n in 0..3_000 / 100 {
        let events = (0..100)
            .map(|m| {
                let body = timmy_domain::event::SystemStopping { reason: format!("reason number {n} {m}") };
                timmy_domain::NewEvent::new("test", body)
            })
            .collect();
        store.append_blocking(events).expect("written");
    }
    tokio::runtime::Runtime::new().expect("a runtime").block_on(store.close());
}

// shows: store: each kind of damage is refused at start or found by the doctor, changes no byte, and one step mends it
#[test]
fn each_damage_is_found_and_mended_by_the_one_step() {
    type Hurt = fn(&Path);
    let cases: [(&str, bool, Hurt); 9] = [
        ("header", true, |home| change(home, |b| b[3] ^= 0x55)),
        ("emptied", true, |home| change(home, |b| b.fill(0))),
        ("truncated", true, |home| change(home, |b| b.truncate(b.len() / 2))),
        ("one byte short", true, |home| change(home, |b| b.truncate(b.len() - 1))),
        ("schema", true, |home| rewrite(home, "TABLE thoughts", "TABLE thoughtz")),
        ("a late row of the chain", true, |home| rewrite(home, "reason number 29 99", "season number 29 99")),
        // What lies before the last 1,000 rows is found by the full check, not at the start.
        ("an early row of the chain", false, |home| rewrite(home, "reason number 3 17", "season number 3 17")),
        ("a page in the middle", false, |home| {
            change(home, |b| {
                let at = b
                    .windows(17)
                    .position(|w| w == b"reason number 5 5\"")
                    .or_else(|| b.windows(15).position(|w| w == b"reason number 5"));
                let page = at.expect("the row") / 8_192 * 8_192;
                b[page..page + 2_000].fill(0xA5);
            });
        }),
        ("gone", true, |home| std::fs::remove_file(home.join("timmy.db")).expect("removed")),
    ];
    // One home, and a copy of it for each damage.
    let whole = home();
    think(whole.path(), "kelp");
    fill(whole.path());
    let file = back_up(whole.path());
    for (what, at_start, hurt) in cases {
        let home = home();
        copy(whole.path(), home.path());
        hurt(home.path());
        let before = everything(home.path());
        let found = faults(home.path());
        assert!(everything(home.path()) == before, "{what}: the doctor changed something");
        let database: Vec<_> = found.iter().filter(|f| f.0 == "database").collect();
        assert_eq!(database.len(), 1, "{what}: {found:?}");
        let step = &database[0].2;
        let name = file.file_name().expect("a name").to_str().expect("text");
        assert_eq!(step, &format!("timmy restore {name}"), "{what}");
        if at_start && what != "gone" {
            let (code, _, err) = run(home.path(), &["serve", "--port", "0"]);
            assert_eq!(code, 1, "{what}");
            assert!(err.contains("damaged") && err.contains("timmy doctor"), "{what}: {err}");
            let after = everything(home.path());
            let now = |path: &Path| after.iter().find(|(p, _)| p == path);
            assert!(before.iter().all(|one| now(&one.0) == Some(one)), "{what}: the start changed something");
        }
        follow(home.path(), step);
        assert_eq!(thoughts(home.path()), ["kelp"], "{what}");
        assert!(faults(home.path()).is_empty(), "{what}");
    }
}

// shows: store: damage that is found while Timmy runs stops writing, says so, and reading goes on
#[test]
fn damage_found_while_running_stops_writing_and_reading_goes_on() {
    let home = home();
    think(home.path(), "kelp");
    fill(home.path());
    let file = back_up(home.path());
    rewrite(home.path(), "reason number 3 17", "season number 3 17");
    let server = Server::start(home.path());
    let stopped = server.wait_for(|| server.get("/api/health")["writes_stopped"].as_str().map(str::to_owned));
    assert!(stopped.contains("event"), "{stopped}");
    let (status, told) = server.ask("POST", "/thinking/api/inject", Some(&serde_json::json!({"content": "x"})));
    assert_eq!((status, told["error"]["code"].as_str()), (503, Some("store_read_only")), "{told}");
    assert_eq!(server.get("/thinking/api")["items"].as_array().map(Vec::len).map(|n| n > 0), Some(true));
    assert_eq!(server.get("/api/status")["state"], "degraded");
    let found = faults(home.path());
    assert!(found.iter().any(|f| f.0 == "database" && f.2.contains("Stop Timmy")), "{found:?}");
    assert_eq!(server.terminate(), Some(0));
    let name = file.file_name().expect("a name").to_str().expect("text");
    let found = faults(home.path());
    assert_eq!(found[0].2, format!("timmy restore {name}"), "{found:?}");
    follow(home.path(), &found[0].2);
    assert!(faults(home.path()).is_empty());
}

// shows: store: a lost or foreign signing key is told with its own step
#[test]
fn a_signing_key_that_is_no_key_is_told_with_its_own_step() {
    let home = home();
    think(home.path(), "kelp");
    std::fs::write(home.path().join("timmy.db.key"), "nonsense").expect("written");
    let found = faults(home.path());
    assert!(found.len() == 1 && found[0].2.starts_with("mv timmy.db.key "), "{found:?}");
    std::fs::rename(home.path().join("timmy.db.key"), home.path().join("timmy.db.key.aside")).expect("moved");
    assert_eq!(thoughts(home.path()), ["kelp"]);
    assert!(faults(home.path()).is_empty());
}
