//! The machine's clock is set, forward and back, by hours and by days.

use std::sync::Arc;
use std::time::Duration;

use timmy_core::mind::thinking::Doing;
use timmy_core::settings::{Settings, ThinkingSettings};
use timmy_domain::Event;
use timmy_llm::{Provider, Scripted, Step};
use timmy_testkit::{Engine, engine};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn house() -> Engine {
    let thinking =
        ThinkingSettings { adaptive_rest: false, daily_calls: 0, daily_tokens: 0, ..ThinkingSettings::default() };
    let provider: Arc<dyn Provider> =
        Arc::new(Scripted::script((0..200).map(|n| Step::Reply(format!("Thought {n}."))).collect()));
    engine(vec![provider], Settings { thinking, ..Settings::default() })
}

fn now(engine: &Engine) -> timmy_domain::Timestamp {
    timmy_core::clock::Clock::now(&engine.clock)
}

// shows: process: a clock set forward or back by days neither stops thinking nor makes a burst, and the log keeps its order
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_neither_stops_thinking_nor_makes_a_burst() {
    let mut engine = house();
    engine.run_only(&["mind.thinking", "work.processor"]);
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_for_thoughts(1).await;
    let (mut passed, mut jumps) = (1, 0);
    for (forward, by) in [(true, 3 * HOUR), (false, 5 * HOUR), (true, 40 * DAY), (false, 80 * DAY), (true, 41 * DAY)] {
        engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { .. })).await;
        let at = now(&engine);
        engine.clock.set(if forward { at.plus(by) } else { at.minus(by) });
        jumps += 1;
        // The rhythm goes on: the next thought comes, and not later than after two intervals.
        let before = engine.events("timmy.thought").await.len();
        let mut looks = 0;
        while engine.events("timmy.thought").await.len() <= before {
            // Time goes on while he rests; on a busy machine a thought under way would else run out of it.
            looks += 1;
            if looks % 25 == 0 || matches!(engine.app.thinking.doing(), Doing::Resting { .. }) {
                engine.clock.advance(Duration::from_secs(50));
                passed += 50;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(passed < 100_000, "no thought comes any more");
        }
    }
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { .. })).await;
    // What was due in days that were jumped over is at most one thought for each jump, not one for each interval.
    let count = engine.events("timmy.thought").await.len();
    assert!(count <= 1 + jumps + passed / 300, "{count} thoughts in {passed} s and {jumps} jumps");
    let all = engine.events("*").await;
    assert!(all.windows(2).all(|p| p[0].seq < p[1].seq && p[0].at <= p[1].at), "times never go back along the log");
    assert!(engine.app.ctx.store.verify_chain(1).await.expect("reads").bad.is_none());
    engine.stop().await;
}

// shows: process: a clock that was set is told once, a machine that slept is not
#[tokio::test(flavor = "multi_thread")]
async fn a_jump_is_told_once() {
    let mut engine = house();
    engine.run_only(&["clock"]);
    let looks =
        |engine: &Engine| engine.app.ctx.reports.all().iter().find(|p| p.name == "clock").and_then(|p| p.ran_at);
    engine.wait_until(|| looks(&engine).is_some()).await;
    // Asleep for a day: time passed with the clock.
    engine.clock.advance(DAY);
    engine.wait_until(|| looks(&engine) == Some(now(&engine))).await;
    assert!(engine.events("system.clock_jumped").await.is_empty());
    for (n, seconds) in [(1, 7_200_i64), (2, -86_400)] {
        let at = now(&engine);
        let by = Duration::from_secs(seconds.unsigned_abs());
        engine.clock.set(if seconds > 0 { at.plus(by) } else { at.minus(by) });
        let told = engine.advance_until("system.clock_jumped", n, Duration::from_secs(21)).await;
        assert!(matches!(told[n - 1].event(), Event::ClockJumped(e) if e.seconds == seconds), "{}", told[n - 1].data);
        for _ in 0..5 {
            engine.clock.advance(Duration::from_secs(21));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(engine.events("system.clock_jumped").await.len(), n, "told once");
    }
    engine.stop().await;
}

// shows: login: codes and sessions behave when the clock is set: none lives longer for it
#[tokio::test(flavor = "multi_thread")]
async fn codes_and_sessions_do_not_live_longer_because_the_clock_was_set() {
    let mut engine = house();
    let access = engine.app.access.clone();
    let code = access.mint_code();
    let at = now(&engine);
    engine.clock.set(at.minus(5 * HOUR));
    assert!(access.log_in(&code, "late").await.is_err(), "the code is not good for five hours");
    let code = access.mint_code();
    let session = access.log_in(&code, "browser").await.expect("a fresh one is good");
    let cookie = session.cookie.expose().to_owned();
    assert!(access.by_cookie(&cookie).await.expect("reads").is_some());
    engine.clock.set(at.plus(HOUR));
    assert!(access.by_cookie(&cookie).await.expect("reads").is_some(), "a few hours forward keep it");
    engine.clock.set(at.plus(40 * DAY));
    assert!(access.by_cookie(&cookie).await.expect("reads").is_none(), "a month forward ends it");
    engine.stop().await;
}
