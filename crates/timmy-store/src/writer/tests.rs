//! One batch, driven by hand: what fails in it harms nobody else, and a lost batch is lost for all.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::mpsc::Sender;

use timmy_domain::event::{LoginFailed, MindChanged};
use timmy_domain::{NewEvent, Timestamp};

use super::*;
use crate::command::{Appended, Typed};
use crate::tx::Prepared;
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
    let shared = Arc::new(Shared {
        path: path.clone(),
        head: watch::channel(0).0,
        stopped: Arc::default(),
        counters: Arc::default(),
        full: Arc::default(),
    });
    let clock: Clock = Arc::new(|| Timestamp::from_micros(1_000_000));
    let tx = Tx::new(&conn, clock, random, Some(signer)).unwrap();
    let (wal, crowd) = (WalCare::begin(&conn, path.clone()), Crowd::new(path));
    let mut writer = Writer { conn: &conn, tx, shared: &shared, waiting: Vec::new(), held: None, wal, crowd };
    test(&mut writer, &conn);
    writer.crowd.end();
    writer.wal.end().unwrap();
    assert!(conn.is_autocommit(), "a transaction stayed open");
    let report = verify::chain(&conn, 1).unwrap();
    assert_eq!(report.bad, None);
    if shared.stopped.get().is_none() {
        assert_eq!(report.last_seq, *shared.head.borrow());
    }
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

/// Makes every sync of a crowd's batch wait for a word of the test, which is also its outcome.
fn by_hand(writer: &mut Writer<'_>) -> Sender<std::io::Result<()>> {
    let (say, word) = std::sync::mpsc::channel();
    let word = Mutex::new(word);
    #[cfg(unix)]
    let log = std::fs::metadata(create::wal_path(&writer.shared.path)).unwrap();
    writer.crowd.sync = Arc::new(move |file| {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            assert_eq!(file.metadata().unwrap().ino(), log.ino(), "it is the write-ahead log that is synced");
        }
        file.sync_data()?;
        word.lock().unwrap().recv().unwrap_or(Ok(()))
    });
    say
}

/// Appends of one event each, by as many.
fn appends(count: u64) -> (Vec<Command>, Vec<Answer<Appended>>) {
    (0..count).map(|n| append(vec![event(n)])).unzip()
}

/// Lets a crowd come: 64 appends in one batch, which the writer itself brings to the disk.
fn gather(writer: &mut Writer<'_>) {
    let (commands, answers) = appends(64);
    one_batch(writer, commands);
    assert!(answers.into_iter().all(|answer| !seqs(answer).is_empty()));
    assert!(writer.crowd.is_here());
}

/// Who waits for the disk: 2 is the COMMIT itself, 1 is not.
fn level(conn: &Connection) -> i64 {
    conn.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
}

// shows: store: with a crowd of appends, too, nobody is answered before his event is on the disk
#[test]
fn a_crowd_is_answered_when_its_batch_is_on_the_disk_and_the_next_is_taken_in_meanwhile() {
    with_writer(|writer, conn| {
        let say = by_hand(writer);
        assert_eq!(level(conn), 2);
        gather(writer);
        assert_eq!(level(conn), 1);
        let (commands, mut first) = appends(20);
        one_batch(writer, commands);
        let (commands, second) = appends(10);
        one_batch(writer, commands);
        assert!(writer.crowd.is_busy());
        assert!(first.iter_mut().all(|answer| answer.try_recv().is_err()), "nothing has reached the disk");
        assert_eq!(*writer.shared.head.borrow(), 64);
        // Whether there is room, the COMMIT has shown.
        writer.shared.full.begin(1);
        say.send(Ok(())).unwrap();
        let last = first.pop().unwrap().blocking_recv().unwrap().unwrap().0;
        assert_eq!((last, *writer.shared.head.borrow()), (84..85, 84));
        say.send(Ok(())).unwrap();
        for (answer, seq) in second.into_iter().zip(85..) {
            assert_eq!(answer.blocking_recv().unwrap().unwrap().0, seq..seq + 1);
        }
        assert_eq!(writer.shared.full.since(), Some(1), "a batch of before says nothing about the room of now");
        drop(say);
        // Few come now: the crowd has gone, and the writer waits for the disk itself.
        let (commands, few) = appends(3);
        one_batch(writer, commands);
        assert_eq!((level(conn), writer.crowd.is_here()), (2, false));
        for answer in few {
            answer.blocking_recv().unwrap().unwrap();
        }
    });
}

#[test]
fn what_changes_more_than_the_log_is_on_the_disk_before_anybody_can_read_it() {
    with_writer(|writer, _| {
        drop(by_hand(writer));
        gather(writer);
        let (commands, mut received) = mpsc::channel(256);
        let (appended, answers) = appends(20);
        let (change, changed) = work(|tx| Ok((tx.append(event(9))?, level(tx.conn()))));
        let (ending, ended) = oneshot::channel();
        let more = appends(2);
        for command in appended.into_iter().chain([change]).chain(more.0).chain([Command::End(ending)]) {
            commands.try_send(command).map_err(|_| "the queue is full").unwrap();
        }
        let end = writer.work(&mut received);
        assert_eq!(changed.blocking_recv().unwrap().unwrap(), (85, 2), "in a batch that waits for the disk");
        assert!(!writer.crowd.is_here());
        for (answer, first) in answers.into_iter().zip(65..) {
            assert_eq!(answer.blocking_recv().unwrap().unwrap().0.start, first);
        }
        for (answer, first) in more.1.into_iter().zip(86..) {
            assert_eq!(answer.blocking_recv().unwrap().unwrap().0.start, first);
        }
        end.unwrap().send(()).unwrap();
        ended.blocking_recv().unwrap();
    });
}

#[test]
fn a_disk_that_does_not_take_a_crowd_s_batch_stops_all_writing_and_everybody_is_told() {
    with_writer(|writer, conn| {
        let say = by_hand(writer);
        gather(writer);
        let ((one, first), (two, mut second)) = (appends(20), appends(3));
        one_batch(writer, one);
        writer.crowd.leave(conn);
        assert_eq!(level(conn), 2);
        // Synced by its own COMMIT, and yet worth nothing should the disk refuse what lies before it.
        one_batch(writer, two);
        assert!(second.iter_mut().all(|answer| answer.try_recv().is_err()));
        say.send(Err(std::io::Error::other("cable"))).unwrap();
        for answer in first {
            let said = answer.blocking_recv().unwrap().unwrap_err().to_string();
            assert!(said.contains("the disk did not take what was written") && said.contains("cable"), "{said}");
        }
        // A second sync might succeed although the first one lost pages.
        for answer in second {
            assert!(matches!(answer.blocking_recv().unwrap(), Err(StoreError::Disk { .. })));
        }
        assert!(writer.shared.stopped.get().is_some_and(|finding| finding.contains("cable")));
        assert_eq!(*writer.shared.head.borrow(), 64);
        let (commands, mut received) = mpsc::channel(1);
        let (late, mut answer) = append(vec![event(1)]);
        commands.try_send(late).map_err(|_| "the queue is full").unwrap();
        drop(commands);
        assert!(writer.work(&mut received).is_none());
        assert!(matches!(answer.try_recv().unwrap(), Err(StoreError::ReadOnly { .. })));
    });
}

#[test]
fn what_was_committed_before_writing_was_stopped_for_another_reason_is_still_acknowledged() {
    with_writer(|writer, _| {
        let say = by_hand(writer);
        gather(writer);
        let (commands, answers) = appends(20);
        one_batch(writer, commands);
        writer.shared.stop("a row is damaged");
        say.send(Ok(())).unwrap();
        for answer in answers {
            answer.blocking_recv().unwrap().unwrap();
        }
        assert_eq!(*writer.shared.head.borrow(), 84);
    });
}

#[test]
fn a_batch_that_ends_after_a_crowd_s_sync_has_failed_is_not_acknowledged_although_its_own_commit_was_synced() {
    with_writer(|writer, conn| {
        let say = by_hand(writer);
        gather(writer);
        let (commands, answers) = appends(20);
        one_batch(writer, commands);
        writer.crowd.leave(conn);
        say.send(Err(std::io::Error::other("cable"))).unwrap();
        for answer in answers {
            assert!(answer.blocking_recv().unwrap().is_err());
        }
        // Until the writer has heard of it, too.
        let (_open, mut silent) = mpsc::channel::<Command>(1);
        assert!(writer.crowd.wait(&mut silent).is_none());
        let (late, answer) = append(vec![event(1)]);
        one_batch(writer, vec![late]);
        assert!(matches!(answer.blocking_recv().unwrap(), Err(StoreError::Disk { .. })));
        assert_eq!(*writer.shared.head.borrow(), 64);
    });
}
