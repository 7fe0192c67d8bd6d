//! Supervision, reactors and the log, as the rest of the house relies on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use timmy_core::clock::BoxFuture;
use timmy_core::ctx::Ctx;
use timmy_core::fault::Fault;
use timmy_core::reactor::{self, Effect, Reactor};
use timmy_core::report::{PartKind, PartState};
use timmy_core::settings::Settings;
use timmy_core::supervisor::{self, Component};
use timmy_domain::bus::Pattern;
use timmy_domain::event::{LoginEnded, SystemStopping};
use timmy_domain::{Event, NewEvent, Record};
use timmy_testkit::{Engine, engine};

fn quiet() -> Engine {
    engine(Vec::new(), Settings::default())
}

// shows: process: a component that panics is restarted with backoff, leaves error.captured, and the rest goes on
#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_panics_starts_again_and_the_rest_goes_on() {
    let engine = quiet();
    let ctx = engine.app.ctx.clone();
    let (starts, beats) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (s, b) = (Arc::clone(&starts), Arc::clone(&beats));
    let broken = Component::new("test.broken", PartKind::Component, move |ctx: Ctx| {
        let start = s.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(start >= 2, "broken part number {start}");
            ctx.stop.cancelled().await;
            Ok(())
        }
    });
    let healthy = Component::new("test.healthy", PartKind::Component, move |ctx: Ctx| {
        let b = Arc::clone(&b);
        async move {
            while !ctx.stop.is_cancelled() {
                b.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        }
    });
    let running = tokio::spawn(supervisor::run(ctx.clone(), vec![broken, healthy]));
    let captured = engine.wait_for("error.captured", 1).await;
    let Event::ErrorCaptured(fault) = captured[0].event() else { panic!("{captured:?}") };
    assert_eq!(fault.component, "test.broken");
    assert!(
        fault.message.contains("broken part number 0") && fault.action.contains("starts again in 1 s"),
        "{fault:?}"
    );
    assert_eq!(engine.app.status().await.expect("status").state, timmy_domain::Life::Degraded);
    assert_eq!(starts.load(Ordering::SeqCst), 1, "it waits before it starts again");
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_until(|| ctx.reports.all().iter().any(|p| p.name == "test.broken" && p.restarts == 2)).await;
    engine.clock.advance(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(starts.load(Ordering::SeqCst), 2, "the second wait is longer");
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_for("component.recovered", 2).await;
    let beats_then = beats.load(Ordering::SeqCst);
    engine.wait_until(|| beats.load(Ordering::SeqCst) > beats_then).await;
    ctx.stop.cancel();
    running.await.expect("all parts end");
    assert!(ctx.reports.all().iter().all(|p| p.state == PartState::Stopped));
}

/// Counts `login.ended` in the store, and fails as often as it is told.
struct Counting {
    fails: AtomicU32,
}

impl Reactor for Counting {
    fn name(&self) -> &'static str {
        "test.counting"
    }
    fn interest(&self) -> Vec<Pattern> {
        vec!["login.*".parse().expect("a pattern")]
    }
    fn react<'a>(&'a self, _: &'a Ctx, _: &'a Record) -> BoxFuture<'a, Result<Effect, Fault>> {
        Box::pin(async move {
            if let Ok(left) = self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
                assert!(left != 3, "a panic is one of the failures");
                return Err(Fault("not today".to_owned()));
            }
            let effect: Effect = Box::new(|tx| {
                let count: i64 = tx.state("count")?.and_then(|t| t.parse().ok()).unwrap_or(0);
                tx.set_state("count", &(count + 1).to_string())
            });
            Ok(effect)
        })
    }
    fn parked(&self, _: &Record, why: &Fault) -> Effect {
        let why = why.to_string();
        Box::new(move |tx| tx.set_state("parked because", &why))
    }
    fn settled(&self, _: &Record) {}
}

fn noise() -> NewEvent {
    NewEvent::new("test", SystemStopping { reason: "noise".to_owned() })
}

async fn count(engine: &Engine) -> Option<String> {
    engine.app.ctx.store.read(|r| r.state("count")).await.expect("the state reads")
}

// shows: store: reactors with durable cursors miss nothing across restarts and count nothing twice
#[tokio::test(flavor = "multi_thread")]
async fn a_reactor_answers_every_event_once_across_restarts() {
    let mut home = quiet();
    for round in 1..=3 {
        let ctx = home.app.ctx.clone();
        // Half of the events come while nobody listens.
        ctx.store.append(vec![NewEvent::new("test", LoginEnded {}), noise()]).await.expect("written");
        let part = reactor::component(Arc::new(Counting { fails: AtomicU32::new(0) }));
        let running = tokio::spawn(supervisor::run(ctx.clone(), vec![part]));
        ctx.store.append(vec![noise(), NewEvent::new("test", LoginEnded {})]).await.expect("written");
        let wanted = (round * 2).to_string();
        while count(&home).await.as_deref() != Some(&wanted) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        ctx.stop.cancel();
        running.await.expect("ends");
        ctx.store.close().await;
        drop(ctx);
        home = home.reopen(Vec::new(), Settings::default());
    }
    assert_eq!(count(&home).await.as_deref(), Some("6"));
}

// shows: store: a reactor that fails five times on one event parks it and goes on
#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_is_put_aside_after_five_failures() {
    let engine = quiet();
    let ctx = engine.app.ctx.clone();
    let written =
        ctx.store.append(vec![NewEvent::new("test", LoginEnded {}), NewEvent::new("test", LoginEnded {})]).await;
    let first = written.expect("written")[0];
    let part = reactor::component(Arc::new(Counting { fails: AtomicU32::new(5) }));
    let running = tokio::spawn(supervisor::run(ctx.clone(), vec![part]));
    let parked = engine.advance_until("reactor.parked", 1, Duration::from_secs(20)).await;
    assert!(matches!(parked[0].event(), Event::ReactorParked(p) if p.event_seq == first && p.message == "not today"));
    assert_eq!(parked[0].cause, Some(first));
    let because = ctx.store.read(|r| r.state("parked because")).await.expect("reads");
    assert_eq!(because.as_deref(), Some("not today"), "what parking changes is stored with it");
    while count(&engine).await.as_deref() != Some("1") {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    ctx.stop.cancel();
    running.await.expect("ends");
}
