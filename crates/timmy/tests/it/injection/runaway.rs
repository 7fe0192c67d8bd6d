//! Runs without end, and work that makes work (38).

use serde_json::json;
use timmy_domain::task::Status;
use timmy_llm::{Scripted, Step};

use super::*;

// shows: approvals: case 38: a model that never ends, goes in circles or makes work for itself is stopped by a bound and said so
#[tokio::test(flavor = "multi_thread")]
async fn case_38_a_run_without_end_is_ended() {
    let place = Place::new();
    let sums = |n: usize| calls(&[("calculate", json!({"expression": format!("{n} + 1")}))]);
    let same = || calls(&[("list_files", json!({"path": ""}))]);
    let breeds = |n: usize| {
        let eight: Vec<_> = (0..8).map(|m| ("task_add", json!({"title": format!("More work {n}.{m}")}))).collect();
        calls(&eight)
    };
    let long = "word ".repeat(40_000);
    let ways: [(&str, Vec<Step>, &str); 4] = [
        ("never ends", (0..200).map(sums).collect(), "answers of the model did not suffice"),
        ("circles", (0..200).map(|_| same()).collect(), "circles"),
        ("breeds", (0..200).map(breeds).collect(), "answers of the model did not suffice"),
        ("talks", vec![says(&long)], ""),
    ];
    for (way, steps, why) in ways {
        let provider = Arc::new(Scripted::script(steps));
        let mut engine = engine(vec![provider.clone()], place.settings(true));
        engine.run_only(&PARTS);
        let task = add(&engine, "Begin").await;
        refuse_all(&engine, task.id).await;
        let ended = engine.app.queue.get(task.id).await.expect("there");
        if why.is_empty() {
            assert_eq!(ended.status.known, Some(Status::Completed), "{way}");
            assert!(ended.result.unwrap_or_default().len() < 100_000, "{way}: what is kept is bounded");
        } else {
            assert_eq!(ended.status.known, Some(Status::Backlogged), "{way}");
            assert!(
                ended.backlog_reason.clone().unwrap_or_default().contains(why),
                "{way}: {:?}",
                ended.backlog_reason
            );
        }
        assert!(provider.requests().len() <= 16, "{way}: {} answers", provider.requests().len());
        let made = engine.app.queue.list(TaskQuery { limit: 500, ..TaskQuery::default() }).await.expect("read");
        assert!(made.len() <= 1 + 16 * 8, "{way}");
        for child in made.iter().filter(|made| made.id != task.id) {
            assert_eq!(child.status.known, Some(Status::PendingApproval), "{way}: none of it begins by itself");
        }
        engine.stop().await;
    }
}
