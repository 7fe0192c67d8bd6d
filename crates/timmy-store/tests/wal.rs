//! The write-ahead log under a flood: its pages get into the file while the store is open, and nothing waits for it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{House, wait};
use timmy_domain::NewEvent;
use timmy_domain::event::MindChanged;
use timmy_store::Store;

/// Bytes in one mebibyte.
const MIB: u64 = 1024 * 1024;

/// Appends `mib` mebibytes of events.
fn flood(store: &Store, mib: usize) {
    for _ in 0..mib {
        let events = (0..128).map(|_| NewEvent::new("x", MindChanged { files: vec!["f".repeat(8_100)] })).collect();
        store.append_blocking(events).unwrap();
    }
}

// shows: store: a flood's pages get from the write-ahead log into the file while it goes on, and the log stays small
#[test]
fn the_log_is_moved_into_the_file_while_a_flood_goes_on() {
    let house = House::new();
    let store = house.open();
    flood(&store, 120);
    let stats = store.stats();
    assert!(stats.file_bytes > 40 * MIB, "only {} bytes were moved", stats.file_bytes);
    assert!(stats.wal_bytes < 80 * MIB, "the log grew to {} bytes", stats.wal_bytes);
    assert_eq!(wait(store.verify_chain(1)).unwrap().bad, None);
    wait(store.close());
    assert!(!house.dir.path().join("timmy.db-wal").exists());
}

#[test]
fn an_open_reader_keeps_the_log_and_stops_no_write_and_the_log_is_moved_when_he_has_gone() {
    let house = House::new();
    let store = house.open();
    flood(&store, 1);
    let reader = house.raw();
    reader.execute_batch("BEGIN").unwrap();
    let rows = || -> i64 { reader.query_row("SELECT count(*) FROM event_log", [], |row| row.get(0)).unwrap() };
    let seen = rows();
    flood(&store, 60);
    assert_eq!(rows(), seen, "the reader's state moved under him");
    assert!(store.stats().wal_bytes > 50 * MIB, "the log holds what the reader must not see");
    assert!(store.stats().file_bytes < 10 * MIB);
    reader.execute_batch("COMMIT").unwrap();
    flood(&store, 60);
    assert!(store.stats().file_bytes > 60 * MIB, "only {} bytes were moved", store.stats().file_bytes);
    assert_eq!(rows(), store.last_seq());
    assert!(wait(store.check_integrity()).unwrap().findings.is_empty());
}
