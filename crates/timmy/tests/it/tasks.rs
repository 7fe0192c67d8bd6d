//! The queue through its real doors: a running server, its JSON interface, and rows nobody here wrote.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use timmy_testkit::spoil;

use crate::support::{Server, home};

mod bounds;
mod decided;
mod order;

/// A server that thinks of nothing by itself.
fn quiet(home: &std::path::Path) -> Server {
    let variables = [("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__ENABLED", "false")];
    Server::start_with(home, &variables)
}

/// Asks with `body` and wants this status.
fn ask(server: &Server, verb: &str, path: &str, body: &Value, wanted: u16) -> Value {
    let (status, value) = server.ask(verb, path, Some(body));
    assert_eq!(status, wanted, "{verb} {path} {body}: {value}");
    value
}

fn id(task: &Value) -> String {
    task["id"].as_str().expect("an id").to_owned()
}

/// A task that waits for the owner.
fn asking(server: &Server, title: &str) -> Value {
    ask(server, "POST", "/api/tasks", &json!({"title": title, "requires_approval": true}), 201)
}

/// A task that is approved and stays so, since it needs one that waits for the owner.
fn held(server: &Server, title: &str) -> Value {
    let first = id(&asking(server, "comes first"));
    ask(server, "POST", "/api/tasks", &json!({"title": title, "needs": [first]}), 201)
}

/// A refusal has a code, a message and a hint, and nothing else.
fn is_refusal(answer: &Value, code: &str) {
    let error = answer["error"].as_object().unwrap_or_else(|| panic!("{answer} is no refusal"));
    let keys: BTreeSet<&str> = error.keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["code", "hint", "message"]), "{answer}");
    assert_eq!(error["code"], code, "{answer}");
    assert!(error.values().all(|part| part.as_str().is_some_and(|text| !text.is_empty())), "{answer}");
}

// shows: tasks: over HTTP a task is made, approved and completed, with the shapes and statuses that are promised
#[test]
fn a_task_is_made_approved_and_completed() {
    let home = home();
    let server = quiet(home.path());
    let wanted = json!({"title": "Water the kelp", "description": "Twice.", "task_type": "garden", "priority": "HIGH",
                        "assigned_to": "Forge", "requires_approval": true, "due": "2031-01-31T12:00:00Z"});
    let made = ask(&server, "POST", "/api/tasks", &wanted, 201);
    for (field, value) in [
        ("title", "Water the kelp"),
        ("description", "Twice."),
        ("task_type", "garden"),
        ("priority", "high"),
        ("assigned_to", "forge"),
        ("created_by", "owner"),
        ("status", "pending_approval"),
        ("due", "2031-01-31T12:00:00.000000Z"),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made["lease"].is_null(), "what a worker proves itself with is never shown");
    let path = format!("/api/tasks/{}", id(&made));
    assert_eq!(server.get(&path), made);
    // Laid aside at once, as nobody here does such work, or still approved: completing fits both.
    let approved = ask(&server, "POST", &format!("{path}/approve"), &json!({}), 200);
    assert_eq!((approved["id"].clone(), approved["status"].clone()), (made["id"].clone(), json!("approved")));
    let done = ask(&server, "PATCH", &format!("{path}/complete"), &json!({"result": "They drink."}), 200);
    assert_eq!((done["status"].clone(), done["result"].clone()), (json!("completed"), json!("They drink.")));
    assert!(done["completed_at"].is_string());
    is_refusal(&ask(&server, "POST", &format!("{path}/approve"), &json!({}), 409), "task_state");
    let names: Vec<String> = server.get("/api/events?type=task.*")["items"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|event| event["data"]["task_id"] == made["id"])
        .map(|event| event["event"].as_str().expect("a name").to_owned())
        .filter(|name| ["task.created", "task.approved", "task.completed"].contains(&name.as_str()))
        .collect();
    assert_eq!(names, ["task.created", "task.approved", "task.completed"]);
    assert_eq!(server.terminate(), Some(0));
}

// shows: tasks: every act in every status does what the table says, by POST and by PATCH alike
#[test]
fn every_act_in_every_status_is_done_or_refused() {
    const OPEN: [&str; 6] = ["pending_approval", "approved", "running", "paused", "failed", "backlogged"];
    const FITS: [(&str, &[&str], &str); 10] = [
        ("approve", &["pending_approval"], "approved"),
        ("veto", &OPEN, "vetoed"),
        ("pause", &["running"], "paused"),
        ("resume", &["paused"], "approved"),
        ("cancel", &OPEN, "backlogged"),
        ("retry", &["failed"], "approved"),
        ("backlog", &["pending_approval", "approved", "running", "paused", "failed"], "backlogged"),
        ("unbacklog", &["backlogged"], "approved"),
        ("complete", &OPEN, "completed"),
        ("modify", &OPEN, ""),
    ];
    let home = home();
    let server = quiet(home.path());
    let task = id(&held(&server, "Mine"));
    let all = ["pending_approval", "approved", "running", "paused", "completed", "vetoed", "failed", "backlogged"];
    for (n, (verb, from, to)) in FITS.into_iter().enumerate() {
        for (m, status) in all.into_iter().enumerate() {
            let lease = if status == "running" { ("'w'", i64::MAX / 2) } else { ("NULL", 0) };
            let set = format!(
                "status = '{status}', lease_holder = {}, lease_until = nullif({}, 0), approved_at = 1, \
                 requires_approval = 0",
                lease.0, lease.1
            );
            spoil(home.path(), "task_queue", &set, &format!("id = '{task}'"));
            let method = if (n + m) % 2 == 0 { "POST" } else { "PATCH" };
            let body = json!({"title": format!("Mine {n} {m}"), "reason": "so"});
            let (code, answer) = server.ask(method, &format!("/api/tasks/{task}/{verb}"), Some(&body));
            let what = format!("{method} {verb} from {status}: {code} {answer}");
            if from.contains(&status) {
                assert_eq!(code, 200, "{what}");
                let to = if to.is_empty() { status } else { to };
                if verb != "cancel" {
                    assert_eq!(answer["status"], to, "{what}");
                }
            } else {
                assert_eq!(code, 409, "{what}");
                is_refusal(&answer, "task_state");
            }
        }
    }
    assert_eq!(server.get("/api/events/verify")["ok"], true);
}

// shows: tasks: bad fields are refused with 422, unknown ids with 404, and words are read in any case
#[test]
fn bad_tasks_are_refused_and_words_are_read_in_any_case() {
    let home = home();
    let server = quiet(home.path());
    let nowhere = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11";
    for (body, code) in [
        (json!({}), ""),
        (json!({"title": ""}), "empty_title"),
        (json!({"title": " \n "}), "empty_title"),
        (json!({"title": "x".repeat(201)}), "title_too_long"),
        (json!({"title": "x", "description": "x".repeat(20_001)}), "description_too_long"),
        (json!({"title": "x", "priority": "asap"}), "bad_word"),
        (json!({"title": "x", "due": "tomorrow"}), "bad_time"),
        (json!({"title": "x", "due": "9999-12-31T00:00:00Z"}), "too_far_away"),
        (json!({"title": "x", "needs": [nowhere]}), "no_such_task"),
        (json!({"title": "x", "parent_task_id": nowhere}), "no_such_task"),
        (json!({"title": "x", "assigned_to": "a b"}), ""),
        (json!({"title": 7}), ""),
        (json!(["title"]), ""),
    ] {
        let refused = ask(&server, "POST", "/api/tasks", &body, 422);
        let code =
            if code.is_empty() { refused["error"]["code"].as_str().expect("a code").to_owned() } else { code.into() };
        is_refusal(&refused, &code);
    }
    for query in ["status=odd", "priority=odd", "limit=0", "limit=1001", "before=x"] {
        assert_eq!(server.ask("GET", &format!("/api/tasks?{query}"), None).0, 422, "{query}");
    }
    assert_eq!(server.ask("GET", "/api/tasks/backlog?after=1_2", None).0, 422);
    for path in
        [format!("/api/tasks/{nowhere}"), "/api/tasks/nonsense".to_owned(), format!("/api/queue/position/{nowhere}")]
    {
        assert_eq!(server.ask("GET", &path, None).0, 404, "{path}");
    }
    is_refusal(&ask(&server, "POST", &format!("/api/tasks/{nowhere}/approve"), &json!({}), 404), "unknown_task");
    let urgent = ask(
        &server,
        "POST",
        "/api/tasks",
        &json!({"title": "x", "priority": "Urgent", "requires_approval": true}),
        201,
    );
    assert_eq!(urgent["priority"], "urgent");
    let found = server.get("/api/tasks?status=PENDING_Approval&priority=URGENT&assigned_to=Timmy");
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    let path = format!("/api/tasks/{}/modify", id(&urgent));
    assert_eq!(ask(&server, "PATCH", &path, &json!({"priority": "low", "title": "y"}), 200)["priority"], "low");
    is_refusal(&ask(&server, "PATCH", &path, &json!({"priority": "lowest"}), 422), "bad_word");
}

// shows: tasks: the same idempotency key makes one task, however often it is sent
#[test]
fn the_same_key_makes_one_task() {
    let home = home();
    let server = quiet(home.path());
    let body = json!({"title": "Once", "idempotency_key": "k:1", "requires_approval": true});
    let first = ask(&server, "POST", "/api/tasks", &body, 201);
    let again = ask(&server, "POST", "/api/tasks", &json!({"title": "Twice", "idempotency_key": "k:1"}), 200);
    assert_eq!(first, again);
    assert_eq!(server.get("/api/tasks/counts")["total"], 1);
    assert_eq!(server.get("/api/approvals?status=pending")["items"].as_array().map(Vec::len), Some(1));
}

// shows: tasks: an act on several tasks is done with each by itself, and each that cannot be says why
#[test]
fn an_act_on_several_tasks_answers_for_each() {
    let home = home();
    let server = quiet(home.path());
    let (one, two) = (id(&asking(&server, "one")), id(&asking(&server, "two")));
    ask(&server, "POST", &format!("/api/tasks/{two}/veto"), &json!({}), 200);
    let ids = json!([one, two, "nonsense"]);
    let done = ask(&server, "POST", "/api/tasks/bulk", &json!({"ids": ids, "act": "veto", "reason": "no"}), 200);
    let items = done["items"].as_array().expect("items");
    assert_eq!(items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>(), *ids.as_array().expect("ids"));
    assert_eq!((items[0]["task"]["status"].clone(), items[0]["error"].clone()), (json!("vetoed"), Value::Null));
    assert_eq!((items[1]["task"].clone(), items[1]["error"]["code"].clone()), (Value::Null, json!("task_state")));
    assert_eq!(items[2]["error"]["code"], "unknown_task");
    ask(&server, "POST", "/api/tasks/bulk", &json!({"ids": ids, "act": "explode"}), 422);
    ask(&server, "POST", "/api/tasks/bulk", &json!({"ids": vec!["x"; 501], "act": "veto"}), 422);
}

// shows: tasks: rows with words and numbers of nobody's break no list, no page and no work
#[test]
fn rows_that_nobody_here_wrote_break_nothing() {
    let home = home();
    let server = quiet(home.path());
    let odd = [
        "status = 'dreaming'",
        "priority = 'banana', rank = -7",
        "task_type = '', assigned_to = char(10) || '<script>'",
        "attempts = -1, attempts_max = 99999999999, time_limit_seconds = -5",
        "steps = '{', needs = '7', parent_task_id = 'none'",
        "created_at = 9223372036854775807, updated_at = -9223372036854775808, due = 9223372036854775807",
        "status = 'running', priority = 'banana', lease_holder = 'w', lease_until = 1",
        "id = 'nonsense'",
        "status = '', priority = ''",
    ];
    for change in odd {
        let task = id(&held(&server, "odd"));
        spoil(home.path(), "task_queue", change, &format!("id = '{task}'"));
    }
    // One that could be begun, were its priority a word; it must not stand in the way of the next.
    spoil(home.path(), "task_queue", "unmet = 0", "priority = 'banana'");
    let plain = ask(&server, "POST", "/api/tasks", &json!({"title": "plain", "task_type": "odd_work"}), 201);
    let path = format!("/api/tasks/{}", id(&plain));
    server.wait_for(|| (server.get(&path)["status"] == "backlogged").then_some(()));
    let listed = server.get("/api/tasks")["items"].as_array().expect("items").len();
    assert_eq!(listed, 2 * odd.len(), "all but the one whose id is none");
    for path in [
        "/api/tasks/counts",
        "/api/tasks/backlog",
        "/api/queue/status",
        "/api/queue/agent/timmy",
        "/api/approvals",
        "/api/status",
        "/api/tasks?priority=normal",
        "/api/tasks?status=running",
    ] {
        server.get(path);
    }
    assert_eq!(server.get("/api/tasks/counts")["total"], 2 * odd.len() + 1);
    let bearer = format!("Bearer {}", server.token);
    for page in ["/", "/tasks", "/approvals", "/swarm/events", "/health/page"] {
        let (status, body) = server.request("GET", page, &[("Authorization", &bearer)], None);
        assert!(status == 200 || status == 404, "{page}: {status} {body}");
        assert!(!body.contains("<script>\n") && !body.contains("\n<script> "), "{page}");
    }
    let foreign = server.get("/api/tasks")["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|t| t["status"] == "dreaming")
        .cloned();
    let path = format!("/api/tasks/{}/veto", id(&foreign.expect("it is shown")));
    is_refusal(&ask(&server, "POST", &path, &json!({}), 409), "unknown_to_this_version");
    server.kill();
    let server = quiet(home.path());
    let more = ask(&server, "POST", "/api/tasks", &json!({"title": "more", "task_type": "odd_work"}), 201);
    let path = format!("/api/tasks/{}", id(&more));
    server.wait_for(|| (server.get(&path)["status"] == "backlogged").then_some(()));
    assert_eq!(server.get("/api/tasks/counts")["total"], 2 * odd.len() + 2, "and a start is not kept from starting");
    assert_eq!(server.terminate(), Some(0));
}

// shows: tasks: a key that may only read, or none at all, moves no task
#[test]
fn a_key_that_may_only_read_moves_no_task() {
    let home = home();
    let server = quiet(home.path());
    let task = id(&asking(&server, "Mine"));
    let key = server.post("/api/tokens", &json!({"name": "looker", "scope": "read"}));
    let bearer = format!("Bearer {}", key["token"].as_str().expect("a token"));
    let approval = id(&server.get("/api/approvals")["items"][0]);
    let calls = [
        ("POST", "/api/tasks".to_owned(), r#"{"title":"x"}"#),
        ("POST", "/api/tasks/bulk".to_owned(), r#"{"ids":[],"act":"veto"}"#),
        ("POST", format!("/api/tasks/{task}/approve"), "{}"),
        ("PATCH", format!("/api/tasks/{task}/modify"), r#"{"title":"x"}"#),
        ("PATCH", format!("/api/tasks/{task}/move"), r#"{"to":"top"}"#),
        ("POST", format!("/api/approvals/{approval}/approve"), "{}"),
    ];
    for (verb, path, body) in &calls {
        assert_eq!(server.request(verb, path, &[("Authorization", &bearer)], Some(body)).0, 403, "{verb} {path}");
        assert_eq!(server.request(verb, path, &[], Some(body)).0, 401, "{verb} {path}");
    }
    assert_eq!(server.request("GET", "/api/tasks", &[("Authorization", &bearer)], None).0, 200);
    assert_eq!(server.get(&format!("/api/tasks/{task}"))["version"], 1);
}
