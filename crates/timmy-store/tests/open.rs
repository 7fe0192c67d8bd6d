//! What is opened, what is refused, and that a refused file is left byte for byte as it was.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;

use support::{House, login, wait};
use timmy_domain::problem::Kind;
use timmy_store::{Options, StoreError};

/// A closed store of `events` events.
fn filled(events: usize) -> House {
    let house = House::new();
    let store = house.open();
    store.append_blocking((0..events).map(|n| login(n as u64)).collect()).unwrap();
    wait(store.close());
    house
}

/// Opens, expects a refusal, and looks that nothing was touched.
fn refused(house: &House) -> StoreError {
    let before = fs::read(house.path()).unwrap();
    for read_only in [false, true] {
        let options = Options { read_only, ..Options::default() };
        let error = house.try_open(options).expect_err("the file was accepted");
        let problem = error.problem();
        assert_eq!(problem.kind, Kind::Unavailable);
        assert!(!problem.hint.is_empty());
        assert!(fs::read(house.path()).unwrap() == before, "the file was changed: {error}");
    }
    house.try_open(Options::default()).unwrap_err()
}

fn damaged(house: &House) -> String {
    match refused(house) {
        StoreError::Damaged { finding } => finding,
        other => panic!("refused for another reason: {other}"),
    }
}

fn change(house: &House, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(house.path()).unwrap();
    change(&mut bytes);
    fs::write(house.path(), bytes).unwrap();
}

#[test]
fn a_closed_store_opens_again_and_goes_on() {
    let house = filled(3);
    assert!(!house.dir.path().join("timmy.db-wal").exists(), "closing moves everything");
    let store = house.open();
    assert_eq!(store.last_seq(), 3);
    assert_eq!(store.append_blocking(vec![login(9)]).unwrap(), [4]);
    assert!(wait(store.verify_chain(1)).unwrap().bad.is_none());
    assert_eq!(store.stats().schema_version, 12);
    wait(store.close());
    assert_eq!(store.append_blocking(vec![login(9)]), Err(StoreError::Closed));
    assert_eq!(store.read_blocking(|r| r.last_seq()), Err(StoreError::Closed));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let house = filled(1);
    assert_eq!(fs::metadata(house.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_empty_file_is_a_new_database_and_a_leftover_draft_does_no_harm() {
    let house = House::new();
    fs::write(house.path(), b"").unwrap();
    fs::write(house.dir.path().join("timmy.db.new"), b"half").unwrap();
    assert_eq!(house.open().last_seq(), 0);
    assert!(!house.dir.path().join("timmy.db.new").exists());
}

#[test]
fn a_damaged_header_is_refused() {
    for at in [0, 5, 16, 17, 21, 28] {
        let house = filled(5);
        change(&house, |bytes| bytes[at] ^= 0x55);
        damaged(&house);
    }
}

#[test]
fn a_truncated_file_is_refused() {
    for keep in [1, 50, 100, 4_096, 20_000] {
        let house = filled(500);
        change(&house, |bytes| bytes.truncate(keep));
        damaged(&house);
    }
    let house = filled(500);
    change(&house, |bytes| bytes.truncate(bytes.len() - 1));
    damaged(&house);
    let house = filled(500);
    change(&house, |bytes| bytes.push(0));
    damaged(&house);
}

#[test]
fn garbage_is_refused() {
    for garbage in [vec![0; 8_192], b"hello".to_vec(), (0..9_999).map(|n| n as u8).collect()] {
        let house = House::new();
        fs::write(house.path(), garbage).unwrap();
        damaged(&house);
    }
}

#[test]
fn the_database_of_another_program_is_refused() {
    let house = House::new();
    house.raw().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    assert_eq!(refused(&house), StoreError::Foreign);
}

#[test]
fn a_newer_schema_is_refused() {
    let house = filled(2);
    house.raw().execute_batch("PRAGMA user_version = 99").unwrap();
    assert_eq!(refused(&house), StoreError::NewerSchema { found: 99, known: 12 });
}

#[test]
fn a_schema_that_timmy_did_not_make_is_refused() {
    let house = filled(2);
    house.raw().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    assert!(damaged(&house).contains("tables"));
    let house = filled(2);
    house.raw().execute_batch("DROP TABLE store_meta").unwrap();
    damaged(&house);
}

#[test]
fn a_changed_row_among_the_last_thousand_is_refused() {
    let house = filled(1_500);
    house.raw().execute_batch("UPDATE event_log SET source = 'x' WHERE seq = 1400").unwrap();
    assert!(damaged(&house).contains("1400"));
    let house = filled(1_500);
    house.raw().execute_batch("DELETE FROM event_log WHERE seq = 1500").unwrap();
    assert!(damaged(&house).contains("1500"));
}

#[test]
fn a_lost_file_whose_write_ahead_log_remains_is_refused_not_replaced() {
    let house = House::new();
    let wal = house.dir.path().join("timmy.db-wal");
    fs::write(&wal, vec![1; 9_000]).unwrap();
    assert!(matches!(house.try_open(Options::default()), Err(StoreError::Damaged { .. })));
    assert!(!house.path().exists());
    assert_eq!(fs::read(&wal).unwrap(), vec![1; 9_000]);
}

#[test]
fn a_torn_write_ahead_log_is_refused_and_a_whole_one_is_taken_in() {
    let house = House::new();
    let store = house.open();
    store.append_blocking((0..50).map(login).collect()).unwrap();
    // What a sudden end leaves behind: the file and its write-ahead log, as they lie there now.
    let end = House::new();
    let wal = |house: &House| house.dir.path().join("timmy.db-wal");
    fs::copy(house.path(), end.path()).unwrap();
    fs::copy(wal(&house), wal(&end)).unwrap();
    let mut torn = fs::read(wal(&end)).unwrap();
    torn[0] ^= 0xFF;
    let torn_house = House::new();
    fs::copy(end.path(), torn_house.path()).unwrap();
    fs::write(wal(&torn_house), torn).unwrap();
    damaged(&torn_house);
    assert_eq!(end.open().last_seq(), 50);
}

#[test]
fn a_file_cut_off_beneath_its_write_ahead_log_is_refused() {
    let house = filled(2_000);
    let store = house.open();
    store.append_blocking(vec![login(1)]).unwrap();
    let end = House::new();
    fs::copy(house.path(), end.path()).unwrap();
    fs::copy(house.dir.path().join("timmy.db-wal"), end.dir.path().join("timmy.db-wal")).unwrap();
    change(&end, |bytes| bytes.truncate(65_536));
    damaged(&end);
}

#[test]
fn reading_only_neither_makes_nor_changes_a_file() {
    let house = House::new();
    let options = Options { read_only: true, ..Options::default() };
    assert!(matches!(house.try_open(options), Err(StoreError::Missing { .. })));
    assert!(!house.path().exists());
    let house = filled(4);
    let store = house.try_open(options).unwrap();
    assert_eq!(store.read_blocking(|r| r.last_seq()), Ok(4));
    assert!(matches!(store.append_blocking(vec![login(1)]), Err(StoreError::ReadOnly { .. })));
}
