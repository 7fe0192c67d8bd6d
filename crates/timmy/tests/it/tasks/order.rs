//! Whose turn it is, as the owner moves it and as programs ask for it.

use serde_json::json;

use super::{ask, asking, held, id, quiet};
use crate::support::{Server, home};

/// The backlog, a page of `limit` at a time.
fn backlog(server: &Server, limit: usize) -> Vec<String> {
    let (mut titles, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/tasks/backlog?limit={limit}&after={after}"));
        let items = page["items"].as_array().expect("items");
        titles.extend(items.iter().map(|task| task["title"].as_str().expect("a title").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return titles,
        }
    }
}

// shows: tasks: the owner moves a task to the top, the bottom, before or behind another, and the backlog is read in that order
#[test]
fn the_owner_moves_tasks_and_reads_the_backlog_in_order() {
    let home = home();
    let server = quiet(home.path());
    let ids: Vec<String> = ["a", "b", "c", "d"]
        .iter()
        .map(|title| {
            let task = id(&asking(&server, title));
            ask(&server, "POST", &format!("/api/tasks/{task}/backlog"), &json!({"reason": "later"}), 200);
            task
        })
        .collect();
    let goes = |verb: &str, which: usize, body: serde_json::Value, order: &str| {
        ask(&server, verb, &format!("/api/tasks/{}/move", ids[which]), &body, 200);
        for limit in [1, 3, 100] {
            assert_eq!(backlog(&server, limit).concat(), order, "{body}");
        }
    };
    assert_eq!(backlog(&server, 2).concat(), "abcd");
    goes("POST", 3, json!({"to": "top"}), "dabc");
    goes("PATCH", 0, json!({"to": "bottom"}), "dbca");
    goes("POST", 0, json!({"before": ids[1]}), "dabc");
    goes("POST", 3, json!({"after": ids[1]}), "abdc");
    goes("POST", 3, json!({"after": ids[1]}), "abdc");
    goes("POST", 3, json!({"before": ids[3]}), "abdc");
    ask(&server, "POST", &format!("/api/tasks/{}/modify", ids[2]), &json!({"priority": "urgent"}), 200);
    assert_eq!(backlog(&server, 2).concat(), "cabd");
    for body in [json!({}), json!({"to": "left"}), json!({"to": "top", "after": ids[0]})] {
        ask(&server, "POST", &format!("/api/tasks/{}/move", ids[0]), &body, 422);
    }
    ask(&server, "POST", &format!("/api/tasks/{}/move", ids[0]), &json!({"before": "nonsense"}), 404);
}

// shows: tasks: counts, the queue of an agent and the place of a task in it
#[test]
fn counts_and_the_queue_say_what_stands_where() {
    let home = home();
    let server = quiet(home.path());
    let waits = asking(&server, "waits");
    let held = held(&server, "held");
    let counts = server.get("/api/tasks/counts");
    for (status, count) in [("pending_approval", 2), ("approved", 1), ("running", 0), ("completed", 0), ("total", 3)] {
        assert_eq!(counts[status], count, "{status}");
    }
    let queue = server.get("/api/queue/status");
    assert_eq!(queue, server.get("/api/queue/agent/timmy"));
    assert_eq!(queue["assigned_to"], "timmy");
    assert!(queue["current"].is_null() && queue["is_working"] == false, "{queue}");
    assert!(queue["next"].is_null(), "what needs another is not next: {queue}");
    assert_eq!(queue["tasks_ahead"], 1);
    let other = server.get("/api/queue/agent/forge");
    assert_eq!((other["tasks_ahead"].clone(), other["next"].is_null()), (json!(0), true));
    let place = server.get(&format!("/api/queue/position/{}", id(&held)));
    assert!(place["position"].is_null() && place["ahead"].is_null() && place["total"] == 1, "{place}");
    assert_eq!(place["waits_for"].as_array().map(Vec::len), Some(1), "it says what it waits for: {place}");
    let place = server.get(&format!("/api/queue/position/{}", id(&waits)));
    assert!(place["position"].is_null() && place["status"] == "pending_approval", "{place}");
    let one = server.get("/api/tasks?limit=1");
    let two = server.get(&format!("/api/tasks?limit=1&before={}", one["next"]));
    assert_eq!(one["items"][0]["title"], "held");
    assert_eq!(two["items"][0]["title"], "comes first");
}
