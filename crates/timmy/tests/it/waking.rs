//! A machine that sleeps and wakes: hours pass at once, and no worker that lives loses its task by it.

use std::sync::Arc;
use std::time::Duration;

use timmy_core::settings::Settings;
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::Outcome;
use timmy_domain::task::{Status, Task};
use timmy_domain::{Actor, TaskId};
use timmy_llm::{Provider, Scripted, Step};
use timmy_testkit::{Engine, engine};

const PARTS: [&str; 1] = ["work.processor"];
/// Hours the machine sleeps.
const SLEEP: Duration = Duration::from_secs(5 * 3_600);
/// What passes from time to time while a lease is waited for: the time after which the processor looks again.
const MOMENT: Duration = Duration::from_secs(15);
/// Looks at the lease for each such moment, and at most.
const LOOKS_A_MOMENT: usize = 40;
const LOOKS_MAX: usize = 4_000;

fn only(provider: &Arc<Scripted>) -> Vec<Arc<dyn Provider>> {
    vec![Arc::clone(provider) as Arc<dyn Provider>]
}

async fn get(engine: &Engine, id: TaskId) -> Task {
    engine.app.queue.get(id).await.expect("there")
}

async fn made(engine: &Engine) -> Task {
    engine.app.queue.create(NewTask::titled("Sum it up", Actor::Owner)).await.expect("made").task
}

/// Waits until the lease of the task ends in the future again. Who had not gone back to sleep yet when the machine slept
/// sleeps from its waking on, so from time to time a moment passes here as well.
async fn renewed(engine: &Engine, id: TaskId) {
    for looked in 1..=LOOKS_MAX {
        let lease = get(engine, id).await.lease;
        if lease.is_some_and(|lease| lease.until > engine.app.ctx.now()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        if looked % LOOKS_A_MOMENT == 0 {
            engine.clock.advance(MOMENT);
        }
    }
    panic!("the lease was not renewed: {:?}", get(engine, id).await);
}

// shows: tasks: a machine that sleeps for hours, three times in the middle of a run, loses no lease and pays no model twice; the run of a process that died is begun again
#[tokio::test(flavor = "multi_thread")]
async fn sleep_costs_no_run_and_death_does() {
    let provider = Arc::new(Scripted::script(vec![Step::Hang]));
    let mut one = engine(only(&provider), Settings::default());
    one.run_only(&PARTS);
    let task = made(&one).await;
    one.wait_until(|| provider.requests().len() == 1).await;
    for _ in 0..3 {
        one.clock.advance(SLEEP);
        renewed(&one, task.id).await;
    }
    let now = get(&one, task.id).await;
    assert_eq!((now.status.known, now.attempts), (Some(Status::Running), 1));
    for event in ["task.recycled", "task.quarantined", "task.failed"] {
        assert!(one.events(event).await.is_empty(), "{event}");
    }
    assert_eq!(provider.requests().len(), 1, "no second call of the model");
    one.kill().await;
    let again = Arc::new(Scripted::script(vec![Step::Reply("It is seven.".into())]));
    let mut two = one.reopen(only(&again), Settings::default());
    two.clock.advance(SLEEP);
    two.run_only(&PARTS);
    two.wait_for("task.completed", 1).await;
    assert_eq!(two.events("task.recycled").await.len(), 1, "its worker died with the process");
    assert_eq!(get(&two, task.id).await.attempts, 2);
    two.stop().await;
}

// shows: tasks: what a worker finished while its lease ran out is heard as long as nobody was given the task, and not after
#[tokio::test(flavor = "multi_thread")]
async fn what_is_finished_after_a_sleep_is_heard_unless_another_has_it() {
    let engine = engine(Vec::new(), Settings::default());
    let queue = &engine.app.queue;
    let first = made(&engine).await;
    let held = queue.take("timmy", &[]).await.expect("took").expect("a task");
    engine.clock.advance(SLEEP);
    assert!(queue.note(&held, "sums").await.expect("noted"));
    engine.clock.advance(SLEEP);
    let done = queue.finish(&held, Outcome::Done("seven".into())).await.expect("heard");
    assert_eq!((done.id, done.status.known), (first.id, Some(Status::Completed)));
    let second = made(&engine).await;
    let lost = queue.take("timmy", &[]).await.expect("took").expect("a task");
    engine.clock.advance(SLEEP);
    // A lease that another word is renewed for is not renewed by it.
    let ended = queue.look_after(vec![(second.id, "forged".to_owned())]).await.expect("looked");
    assert_eq!((ended.renewed, ended.recycled.len()), (Vec::new(), 1));
    assert!(!queue.heartbeat(&lost).await.expect("beat"));
    assert!(queue.finish(&lost, Outcome::Done("late".into())).await.is_err());
    let next = queue.take("timmy", &[]).await.expect("took").expect("the same task");
    assert_eq!(next.task.id, second.id);
    assert!(queue.finish(&lost, Outcome::Done("late".into())).await.is_err(), "another has it");
}
