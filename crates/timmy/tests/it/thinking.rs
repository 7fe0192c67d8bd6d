//! The always-on loop over days of simulated time.

use std::sync::Arc;
use std::time::Duration;

use timmy_core::mind::thinking::{Doing, Outcome};
use timmy_core::settings::{Settings, ThinkingSettings};
use timmy_domain::task::Task;
use timmy_domain::task::step::Act;
use timmy_domain::thought::Place;
use timmy_domain::{Actor, Event, SeedType};
use timmy_llm::{Failure, Provider, Reflex, Scripted, Step};
use timmy_store::TaskQuery;
use timmy_testkit::{Engine, engine};

/// Thinking without rest, quiet hours or budgets.
fn plain() -> Settings {
    let thinking =
        ThinkingSettings { adaptive_rest: false, daily_calls: 0, daily_tokens: 0, ..ThinkingSettings::default() };
    Settings { thinking, ..Settings::default() }
}

fn replies(count: usize) -> Arc<Scripted> {
    Arc::new(Scripted::script((0..count).map(|n| Step::Reply(format!("Thought number {n}."))).collect()))
}

fn only(provider: &Arc<Scripted>) -> Vec<Arc<dyn Provider>> {
    vec![Arc::clone(provider) as Arc<dyn Provider>]
}

/// Turns the clock one interval on and waits for the thought that is due.
async fn think_through(engine: &Engine, from: usize, to: usize) {
    for count in from..=to {
        engine.clock.advance(Duration::from_secs(300));
        engine.wait_for_thought(count).await;
    }
}

// shows: thinking: 1,000 intervals give 1,000 chained thoughts without fork or gap
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_intervals_give_a_thousand_chained_thoughts() {
    let provider = replies(1_000);
    let mut engine = engine(only(&provider), plain());
    engine.run_only(&["mind.thinking", "work.processor"]);
    think_through(&engine, 1, 1_000).await;
    engine.stop().await;
    let engine = engine.reopen(only(&provider), plain());
    let store = &engine.app.ctx.store;
    let mut thoughts = store
        .read(|r| r.thoughts(&timmy_store::ThoughtQuery { limit: 1_000, ..Default::default() }))
        .await
        .expect("the thoughts read");
    thoughts.reverse();
    assert_eq!(thoughts.len(), 1_000);
    assert_eq!(thoughts[0].parent_id, None);
    for pair in thoughts.windows(2) {
        assert_eq!(pair[1].parent_id, Some(pair[0].id), "the chain goes from each thought to the one before it");
    }
    for (n, thought) in thoughts.iter().enumerate() {
        assert_eq!(thought.content, format!("Thought number {n}."), "no thought is lost, doubled or out of order");
    }
    let report = store.verify_chain(1).await.expect("the chain reads");
    assert!(report.bad.is_none() && report.rows >= 1_000);
}

// shows: thinking: the chain survives a restart, and the first thought comes at once
#[tokio::test(flavor = "multi_thread")]
async fn the_chain_goes_on_after_a_restart_without_waiting_for_the_interval() {
    let provider = replies(2);
    let mut first = engine(only(&provider), plain());
    first.run_only(&["mind.thinking", "work.processor"]);
    think_through(&first, 1, 1).await;
    first.stop().await;
    let mut second = first.reopen(only(&provider), plain());
    second.run_only(&["mind.thinking", "work.processor"]);
    second.clock.advance(Duration::from_secs(4));
    let thoughts = second.wait_for_thoughts(2).await;
    assert_eq!(thoughts[1].parent_id, Some(thoughts[0].id));
    second.stop().await;
}

// shows: thinking: never more than one thought in flight; a stuck model makes Timmy rest
#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_model_makes_timmy_rest_instead_of_piling_up() {
    let provider = Arc::new(Scripted::script(vec![Step::Hang, Step::Reply("Free again.".into())]));
    let mut settings = plain();
    settings.thinking.deadline_seconds = 1;
    let mut engine = engine(only(&provider), settings);
    engine.run_only(&["mind.thinking", "work.processor"]);
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Thinking { .. })).await;
    assert_eq!(engine.app.thinking.attempt(None).await.expect("the store works"), None, "one is in flight already");
    // Hours pass while the model hangs: nothing is queued behind it.
    engine.clock.advance(Duration::from_secs(7_200));
    engine.wait_for("timmy.thought_missed", 1).await;
    assert_eq!(provider.requests().len(), 1);
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { .. })).await;
    engine.clock.advance(Duration::from_secs(3_000));
    engine.wait_for_thoughts(1).await;
    assert_eq!(provider.requests().len(), 2, "hours of missed intervals are one thought, not many");
    engine.stop().await;
}

// shows: thinking: a thought the owner stops leaves its event and no failure
#[tokio::test(flavor = "multi_thread")]
async fn a_thought_that_is_stopped_says_so_in_the_log() {
    let provider = Arc::new(Scripted::script(vec![Step::Hang]));
    let mut engine = engine(only(&provider), plain());
    engine.run_only(&["mind.thinking", "work.processor"]);
    assert!(engine.app.thinking.stop_thought().is_err(), "nothing to stop yet");
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Thinking { .. })).await;
    engine.app.thinking.stop_thought().expect("stopped");
    engine.wait_for("timmy.thought_stopped", 1).await;
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { .. })).await;
    assert!(engine.events("timmy.thought_missed").await.is_empty());
    engine.stop().await;
}

// shows: thinking: yields at once when the owner speaks
#[tokio::test(flavor = "multi_thread")]
async fn a_thought_in_the_making_yields_when_the_owner_speaks() {
    let provider = Arc::new(Scripted::script(vec![
        Step::Hang,
        Step::Reply("The answer.".into()),
        Step::Reply("The thought, afterwards.".into()),
    ]));
    let mut engine = engine(only(&provider), plain());
    engine.run_only(&["mind.thinking", "work.processor", "talk.answer"]);
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Thinking { .. })).await;
    let answer = engine.ask("Are you there?").await;
    assert_eq!(answer.content, "The answer.");
    let thoughts = engine.wait_for_thoughts(1).await;
    assert_eq!(thoughts[0].content, "The thought, afterwards.");
    assert!(engine.events("timmy.thought_missed").await.is_empty(), "yielding is no failure");
    engine.stop().await;
}

// shows: thinking: pause, resume, inject, keep, fewer
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_steers_the_thoughts() {
    let provider = replies(10);
    let mut engine = engine(only(&provider), plain());
    let thinking = engine.app.thinking.clone();
    thinking.pause(None).await.expect("paused");
    engine.run_only(&["mind.thinking", "work.processor"]);
    engine.clock.advance(Duration::from_secs(86_400));
    engine.wait_until(|| matches!(thinking.doing(), Doing::Resting { why, .. } if why == "you paused it")).await;
    assert!(engine.events("timmy.thought").await.is_empty());
    thinking.resume().await.expect("resumed");
    let thoughts = engine.wait_for_thoughts(1).await;
    let injected = thinking.inject("  What about the backups?  ").await.expect("put in");
    assert_eq!((injected.place, injected.parent_id), (Place::Owner, Some(thoughts[0].id)));
    engine.clock.advance(Duration::from_secs(3));
    let thoughts = engine.wait_for_thoughts(3).await;
    assert_eq!(thoughts[2].parent_id, Some(injected.id), "Timmy goes on from the owner's thought, and soon");
    let prompt = provider.requests().last().map(|r| format!("{r:?}")).unwrap_or_default();
    assert!(prompt.contains("What about the backups?") && prompt.contains("put in by your owner"));
    assert!(thinking.keep_thought(injected.id, true).await.expect("kept").kept);
    thinking.keep_thought(injected.id, true).await.expect("kept still");
    assert_eq!(engine.events("thought.kept").await.len(), 1, "keeping twice changes nothing");
    assert!(thinking.fewer_like(injected.id, true).await.expect("fewer").fewer);
    let told = engine.events("thought.fewer").await;
    assert!(matches!(told[0].event(), Event::ThoughtFewer(e) if e.weight_percent == 60));
    thinking.fewer_like(injected.id, false).await.expect("taken back");
    for bad in ["", "   ", &"x".repeat(5_000)] {
        assert!(thinking.inject(bad).await.is_err(), "{} characters", bad.len());
    }
    engine.stop().await;
}

// shows: thinking: quiet hours
#[tokio::test(flavor = "multi_thread")]
async fn no_thought_comes_in_quiet_hours() {
    let provider = replies(5);
    let mut settings = plain();
    settings.thinking.quiet_from = "07:30".into();
    settings.thinking.quiet_until = "09:00".into();
    let mut engine = engine(only(&provider), settings);
    engine.run_only(&["mind.thinking", "work.processor"]);
    engine.clock.advance(Duration::from_secs(1_800));
    engine.wait_for("thinking.rested", 1).await;
    assert!(matches!(engine.app.thinking.doing(), Doing::Resting { why, .. } if why == "quiet hours"));
    assert!(engine.events("timmy.thought").await.is_empty());
    engine.clock.advance(Duration::from_secs(1_801));
    engine.wait_for_thoughts(1).await;
    engine.stop().await;
}

// shows: thinking: daily budget of calls and tokens
#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_rests_until_midnight() {
    let provider = replies(10);
    let mut settings = plain();
    settings.thinking.daily_calls = 3;
    let mut engine = engine(only(&provider), settings);
    engine.run_only(&["mind.thinking", "work.processor"]);
    think_through(&engine, 1, 3).await;
    engine.clock.advance(Duration::from_secs(3_600));
    engine
        .wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { why, .. } if why.contains("budget")))
        .await;
    assert_eq!(provider.requests().len(), 3);
    // From 08:00 plus the above to after midnight.
    engine.clock.advance(Duration::from_secs(16 * 3_600));
    engine.wait_for_thoughts(4).await;
    engine.stop().await;
}

// shows: thinking: adaptive rest
#[tokio::test(flavor = "multi_thread")]
async fn thoughts_that_are_alike_make_the_rest_longer() {
    let same = "The archive opens cleanly and I wonder whether the files are the right ones.";
    let provider = Arc::new(Scripted::script(vec![Step::Reply(same.into()); 5]));
    let mut settings = plain();
    settings.thinking.adaptive_rest = true;
    let mut engine = engine(only(&provider), settings);
    // Asked for directly: how busy this machine is must not matter here.
    for _ in 0..2 {
        engine.app.thinking.think_now(None).await.expect("a thought");
    }
    engine.run_only(&["mind.thinking", "work.processor"]);
    let alike = |d: &Doing| matches!(d, Doing::Resting { why, .. } if why == "the last two thoughts were alike");
    engine.wait_until(|| alike(&engine.app.thinking.doing())).await;
    engine.stop().await;
}

// shows: models: speaks only when a fact changed, and never pretends to be a model
#[tokio::test(flavor = "multi_thread")]
async fn reflex_thinks_only_when_a_fact_changed() {
    let mut engine = engine(vec![Arc::new(Reflex::new("a-model"))], plain());
    engine.run_only(&["mind.thinking", "work.processor"]);
    engine.clock.advance(Duration::from_secs(1));
    let thoughts = engine.wait_for_thoughts(1).await;
    assert_eq!((thoughts[0].place, thoughts[0].provider.as_str()), (Place::Reflex, "reflex"));
    // The loop may still be landing its own thought, and never more than one is in flight: only attempts that were
    // made are counted, or twenty refused ones would look like none that was silent.
    engine.app.thinking.pause(None).await.expect("paused");
    let (mut made, mut silent) = (0, 0);
    while made < 20 {
        match engine.app.thinking.attempt(None).await.expect("the store works") {
            Some(Outcome::Silent(_)) => silent += 1,
            Some(Outcome::Thought(t)) => assert_eq!(t.place, Place::Reflex),
            Some(other) => panic!("{other:?}"),
            None => {
                tokio::time::sleep(Duration::from_millis(2)).await;
                continue;
            }
        }
        made += 1;
    }
    assert!(silent >= 15, "only what is new is said: {silent} of 20 were silent");
    let count = engine.app.ctx.store.read(|r| r.thought_count()).await.expect("reads");
    assert!(count <= 4, "{count} thoughts from a home in which nothing happens");
    engine.stop().await;
}

// shows: thinking: a thought that failed is told with its reason, and the next one waits
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_with_its_reason_and_the_next_thought_waits() {
    // The router asks a server that failed twice more.
    let fails = || Step::Fail(Failure::ServerError { status: 500 });
    let provider = Arc::new(Scripted::script(vec![fails(), fails(), fails(), Step::Reply("Back.".into())]));
    let mut engine = engine(only(&provider), plain());
    engine.run_only(&["mind.thinking", "work.processor"]);
    engine.clock.advance(Duration::from_secs(1));
    let missed = engine.wait_for("timmy.thought_missed", 1).await;
    assert!(matches!(missed[0].event(), Event::ThoughtMissed(e) if e.why.contains("500")), "{}", missed[0].data);
    engine.clock.advance(Duration::from_secs(301));
    engine.wait_for_thoughts(1).await;
    engine.stop().await;
}

// shows: thinking: its own conversation, three-thought continuity, six seeds
#[tokio::test(flavor = "multi_thread")]
async fn a_thought_is_asked_with_the_last_three_and_without_the_talk() {
    let provider = replies(60);
    let mut engine = engine(only(&provider), plain());
    engine.run_only(&["mind.thinking", "work.processor"]);
    think_through(&engine, 1, 60).await;
    let thoughts = engine.wait_for_thoughts(60).await;
    let seen: std::collections::BTreeSet<SeedType> = thoughts.iter().map(|t| t.seed_type).collect();
    assert_eq!(seen.len(), 6, "all six seeds come: {seen:?}");
    let last = provider.requests().last().map(|r| format!("{r:?}")).unwrap_or_default();
    for n in [56, 57, 58] {
        assert!(last.contains(&format!("Thought number {n}.")), "the last three go along");
    }
    assert!(!last.contains("Thought number 55."), "and no more than three");
    engine.stop().await;
}

/// The task of a thought, whatever became of it.
async fn thought_tasks(engine: &Engine) -> Vec<Task> {
    let query = TaskQuery { kind: Some("thought".into()), limit: 1_000, ..TaskQuery::default() };
    engine.app.queue.list(query).await.expect("the queue reads")
}

// shows: tasks: a thought is a task of low priority in the queue, never more than one, in no list or count unasked, and leaves it a day later
#[tokio::test(flavor = "multi_thread")]
async fn a_thought_is_a_task_that_floods_nothing() {
    let provider = replies(8);
    let mut engine = engine(only(&provider), plain());
    engine.run_only(&["mind.thinking", "work.processor"]);
    think_through(&engine, 1, 3).await;
    let tasks = thought_tasks(&engine).await;
    assert_eq!(tasks.len(), 3);
    for task in &tasks {
        assert_eq!((task.task_type.as_str(), task.priority.as_str()), ("thought", "low"));
        assert_eq!((task.assigned_to.as_str(), task.created_by.as_str()), ("timmy", "system"));
        assert_eq!(task.status.as_str(), "completed", "thought and task end together");
    }
    let all = TaskQuery { limit: 100, ..TaskQuery::default() };
    assert!(engine.app.queue.list(all).await.expect("reads").is_empty());
    assert!(engine.app.ctx.store.read(|r| r.task_counts()).await.expect("reads").is_empty());
    assert_eq!(engine.events("task.created").await.len(), 0, "the log says it in quiet words that do not stay");
    assert_eq!(engine.events("thinking.task").await.len(), 9);
    engine.clock.advance(Duration::from_secs(25 * 3_600));
    engine.wait_for_thoughts(4).await;
    assert_eq!(thought_tasks(&engine).await.len(), 1, "those of yesterday left, their thoughts stay");
    engine.stop().await;
}

// shows: tasks: pausing the task of a thought really stops the model; resumed, the thought is made
#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_does_with_the_task_reaches_the_thought() {
    let provider = Arc::new(Scripted::script(vec![Step::Hang, Step::Reply("Resumed.".into()), Step::Hang]));
    let mut engine = engine(only(&provider), plain());
    engine.run_only(&["mind.thinking", "work.processor"]);
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Thinking { .. })).await;
    let task = thought_tasks(&engine).await.remove(0);
    engine.app.queue.act(task.id, Act::Pause, Actor::Owner, "test").await.expect("paused");
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { .. })).await;
    assert_eq!(engine.events("timmy.thought").await.len(), 0);
    let held = || matches!(engine.app.thinking.doing(), Doing::Resting { why, .. } if why.contains("hold"));
    engine.wait_until(held).await;
    assert_eq!(thought_tasks(&engine).await.len(), 1, "no other is put beside it");
    engine.app.queue.act(task.id, Act::Resume, Actor::Owner, "test").await.expect("resumed");
    assert_eq!(engine.wait_for_thoughts(1).await[0].content, "Resumed.");
    // The thought is told of a moment before the loop has come to rest.
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { .. })).await;
    engine.clock.advance(Duration::from_secs(400));
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Thinking { .. })).await;
    let next = thought_tasks(&engine).await.remove(0);
    engine.app.queue.act(next.id, Act::Veto("not now".into()), Actor::Owner, "test").await.expect("vetoed");
    engine.wait_until(|| matches!(engine.app.thinking.doing(), Doing::Resting { .. })).await;
    let retried = engine.app.queue.act(next.id, Act::Retry, Actor::Owner, "test").await;
    assert!(retried.is_err(), "a thought that is over is not made again");
    assert_eq!(engine.wait_for_thoughts(1).await.len(), 1);
    engine.stop().await;
}

// shows: tasks: a crash in the middle of a thought makes it once, after the next start
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_thought_doubles_nothing() {
    let provider = Arc::new(Scripted::script(vec![Step::Hang]));
    let mut first = engine(only(&provider), plain());
    first.run_only(&["mind.thinking", "work.processor"]);
    first.clock.advance(Duration::from_secs(1));
    first.wait_until(|| matches!(first.app.thinking.doing(), Doing::Thinking { .. })).await;
    first.kill().await;
    let provider = replies(1);
    let mut second = first.reopen(only(&provider), plain());
    second.run_only(&["mind.thinking", "work.processor"]);
    second.clock.advance(Duration::from_secs(1));
    second.wait_for_thoughts(1).await;
    let tasks = thought_tasks(&second).await;
    assert_eq!((tasks.len(), tasks[0].attempts, tasks[0].status.as_str()), (1, 2, "completed"));
    assert_eq!(provider.requests().len(), 1);
    second.stop().await;
}
