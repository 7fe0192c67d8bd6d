//! One batch, driven by hand: what fails in it harms nobody else, and a lost batch is lost for all.

use timmy_domain::event::{LoginFailed, MindChanged};
use timmy_domain::{NewEvent, Timestamp};

use super::*;
use crate::{create, signing, verify};

type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

fn event(failures: u64) -> NewEvent {
    NewEvent::new("web", LoginFailed { how: "code".into(), failures })
}

fn append(events: Vec<NewEvent>) -> (Command, Answer<Appended>) {
    let (reply, answer) = oneshot::channel();
    let events = events.into_iter().map(|e| Prepared::new(e).unwrap()).collect();
    (Command::Append(events, reply), answer)
}

/// The positions that were answered.
fn seqs(mut answer: Answer<Appended>) -> Range<Seq> {
    answer.try_recv().unwrap().unwrap().0
}

fn work<T: Send + 'static>(
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> (Command, Answer<T>) {
    let (reply, answer) = oneshot::channel();
    (Command::Work(Box::new(Typed::new(work, reply))), answer)
}

/// Runs `test` with a writer over a fresh file, whose commands all wait in one queue.
fn with_writer(test: impl FnOnce(&mut Writer<'_>, &Connection)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("timmy.db");
    let random: Random = Arc::new(|out: &mut [u8]| out.fill(7));
    create::create(&path, &random, Timestamp::EPOCH).unwrap();
    let conn = create::open_writer(&path).unwrap();
    let signer = signing::settle(&conn, &path, &random, Timestamp::EPOCH).unwrap();
    let shared = Shared {
        path: path.clone(),
        head: watch::channel(0).0,
        stopped: Arc::default(),
        counters: Arc::default(),
        full: Arc::default(),
    };
    let clock: Clock = Arc::new(|| Timestamp::from_micros(1_000_000));
    let tx = Tx::new(&conn, clock, random, Some(signer)).unwrap();
    let wal = WalCare::begin(&conn, path);
    let mut writer = Writer { conn: &conn, tx, shared: &shared, waiting: Vec::new(), wal };
    test(&mut writer, &conn);
    writer.wal.end();
    assert!(conn.is_autocommit(), "a transaction stayed open");
    let report = verify::chain(&conn, 1).unwrap();
    assert_eq!((report.bad, report.last_seq), (None, *shared.head.borrow()));
}

/// Puts `commands` into one batch, as if they had come in together, however slow this machine is.
fn one_batch(writer: &mut Writer<'_>, commands: Vec<Command>) {
    let before = log::begin(writer.conn).unwrap();
    writer.tx.set_head(before);
    let mut fault = None;
    for command in commands {
        if let Err(error) = writer.take(command) {
            fault = Some(error);
            break;
        }
    }
    writer.finish(before.seq, fault);
}

#[test]
fn a_failing_and_a_panicking_work_harm_nobody_else_in_their_batch() {
    with_writer(|writer, conn| {
        let (a, got_a) = append(vec![event(1), event(2)]);
        let (b, mut got_b) = work(|tx| {
            tx.append(event(3))?;
            tx.set_state("b", "x")?;
            Err::<(), _>(StoreError::Unknown { what: "luck".into() })
        });
        let (c, mut got_c) = work(|tx| {
            let seq = tx.append(event(4))?;
            tx.set_state("c", "x")?;
            Ok(seq)
        });
        let (d, mut got_d) = work(|tx| -> Result<(), StoreError> {
            tx.append(event(5))?;
            tx.set_state("d", "x")?;
            panic!("ouch")
        });
        let (e, got_e) = append(vec![event(6)]);
        one_batch(writer, vec![a, b, c, d, e]);
        assert_eq!(writer.shared.counters.read().0, 1, "it was one batch");
        assert_eq!(seqs(got_a), 1..3);
        assert_eq!(got_b.try_recv().unwrap(), Err(StoreError::Unknown { what: "luck".into() }));
        assert_eq!(got_c.try_recv().unwrap(), Ok(3));
        assert_eq!(got_d.try_recv().unwrap(), Err(StoreError::Panicked { message: "ouch".into() }));
        assert_eq!(seqs(got_e), 4..5);
        let reader = crate::Reader::new(conn);
        let states = ["b", "c", "d"].map(|key| reader.state(key).unwrap().is_some());
        assert_eq!(states, [false, true, false]);
    });
}

#[test]
fn a_work_that_crosses_a_block_and_fails_leaves_the_block_to_the_next() {
    with_writer(|writer, conn| {
        let many = |n| (0..n).map(event).collect::<Vec<_>>();
        let (a, _) = append(many(252));
        let (b, mut got_b) = work(move |tx| {
            for event in many(10) {
                tx.append(event)?;
            }
            Err::<(), _>(StoreError::Closed)
        });
        let (c, _) = append(many(3));
        let blocks = || -> i64 {
            conn.query_row("SELECT count(DISTINCT block) FROM event_blocks", [], |row| row.get(0)).unwrap()
        };
        one_batch(writer, vec![a, b, c]);
        assert!(got_b.try_recv().unwrap().is_err());
        assert_eq!(blocks(), 0);
        let (d, got_d) = append(many(5));
        one_batch(writer, vec![d]);
        assert_eq!(seqs(got_d), 256..261);
        assert_eq!(blocks(), 1);
    });
}

#[test]
fn nobody_is_answered_before_the_commit() {
    with_writer(|writer, _| {
        let (a, mut got) = append(vec![event(1)]);
        let before = log::begin(writer.conn).unwrap();
        writer.tx.set_head(before);
        writer.take(a).unwrap();
        assert!(got.try_recv().is_err());
        assert_eq!(*writer.shared.head.borrow(), 0);
        writer.finish(0, None);
        assert_eq!(seqs(got), 1..2);
        assert_eq!(*writer.shared.head.borrow(), 1);
    });
}

#[test]
fn a_full_disk_fails_the_whole_batch_and_later_ones_go_on() {
    with_writer(|writer, conn| {
        let (first, _) = append(vec![event(1)]);
        one_batch(writer, vec![first]);
        let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let set_max = |pages: i64| {
            conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        };
        set_max(pages + 2);
        let (a, mut got_a) = work(|tx| tx.append(event(2)));
        let big = || NewEvent::new("x", MindChanged { files: vec!["f".repeat(15_000)] });
        let (b, mut got_b) = append((0..20).map(|_| big()).collect());
        one_batch(writer, vec![a, b]);
        let full = |error| matches!(error, Err(StoreError::DiskFull));
        let said = got_a.try_recv().unwrap();
        assert!(full(said.clone().map(drop)), "the batch was lost, and said otherwise: {said:?}");
        assert!(full(got_b.try_recv().unwrap().map(drop)));
        // The same within a work, which is told so, too.
        let (c, mut got_c) = work(move |tx| (0..20).try_for_each(|_| tx.append(big()).map(drop)));
        one_batch(writer, vec![c]);
        assert!(full(got_c.try_recv().unwrap()));
        set_max(1_000_000);
        let (d, got_d) = append(vec![event(3)]);
        one_batch(writer, vec![d]);
        assert_eq!(seqs(got_d), 2..3);
    });
}

// shows: store: a full disk refuses what does not fit, loses nothing that was acknowledged, and goes on when there is room
#[test]
fn a_full_disk_refuses_what_does_not_fit_and_goes_on_when_there_is_room() {
    with_writer(|writer, conn| {
        let limit = |pages: i64| -> i64 {
            conn.pragma_update_and_check(None, "max_page_count", pages, |row| row.get(0)).unwrap()
        };
        let (a, got_a) = append(vec![event(1)]);
        one_batch(writer, vec![a]);
        let acknowledged = seqs(got_a).end - 1;
        // As many pages as there are: SQLite then says what it says of a full disk.
        let pages = limit(1);
        let mut refused = 0;
        for n in 0..4 {
            let (b, mut got_b) = work(move |tx| {
                tx.append(event(2))?;
                tx.set_state(&format!("large {n}"), &"x".repeat(400_000))
            });
            let (c, mut got_c) = append(vec![event(3)]);
            one_batch(writer, vec![b, c]);
            if got_b.try_recv().unwrap() == Err(StoreError::DiskFull) {
                refused += 1;
                // Whoever was in the same batch is told the same, or was not reached and is told nothing yet.
                assert!(!matches!(got_c.try_recv(), Ok(Ok(_))), "SQLite took the batch back");
            }
        }
        assert_eq!(refused, 4, "with {pages} pages");
        assert!(writer.shared.full.since().is_some());
        let last: i64 = conn.query_row("SELECT max(seq) FROM event_log", [], |row| row.get(0)).unwrap();
        assert_eq!(last, acknowledged, "nothing of what was refused is there, and everything else is");
        limit(pages + 1_000);
        let (d, got_d) = append(vec![event(4)]);
        one_batch(writer, vec![d]);
        assert_eq!(seqs(got_d), acknowledged + 1..acknowledged + 2);
        assert_eq!(writer.shared.full.since(), None, "there is room again");
    });
}
