//! The log: finding events again, the chain, and time that never runs backwards.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::{BEGIN, House, at, login, mind, parked, wait};
use timmy_domain::bus::Pattern;
use timmy_domain::{Actor, Event, NewEvent, Record, Severity};
use timmy_store::{EventQuery, Store};

fn find(store: &Store, query: EventQuery) -> Vec<i64> {
    let found = store.read_blocking(move |r| r.events(&query)).unwrap();
    found.iter().map(|record| record.seq).collect()
}

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

/// 3,000 events, one a second: every 500th is an error of task `t`, every 10th comes from the owner
/// and from the event just before it, the others are logins.
fn long_log(house: &House) -> Store {
    let store = house.open();
    for n in 1..=3_000_i64 {
        house.set_clock(BEGIN + n * 1_000_000);
        let event = if n % 500 == 0 {
            NewEvent { task_id: Some("t".into()), ..parked(&format!("number {n} 50%_off")) }
        } else if n % 10 == 0 {
            mind("persona.md").by(Actor::Owner).agent("timmy").caused_by(n - 1)
        } else {
            login(n as u64)
        };
        store.append_blocking(vec![event]).unwrap();
    }
    store
}

#[test]
fn every_condition_finds_what_a_plain_look_at_all_rows_finds() {
    let house = House::new();
    let store = long_log(&house);
    let all: Vec<Record> = (0..3)
        .flat_map(|page| {
            let query = EventQuery { after: Some(page * 1_000), limit: 1_000, ..Default::default() };
            store.read_blocking(move |r| r.events(&query)).unwrap()
        })
        .collect();
    assert_eq!(all.len(), 3_000);
    let base = || EventQuery { limit: 1_000, ..EventQuery::default() };
    type Wanted = Box<dyn Fn(&Record) -> bool>;
    let cases: Vec<(EventQuery, Wanted)> = vec![
        (base(), Box::new(|_| true)),
        (EventQuery { pattern: pattern("reactor.parked"), ..base() }, Box::new(|r| r.name == "reactor.parked")),
        (EventQuery { pattern: pattern("mind.*"), ..base() }, Box::new(|r| r.name == "mind.changed")),
        (EventQuery { pattern: pattern("mind"), ..base() }, Box::new(|_| false)),
        (EventQuery { pattern: pattern("log.*"), ..base() }, Box::new(|_| false)),
        (EventQuery { severity_min: Some(Severity::Error), ..base() }, Box::new(|r| r.severity == Severity::Error)),
        (
            EventQuery { severity_min: Some(Severity::Warning), after: Some(1_020), before: Some(1_030), ..base() },
            Box::new(|r| r.severity >= Severity::Warning && r.seq > 1_020 && r.seq < 1_030),
        ),
        (EventQuery { actor: Some("owner".into()), ..base() }, Box::new(|r| r.actor == "owner")),
        (EventQuery { task_id: Some("t".into()), ..base() }, Box::new(|r| r.task_id.is_some())),
        (EventQuery { agent_id: Some("timmy".into()), ..base() }, Box::new(|r| r.agent_id.is_some())),
        (EventQuery { agent_id: Some("tim".into()), ..base() }, Box::new(|_| false)),
        (EventQuery { since: Some(at(BEGIN + 2_990_000_000)), ..base() }, Box::new(|r| r.seq >= 2_990)),
        (EventQuery { until: Some(at(BEGIN + 7_000_000)), ..base() }, Box::new(|r| r.seq <= 7)),
        (
            EventQuery { since: Some(at(BEGIN + 9_000_000)), until: Some(at(BEGIN + 8_000_000)), ..base() },
            Box::new(|_| false),
        ),
        (EventQuery { cause: Some(2_509), ..base() }, Box::new(|r| r.cause == Some(2_509))),
        (EventQuery { cause: Some(i64::MAX), ..base() }, Box::new(|_| false)),
        (EventQuery { texts: vec!["R 1500".into(), "50%_".into()], ..base() }, Box::new(|r| r.seq == 1_500)),
        (EventQuery { texts: vec!["50%%off".into()], ..base() }, Box::new(|_| false)),
    ];
    for (query, wanted) in cases {
        let mut expected: Vec<i64> = all.iter().filter(|r| wanted(r)).map(|r| r.seq).collect();
        let mut newest: Vec<i64> = expected.iter().rev().copied().take(1_000).collect();
        expected.truncate(1_000);
        assert_eq!(find(&store, query.clone()), expected, "{query:?}");
        let few = EventQuery { limit: 3, newest_first: true, ..query.clone() };
        assert_eq!(find(&store, EventQuery { newest_first: true, ..query }), newest);
        newest.truncate(3);
        assert_eq!(find(&store, few), newest);
    }
}

#[test]
fn causes_and_effects_follow_the_links() {
    let house = House::new();
    let store = house.open();
    store.append_blocking(vec![login(1)]).unwrap();
    store.append_blocking(vec![mind("a").caused_by(1), mind("b").caused_by(1)]).unwrap();
    store.append_blocking(vec![mind("c").caused_by(3)]).unwrap();
    store.append_blocking((0..3_000).map(login).collect()).unwrap();
    store.append_blocking(vec![mind("late").caused_by(3)]).unwrap();
    let seqs = |found: Vec<Record>| found.iter().map(|r| r.seq).collect::<Vec<_>>();
    let (up, near, down, later, few, none) = store
        .read_blocking(|r| {
            Ok((
                r.causes(4, 10)?,
                r.causes(4, 1)?,
                r.effects(1, 10)?,
                r.effects(3, 10)?,
                r.effects(3, 1)?,
                (r.causes(99_999, 5)?, r.effects(99_999, 5)?),
            ))
        })
        .unwrap();
    assert_eq!(seqs(up), [1, 3]);
    assert_eq!(seqs(near), [3]);
    assert_eq!(seqs(down), [2, 3]);
    assert_eq!(seqs(later), [4, 3_005]);
    assert_eq!(seqs(few), [4]);
    assert!(none.0.is_empty() && none.1.is_empty());
}

#[test]
fn time_in_the_log_never_runs_backwards() {
    let house = House::new();
    let store = house.open();
    store.append_blocking(vec![login(1)]).unwrap();
    house.set_clock(BEGIN - 3_600_000_000);
    store.append_blocking(vec![login(2)]).unwrap();
    let now = store.write_blocking(|tx| Ok(tx.now())).unwrap();
    assert_eq!(now, at(BEGIN));
    wait(store.close());
    let store = house.open();
    store.append_blocking(vec![login(3)]).unwrap();
    house.set_clock(BEGIN + 5);
    store.append_blocking(vec![login(4)]).unwrap();
    let rows = store.read_blocking(|r| r.events(&EventQuery::default())).unwrap();
    let times: Vec<i64> = rows.iter().map(|r| r.at.micros() - BEGIN).collect();
    assert_eq!(times, [0, 0, 0, 5]);
    let at_or_after = |micros| store.read_blocking(move |r| r.seq_at(at(BEGIN + micros))).unwrap();
    assert_eq!([at_or_after(-1), at_or_after(0), at_or_after(1), at_or_after(6)], [1, 1, 4, 5]);
}

#[test]
fn a_changed_or_removed_row_is_found_wherever_it_is() {
    for (harm, bad) in [
        ("UPDATE event_log SET data = '{\"how\":\"code\",\"failures\":9}' WHERE seq = 7", 7),
        ("UPDATE event_log SET severity = 0 WHERE seq = 7", 7),
        ("UPDATE event_log SET task_id = '' WHERE seq = 7", 7),
        ("UPDATE event_log SET timestamp = timestamp + 1 WHERE seq = 7", 7),
        ("UPDATE event_log SET hash = zeroblob(32) WHERE seq = 7", 7),
        ("DELETE FROM event_log WHERE seq = 7", 7),
        ("DELETE FROM event_log WHERE seq = 1", 1),
        ("DELETE FROM event_log WHERE seq > 4900", 4_901),
        ("DELETE FROM event_log", 1),
        ("UPDATE event_head SET seq = 4000", 5_000),
        (
            "INSERT INTO event_log SELECT seq + 1, id, event_type, source, actor, cause, task_id, agent_id, severity, data, timestamp, hash FROM event_log WHERE seq = 5000",
            5_001,
        ),
    ] {
        let house = House::new();
        let store = house.open();
        store.append_blocking((0..5_000).map(login).collect()).unwrap();
        let good = wait(store.verify_chain(1)).unwrap();
        assert_eq!((good.rows, good.last_seq, good.bad), (5_000, 5_000, None));
        house.raw().execute_batch(harm).unwrap();
        let report = wait(store.verify_chain(1)).unwrap();
        assert_eq!(report.bad.map(|b| b.seq), Some(bad), "{harm}");
    }
}

#[test]
fn a_check_from_the_middle_begins_with_the_row_before() {
    let house = House::new();
    let store = house.open();
    store.append_blocking((0..10).map(login).collect()).unwrap();
    let report = wait(store.verify_chain(6)).unwrap();
    assert_eq!((report.rows, report.last_seq, report.bad), (5, 10, None));
    house.raw().execute_batch("UPDATE event_log SET hash = zeroblob(32) WHERE seq = 5").unwrap();
    assert_eq!(wait(store.verify_chain(6)).unwrap().bad.unwrap().seq, 6);
    assert!(wait(store.verify_chain(11)).unwrap().bad.is_none());
}

#[test]
fn the_integrity_check_finds_a_torn_page_that_the_start_did_not_look_at() {
    let house = House::new();
    let store = house.open();
    store.append_blocking((0..20_000).map(login).collect()).unwrap();
    assert_eq!(wait(store.check_integrity()).unwrap().findings, Vec::<String>::new());
    wait(store.close());
    let mut bytes = std::fs::read(house.path()).unwrap();
    let middle = bytes.len() / 2 / 65_536 * 65_536;
    bytes[middle..middle + 3_000].fill(0xA5);
    std::fs::write(house.path(), bytes).unwrap();
    let store = house.open();
    assert!(!wait(store.check_integrity()).unwrap().findings.is_empty());
    assert!(wait(store.verify_chain(1)).unwrap().bad.is_some());
}

#[test]
fn rows_of_a_newer_version_do_not_break_a_list() {
    let house = House::new();
    let store = house.open();
    store.append_blocking(vec![login(1), login(2)]).unwrap();
    house
        .raw()
        .execute_batch("UPDATE event_log SET event_type = 'dream.seen', actor = 'moon', severity = 9, data = 'x', id = 'y', hash = x'00' WHERE seq = 1")
        .unwrap_err();
    house
        .raw()
        .execute_batch("UPDATE event_log SET event_type = 'dream.seen', actor = 'moon', severity = 9, data = 'x', id = x'00', hash = x'00' WHERE seq = 1")
        .unwrap();
    let rows = store.read_blocking(|r| r.events(&EventQuery::default())).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].severity, rows[0].actor.as_str()), (Severity::Error, "moon"));
    assert!(matches!(rows[0].event(), Event::Unknown { .. }));
}

#[test]
fn ids_are_hyphenated_sort_by_birth_and_are_unique() {
    let house = House::new();
    let store = house.open();
    store.append_blocking((0..1_000).map(login).collect()).unwrap();
    let query = EventQuery { limit: 1_000, ..EventQuery::default() };
    let rows = store.read_blocking(move |r| r.events(&query)).unwrap();
    let ids: std::collections::HashSet<_> = rows.iter().map(|r| r.id.clone()).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'7'));
}

fn any_event() -> impl Strategy<Value = NewEvent> {
    let text = || prop_oneof![any::<String>(), Just("\0\u{202e}\u{1F980}\u{feff}é".to_owned())];
    let optional = || proptest::option::of(prop_oneof![any::<String>(), Just("a\0b".to_owned())]);
    (text(), text(), 0..4_usize, proptest::option::of(1..99_i64), optional(), optional()).prop_map(
        |(name, body, actor, cause, task_id, agent_id)| NewEvent {
            event: Event::Unknown { name, data: body.into() },
            source: "any",
            actor: Actor::ALL[actor].clone(),
            cause,
            task_id,
            agent_id,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_chain_fits_and_events_read_back_whatever_they_hold(
        events in proptest::collection::vec(any_event(), 1..40)
    ) {
        let house = House::new();
        let store = house.open();
        let (half, rest) = events.split_at(events.len() / 2);
        store.append_blocking(half.to_vec()).unwrap();
        wait(store.close());
        let store = house.open();
        for event in rest.iter().cloned() {
            store.write_blocking(move |tx| tx.append(event)).unwrap();
        }
        let report = wait(store.verify_chain(1)).unwrap();
        prop_assert_eq!((report.rows, report.bad), (events.len() as i64, None));
        let rows = store.read_blocking(|r| r.events(&EventQuery::default())).unwrap();
        for (row, event) in rows.iter().zip(&events) {
            prop_assert_eq!(row.event(), event.event.clone());
            prop_assert_eq!(&row.task_id, &event.task_id);
            prop_assert_eq!(&row.agent_id, &event.agent_id);
            prop_assert_eq!(row.cause, event.cause);
        }
    }
}

type Wanted = fn(&timmy_domain::Record) -> bool;

/// A plain count over all rows.
fn counted(all: &[timmy_domain::Record], edges: &[i64], wanted: Wanted) -> Vec<u64> {
    let within = |pair: &[i64]| {
        let falls = |r: &&timmy_domain::Record| (pair[0]..pair[1]).contains(&r.at.micros());
        all.iter().filter(falls).filter(|r| wanted(r)).count() as u64
    };
    edges.windows(2).map(within).collect()
}

/// A log of 5,000 events, one a second, from whose first 2,000 seconds those for the operator were removed.
fn thinned(house: &House) -> Store {
    let store = house.open();
    for n in 0..5_000_i64 {
        house.set_clock(BEGIN + n * 1_000_000);
        let event = match n {
            n if n % 11 == 0 => mind("a").by(Actor::Owner),
            n if n % 97 == 0 => parked("the kelp"),
            n => login(n as u64),
        };
        store.append_blocking(vec![event]).unwrap();
    }
    let expiry = timmy_store::Expiry {
        operator_before: Some(at(BEGIN + 2_000_000_000)),
        debug_before: None,
        stay_from: i64::MAX,
    };
    let blocks = store.read_blocking(move |r| r.expired_blocks(&expiry, 99)).unwrap();
    assert_eq!(blocks, [0, 1, 2, 3, 4, 5, 6]);
    for block in blocks {
        store.write_blocking(move |tx| tx.thin(&expiry, &[block])).unwrap();
    }
    store
}

/// Everything that is left, in small pages.
fn left(store: &Store) -> Vec<timmy_domain::Record> {
    let mut all: Vec<timmy_domain::Record> = Vec::new();
    loop {
        let query = EventQuery { after: all.last().map(|r| r.seq), limit: 1_000, ..Default::default() };
        let page = store.read_blocking(move |r| r.events(&query)).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn conditions() -> Vec<(EventQuery, Wanted)> {
    let pattern = |p: &str| p.parse().unwrap();
    vec![
        (EventQuery::default(), |_| true),
        (EventQuery { after: Some(100), before: Some(4_000), ..Default::default() }, |r| (101..4_000).contains(&r.seq)),
        (EventQuery { pattern: pattern("mind.*"), ..Default::default() }, |r| r.name == "mind.changed"),
        (EventQuery { exclude: vec![pattern("login.*"), pattern("mind.changed")], ..Default::default() }, |r| {
            r.name != "login.failed" && r.name != "mind.changed"
        }),
        (EventQuery { exclude: vec![pattern("*")], ..Default::default() }, |_| false),
        (EventQuery { actor: Some("owner".into()), ..Default::default() }, |r| r.actor == "owner"),
        (EventQuery { source: Some("core".into()), actor: Some("system".into()), ..Default::default() }, |r| {
            r.source == "core"
        }),
        (EventQuery { source: Some("nobody".into()), ..Default::default() }, |_| false),
        (EventQuery { severity_min: Some(Severity::Error), ..Default::default() }, |r| r.severity == Severity::Error),
        (EventQuery { severity_min: Some(Severity::Info), ..Default::default() }, |r| r.severity >= Severity::Info),
        (EventQuery { texts: vec!["kelp".into()], ..Default::default() }, |r| r.data.contains("kelp")),
    ]
}

/// What small looks find, one after the other.
fn looked(store: &Store, mut query: EventQuery) -> Vec<i64> {
    let mut got = Vec::new();
    loop {
        let asked = query.clone();
        let page = store.read_blocking(move |r| r.events_page(&asked, 700)).unwrap();
        got.extend(page.records.iter().map(|r| r.seq));
        let Some(to) = page.searched_to else { return got };
        *(if query.newest_first { &mut query.before } else { &mut query.after }) = Some(to);
    }
}

// shows: store: events are found and counted right, by every condition, where retention removed some of them
#[test]
fn counting_and_searching_are_right_where_rows_were_removed() {
    let house = House::new();
    let store = thinned(&house);
    let all = left(&store);
    assert!(all.len() < 4_000 && all.iter().any(|r| r.name == "store.pruned"));
    let edges: Vec<i64> = (-1..=11).map(|n| BEGIN + n * 499_000_000).collect();
    for (query, wanted) in conditions() {
        let times: Vec<_> = edges.iter().map(|&edge| at(edge)).collect();
        let (name, asked) = (format!("{query:?}"), query.clone());
        let found = store.read_blocking(move |r| r.event_counts(&asked, &times, usize::MAX)).unwrap();
        assert_eq!((found.counts, found.complete), (counted(&all, &edges, wanted), true), "{name}");
        // In small looks, from both ends, the same rows come as in one.
        let mut expected: Vec<i64> = all.iter().filter(|r| wanted(r)).map(|r| r.seq).collect();
        assert_eq!(looked(&store, EventQuery { limit: 300, ..query.clone() }), expected, "{name}");
        expected.reverse();
        assert_eq!(looked(&store, EventQuery { limit: 300, newest_first: true, ..query }), expected, "{name}");
    }
    let few = store
        .read_blocking(move |r| {
            let query = EventQuery { actor: Some("owner".into()), ..Default::default() };
            r.event_counts(&query, &[at(BEGIN), at(BEGIN + 9_000_000_000)], 500)
        })
        .unwrap();
    let newest = all.iter().filter(|r| r.actor == "owner" && r.seq > store.last_seq() - 500).count() as u64;
    assert_eq!((few.counts, few.complete), (vec![newest], false));
}
