//! Months of simulated time: what concerns the owner stays, the rest goes, and the chain proves what is left.

use std::time::Duration;

use timmy_core::report::PartKind;
use timmy_core::settings::{RetentionSettings, Settings};
use timmy_domain::event::{LoginFailed, MindChanged, ThinkingTask};
use timmy_domain::{Actor, Event, NewEvent, TaskId};
use timmy_testkit::{Engine, engine};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

/// Appends `count` events; one in four concerns the owner.
async fn live(engine: &Engine, count: u64) {
    let event = |n: u64| match n % 4 {
        0 => NewEvent::new("mind", MindChanged { files: vec![format!("file {n}")] }).by(Actor::Owner),
        _ => NewEvent::new("web", LoginFailed { how: "code".into(), failures: n }),
    };
    engine.app.ctx.store.append((0..count).map(event).collect()).await.expect("stored");
}

// shows: store: events for the operator leave after 30 days, those for the owner stay, and verify still proves the rest
#[tokio::test(flavor = "multi_thread")]
async fn operator_events_leave_after_thirty_days_and_the_chain_holds() {
    let mut engine = engine(vec![], Settings::default());
    live(&engine, 3_000).await;
    engine.clock.advance(29 * DAY);
    engine.run_only(&["store.retention"]);
    live(&engine, 2_048).await;
    // A look before the thirtieth day removes nothing.
    let look = |engine: &Engine| engine.app.ctx.reports.all().into_iter().find(|p| p.name == "store.retention");
    engine.wait_until(|| look(&engine).is_some_and(|p| p.note.contains("nothing was old enough"))).await;
    let told = engine.advance_until("store.checkpoint", 1, Duration::from_secs(6 * 3_600)).await;
    let Event::StoreCheckpoint(told) = told[0].event() else { panic!("{told:?}") };
    // Eleven full blocks of 256 are old enough, and in each three of four go.
    assert_eq!((told.checkpoints, told.removed), (11, 11 * 192));
    let pruned: i64 = engine
        .events("store.pruned")
        .await
        .iter()
        .map(|r| if let Event::StorePruned(e) = r.event() { e.operator } else { 0 })
        .sum();
    assert_eq!(pruned, told.removed);
    let report = engine.app.ctx.store.verify_chain(1).await.expect("verified");
    assert_eq!((report.bad, report.removed, report.keys.len()), (None, told.removed, 1));
    assert_eq!(report.keys[0].0, told.key);
    assert_eq!(engine.events("mind.changed").await.len(), 1_000, "more than fit into one list");
    let kept = engine.app.ctx.store.read(|r| {
        let edges = [timmy_domain::Timestamp::EPOCH, timmy_domain::Timestamp::from_micros(i64::MAX)];
        let query = |name: &str| timmy_store::EventQuery {
            pattern: name.parse().expect("a pattern"),
            ..timmy_store::EventQuery::default()
        };
        Ok((
            r.event_counts(&query("mind.changed"), &edges, usize::MAX)?.counts[0],
            r.event_counts(&query("login.failed"), &edges, usize::MAX)?.counts[0],
        ))
    });
    assert_eq!(kept.await.expect("counted"), (1_262, 3_786 - 11 * 192));
    engine.stop().await;
    // After a restart everything holds as well.
    let mut engine = engine.reopen(vec![], Settings::default());
    assert!(engine.app.ctx.store.verify_chain(1).await.expect("verified").bad.is_none());
    engine.stop().await;
}

/// How many events of this name are in the log.
async fn count(engine: &Engine, name: &str) -> u64 {
    let name = name.to_owned();
    let counted = engine.app.ctx.store.read(move |r| {
        let edges = [timmy_domain::Timestamp::EPOCH, timmy_domain::Timestamp::from_micros(i64::MAX)];
        let pattern = name.parse().expect("a pattern");
        let query = timmy_store::EventQuery { pattern, ..timmy_store::EventQuery::default() };
        Ok(r.event_counts(&query, &edges, usize::MAX)?.counts[0])
    });
    counted.await.expect("counted")
}

// shows: store: events that only help to find a fault leave after 7 days, and those for the operator of the same day after 30
#[tokio::test(flavor = "multi_thread")]
async fn debug_events_leave_after_seven_days_and_operator_events_after_thirty() {
    let mut engine = engine(vec![], Settings::default());
    let one = |n: u64| match n % 2 {
        0 => NewEvent::new("thinking", ThinkingTask { task_id: TaskId::new(n, &[0; 10]), act: "created".into() }),
        _ => NewEvent::new("web", LoginFailed { how: "code".into(), failures: n }),
    };
    engine.app.ctx.store.append((0..1_024).map(one).collect()).await.expect("stored");
    // The end of the log stays whatever its age: what follows is the owner's, and as old.
    let his = |n: u64| NewEvent::new("mind", MindChanged { files: vec![format!("file {n}")] }).by(Actor::Owner);
    engine.app.ctx.store.append((0..2_304).map(his).collect()).await.expect("stored");
    let removed = async |engine: &Engine| engine.app.ctx.store.read(|r| r.removed()).await.expect("read").rows;
    engine.run_only(&["store.retention"]);
    let look = |engine: &Engine| engine.app.ctx.reports.all().into_iter().find(|p| p.name == "store.retention");
    engine.clock.advance(6 * DAY);
    engine.wait_until(|| look(&engine).is_some_and(|p| p.note.contains("nothing was old enough"))).await;
    assert_eq!(removed(&engine).await, 0, "after six days");
    // After eight days: the ones have left, the others have not.
    engine.clock.advance(2 * DAY);
    let told = as_time_passes(&engine, "store.checkpoint", 1).await;
    let Event::StoreCheckpoint(told) = told[0].event() else { panic!("{told:?}") };
    assert_eq!(told.removed, 512);
    assert_eq!((count(&engine, "thinking.task").await, count(&engine, "login.failed").await), (0, 512));
    let pruned = engine.events("store.pruned").await;
    let sums = pruned.iter().fold((0, 0), |(debug, operator), r| match r.event() {
        Event::StorePruned(e) => (debug + e.debug, operator + e.operator),
        other => panic!("{other:?}"),
    });
    assert_eq!(sums, (512, 0));
    // Up to the thirtieth day the others stay, however often it is looked.
    engine.clock.advance(16 * DAY);
    for _ in 0..24 {
        engine.clock.advance(HOUR);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(count(&engine, "login.failed").await, 512, "after 25 days and more");
    engine.clock.advance(6 * DAY);
    as_time_passes(&engine, "store.checkpoint", 2).await;
    assert_eq!((count(&engine, "login.failed").await, count(&engine, "mind.changed").await), (0, 2_304));
    engine.stop().await;
}

/// Waits for so many events while time goes on: a part that was not asleep yet when the clock was set looks later.
async fn as_time_passes(engine: &Engine, pattern: &str, many: usize) -> Vec<timmy_domain::Record> {
    for _ in 0..1_000 {
        let found = engine.events(pattern).await;
        if found.len() >= many {
            return found;
        }
        engine.clock.advance(Duration::from_secs(360));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {pattern} comes");
}

// shows: store: nothing leaves the log that a reactor has not read, and with 0 days nothing leaves at all
#[tokio::test(flavor = "multi_thread")]
async fn what_a_reactor_has_not_read_stays_and_zero_days_mean_for_ever() {
    let mut engine = engine(vec![], Settings::default());
    live(&engine, 4_000).await;
    engine.clock.advance(90 * DAY);
    engine.app.ctx.store.write(|tx| tx.set_cursor("slow", 600)).await.expect("stored");
    let now = engine.app.ctx.now();
    engine.app.ctx.reports.note("slow", PartKind::Reactor, now, "reads");
    engine.run_only(&["store.retention"]);
    engine.advance_until("store.checkpoint", 1, Duration::from_secs(900)).await;
    let removed = engine.app.ctx.store.read(|r| r.removed()).await.expect("read");
    assert_eq!((removed.checkpoints, removed.last), (2, 512));
    engine.stop().await;
    let for_ever = RetentionSettings { operator_days: 0, debug_days: 0 };
    let mut engine = engine.reopen(vec![], Settings { retention: for_ever, ..Settings::default() });
    engine.run_only(&["store.retention"]);
    let noted = |what: &str| engine.app.ctx.reports.all().into_iter().any(|p| p.note.contains(what));
    engine.wait_until(|| noted("looks 10 minutes after the start")).await;
    engine.clock.advance(Duration::from_secs(601));
    engine.wait_until(|| noted("nothing was old enough")).await;
    assert_eq!(engine.app.ctx.store.read(|r| r.removed()).await.expect("read"), removed);
    engine.stop().await;
}
