//! Writing: what is acknowledged is committed, what fails is taken back alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use futures_util::future::{join, join_all};
use support::{House, login, mind, wait};
use timmy_domain::NewEvent;
use timmy_domain::Problem;
use timmy_domain::event::{EVENT_DATA_BYTES_MAX, MindChanged};
use timmy_store::StoreError;

#[test]
fn an_acknowledged_write_is_seen_by_every_reader() {
    let house = House::new();
    let store = house.open();
    for n in 1..=50 {
        let seq = store.append_blocking(vec![login(n)]).unwrap()[0];
        assert_eq!(store.last_seq(), seq);
        let outside: i64 = house.raw().query_row("SELECT max(seq) FROM event_log", [], |row| row.get(0)).unwrap();
        assert_eq!(outside, seq, "acknowledged before the commit");
        assert_eq!(store.read_blocking(|r| r.last_seq()).unwrap(), seq);
    }
}

#[test]
fn the_doorbell_rings_after_the_commit() {
    let house = House::new();
    let store = house.open();
    wait(async {
        let mut bell = store.head();
        let (raw, writer) = (house.raw(), store.clone());
        let task = std::thread::spawn(move || {
            for n in 0..20 {
                writer.append_blocking(vec![login(n)]).unwrap();
            }
        });
        let mut heard = 0;
        while heard < 20 {
            bell.changed().await.unwrap();
            heard = *bell.borrow_and_update();
            let seen: i64 = raw.query_row("SELECT max(seq) FROM event_log", [], |row| row.get(0)).unwrap();
            assert!(seen >= heard, "rang for {heard} when {seen} was there");
        }
        task.join().unwrap();
    });
}

#[test]
fn work_that_fails_leaves_nothing_and_the_chain_goes_on() {
    let house = House::new();
    let store = house.open();
    let refusal = Problem::conflict("paused", "Timmy is paused.", "Resume him.");
    let error = store
        .write_blocking({
            let refusal = refusal.clone();
            move |tx| {
                tx.append(login(1))?;
                tx.set_state("mood", "bad")?;
                Err::<(), _>(refusal.into())
            }
        })
        .unwrap_err();
    assert_eq!(error.problem(), refusal);
    let error = store
        .write_blocking(|tx| -> Result<(), StoreError> {
            tx.append(login(2))?;
            panic!("out of\nluck")
        })
        .unwrap_err();
    assert_eq!(error, StoreError::Panicked { message: "out of luck".into() });
    assert_eq!(store.append_blocking(vec![login(3)]).unwrap(), [1]);
    let (mood, rows) = store.read_blocking(|r| Ok((r.state("mood")?, r.events(&Default::default())?))).unwrap();
    assert_eq!((mood, rows.len()), (None, 1));
    assert!(wait(store.verify_chain(1)).unwrap().bad.is_none());
}

#[test]
fn a_read_that_panics_is_an_error_and_the_threads_live_on() {
    let house = House::new();
    let store = house.open();
    for _ in 0..8 {
        let error = store.read_blocking(|_| -> Result<(), _> { panic!("no") }).unwrap_err();
        assert_eq!(error, StoreError::Panicked { message: "no".into() });
    }
    assert_eq!(store.read_blocking(|r| r.last_seq()).unwrap(), 0);
}

#[test]
fn one_read_sees_one_state_whatever_is_written_meanwhile() {
    let house = House::new();
    let store = house.open();
    store.append_blocking(vec![login(1)]).unwrap();
    let writer = store.clone();
    let (before, after) = store
        .read_blocking(move |r| {
            let before = r.last_seq()?;
            writer.append_blocking(vec![login(2)])?;
            Ok((before, r.last_seq()?))
        })
        .unwrap();
    assert_eq!((before, after), (1, 1));
    assert_eq!(store.read_blocking(|r| r.last_seq()).unwrap(), 2);
}

#[test]
fn a_call_with_an_event_over_the_bound_stores_none_of_its_events() {
    let house = House::new();
    let store = house.open();
    let long = NewEvent::new("x", MindChanged { files: vec!["a".repeat(EVENT_DATA_BYTES_MAX)] });
    let error = store.append_blocking(vec![login(1), long.clone()]).unwrap_err();
    assert!(matches!(error, StoreError::EventTooLarge { .. }));
    assert!(store.write_blocking(move |tx| tx.append(long)).is_err());
    assert_eq!(store.last_seq(), 0);
}

#[test]
fn stopped_writing_stays_stopped_and_reading_goes_on() {
    let house = House::new();
    let store = house.open();
    store.append_blocking(vec![login(1)]).unwrap();
    store.stop_writes("page 7 is torn");
    store.stop_writes("something else");
    let stopped = StoreError::ReadOnly { finding: "page 7 is torn".into() };
    assert_eq!(store.append_blocking(vec![login(2)]), Err(stopped.clone()));
    assert_eq!(store.write_blocking(|tx| tx.set_cursor("a", 1)), Err(stopped));
    assert_eq!(store.writes_stopped().as_deref(), Some("page 7 is torn"));
    assert_eq!(store.read_blocking(|r| r.last_seq()), Ok(1));
    wait(store.close());
}

#[test]
fn many_writers_get_their_own_positions_without_gaps() {
    let house = House::new();
    let store = house.open();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                let mut mine = Vec::new();
                for i in 0..100 {
                    if i % 7 == n {
                        let work = |tx: &mut timmy_store::Tx<'_>| tx.append(mind("a"));
                        mine.push(store.write_blocking(work).unwrap());
                    } else {
                        mine.extend(store.append_blocking(vec![login(i), mind("b")]).unwrap());
                    }
                }
                assert!(mine.is_sorted());
                mine
            })
        })
        .collect();
    let mut all: Vec<i64> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=store.last_seq()).collect::<Vec<_>>());
    assert!(wait(store.verify_chain(1)).unwrap().bad.is_none());
    let stats = store.stats();
    assert_eq!(stats.rows, all.len() as u64);
    assert!(stats.batches >= 1 && stats.batches <= 400);
}

#[test]
fn a_store_that_closes_amid_a_crowd_answers_everybody_and_keeps_what_it_acknowledged() {
    let house = House::new();
    let store = house.open();
    let appended = wait(async {
        let crowds = (0..4).map(|_| async {
            let mut kept = Vec::new();
            for _ in 0..20 {
                let crowd = join_all((0..200).map(|n| store.append(vec![login(n)]))).await;
                for answer in crowd {
                    match answer {
                        Ok(seqs) => kept.extend(seqs),
                        Err(error) => assert_eq!(error, StoreError::Closed),
                    }
                }
            }
            kept
        });
        let closing = async {
            let mut bell = store.head();
            while *bell.borrow_and_update() < 3_000 {
                bell.changed().await.unwrap();
            }
            store.close().await;
        };
        join(join_all(crowds), closing).await.0
    });
    let mut kept: Vec<i64> = appended.into_iter().flatten().collect();
    kept.sort_unstable();
    let again = house.open();
    assert!(kept.len() >= 3_000 && again.last_seq() >= *kept.last().unwrap());
    assert_eq!(kept, (1..=kept.len() as i64).collect::<Vec<_>>(), "each position was told once");
    assert_eq!(wait(again.verify_chain(1)).unwrap().bad, None);
}
