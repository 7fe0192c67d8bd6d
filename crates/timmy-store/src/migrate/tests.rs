//! The steps make exactly `schema.sql`, an older file is copied first, and only five copies stay.

use super::*;

const SCHEMA: &str = include_str!("../../schema.sql");

/// `schema.sql` as it should be: the header, then every statement.
fn rendered(conn: &Connection) -> String {
    let mut out = String::from(
        "-- Generated from migrations/ by `UPDATE_SCHEMA=1 cargo test -p timmy-store schema`. Do not edit.\n",
    );
    for statement in statements(conn).unwrap() {
        out.push('\n');
        out.push_str(&statement);
        out.push_str(";\n");
    }
    out
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the one way to ask a test to write the file anew")]
fn the_migrations_make_exactly_the_schema_that_is_written_down() {
    let mut conn = Connection::open_in_memory().unwrap();
    to_latest(&mut conn).unwrap();
    let made = rendered(&conn);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql"), &made).unwrap();
        return;
    }
    assert!(made == SCHEMA, "run UPDATE_SCHEMA=1 cargo test -p timmy-store schema");
    let copy = Connection::open_in_memory().unwrap();
    copy.execute_batch(SCHEMA).unwrap();
    assert_eq!(hash(&copy).unwrap(), hash(&conn).unwrap());
}

#[test]
fn every_table_is_strict() {
    let mut conn = Connection::open_in_memory().unwrap();
    to_latest(&mut conn).unwrap();
    let loose: Vec<String> = conn
        .prepare(
            "SELECT name FROM pragma_table_list
             WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite%'",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(loose.is_empty(), "{loose:?}");
}

#[test]
fn only_the_five_newest_copies_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("timmy.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE t (a) STRICT").unwrap_err();
    conn.execute_batch("CREATE TABLE t (a TEXT) STRICT").unwrap();
    for day in 1..=7 {
        let now = Timestamp::from_micros(day * 86_400_000_000);
        copy_before(&conn, &path, 1, now).unwrap();
    }
    let names: Vec<String> =
        copies(&path).unwrap().iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), COPIES_KEPT_MAX);
    assert_eq!(names[0], "timmy.db.before-19700104T000000000000Z-v1");
}

fn names_in(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

// shows: store: a copy before a migration that fails leaves nothing, and pushes out none of those before
#[test]
fn a_copy_that_fails_leaves_nothing() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("timmy.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE t (a BLOB) STRICT").unwrap();
    for _ in 0..200 {
        conn.execute("INSERT INTO t VALUES (randomblob(20000))", []).unwrap();
    }
    for day in 1..=5 {
        copy_before(&conn, &path, 1, Timestamp::from_micros(day * 86_400_000_000)).unwrap();
    }
    let before = names_in(dir.path());
    assert_eq!(before.len(), 6);
    // Breaks off once something of the copy is on the disk, as a disk that fills up does.
    let (folder, known, broke) = (dir.path().to_owned(), before.clone(), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&broke);
    let begun = move || {
        let is_new = |e: &fs::DirEntry| !known.contains(&e.file_name().to_string_lossy().into_owned());
        let mut entries = fs::read_dir(&folder).unwrap().filter_map(Result::ok);
        let begun = entries.any(|e| is_new(&e) && e.metadata().is_ok_and(|m| m.len() > 0));
        told.fetch_or(begun, Ordering::SeqCst);
        begun
    };
    conn.progress_handler(10, Some(begun)).unwrap();
    for hour in 1..=3 {
        let now = Timestamp::from_micros(6 * 86_400_000_000 + hour * 3_600_000_000);
        copy_before(&conn, &path, 1, now).unwrap_err();
        assert_eq!(names_in(dir.path()), before);
    }
    assert!(broke.load(Ordering::SeqCst), "it broke off before there was anything to leave");
    // What a kill left has no name of a copy, and goes with the next one.
    conn.progress_handler(0, None::<fn() -> bool>).unwrap();
    fs::write(create::beside(&path, DRAFT), "half").unwrap();
    assert_eq!(copies(&path).unwrap().len(), 5);
    copy_before(&conn, &path, 1, Timestamp::from_micros(8 * 86_400_000_000)).unwrap();
    assert_eq!(names_in(dir.path()).len(), 6);
    let newest = copies(&path).unwrap().pop().unwrap();
    assert!(newest.to_string_lossy().contains("19700109"));
    let count = Connection::open(newest).unwrap().query_row("SELECT count(*) FROM t", [], |row| row.get(0));
    assert_eq!(count, Ok(200));
}

// shows: store: the copy before a migration can be read by its owner alone
#[cfg(unix)]
#[test]
fn a_copy_can_be_read_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("timmy.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE t (a TEXT) STRICT").unwrap();
    copy_before(&conn, &path, 1, Timestamp::from_micros(1)).unwrap();
    let copy = copies(&path).unwrap().remove(0);
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_older_file_is_copied_then_migrated_with_all_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("timmy.db");
    let mut conn = Connection::open(&path).unwrap();
    migrations().to_version(&mut conn, 1).unwrap();
    conn.execute("INSERT INTO cursors (name, seq) VALUES ('world', 7)", []).unwrap();
    conn.close().unwrap();
    let before = fs::read(&path).unwrap();
    let open = |read_only| {
        let options = crate::Options { read_only, ..crate::Options::default() };
        let clock = std::sync::Arc::new(|| Timestamp::from_micros(1));
        crate::Store::open(&path, clock, std::sync::Arc::new(|_| {}), options)
    };
    assert_eq!(open(true).unwrap_err(), StoreError::OlderSchema { found: 1 });
    assert!(fs::read(&path).unwrap() == before);
    let store = open(false).unwrap();
    assert_eq!(store.read_blocking(|r| r.cursor("world")), Ok(7));
    assert_eq!(store.read_blocking(|r| r.thought_count()), Ok(0));
    let copies = copies(&path).unwrap();
    assert_eq!(copies.len(), 1);
    let copy = Connection::open(&copies[0]).unwrap();
    assert_eq!(version(&copy).unwrap(), 1);
    let seq: i64 = copy.query_row("SELECT seq FROM cursors", [], |row| row.get(0)).unwrap();
    assert_eq!(seq, 7);
    drop(open(false).unwrap());
    assert_eq!(super::copies(&path).unwrap().len(), 1, "only a migration makes a copy");
}

/// A file as version 6 left it, with `rows` events.
fn of_version_six(path: &Path, rows: i64) {
    use crate::chain::{Canonical, Hash};
    let mut conn = Connection::open(path).unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    migrations().to_version(&mut conn, 6).unwrap();
    let mut previous: Hash = [0; 32];
    let tx = conn.transaction().unwrap();
    for seq in 1..=rows {
        let actor = if seq % 100 == 0 { "owner" } else { "system" };
        let row = Canonical {
            seq,
            id: &[7; 16],
            event_type: b"login.failed",
            source: b"web",
            actor: actor.as_bytes(),
            cause: None,
            task_id: None,
            agent_id: None,
            severity: 2,
            data: b"{}",
            timestamp: seq,
        };
        previous = row.hash(&previous, &mut Vec::new());
        tx.execute(
            "INSERT INTO event_log VALUES (?1, ?2, 'login.failed', 'web', ?3, NULL, NULL, NULL, 2, '{}', ?1, ?4)",
            params![seq, [7_u8; 16], actor, previous],
        )
        .unwrap();
        if seq % 256 == 0 {
            tx.execute("INSERT INTO event_blocks VALUES ('type', 'login.failed', ?1, 2)", [seq / 256 - 1]).unwrap();
        }
    }
    tx.execute("UPDATE event_head SET seq = ?1, hash = ?2, timestamp = ?1", params![rows, previous]).unwrap();
    tx.commit().unwrap();
}

// shows: store: a log of the version before retention is taken over, signed and searched by actor at once
#[test]
fn a_log_of_the_version_before_is_taken_over_and_signed() {
    use crate::{EventQuery, Options, Store, block_on::block_on};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("timmy.db");
    of_version_six(&path, 1_000);
    let open = || {
        let clock = std::sync::Arc::new(|| Timestamp::from_micros(2_000));
        let random = std::sync::Arc::new(|out: &mut [u8]| out.fill(3));
        Store::open(&path, clock, random, Options::default())
    };
    let store = open().unwrap();
    let report = block_on(store.verify_chain(1)).unwrap();
    assert_eq!((report.rows, report.bad, report.keys.len()), (1_000, None, 1));
    let query = EventQuery { actor: Some("owner".into()), ..EventQuery::default() };
    let found = store.read_blocking(move |r| Ok((r.events(&query)?, r.space()?))).unwrap();
    assert_eq!(found.0.iter().map(|r| r.seq).collect::<Vec<_>>(), (1..=10).map(|n| n * 100).collect::<Vec<_>>());
    assert!(found.1.shrinks);
    block_on(store.close());
    assert_eq!(copies(&path).unwrap().len(), 1);
    // Who takes the signature away again is not believed.
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("DELETE FROM event_keys; UPDATE event_head SET signature = NULL").unwrap();
    drop(conn);
    assert!(matches!(open(), Err(StoreError::Damaged { .. })));
}
