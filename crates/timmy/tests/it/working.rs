//! The queue being worked on: real tools, real files, a scripted model, and a process that dies at every step.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use timmy_core::agent::worker::Agent;
use timmy_core::decide::decide;
use timmy_core::library::NewModel;
use timmy_core::settings::Settings;
use timmy_core::work::processor::{Handler as _, Job};
use timmy_domain::Actor;
use timmy_domain::TaskId;
use timmy_domain::approval::{Act as Answer, Decision};
use timmy_domain::model::{ModelFormat, ModelRole};
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::{Act, Outcome};
use timmy_domain::task::{Priority, Status, Task};
use timmy_llm::{ChatRequest, Failure, Provider, Scripted, Step, ToolCall};
use timmy_store::ApprovalQuery;
use timmy_testkit::{Engine, engine};
use timmy_tools::mcp::Hub;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PARTS: [&str; 1] = ["work.processor"];

fn call(id: &str, tool: &str, args: &serde_json::Value) -> ToolCall {
    ToolCall { id: id.into(), name: tool.into(), arguments: args.to_string() }
}

fn writes(folder: &Path) -> Step {
    let args = json!({"path": folder.join("report.md"), "how": "create", "content": "All is well.\n"});
    Step::Tool(vec![call("1", "write_file", &args)])
}

fn says(text: &str) -> Step {
    Step::Reply(text.to_owned())
}

fn model(steps: Vec<Step>) -> Vec<Arc<dyn Provider>> {
    vec![Arc::new(Scripted::script(steps))]
}

/// Settings that let tools write into `folder`.
fn granted(folder: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.tools.folders_write = vec![folder.display().to_string()];
    settings
}

async fn add(engine: &Engine, title: &str) -> Task {
    engine.app.queue.create(NewTask::titled(title, Actor::Owner)).await.expect("made").task
}

async fn add_kind(engine: &Engine, kind: &str, priority: Priority) -> Task {
    let mut new = NewTask::titled(format!("a {kind}"), Actor::Owner);
    new.task_type = kind.to_owned();
    new.priority = priority;
    engine.app.queue.create(new).await.expect("made").task
}

async fn status(engine: &Engine, id: TaskId) -> Option<Status> {
    engine.app.queue.get(id).await.expect("there").status.known
}

/// Says yes or no to the one question that waits.
async fn answer(engine: &Engine, act: Answer) {
    let query = ApprovalQuery::at(engine.app.ctx.now());
    let waiting = engine.app.approvals.page(query).await.expect("read");
    let one = waiting.iter().find(|a| a.standing(engine.app.ctx.now()).name() == "pending").expect("a question");
    decide(&engine.app, one.id, Decision::by_owner(act, "test", None), None).await.expect("decided");
}

// shows: tasks: a task asks before it writes, the yes comes days and a restart later, and the file is written once with evidence
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_comes_days_later_is_carried_out_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = || model(vec![writes(folder.path()), says("The report is written.")]);
    let mut one = engine(steps(), granted(folder.path()));
    one.run_only(&PARTS);
    let task = add(&one, "Write the report").await;
    one.wait_for("task.waiting", 1).await;
    assert_eq!(status(&one, task.id).await, Some(Status::PendingApproval));
    assert!(!folder.path().join("report.md").exists(), "nothing before the yes");
    one.stop().await;

    let mut later = one.reopen(model(vec![says("The report is written.")]), granted(folder.path()));
    later.clock.advance(Duration::from_secs(3 * 86_400));
    later.run_only(&PARTS);
    answer(&later, Answer::Approve).await;
    later.wait_for("task.completed", 1).await;
    let done = later.app.queue.get(task.id).await.expect("there");
    assert_eq!(std::fs::read_to_string(folder.path().join("report.md")).expect("written"), "All is well.\n");
    let result = done.result.expect("a result");
    assert!(result.contains("The report is written.") && result.contains("Evidence:"), "{result}");
    assert_eq!(later.events("tool.completed").await.len(), 1, "one receipt");
    assert_eq!(later.events("approval.consumed").await.len(), 1);
    assert!(done.steps.iter().all(|step| step.completed_at.is_some()));
    later.stop().await;
}

// shows: models: an agent works with the model the owner gave him, and a role is the model that has it
#[tokio::test(flavor = "multi_thread")]
async fn each_agent_works_with_its_own_model_and_a_role_has_one() {
    let scripted = |name: &str| Arc::new(Scripted::script(vec![says("One."), says("Two.")]).named(name));
    let (usual, den) = (scripted("usual"), scripted("den"));
    let mut engine = engine(vec![usual.clone(), den.clone()], Settings::default());
    engine.run_only(&["work.processor", "models"]);
    let model = NewModel {
        name: "den/script".into(),
        format: Some(ModelFormat::Ollama),
        role: Some(ModelRole::Judge),
        default_temperature: Some(0.25),
        ..NewModel::default()
    };
    engine.app.library.register(model).await.expect("registered");
    engine.app.library.assign("Forge", "den/script").await.expect("assigned");
    let asked = || (usual.requests().len(), den.requests().len());
    add(&engine, "By the usual one").await;
    engine.wait_for("task.completed", 1).await;
    assert_eq!(asked(), (1, 0));
    let forges = NewTask { assigned_to: "forge".to_owned(), ..NewTask::titled("By its own", Actor::Owner) };
    engine.app.queue.create(forges).await.expect("made");
    engine.wait_for("task.completed", 2).await;
    assert_eq!(asked(), (1, 1));
    assert_eq!(den.requests()[0].temperature, Some(0.0), "what was said counts");

    let until = Instant::now() + Duration::from_secs(30);
    let call = timmy_llm::Call::until(until, CancellationToken::new());
    let judged = ChatRequest { model: Some("judge".into()), temperature: None, ..usual.requests()[0].clone() };
    let done = engine.app.ctx.ask("test", &judged, &call).await.expect("an answer");
    assert_eq!((done.provider.as_str(), asked()), ("den", (1, 2)));
    assert_eq!(den.requests()[1].temperature, Some(0.25), "what the owner said of the model, where nobody said more");
    engine.stop().await;
}

// shows: tasks: a no to one step lets the work go on without it, and nothing was done
#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_heard_and_the_work_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = vec![writes(folder.path()), says("It is done."), says("It was not allowed, so it is not done.")];
    let mut engine = engine(model(steps), granted(folder.path()));
    engine.run_only(&PARTS);
    let task = add(&engine, "Write the report").await;
    engine.wait_for("task.waiting", 1).await;
    answer(&engine, Answer::Reject).await;
    engine.wait_for("task.backlogged", 1).await;
    let aside = engine.app.queue.get(task.id).await.expect("there");
    assert!(aside.backlog_reason.expect("a reason").contains("not done"), "claiming success is not success");
    assert!(!folder.path().join("report.md").exists());
    engine.stop().await;
}

// shows: tasks: a running task that is vetoed, paused or cancelled really stops, and stays so
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_while_it_runs_stays_stopped() {
    for (act, ends) in [
        (Act::Veto("no".into()), Status::Vetoed),
        (Act::Pause, Status::Paused),
        (Act::Cancel(String::new()), Status::Failed),
    ] {
        let hung: Arc<Scripted> = Arc::new(Scripted::script(vec![Step::Hang, says("late")]));
        let provider: Arc<dyn Provider> = hung.clone();
        let mut engine = engine(vec![provider], Settings::default());
        engine.run_only(&PARTS);
        let task = add(&engine, "Think for ever").await;
        engine.wait_until(|| hung.requests().len() == 1).await;
        let name = act.name().to_owned();
        engine.app.queue.act(task.id, act, Actor::Owner, "test").await.expect("stopped");
        // The next task is taken, so the worker of the first one has let go.
        let next = add(&engine, "Something else").await;
        engine.wait_for("task.completed", 1).await;
        assert_eq!(status(&engine, next.id).await, Some(Status::Completed), "{name}");
        assert_eq!(status(&engine, task.id).await, Some(ends), "{name}");
        engine.stop().await;
    }
}

// shows: tasks: mixed kinds drain to nothing left; unknown kinds are laid aside, escalations wait, a failing one blocks nobody
#[tokio::test(flavor = "multi_thread")]
async fn the_queue_drains_to_nothing_left() {
    let steps = vec![says("one"), Step::Fail(Failure::ContentPolicy), says("three"), says("four")];
    let mut engine = engine(model(steps), Settings::default());
    let low = add_kind(&engine, "internal", Priority::Low).await;
    let first = add_kind(&engine, "task_request", Priority::Urgent).await;
    let failing = add_kind(&engine, "external", Priority::High).await;
    let normal = add_kind(&engine, "chat_response", Priority::Normal).await;
    let unknown = add_kind(&engine, "interpretive_dance", Priority::Urgent).await;
    let waits = add_kind(&engine, "escalation", Priority::Urgent).await;
    engine.run_only(&PARTS);
    engine.wait_for("task.completed", 3).await;
    // Whether a model that failed counts as there or not, the task comes back later.
    while engine.events("task.postponed").await.len() + engine.events("task.failed").await.len() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut later = 0;
    for id in [first.id, failing.id, normal.id, low.id] {
        let task = engine.app.queue.get(id).await.expect("there");
        // Two run at a time, so which one meets the failing model is chance.
        if task.status.known == Some(Status::Approved) {
            later += 1;
            continue;
        }
        assert_eq!(task.status.known, Some(Status::Completed));
        assert!(task.started_at.is_some() && task.completed_at.is_some() && !task.steps.is_empty());
    }
    assert_eq!(later, 1, "the one that met no model is tried again later");
    let aside = engine.app.queue.get(unknown.id).await.expect("there");
    assert_eq!(aside.status.known, Some(Status::Backlogged));
    assert!(aside.backlog_reason.expect("a reason").contains("interpretive_dance"));
    assert_eq!(status(&engine, waits.id).await, Some(Status::PendingApproval));
    let drained = engine.events("task.startup_drain").await;
    assert!(drained[0].data.contains(r#""backlogged":1"#), "{}", drained[0].data);
    engine.stop().await;
}

// shows: tasks: without a model tasks wait instead of failing, and are done when one is there
#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_tasks_wait() {
    let mut one = engine(Vec::new(), Settings::default());
    one.run_only(&PARTS);
    let task = add(&one, "Say hello").await;
    for time in 1..=4 {
        one.wait_for("task.postponed", time).await;
        // Only between two tries, so that no worker is taken for dead.
        one.clock.advance(Duration::from_secs(61));
    }
    one.wait_for("task.postponed", 5).await;
    one.stop().await;
    let mut two = one.reopen(model(vec![says("Hello.")]), Settings::default());
    assert_eq!(two.app.queue.get(task.id).await.expect("there").attempts, 0, "waiting is no attempt");
    two.clock.advance(Duration::from_secs(120));
    two.run_only(&PARTS);
    two.wait_for("task.completed", 1).await;
    two.stop().await;
}

// shows: tasks: a process that dies at every step of a run leaves each effect done exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_at_every_step_does_everything_once() {
    let mut deaths = 0;
    // Dies after so many events; the last rounds see the whole run, so that every step was died at.
    for after in 1..40 {
        let folder = tempfile::tempdir().expect("a folder");
        let add_call = call("2", "task_add", &json!({"title": "Read the report"}));
        let script =
            || vec![writes(folder.path()), Step::Tool(vec![add_call.clone()]), says("Both are done."), says("Both.")];
        let mut one = engine(model(script()), granted(folder.path()));
        let mut new = NewTask::titled("Write the report", Actor::Owner);
        new.attempts_max = 10;
        let task = one.app.queue.create(new).await.expect("made").task;
        let begun = one.app.ctx.store.last_seq();
        one.run_only(&PARTS);
        let finished = live_until(&one, begun + after).await;
        one.kill().await;
        deaths += u32::from(!finished);
        let between = one.reopen(Vec::new(), Settings::default());
        // A model says again what the run did not hear.
        let rest = script().split_off(heard(&between, task.id).await);
        let mut two = between.reopen(model(rest), granted(folder.path()));
        // A worker that saw the store close may still have noted that it failed for now.
        two.clock.advance(Duration::from_secs(120));
        two.run_only(&PARTS);
        live_until(&two, i64::MAX).await;
        assert_eq!(status(&two, task.id).await, Some(Status::Completed), "died after {after}");
        let text = std::fs::read_to_string(folder.path().join("report.md")).unwrap_or_default();
        let told: Vec<String> = two.events("tool.*").await.iter().map(|e| format!("{} {}", e.name, e.data)).collect();
        assert_eq!(text, "All is well.\n", "died after {after}: {told:#?}");
        let made = two.events("task.created").await;
        assert_eq!(made.len(), 2, "the task itself and the one it added, died after {after}");
        two.stop().await;
    }
    assert!(deaths >= 10, "{deaths} deaths in the middle");
}

/// Says yes to every question until the first task is over or the log has grown to `until`; whether it is over.
async fn live_until(engine: &Engine, until: i64) -> bool {
    let living = async {
        loop {
            if !engine.events("task.completed").await.is_empty() {
                return true;
            }
            if engine.app.ctx.store.last_seq() >= until {
                return false;
            }
            let waiting = engine.app.approvals.page(ApprovalQuery::at(engine.app.ctx.now())).await.expect("read");
            for one in waiting.iter().filter(|a| a.plan.is_some() && a.status.name() == "pending") {
                // The task may be about to be parked; then the yes is given at the next look.
                let _ = decide(&engine.app, one.id, Decision::by_owner(Answer::Approve, "test", None), None).await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), living).await.expect("the run goes on")
}

/// How many answers of the model the run of `id` has heard.
async fn heard(engine: &Engine, id: TaskId) -> usize {
    let state = engine.app.ctx.store.read(move |r| r.run_state(id)).await.expect("read").unwrap_or_default();
    let run: serde_json::Value = serde_json::from_str(&state).unwrap_or_default();
    run["turns"].as_array().map_or(0, |turns| turns.iter().filter(|turn| turn["who"] == "model").count())
}

// shows: tasks: what the owner does himself is left alone by the workers
#[tokio::test(flavor = "multi_thread")]
async fn the_owners_own_tasks_are_left_alone() {
    let mut engine = engine(model(vec![says("done")]), Settings::default());
    let mut own = NewTask::titled("Call the dentist", Actor::Owner);
    own.assigned_to = "owner".to_owned();
    own.task_type = "errand".to_owned();
    own.priority = Priority::Urgent;
    let own = engine.app.queue.create(own).await.expect("made").task;
    engine.run_only(&PARTS);
    add(&engine, "Something for Timmy").await;
    engine.wait_for("task.completed", 1).await;
    assert_eq!(status(&engine, own.id).await, Some(Status::Approved));
    let act = Act::Complete("it was quick".into());
    let done = engine.app.queue.act(own.id, act, Actor::Owner, "test").await.expect("done by hand");
    assert_eq!(done.result.as_deref(), Some("it was quick"));
    engine.stop().await;
}

// shows: tasks: a run whose models cost as much as one run may asks no more, says so, and goes on when the owner takes it up again
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_spent_its_money_stops_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = granted(folder.path());
    settings.trust.run_cost_micros_max = 250_000;
    let look = |id: &str| Step::Tool(vec![call(id, "list_files", &json!({"path": folder.path().join(id)}))]);
    ["1", "2", "3"].iter().for_each(|name| std::fs::create_dir(folder.path().join(name)).expect("a folder"));
    let provider = Arc::new(Scripted::script(vec![look("1"), look("2"), look("3"), says("There is nothing in it.")]));
    let engine = engine(vec![Arc::clone(&provider) as Arc<dyn Provider>], settings);
    // Twelve cents an answer: the third one is over.
    let agent = Agent::new(engine.app.ctx.clone(), &engine.app.queue, None, Hub::new(Vec::new()));
    let agent = agent.priced(|answer| if answer.usage.prompt_tokens > 0 { 120_000 } else { 0 });
    let task = add(&engine, "Look around").await;
    let taken = engine.app.queue.take("timmy", &[]).await.expect("took").expect("a task");
    let job = Job::new(taken, CancellationToken::new(), engine.app.queue.clone());
    let Outcome::Permanent(why) = agent.work(&job).await else { panic!("it goes on") };
    assert!(why.contains("$0.36") && why.contains("$0.25") && why.contains("run_cost_micros_max"), "{why}");
    assert_eq!(provider.requests().len(), 3);
    engine.app.queue.finish(&job.taken, Outcome::Permanent(why)).await.expect("laid aside");
    engine.app.queue.act(task.id, Act::Unbacklog, Actor::Owner, "test").await.expect("taken up again");
    let taken = engine.app.queue.take("timmy", &[]).await.expect("took").expect("the same task");
    let job = Job::new(taken, CancellationToken::new(), engine.app.queue.clone());
    assert!(matches!(agent.work(&job).await, Outcome::Done(said) if said.contains("nothing in it")));
    assert_eq!(provider.requests().len(), 4);
}

// shows: tasks: what the owner wanted to do by a time waits on Home from that time on, and is told once, also over a restart
#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_is_told_once_and_waits_until_it_is_done() {
    let mut one = engine(Vec::new(), Settings::default());
    let mut new = NewTask::titled("Call the bank", Actor::Owner);
    new.assigned_to = "owner".to_owned();
    new.due = Some(one.app.ctx.now().plus(Duration::from_secs(3_600)));
    let task = one.app.queue.create(new).await.expect("made").task;
    one.run_only(&["work.due"]);
    let waits = async |engine: &Engine| {
        engine.app.status().await.expect("read").waiting.iter().any(|one| one.title == "Call the bank")
    };
    one.clock.advance(Duration::from_secs(1_800));
    assert!(!waits(&one).await && one.events("task.due").await.is_empty());
    one.advance_until("task.due", 1, Duration::from_secs(600)).await;
    assert!(waits(&one).await);
    one.stop().await;
    let mut two = one.reopen(Vec::new(), Settings::default());
    two.run_only(&["work.due"]);
    two.clock.advance(Duration::from_secs(600));
    let mut other = NewTask::titled("Water the plants", Actor::Owner);
    other.assigned_to = "owner".to_owned();
    other.due = Some(two.app.ctx.now().plus(Duration::from_secs(60)));
    two.app.queue.create(other).await.expect("made");
    let told = two.advance_until("task.due", 2, Duration::from_secs(30)).await;
    assert_eq!(told.iter().filter(|event| event.task_id == Some(task.id.to_string())).count(), 1, "told once");
    assert!(waits(&two).await);
    two.app.queue.act(task.id, Act::Complete("done".into()), Actor::Owner, "test").await.expect("done");
    assert!(!waits(&two).await, "done is done");
    two.stop().await;
}
