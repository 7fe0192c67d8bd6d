//! Rows leave the log, everything that is left is proven, and whoever changes the file without the key is found out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use proptest::prelude::*;
use timmy_domain::event::{LoginFailed, MindChanged};

use super::*;
use crate::chain::{Canonical, Head};
use crate::signing::{self, Keys};
use crate::{EventQuery, Options, Store, log, verify};

const DAY: i64 = 86_400_000_000;

/// Goes on over all homes of a test, so that no two have the same key.
static CHANCE: AtomicU8 = AtomicU8::new(0);

struct Home {
    dir: tempfile::TempDir,
    clock: Arc<AtomicI64>,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(AtomicI64::new(1_000 * DAY)) }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("timmy.db")
    }

    fn open(&self) -> Store {
        self.try_open(&self.path()).unwrap()
    }

    fn try_open(&self, path: &Path) -> Result<Store, StoreError> {
        let clock = Arc::clone(&self.clock);
        let clock = Arc::new(move || Timestamp::from_micros(clock.load(Ordering::SeqCst)));
        let random =
            Arc::new(|out: &mut [u8]| out.fill_with(|| CHANCE.fetch_add(1, Ordering::SeqCst).wrapping_mul(167)));
        Store::open(path, clock, random, Options::default())
    }

    fn pass(&self, days: i64) {
        self.clock.fetch_add(days * DAY, Ordering::SeqCst);
    }
}

/// What concerns the owner and stays.
fn person(text: &str) -> NewEvent {
    NewEvent::new("mind", MindChanged { files: vec![text.into()] })
}

/// What concerns the operator and goes.
fn operator(failures: u64) -> NewEvent {
    NewEvent::new("web", LoginFailed { how: "code".into(), failures })
}

/// One event in `one_in` concerns the owner.
fn mixed(count: u64, one_in: u64) -> Vec<NewEvent> {
    (0..count).map(|n| if n.is_multiple_of(one_in) { person(&format!("file {n}")) } else { operator(n) }).collect()
}

/// Removes what is older than `days`, in as many steps as it takes.
fn thin(home: &Home, store: &Store, days: i64) -> Thinned {
    let before = Timestamp::from_micros(home.clock.load(Ordering::SeqCst) - days * DAY);
    let expiry = Expiry { operator_before: Some(before), debug_before: Some(before), stay_from: Seq::MAX };
    let mut sum = Thinned::default();
    loop {
        let blocks = store.read_blocking(move |r| r.expired_blocks(&expiry, 16)).unwrap();
        if blocks.is_empty() {
            return sum;
        }
        let done = store.write_blocking(move |tx| tx.thin(&expiry, &blocks)).unwrap();
        assert!(done.blocks > 0 && done.operator > 0, "{done:?}");
        sum.operator += done.operator;
        sum.last = done.last;
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    crate::block_on::block_on(future)
}

fn all(store: &Store) -> Vec<timmy_domain::Record> {
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|r: &timmy_domain::Record| r.seq);
        let query = EventQuery { after, limit: 1_000, ..EventQuery::default() };
        let page = store.read_blocking(move |r| r.events(&query)).unwrap();
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

// shows: store: events that are old enough leave the log, and the chain still proves every one that is left
#[test]
fn what_is_old_enough_leaves_and_what_is_left_is_proven() {
    let home = Home::new();
    let store = home.open();
    store.append_blocking(mixed(1_000, 7)).unwrap();
    home.pass(40);
    store.append_blocking(mixed(3_000, 5)).unwrap();
    let before = all(&store);
    let done = thin(&home, &store, 30);
    // Three full blocks of 256 are old; the fourth also holds young rows.
    let expected = before.iter().filter(|r| r.seq <= 768 && r.name == "login.failed").count() as i64;
    assert_eq!(done.operator, expected);
    let report = wait(store.verify_chain(1)).unwrap();
    assert_eq!((report.bad, report.removed, report.checkpoints), (None, expected, 3));
    let left: Vec<_> = all(&store).into_iter().filter(|r| r.name != "store.pruned").collect();
    let expected: Vec<_> = before.into_iter().filter(|r| r.seq > 768 || r.name != "login.failed").collect();
    assert_eq!(left, expected);
    // The second look finds nothing to do, also after a restart.
    wait(store.close());
    let store = home.open();
    assert_eq!(thin(&home, &store, 30), Thinned::default());
    assert!(wait(store.check_integrity()).unwrap().findings.is_empty());
    // What is asked about what is gone.
    let at = store.read_blocking(|r| Ok((r.removed_by(2)?, r.removed_by(1)?, r.removed_by(3_999)?))).unwrap();
    assert_eq!(at, (Some(Timestamp::from_micros(1_040 * DAY)), None, None));
    let removed = store.read_blocking(|r| r.removed()).unwrap();
    assert_eq!((removed.checkpoints, removed.rows, removed.last), (3, done.operator, done.last));
    wait(store.close());
}

#[test]
fn a_block_is_thinned_again_when_more_of_it_may_go() {
    let home = Home::new();
    let store = home.open();
    let unknown = |n: u64| {
        let name = if n.is_multiple_of(3) { "later.known" } else { "login.failed" }.to_owned();
        NewEvent::new("x", Event::Unknown { name, data: n.into() })
    };
    store.append_blocking((0..600).map(unknown).collect()).unwrap();
    store.append_blocking(mixed(3_000, 2)).unwrap();
    home.pass(50);
    let now = Timestamp::from_micros(home.clock.load(Ordering::SeqCst));
    let expiry = Expiry { operator_before: Some(now), debug_before: None, stay_from: 300 };
    assert_eq!(store.read_blocking(move |r| r.expired_blocks(&expiry, 9)).unwrap(), [0]);
    let done = store.write_blocking(move |tx| tx.thin(&expiry, &[0, 1, 2])).unwrap();
    assert_eq!((done.operator, done.first, done.last), (256, 1, 256));
    // The next block is partly read, so it waits.
    let expiry = Expiry { stay_from: 513, ..expiry };
    let done = store.write_blocking(move |tx| tx.thin(&expiry, &[1, 2])).unwrap();
    assert_eq!((done.operator, done.first, done.last), (256, 257, 512));
    assert!(wait(store.verify_chain(1)).unwrap().bad.is_none());
    let counted = store.read_blocking(|r| r.rows_before(&[1, 200, 513, 600, 601])).unwrap();
    assert_eq!(counted, [0, 0, 0, 87, 88]);
    wait(store.close());
}

#[test]
fn the_end_of_the_log_and_what_nobody_read_stay() {
    let home = Home::new();
    let store = home.open();
    store.append_blocking((0..2_400).map(operator).collect()).unwrap();
    home.pass(90);
    let done = thin(&home, &store, 30);
    // 2,400 less the last 2,048 rows leaves one full block.
    assert_eq!((done.operator, done.last), (256, 256));
    let expiry = Expiry { operator_before: None, debug_before: None, stay_from: Seq::MAX };
    assert!(store.read_blocking(move |r| r.expired_blocks(&expiry, 9)).unwrap().is_empty());
    wait(store.close());
}

#[test]
fn a_block_that_does_not_fit_is_left_as_it_is() {
    let home = Home::new();
    let store = home.open();
    store.append_blocking(mixed(3_000, 4)).unwrap();
    home.pass(40);
    let raw = Connection::open(home.path()).unwrap();
    raw.execute("UPDATE event_log SET data = '{}' WHERE seq = 300", []).unwrap();
    let now = Timestamp::from_micros(home.clock.load(Ordering::SeqCst));
    let expiry = Expiry { operator_before: Some(now), debug_before: None, stay_from: Seq::MAX };
    let refused = store.write_blocking(move |tx| tx.thin(&expiry, &[1]).map(drop)).unwrap_err();
    assert!(matches!(&refused, StoreError::Damaged { finding } if finding.contains("300")), "{refused}");
    assert_eq!(raw.query_row("SELECT count(*) FROM event_log", [], |row| row.get::<_, i64>(0)).unwrap(), 3_000);
    wait(store.close());
}

#[test]
fn a_key_that_is_lost_is_replaced_and_a_key_that_does_not_fit_is_refused() {
    let home = Home::new();
    let store = home.open();
    store.append_blocking(mixed(10, 2)).unwrap();
    let first = wait(store.verify_chain(1)).unwrap().keys;
    wait(store.close());
    assert!(home.dir.path().join("timmy.db.key").exists() && !home.dir.path().join("timmy.db.key.new").exists());
    // As after a restore on another machine.
    let other = Home::new();
    std::fs::copy(home.path(), other.path()).unwrap();
    let store = other.open();
    let report = wait(store.verify_chain(1)).unwrap();
    assert_eq!((report.bad, report.keys.len(), &report.keys[..1]), (None, 2, &first[..]));
    assert_eq!(report.keys[1].1, 11);
    store.append_blocking(mixed(10, 2)).unwrap();
    assert!(wait(store.verify_chain(1)).unwrap().bad.is_none());
    wait(store.close());
    // The other home's database under this home's key.
    std::fs::copy(other.path(), home.path()).unwrap();
    let refused = home.try_open(&home.path()).unwrap_err();
    assert!(matches!(&refused, StoreError::Damaged { finding } if finding.contains("signed with key")), "{refused}");
    // A new log under the old key is no reason to complain.
    std::fs::remove_file(home.path()).unwrap();
    let store = home.open();
    assert_eq!(wait(store.verify_chain(1)).unwrap().keys[0].0, first[0].0);
    wait(store.close());
}

/// The hash of the row at `seq` after `previous`, as an attacker would compute it.
fn computed(raw: &Connection, seq: Seq, previous: &Hash) -> Hash {
    let record = Reader::new(raw).event(seq).unwrap().unwrap();
    let id: Vec<u8> = raw.query_row("SELECT id FROM event_log WHERE seq = ?1", [seq], |row| row.get(0)).unwrap();
    Canonical {
        seq,
        id: &id,
        event_type: record.name.as_bytes(),
        source: record.source.as_bytes(),
        actor: record.actor.as_bytes(),
        cause: record.cause,
        task_id: record.task_id.as_deref().map(str::as_bytes),
        agent_id: record.agent_id.as_deref().map(str::as_bytes),
        severity: record.severity as i64,
        data: record.data.as_bytes(),
        timestamp: record.at.micros(),
    }
    .hash(previous, &mut Vec::new())
}

fn hash_of(raw: &Connection, seq: Seq) -> Hash {
    Reader::new(raw).event(seq).unwrap().unwrap().hash
}

/// Computes every hash from `seq` on anew, and the end.
fn compute_on(raw: &Connection, seq: Seq) {
    let head = log::head(raw).unwrap();
    let mut previous = if seq == 1 { [0; 32] } else { hash_of(raw, seq - 1) };
    for seq in seq..=head.seq {
        previous = computed(raw, seq, &previous);
        raw.execute("UPDATE event_log SET hash = ?2 WHERE seq = ?1", params![seq, previous]).unwrap();
    }
    raw.execute("UPDATE event_head SET hash = ?1", params![previous]).unwrap();
}

/// A way to change the file without the key, near a position. Answers whether it changed anything.
type Harm = fn(&Connection, Seq) -> bool;

const HARMS: [(&str, Harm); 13] = [
    ("change a body", |raw, seq| change(raw, "UPDATE event_log SET data = data || ' ' WHERE seq = ?1", seq)),
    ("change an actor", |raw, seq| change(raw, "UPDATE event_log SET actor = 'stranger' WHERE seq = ?1", seq)),
    ("remove a row", |raw, seq| change(raw, "DELETE FROM event_log WHERE seq = ?1", seq)),
    ("swap two bodies", |raw, seq| {
        let data = |sql: &str| raw.query_row(sql, [seq], |row| row.get::<_, String>(0)).unwrap();
        let one = data("SELECT data FROM event_log WHERE seq = ?1");
        let other = data("SELECT data FROM event_log WHERE seq > ?1 ORDER BY seq LIMIT 1");
        raw.execute("UPDATE event_log SET data = ?2 WHERE seq = ?1", params![seq, other]).unwrap();
        one != other
    }),
    ("cut the end off and move the head", |raw, seq| {
        raw.execute("DELETE FROM event_log WHERE seq > ?1", [seq]).unwrap();
        raw.execute(
            "UPDATE event_head SET (seq, hash, timestamp) = (SELECT seq, hash, timestamp FROM event_log WHERE seq = ?1)",
            [seq],
        )
        .unwrap();
        raw.execute("DELETE FROM event_checkpoints WHERE (block + 1) * 256 > ?1", [seq]).unwrap();
        true
    }),
    ("change a young row and compute all hashes anew", |raw, seq| {
        let seq = seq.max(Reader::new(raw).last_seq().unwrap() - 900);
        raw.execute("UPDATE event_log SET data = data || ' ' WHERE seq = ?1", [seq]).unwrap();
        compute_on(raw, seq);
        true
    }),
    ("remove a row and say in its checkpoint that it left", |raw, seq| {
        let Some(mut checkpoint) = Checkpoint::load(raw, block_of(seq)).unwrap() else { return false };
        let hash = hash_of(raw, seq);
        drop_place(&mut checkpoint.kept, place(seq));
        checkpoint.removed += 1;
        // The links as they would be, had the owner's key made them.
        let mut old = Checkpoint::load(raw, checkpoint.block).unwrap().unwrap();
        let links = std::mem::take(&mut old.links);
        let known: Vec<(usize, Hash)> = checkpoint::runs(&old.kept).map(|run| run.end - 1).zip(links).collect();
        checkpoint.links = checkpoint::runs(&checkpoint.kept)
            .filter(|run| run.end < 256)
            .map(|run| known.iter().find(|(at, _)| *at == run.end - 1).map_or(hash, |(_, hash)| *hash))
            .collect();
        raw.execute("DELETE FROM event_log WHERE seq = ?1", [seq]).unwrap();
        rewrite(raw, &checkpoint);
        true
    }),
    ("remove the checkpoint", |raw, seq| change(raw, "DELETE FROM event_checkpoints WHERE block = ?1", block_of(seq))),
    ("remove a block and invent a checkpoint, signed with a key of one's own", |raw, seq| {
        let block = block_of(seq);
        let first = first_of(block);
        if first + 255 > Reader::new(raw).last_seq().unwrap() {
            return false;
        }
        let before = match (block, Checkpoint::load(raw, block - 1).unwrap()) {
            (0, _) => [0; 32],
            (_, Some(checkpoint)) => checkpoint.after,
            _ => hash_of(raw, first - 1),
        };
        let after = match Checkpoint::load(raw, block).unwrap() {
            Some(checkpoint) => checkpoint.after,
            None => hash_of(raw, first + 255),
        };
        raw.execute("DELETE FROM event_log WHERE seq BETWEEN ?1 AND ?2", [first, first + 255]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let random: crate::Random = Arc::new(|out: &mut [u8]| out.fill(9));
        let foreign = Connection::open(dir.path().join("foreign.db")).unwrap();
        foreign.execute_batch(include_str!("../../../schema.sql")).unwrap();
        foreign
            .execute_batch("PRAGMA user_version = 10; INSERT INTO event_head VALUES (1, 0, zeroblob(32), 0, NULL)")
            .unwrap();
        let signer = signing::settle(&foreign, &dir.path().join("foreign.db"), &random, Timestamp::EPOCH).unwrap();
        let checkpoint = Checkpoint {
            block,
            before,
            after,
            kept: [0; 32],
            links: Vec::new(),
            removed: 256,
            made_at: Timestamp::EPOCH,
            key: signer.number,
            signature: Vec::new(),
        };
        checkpoint.store(raw, &signer).unwrap();
        true
    }),
    ("put a removed row back", |raw, seq| {
        let Some(checkpoint) = Checkpoint::load(raw, block_of(seq)).unwrap() else { return false };
        let Some(gone) = checkpoint.last_removed() else { return false };
        raw.execute(
            "INSERT INTO event_log SELECT ?2, id, event_type, source, actor, cause, task_id, agent_id, severity, data, timestamp, hash
             FROM event_log WHERE seq = ?1",
            [seq, gone],
        )
        .unwrap();
        true
    }),
    ("remove the signature", |raw, _| change(raw, "UPDATE event_head SET signature = NULL WHERE ?1", 1)),
    ("remove the keys and the signature", |raw, _| {
        raw.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM event_keys; UPDATE event_head SET signature = NULL")
            .unwrap();
        true
    }),
    ("replace the key", |raw, _| change(raw, "UPDATE event_keys SET public = zeroblob(32) WHERE number = ?1", 1)),
];

fn change(raw: &Connection, sql: &str, value: Seq) -> bool {
    raw.execute(sql, [value]).unwrap() > 0
}

/// Stores a checkpoint with the signature it had.
fn rewrite(raw: &Connection, checkpoint: &Checkpoint) {
    raw.execute(
        "UPDATE event_checkpoints SET kept = ?2, links = ?3, removed = ?4 WHERE block = ?1",
        params![checkpoint.block, checkpoint.kept, checkpoint.links.concat(), checkpoint.removed],
    )
    .unwrap();
}

/// Tries every harm on a copy of the closed database, at the kept row nearest to `aim`.
fn harm_all(home: &Home, aim: Seq) {
    for (name, harm) in HARMS {
        let copy = home.dir.path().join("copy.db");
        for suffix in ["", ".key"] {
            std::fs::copy(crate::create::beside(&home.path(), suffix), crate::create::beside(&copy, suffix)).unwrap();
        }
        let raw = Connection::open(&copy).unwrap();
        raw.pragma_update(None, "foreign_keys", false).unwrap();
        let seq: Seq = raw
            .query_row("SELECT seq FROM event_log WHERE seq >= ?1 ORDER BY seq LIMIT 1", [aim], |row| row.get(0))
            .unwrap();
        if harm(&raw, seq) {
            let report = verify::chain(&raw, 1).unwrap();
            assert!(report.bad.is_some(), "nobody noticed: {name} at {seq}");
        }
        drop(raw);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(crate::create::beside(&copy, suffix));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    // shows: store: whoever changes, removes, swaps or cuts off events in the file without its key is found out
    #[test]
    fn an_honest_log_passes_and_every_harm_is_found(
        parts in proptest::collection::vec((100..700_u64, 1..9_u64, 0..40_i64), 2..5),
        aim in 0.0..1.0_f64,
    ) {
        let home = Home::new();
        let store = home.open();
        let mut kept = Vec::new();
        for (count, one_in, days) in parts {
            store.append_blocking(mixed(count, one_in)).unwrap();
            home.pass(days);
            kept.extend(all(&store));
            thin(&home, &store, 30);
        }
        store.append_blocking(mixed(ROWS_KEPT_MIN as u64, 3)).unwrap();
        home.pass(20);
        thin(&home, &store, 15);
        let report = wait(store.verify_chain(1)).unwrap();
        prop_assert_eq!(&report.bad, &None);
        prop_assert_eq!(report.rows + report.removed, report.last_seq);
        let left: std::collections::HashMap<Seq, timmy_domain::Record> =
            all(&store).into_iter().map(|r| (r.seq, r)).collect();
        for row in kept.iter().filter(|row| row.name != "login.failed" && row.name != "store.pruned") {
            prop_assert_eq!(left.get(&row.seq), Some(row));
        }
        wait(store.close());
        harm_all(&home, 1 + (aim * (report.last_seq - 2) as f64) as Seq);
    }
}

#[test]
fn the_end_is_signed_with_every_commit() {
    let home = Home::new();
    let store = home.open();
    let raw = Connection::open(home.path()).unwrap();
    let look = || -> (Head, Vec<u8>) {
        let signature = raw.query_row("SELECT signature FROM event_head", [], |row| row.get(0)).unwrap();
        (log::head(&raw).unwrap(), signature)
    };
    let mut seen = vec![look().1];
    for n in 0..3 {
        store.append_blocking(vec![operator(n)]).unwrap();
        let (head, signature) = look();
        let keys = Keys::load(&raw).unwrap().unwrap();
        assert_eq!(keys.end_finding(&raw, &head).unwrap(), None);
        assert!(!seen.contains(&signature));
        seen.push(signature);
    }
    wait(store.close());
}

// shows: store: pages that nothing uses are given back to the disk in small steps
#[test]
fn free_pages_are_given_back_in_small_steps() {
    let home = Home::new();
    let store = home.open();
    store.append_blocking(mixed(6_000, 50)).unwrap();
    home.pass(40);
    thin(&home, &store, 30);
    let before = store.read_blocking(|r| r.space()).unwrap();
    assert!(before.shrinks && before.free_pages > 40, "{before:?}");
    let mut now = store.write_blocking(|tx| tx.give_back(1_000)).unwrap();
    assert!(now.free_pages < before.free_pages && now.free_pages > 0, "one step is a small one: {now:?}");
    while now.free_pages > 10 {
        let free = now.free_pages;
        now = store.write_blocking(move |tx| tx.give_back(free - 10)).unwrap();
        assert!(now.free_pages < free, "{now:?}");
    }
    assert!(now.free_pages <= 10 && now.pages < before.pages - before.free_pages + 12, "{now:?}");
    assert!(wait(store.check_integrity()).unwrap().findings.is_empty());
    assert!(wait(store.verify_chain(1)).unwrap().bad.is_none());
    wait(store.close());
    assert_eq!(std::fs::metadata(home.path()).unwrap().len(), now.pages.unsigned_abs() * 8_192);
}
