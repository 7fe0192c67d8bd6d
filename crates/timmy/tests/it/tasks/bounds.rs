//! Bounds of the queue, and what a start finds in it.

use timmy_core::settings::Settings;
use timmy_core::work::queue::{OWN_TASKS_MAX, make};
use timmy_domain::Actor;
use timmy_domain::task::Status;
use timmy_domain::task::birth::NewTask;
use timmy_store::TURN_BATCH_MAX;
use timmy_testkit::{Engine, engine, spoil};

async fn make_many(engine: &Engine, by: Actor, count: usize) {
    let made = engine.app.ctx.store.write(move |tx| {
        for n in 0..count {
            make(tx, NewTask::titled(format!("one {n}"), by.clone()))?;
        }
        Ok(())
    });
    made.await.expect("made");
}

// shows: tasks: Timmy may have a thousand open tasks of his own; those of the owner do not count, and the owner adds more
#[tokio::test(flavor = "multi_thread")]
async fn timmy_fills_only_his_own_share() {
    let engine = engine(Vec::new(), Settings::default());
    let max = usize::try_from(OWN_TASKS_MAX).expect("small");
    make_many(&engine, Actor::Owner, max + 1).await;
    make_many(&engine, Actor::Timmy, max).await;
    let more = |by| engine.app.queue.create(NewTask::titled("one more", by));
    assert_eq!(more(Actor::Timmy).await.expect_err("too many").code, "queue_full");
    more(Actor::System).await.expect("the house has a share of its own");
    more(Actor::Owner).await.expect("the owner adds more");
}

// shows: tasks: a start takes back every task whose worker is gone, however many, and begins none of a newer version
#[tokio::test(flavor = "multi_thread")]
async fn a_start_takes_back_every_task() {
    let engine = engine(Vec::new(), Settings::default());
    let count = 2 * TURN_BATCH_MAX + 7;
    make_many(&engine, Actor::Owner, count).await;
    for _ in 0..count {
        engine.app.queue.take("timmy", &[]).await.expect("read").expect("one is ready");
    }
    assert!(engine.app.queue.take("timmy", &[]).await.expect("read").is_none());
    let ended = engine.app.queue.look_after(Vec::new()).await.expect("looked");
    assert!(ended.recycled.is_empty(), "all are held");
    let home = engine.home.as_ref().expect("its own").path();
    spoil(
        home,
        "task_queue",
        "priority = 'soonest'",
        &format!("seq IN (SELECT seq FROM task_queue LIMIT {TURN_BATCH_MAX})"),
    );
    let back = engine.app.queue.recycle_all().await.expect("taken back");
    assert_eq!(back.len(), count);
    assert!(back.iter().all(|task| task.status.known == Some(Status::Approved) && task.lease.is_none()));
    assert_eq!(back.iter().filter(|task| task.priority.as_str() == "soonest").count(), TURN_BATCH_MAX);
    for _ in TURN_BATCH_MAX..count {
        engine.app.queue.take("timmy", &[]).await.expect("read").expect("one is ready");
    }
    let more = engine.app.queue.take("timmy", &[]).await.expect("read");
    assert!(more.is_none(), "what is of a newer version is left to that");
}
