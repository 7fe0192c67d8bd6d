//! Copies made while others write, what is not in them, and areas carried from one home to another.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;
use support::{House, at, login, wait};
use timmy_domain::message::Speaker;
use timmy_domain::observation::ObservationKind;
use timmy_domain::thought::Place;
use timmy_domain::{Actor, SeedType};
use timmy_store::{Area, Imported, NewMessage, NewThought, OnProgress, Still, Store, StoreError, ThoughtQuery, Tx};

fn go_on() -> OnProgress {
    Arc::new(|_, _| true)
}

fn thought(content: &str) -> NewThought {
    NewThought {
        content: content.into(),
        seed_type: SeedType::Freeform,
        seed_note: String::new(),
        provider: "scripted".into(),
        model: "m".into(),
        place: Place::Local,
        duration_ms: 1,
        tokens: 2,
        actor: Actor::Timmy,
        cause: None,
    }
}

/// A home with something in every area.
fn filled(house: &House) -> Store {
    let store = house.open();
    store
        .write_blocking(|tx: &mut Tx<'_>| {
            let first = tx.insert_thought(&thought("first"))?;
            tx.insert_thought(&thought("second"))?;
            tx.set_kept(first.id, true)?;
            let said = NewMessage {
                speaker: Speaker::Owner,
                content: "hello".into(),
                about_thought: Some(first.id),
                channel: "cli".into(),
                cause: None,
            };
            tx.insert_message(&said)?;
            let folder = tx.add_folder("/home/me/kelp", "kelp")?;
            tx.insert_observation(folder.id, ObservationKind::Files, "two files", "a, b")?;
            tx.insert_session(&[9; 32], "csrf-canary", at(1), at(i64::MAX), "session-canary")?;
            tx.insert_token("phone", "read", &[8; 32], None)?;
            tx.set_state("forgotten", "state-canary")?;
            Ok(())
        })
        .unwrap();
    store
}

// shows: backup: a copy made while others write is whole, holds one moment, and has no session in it
#[test]
fn a_copy_made_while_others_write_holds_one_moment() {
    let house = House::new();
    let store = filled(&house);
    store.append_blocking((0..3_000).map(login).collect()).unwrap();
    let (done, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut during = 0;
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let last = *store.append_blocking(vec![login(1)]).unwrap().last().unwrap();
                acknowledged.store(u64::try_from(last).unwrap(), Ordering::SeqCst);
            }
        });
        for n in 0..5 {
            while acknowledged.load(Ordering::SeqCst) <= during {
                std::thread::yield_now();
            }
            during = acknowledged.load(Ordering::SeqCst);
            let copy = house.dir.path().join(format!("copy-{n}"));
            let told = wait(store.copy_to(copy.clone(), &["forgotten"], go_on())).unwrap();
            assert!(told.last_seq >= i64::try_from(during).unwrap(), "what was acknowledged before is in it");
            let scratch = tempfile::tempdir().unwrap();
            let still = Still::open(&copy, scratch.path()).unwrap();
            let found = still.inspect().unwrap();
            assert_eq!(found.contents, told);
            assert_eq!((found.events, told.tables["event_log"]), (told.last_seq, told.last_seq));
            assert_eq!((told.tables["sessions"], told.tables["tokens"], told.tables["thoughts"]), (0, 1, 2));
        }
        done.store(true, Ordering::SeqCst);
    });
    let bytes = fs::read(house.dir.path().join("copy-0")).unwrap();
    for canary in [&b"csrf-canary"[..], b"session-canary", b"state-canary", &[9; 32]] {
        assert!(!bytes.windows(canary.len()).any(|w| w == canary), "{:?}", String::from_utf8_lossy(canary));
    }
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(house.dir.path().join("copy-0")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_copy_that_is_given_up_leaves_nothing() {
    let house = House::new();
    let store = filled(&house);
    store.append_blocking((0..20_000).map(login).collect()).unwrap();
    for patience in [0, 1, 2] {
        let left = AtomicU64::new(patience);
        let tire: OnProgress =
            Arc::new(move |_, _| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok());
        let copy = house.dir.path().join("copy");
        match wait(store.copy_to(copy.clone(), &[], tire)) {
            Err(StoreError::Refused(problem)) => assert_eq!(problem.code, "stopped"),
            other => panic!("after {patience}: {other:?}"),
        }
        let names: Vec<_> = fs::read_dir(house.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!names.iter().any(|n| n.to_string_lossy().starts_with("copy")), "{names:?}");
    }
    let there = house.dir.path().join("there");
    fs::write(&there, "mine").unwrap();
    assert!(wait(store.copy_to(there, &[], go_on())).is_err(), "what lies there is not written over");
}

/// Every file of a folder with its content.
fn everything(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .map(|p| (p.display().to_string(), fs::read(&p).unwrap_or_default()))
        .collect();
    all.sort();
    all
}

// shows: backup: looking at a database changes no byte of it or beside it, also after a kill
#[test]
fn looking_changes_nothing() {
    let house = House::new();
    let store = filled(&house);
    // As a kill leaves it: the file and its write-ahead log.
    let end = House::new();
    for name in ["timmy.db", "timmy.db-wal"] {
        fs::copy(house.dir.path().join(name), end.dir.path().join(name)).unwrap();
    }
    wait(store.close());
    for (house, what) in [(&house, "closed"), (&end, "killed")] {
        let before = everything(house.dir.path());
        let scratch = tempfile::tempdir().unwrap();
        let still = Still::open(&house.path(), scratch.path()).unwrap();
        assert_eq!(still.inspect().unwrap().contents.tables["thoughts"], 2, "{what}");
        assert_eq!(still.read(|r| r.thought_count()).unwrap(), 2);
        drop(still);
        assert_eq!(everything(house.dir.path()), before, "{what}");
    }
    let nothing = tempfile::tempdir().unwrap();
    let missing = Still::open(&nothing.path().join("timmy.db"), nothing.path());
    assert!(matches!(missing, Err(StoreError::Missing { .. })));
}

#[test]
fn a_path_with_strange_letters_is_looked_at_too() {
    let house = House::new();
    wait(filled(&house).close());
    let odd = house.dir.path().join("a b?#%ä ");
    fs::create_dir(&odd).unwrap();
    fs::copy(house.path(), odd.join("timmy.db")).unwrap();
    let still = Still::open(&odd.join("timmy.db"), house.dir.path()).unwrap();
    assert_eq!(still.inspect().unwrap().contents.tables["thoughts"], 2);
}

// shows: backup: a changed row, page or count is found before a restore relies on it
#[test]
fn damage_is_found_wherever_it_lies() {
    for sql in [
        "UPDATE event_log SET data = '{}' WHERE seq = 7",
        "DELETE FROM event_log WHERE seq = 3",
        "DROP INDEX thoughts_kept",
        "UPDATE thoughts SET parent_id = 'nobody' WHERE content = 'second'",
    ] {
        let house = House::new();
        let store = filled(&house);
        store.append_blocking((0..2_000).map(login).collect()).unwrap();
        wait(store.close());
        let raw = house.raw();
        raw.pragma_update(None, "foreign_keys", false).unwrap();
        raw.execute_batch(sql).unwrap();
        raw.close().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let found = Still::open(&house.path(), scratch.path()).and_then(|still| still.inspect());
        assert!(matches!(found, Err(StoreError::Damaged { .. })), "{sql}: {found:?}");
    }
    let house = House::new();
    let store = filled(&house);
    store.append_blocking((0..4_000).map(login).collect()).unwrap();
    wait(store.close());
    let whole = fs::read(house.path()).unwrap();
    let (mut noticed, mut tried) = (0, 0);
    for page in 1..whole.len() / 8_192 {
        let mut torn = whole.clone();
        torn[page * 8_192..page * 8_192 + 4_096].fill(0xA5);
        fs::write(house.path(), &torn).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        tried += 1;
        noticed += i32::from(Still::open(&house.path(), scratch.path()).and_then(|s| s.inspect()).is_err());
    }
    assert_eq!(noticed, tried, "a torn page went unnoticed");
}

fn rows(house: &House, area: Area) -> Vec<Value> {
    let mut out = Vec::new();
    let still = Still::open(&house.path(), house.dir.path()).unwrap();
    let count = still.export(area, &mut out).unwrap();
    let rows: Vec<Value> =
        out.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect();
    assert_eq!(u64::try_from(rows.len()).unwrap(), count);
    rows
}

fn bring_in(store: &Store, area: Area, rows: &[Value]) -> Imported {
    let (rows, count) = (rows.to_vec(), i64::try_from(rows.len()).unwrap());
    store.write_blocking(move |tx| tx.import(area, count, &mut rows.into_iter().map(Ok))).unwrap()
}

// shows: backup: areas carried into another home keep ids and times; twice changes nothing, and what is there stays
#[test]
fn areas_are_carried_over_once_and_nothing_there_changes() {
    let from = House::new();
    wait(filled(&from).close());
    let to = House::new();
    let store = to.open();
    store.write_blocking(|tx| tx.insert_thought(&thought("own")).map(drop)).unwrap();
    let own = store.read_blocking(|r| r.latest_thoughts(1)).unwrap();
    for (area, count) in [(Area::Thoughts, 2), (Area::Talk, 1), (Area::Watch, 2)] {
        let exported = rows(&from, area);
        assert_eq!(bring_in(&store, area, &exported), Imported { added: count, ..Imported::default() }, "{area:?}");
        assert_eq!(bring_in(&store, area, &exported), Imported { same: count, ..Imported::default() }, "{area:?}");
    }
    let all = store.read_blocking(|r| r.thoughts(&ThoughtQuery { limit: 10, ..Default::default() })).unwrap();
    let contents: Vec<&str> = all.iter().map(|t| t.content.as_str()).collect();
    assert_eq!(contents, ["own", "second", "first"], "what is brought in comes before what is here");
    assert_eq!(all[0], own[0]);
    assert_eq!(all[1].parent_id, Some(all[2].id));
    assert!(all[2].kept);
    let chain = store
        .read_blocking({
            let id = all[1].id;
            move |r| r.chain(id)
        })
        .unwrap();
    assert_eq!(chain.len(), 2);
    let messages = store.read_blocking(|r| r.messages(None, 10)).unwrap();
    assert_eq!((messages[0].content.as_str(), messages[0].about_thought), ("hello", Some(all[2].id)));
    assert_eq!(messages[0].status.name(), "answered", "a question of long ago is not answered here");
    assert_eq!(store.read_blocking(|r| r.observations(10)).unwrap()[0].summary, "two files");
    // Same id, other words: what is here stays.
    let mut changed = rows(&from, Area::Thoughts);
    changed[0]["content"] = "rewritten".into();
    assert_eq!(bring_in(&store, Area::Thoughts, &changed), Imported { same: 1, refused: 1, added: 0 });
    let first = store
        .read_blocking({
            let id = all[2].id;
            move |r| r.thought(id)
        })
        .unwrap()
        .unwrap();
    assert_eq!(first.content, "first");
    wait(store.close());
    let scratch = tempfile::tempdir().unwrap();
    Still::open(&to.path(), scratch.path()).unwrap().inspect().unwrap();
}

#[test]
fn rows_that_are_not_in_order_are_left_out_one_by_one() {
    let from = House::new();
    wait(filled(&from).close());
    let good = rows(&from, Area::Thoughts)[0].clone();
    let with = |name: &str, value: Value| {
        let mut row = good.clone();
        row[name] = value;
        row
    };
    let bad = [
        Value::Null,
        serde_json::json!({}),
        with("id", "nonsense".into()),
        with("id", 7.into()),
        with("content", "".into()),
        with("content", "x".repeat(2_001).into()),
        with("content", Value::Null),
        with("provider", "x".repeat(5_000).into()),
        with("seed_type", Value::Null),
    ];
    let to = House::new();
    let store = to.open();
    let refused = i64::try_from(bad.len()).unwrap();
    let done = bring_in(&store, Area::Thoughts, &[&bad[..], &[good]].concat());
    assert_eq!(done, Imported { added: 1, same: 0, refused });
    let folders =
        [serde_json::json!({"path": "relative", "name": "x"}), serde_json::json!({"path": "/x", "kind": "files"})];
    assert_eq!(bring_in(&store, Area::Watch, &folders).refused, 2);
    let refused = store.write_blocking(|tx| tx.import(Area::Events, 0, &mut std::iter::empty()));
    assert!(matches!(refused, Err(StoreError::Refused(p)) if p.code == "area_export_only"));
    let lines = store.write_blocking(|tx| tx.import(Area::Talk, 1, &mut std::iter::once(Err(())))).unwrap();
    assert_eq!(lines.refused, 1);
}
