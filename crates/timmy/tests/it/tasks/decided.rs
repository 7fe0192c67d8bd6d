//! A task that asks, and the question about it: whichever is answered, both move.

use std::time::Duration;

use serde_json::{Value, json};
use timmy_core::settings::Settings;
use timmy_domain::Actor;
use timmy_domain::task::Status;
use timmy_domain::task::birth::NewTask;
use timmy_testkit::engine;

use super::{ask, asking, id, is_refusal, quiet};
use crate::support::{Server, home};

fn question(server: &Server, task: &str) -> Value {
    let found = server.get(&format!("/api/approvals?subject=task:{task}"));
    let items = found["items"].as_array().expect("items");
    assert_eq!(items.len(), 1, "{found}");
    items[0].clone()
}

// shows: tasks: a task and the question about it move together, whichever of them the owner answers
#[test]
fn a_task_and_its_question_move_together() {
    let home = home();
    let server = quiet(home.path());
    // What is done, by which address, and what becomes of the task and of its question.
    for (at, verb, task_is, question_is) in [
        ("tasks", "approve", "approved", "approved"),
        ("tasks", "veto", "vetoed", "rejected"),
        ("tasks", "cancel", "", "withdrawn"),
        ("tasks", "backlog", "backlogged", "withdrawn"),
        ("tasks", "complete", "completed", "withdrawn"),
        ("approvals", "approve", "approved", "approved"),
        ("approvals", "reject", "vetoed", "rejected"),
    ] {
        let task = id(&asking(&server, "May I?"));
        let waiting = question(&server, &task);
        assert_eq!((waiting["status"].clone(), waiting["title"].clone()), (json!("pending"), json!("May I?")));
        let which = if at == "tasks" { task.clone() } else { id(&waiting) };
        ask(&server, "POST", &format!("/api/{at}/{which}/{verb}"), &json!({"reason": "so"}), 200);
        let events = server.get(&format!("/api/events?type=approval.{question_is}&newest=true&limit=1"));
        let (seq, next) = (events["items"][0]["seq"].as_i64().expect("an event"), |by| {
            server.get(&format!("/api/events?after={}&limit=1", by - 1))["items"][0]["event"].to_string()
        });
        let beside = [next(seq - 1), next(seq + 1)];
        assert!(beside.iter().any(|name| name.starts_with("\"task.")), "{at} {verb} is one transaction: {beside:?}");
        assert_eq!(question(&server, &task)["status"], question_is, "{at} {verb}");
        let now = server.get(&format!("/api/tasks/{task}"));
        // An approved task is taken up at once; its approval stays.
        if task_is == "approved" {
            assert!(now["approved_at"].is_string(), "{now}");
        } else if !task_is.is_empty() {
            assert_eq!(now["status"], task_is, "{at} {verb}");
        }
        let again = ask(&server, "POST", &format!("/api/approvals/{}/approve", id(&waiting)), &json!({}), 409);
        assert_eq!(again["error"].as_object().map(serde_json::Map::len), Some(3), "{again}");
    }
}

#[test]
fn what_is_taken_up_again_asks_again() {
    let home = home();
    let server = quiet(home.path());
    let task = id(&asking(&server, "May I?"));
    ask(&server, "POST", &format!("/api/tasks/{task}/backlog"), &json!({}), 200);
    let again = ask(&server, "POST", &format!("/api/tasks/{task}/unbacklog"), &json!({}), 200);
    assert_eq!(again["status"], "pending_approval");
    let questions = server.get(&format!("/api/approvals?subject=task:{task}"));
    let standing: Vec<_> = questions["items"].as_array().expect("items").iter().map(|q| q["status"].clone()).collect();
    assert_eq!(standing, [json!("pending"), json!("withdrawn")]);
    is_refusal(&ask(&server, "POST", &format!("/api/tasks/{task}/unbacklog"), &json!({}), 409), "task_state");
}

// shows: tasks: a task whose question nobody answers is laid aside with the reason, and asks again when taken up
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_lapses_lays_its_task_aside() {
    let mut engine = engine(Vec::new(), Settings::default());
    let new = NewTask { requires_approval: Some(true), ..NewTask::titled("May I?", Actor::Timmy) };
    let task = engine.app.queue.create(new).await.expect("made").task;
    assert_eq!(task.status.known, Some(Status::PendingApproval));
    engine.clock.advance(Duration::from_secs(7 * 86_400));
    engine.run_only(&["trust.approvals"]);
    assert_eq!(engine.wait_for("approval.expired", 1).await.len(), 1);
    assert_eq!(engine.wait_for("task.backlogged", 1).await.len(), 1);
    let aside = engine.app.queue.get(task.id).await.expect("there");
    assert_eq!(aside.status.known, Some(Status::Backlogged));
    assert_eq!(aside.backlog_reason.as_deref(), Some("nobody answered in time"));
    engine.stop().await;
}

// shows: tasks: of two words on one question that come at once exactly one counts, for the task as for the question
#[tokio::test(flavor = "multi_thread")]
async fn of_two_words_at_once_one_counts() {
    use timmy_core::decide::{act, decide};
    use timmy_domain::approval::{Act as Answer, Decision, Subject};
    use timmy_domain::task::step::Act;
    let engine = engine(Vec::new(), Settings::default());
    for round in 0..20 {
        let new = NewTask { requires_approval: Some(true), ..NewTask::titled(format!("May I? {round}"), Actor::Timmy) };
        let task = engine.app.queue.create(new).await.expect("made").task;
        let subject = Subject::task(task.id.to_string());
        let waiting =
            engine.app.ctx.store.read(move |r| r.approval_pending(&subject)).await.expect("read").expect("asked");
        let no = Decision::by_owner(Answer::Reject, "phone", None);
        let (yes, no) = tokio::join!(
            act(&engine.app, task.id, Act::Approve, "desk", None),
            decide(&engine.app, waiting.id, no, None),
        );
        assert!(yes.is_ok() != no.is_ok(), "exactly one of them counts: {yes:?} {no:?}");
        let is = engine.app.queue.get(task.id).await.expect("there").status.known;
        let standing = engine.app.approvals.get(waiting.id).await.expect("there").status.name();
        let both = if yes.is_ok() { (Some(Status::Approved), "approved") } else { (Some(Status::Vetoed), "rejected") };
        assert_eq!((is, standing), both);
    }
}
