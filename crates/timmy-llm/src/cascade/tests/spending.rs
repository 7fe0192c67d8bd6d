//! Budgets while an answer comes, and what a race leaves in the books.

use super::router::{Till, hesitant, names_of, open_request, replies, with};
use super::*;
use crate::provider::AGAIN_MARK;

/// An answer of so many pieces, each of which counts for four tokens.
fn pieces(count: usize) -> Step {
    Step::Slow { chunks: vec!["sixteen letters ".to_owned(); count], every: Duration::from_millis(1) }
}

/// `far` costs 100 millionths a token it writes, and may write 100 of them; `near` is free.
fn far_and_near(far: Step, left: u64) -> (Cascade, Arc<Till>) {
    let far = Arc::new(Scripted::script(vec![far]).named("far").at(Place::Remote));
    let cascade = with(vec![far, scripted("near", vec![Step::Reply("near".into())])], |s| {
        s.prices = vec!["far/* 0 100".into()];
    });
    let till = Arc::new(Till { left: Mutex::new(left), ..Till::default() });
    cascade.keep_books(till.clone());
    (cascade, till)
}

// shows: models: an answer that becomes dearer than was set aside is broken off at the budget, paid as far as it came, and begun again here behind a mark
#[tokio::test(start_paused = true)]
async fn an_answer_that_costs_more_than_was_reserved_is_broken_off_at_the_budget() {
    // 100 tokens were reserved, two times 64 more are there, and a third time is not.
    const PAID: u64 = 22_800;
    for allowed in [true, false] {
        let (cascade, till) = far_and_near(pieces(90), PAID + 6_399);
        let manner = Manner { again_after_break: allowed, ..Manner::default() };
        let (to, mut from) = mpsc::channel(256);
        let asked = Call { deltas: Some(to), manner, ..call(60) };
        let answer = cascade.complete(&open_request(), &asked).await;
        drop(asked);
        let came = "sixteen letters ".repeat(58);
        let expected = if allowed { format!("{came}{AGAIN_MARK}near") } else { came };
        let (text, attempts) = match answer {
            Ok(answer) => (answer.content, answer.attempts),
            Err(error) => (error.partial, error.attempts),
        };
        assert_eq!((text.as_str(), names_of(&attempts)), (expected.as_str(), vec!["spent_up"]));
        assert!(attempts[0].failure.to_string().contains("the budget of today is used up"), "{attempts:?}");
        let mut heard = String::new();
        while let Some(piece) = from.recv().await {
            heard.push_str(&piece);
        }
        assert_eq!(heard, expected, "the reader has exactly that");
        assert_eq!((lock(&till.lines)[0].1, *lock(&till.left)), (Some((PAID, false)), 6_399));
        let far = &cascade.status()[0];
        assert_eq!((far.circuit(), far.failures), ("closed", 0), "nobody is to blame");
    }
}

// shows: models: an answer that becomes longer than was asked for goes on while the budget has more, and is paid as it was counted
#[tokio::test(start_paused = true)]
async fn an_answer_goes_on_while_the_budget_has_more() {
    let (cascade, till) = far_and_near(pieces(90), 1_000_000);
    let answer = cascade.complete(&open_request(), &call(60)).await.expect("far answers");
    assert_eq!((answer.provider.as_str(), answer.cost_micros), ("far", 36_000), "360 tokens at 100");
    assert_eq!((lock(&till.lines)[0].1, *lock(&till.left)), (Some((36_000, true)), 964_000));
    let asked = lock(&till.lines)[0].0.reserved_micros;
    assert_eq!(asked, 10_000 + 5 * 6_400, "the books were asked five times and not for each word");
    // Books that cannot reserve more let nobody go beyond what they reserved.
    struct Plain(Mutex<Vec<(u64, bool)>>);
    impl Books for Plain {
        fn enter<'a>(&'a self, _: &'a money::Leaving) -> BoxFuture<'a, Result<i64, String>> {
            Box::pin(async { Ok(1) })
        }
        fn settle(&self, _: i64, cost_micros: u64, answered: bool) {
            lock(&self.0).push((cost_micros, answered));
        }
    }
    let far = Arc::new(Scripted::script(vec![pieces(90)]).named("far").at(Place::Remote));
    let cascade = with(vec![far, scripted("near", replies(1))], |s| s.prices = vec!["far/* 0 100".into()]);
    let plain = Arc::new(Plain(Mutex::default()));
    cascade.keep_books(plain.clone());
    assert_eq!(cascade.complete(&open_request(), &call(60)).await.map(|a| a.provider), Ok("near".into()));
    assert_eq!(*lock(&plain.0), [(10_000, false)]);
}

// shows: models: a call that was stopped before anything left costs nothing
#[tokio::test(start_paused = true)]
async fn what_was_stopped_before_it_left_costs_nothing() {
    let (cascade, till) = far_and_near(pieces(1), 1_000_000);
    let stopped = call(60);
    stopped.cancel.cancel();
    let error = cascade.complete(&open_request(), &stopped).await.expect_err("stopped");
    assert_eq!(names_of(&error.attempts), ["cancelled"]);
    assert_eq!((lock(&till.lines).len(), *lock(&till.left)), (0, 1_000_000));
}

/// Books on a disk that is slow: they write a line down only after `after`.
struct Slow {
    after: Duration,
    settled: Mutex<Vec<(i64, u64, bool)>>,
}

impl Slow {
    fn new(after: Duration) -> Arc<Self> {
        Arc::new(Self { after, settled: Mutex::default() })
    }
}

impl Books for Slow {
    fn enter<'a>(&'a self, _: &'a money::Leaving) -> BoxFuture<'a, Result<i64, String>> {
        Box::pin(async {
            tokio::time::sleep(self.after).await;
            Ok(7)
        })
    }
    fn settle(&self, line: i64, cost_micros: u64, answered: bool) {
        lock(&self.settled).push((line, cost_micros, answered));
    }
}

// shows: models: books that are slow hold no call up: the next one is asked, and what is written down too late is given back
#[tokio::test(start_paused = true)]
async fn slow_books_hold_nobody_up_and_keep_nothing() {
    let far = || Arc::new(Scripted::script(replies(1)).named("far").at(Place::Remote));
    let slow = Slow::new(Duration::from_secs(3_600));
    let cascade = with(vec![far(), scripted("near", replies(1))], |s| s.prices = vec!["far/* 0 100".into()]);
    cascade.keep_books(slow.clone());
    let began = Instant::now();
    let answer = cascade.complete(&open_request(), &call(60)).await.expect("near answers");
    assert_eq!((answer.provider.as_str(), began.elapsed()), ("near", Duration::from_secs(30)), "half of the time");
    assert_eq!(names_of(&answer.attempts), ["budget"]);
    tokio::time::sleep(slow.after).await;
    assert_eq!(*lock(&slow.settled), [(7, 0, false)], "it came late and nothing left");
    // Nor is a caller that gives up kept waiting.
    let slow = Slow::new(Duration::from_secs(3_600));
    let cascade = Cascade::new(vec![far()]);
    cascade.keep_books(slow.clone());
    let stopped = call(600);
    let stops = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stopped.cancel.cancel();
    };
    let began = Instant::now();
    let request = open_request();
    let (asked, ()) = tokio::join!(cascade.complete(&request, &stopped), stops);
    assert_eq!(
        (names_of(&asked.expect_err("stopped").attempts), began.elapsed()),
        (vec!["cancelled"], Duration::from_secs(1))
    );
    tokio::time::sleep(slow.after).await;
    assert_eq!(*lock(&slow.settled), [(7, 0, false)]);
}

// shows: models: while a second one is made ready for a race, the first one is listened to
#[tokio::test(start_paused = true)]
async fn the_first_of_a_race_is_heard_while_the_second_waits_for_the_books() {
    let far = Arc::new(Scripted::script(replies(1)).named("far").at(Place::Remote));
    let near = scripted("near", vec![hesitant(Duration::from_secs(2))]);
    let cascade = with(vec![near, far], |s| s.hedge_ms = 500);
    let slow = Slow::new(Duration::from_secs(20));
    cascade.keep_books(slow.clone());
    let manner = Manner { interactive: true, ..Manner::default() };
    let began = Instant::now();
    let answer = cascade.complete(&open_request(), &Call { manner, ..call(60) }).await.expect("near answers");
    assert!(answer.provider == "near" && began.elapsed() < slow.after, "{:?}", began.elapsed());
    tokio::time::sleep(slow.after).await;
    assert_eq!(*lock(&slow.settled), [(7, 0, false)]);
}

/// Why a second one may not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    CircuitOpen,
    SwitchedOff,
    StaysHere,
    OverBudget,
}

// shows: models: in a race a second one that rests, is switched off, may not be asked or costs too much leaves the first one's answer as it is, and nothing set aside
#[tokio::test(start_paused = true)]
async fn a_second_one_that_is_refused_harms_nobody() {
    let refusals = [
        (Refused::CircuitOpen, "resting"),
        (Refused::SwitchedOff, "resting"),
        (Refused::StaysHere, "privacy"),
        (Refused::OverBudget, "budget"),
    ];
    for (refusal, word) in refusals {
        let a = scripted("a", vec![hesitant(Duration::from_secs(2))]);
        let ill = (0..5).map(|_| refused());
        let steps = if refusal == Refused::CircuitOpen { ill.collect() } else { replies(9) };
        let b = Arc::new(Scripted::script(steps).named("b").at(Place::Remote));
        let cascade = with(vec![a, b.clone()], |s| {
            s.hedge_ms = 500;
            s.prices = vec!["b/* 1 100".into()];
        });
        let left = if refusal == Refused::OverBudget { 1 } else { 1_000_000 };
        let till = Arc::new(Till { left: Mutex::new(left), ..Till::default() });
        cascade.keep_books(till.clone());
        match refusal {
            Refused::CircuitOpen => {
                for _ in 0..5 {
                    let manner = Manner { only: Some("b".into()), ..Manner::default() };
                    cascade.complete(&open_request(), &Call { manner, ..call(9) }).await.expect_err("refused");
                }
            }
            Refused::SwitchedOff => assert!(cascade.control("b", Control::Disable)),
            Refused::StaysHere => cascade.keep_local(Some(Duration::from_secs(3_600))),
            Refused::OverBudget => {}
        }
        let (before, booked) = (b.requests().len(), lock(&till.lines).len());
        let manner = Manner { interactive: true, ..Manner::default() };
        let answer = cascade.complete(&open_request(), &Call { manner, ..call(60) }).await.expect("a answers");
        assert_eq!((answer.provider.as_str(), answer.content.as_str()), ("a", "well"), "{refusal:?}");
        assert_eq!(names_of(&answer.attempts), [word], "{refusal:?}");
        assert_eq!((b.requests().len(), lock(&till.lines).len()), (before, booked), "{refusal:?}: nothing left");
        assert_eq!(*lock(&till.left), left, "{refusal:?}: nothing is set aside");
        assert_eq!(cascade.status()[1].failures, before as u64, "{refusal:?}: not being asked is no failure");
    }
}

// shows: models: in a race every place in the books is settled, whoever wins it
#[tokio::test(start_paused = true)]
async fn a_race_leaves_no_place_in_the_books_open() {
    let late = |ms| hesitant(Duration::from_millis(ms));
    // Who is elsewhere and costs something, how the two speak, who wins, and what of each place is known in the end.
    type Row = (&'static str, Step, Step, &'static str, Vec<(u64, bool)>);
    let rows: [Row; 5] = [
        ("a", late(2_000), late(1), "b", vec![(10_000, false)]),
        ("a", late(600), late(9_000), "a", vec![(100, true)]),
        ("b", late(600), late(9_000), "a", vec![(10_000, false)]),
        ("b", late(2_000), late(1), "b", vec![(100, true)]),
        ("b", Step::Hang, refused(), "", vec![(0, false)]),
    ];
    for (n, (elsewhere, a, b, winner, settled)) in rows.into_iter().enumerate() {
        let provider = |name: &str, step| -> Arc<dyn Provider> {
            let place = if name == elsewhere { Place::Remote } else { Place::Local };
            Arc::new(Scripted::script(vec![step]).named(name).at(place))
        };
        let cascade = with(vec![provider("a", a), provider("b", b)], |s| {
            s.hedge_ms = 500;
            s.prices = vec![format!("{elsewhere}/* 0 100")];
        });
        let till = Arc::new(Till { left: Mutex::new(1_000_000), ..Till::default() });
        cascade.keep_books(till.clone());
        let manner = Manner { interactive: true, ..Manner::default() };
        let answer = cascade.complete(&open_request(), &Call { manner, ..call(30) }).await;
        assert_eq!(answer.map(|a| a.provider).unwrap_or_default(), winner, "row {n}");
        let lines: Vec<_> = lock(&till.lines).iter().map(|(_, settled)| *settled).collect();
        assert_eq!(lines, settled.iter().copied().map(Some).collect::<Vec<_>>(), "row {n}");
        let spent: u64 = settled.iter().map(|(cost, _)| cost).sum();
        assert_eq!(*lock(&till.left), 1_000_000 - spent, "row {n}");
    }
}
