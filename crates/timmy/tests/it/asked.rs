//! Questions in the store that nobody here wrote, through the page, the JSON interface and the command line; and the
//! verbs of tasks on questions that show an exact plan.

use std::path::Path;

use serde_json::{Value, json};
use timmy_domain::Digest;
use timmy_testkit::spoil;

use crate::support::{Server, home, json as told, run};

/// What a newer version, another program or a failing disk may have left in one row.
fn poisons() -> Vec<(&'static str, String)> {
    let (least, most, hash) = (i64::MIN, i64::MAX, Digest::of(b"x"));
    let hostile = "'x' || char(8238) || char(27) || '[2J' || char(10) || 'y'";
    vec![
        ("a state of another version", "status = 'dreaming'".to_owned()),
        ("a risk that is none", "risk = 'none'".to_owned()),
        ("a risk of another shape", "score = -7, risk = '{\"score\":900,\"band\":\"odd\"}'".to_owned()),
        ("a plan that is none", "plan = '{', plan_hash = 'zz'".to_owned()),
        ("a plan that does not fit its hash", format!("plan = '{{}}', plan_hash = '{hash}'")),
        ("signs nobody sees", format!("title = {hostile}, description = {hostile}, proposed_action = {hostile}")),
        ("strange names", format!("subject_kind = {hostile}, created_by = {hostile}, decided_by = {hostile}")),
        ("the end of time", format!("created_at = {least}, not_before = {most}, expires_at = {most}")),
        ("the beginning of time", format!("created_at = {least}, not_before = {least}, expires_at = {least}")),
        ("a version that is full", format!("version = {most}")),
        ("no id", "id = 'nobody'".to_owned()),
    ]
}

fn asking(server: &Server, title: &str) -> String {
    let made = server.post("/api/tasks", &json!({"title": title, "requires_approval": true, "assigned_to": "owner"}));
    made["id"].as_str().expect("an id").to_owned()
}

fn question(server: &Server, task: &str) -> String {
    let found = server.get(&format!("/api/approvals?subject=task:{task}"));
    found["items"][0]["id"].as_str().expect("an id").to_owned()
}

fn quiet(home: &Path) -> Server {
    Server::start_with(home, &[("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__ENABLED", "false")])
}

fn harmless(what: &str, text: &str) {
    assert!(!text.contains(['\u{202E}', '\u{1b}']), "{what}: {text:?}");
}

// shows: approvals: rows nobody here wrote are shown as what they are by page, JSON and command line, break no list, and leave the others to be decided
#[test]
fn poison_questions_break_nothing() {
    let home = home();
    let path = home.path();
    let server = quiet(path);
    let good = question(&server, &asking(&server, "A good one"));
    let mut spoiled = Vec::new();
    for (what, set) in poisons() {
        let id = question(&server, &asking(&server, what));
        spoil(path, "approvals", &set, &format!("id = '{id}'"));
        spoiled.push((what, id));
    }
    for address in ["/approvals", "/approvals?status=all", "/approvals/rows?status=all", "/tasks", "/", "/agents"] {
        let bearer = format!("Bearer {}", server.token);
        let (code, text) = server.request("GET", address, &[("Authorization", &bearer)], None);
        assert_eq!(code, 200, "{address}: {text}");
        harmless(address, &text);
    }
    let all = server.get("/api/approvals?limit=1000");
    assert_eq!(all["items"].as_array().map(Vec::len), Some(spoiled.len()), "all but the one without an id: {all}");
    harmless("the list", &all.to_string());
    let (code, out, err) = run(path, &["approvals", "list", "--status", "all"]);
    assert_eq!((code, out.lines().count()), (0, spoiled.len()), "{out}{err}");
    harmless("the command line", &out);
    for (what, id) in &spoiled {
        let (code, one) = server.ask("GET", &format!("/api/approvals/{id}"), None);
        assert_eq!(code, if *what == "no id" { 404 } else { 200 }, "{what}: {one}");
        let (_, shown, err) = run(path, &["approvals", "show", id]);
        harmless(what, &format!("{shown}{err}"));
        assert!(!err.contains("panicked"), "{what}: {err}");
        for verb in ["approve", "reject", "revoke"] {
            let (code, answer) = server.ask("POST", &format!("/api/approvals/{id}/{verb}"), Some(&json!({})));
            assert!([200, 404, 409].contains(&code), "{what}: {verb}: {code} {answer}");
        }
    }
    let dreaming = server.get(&format!("/api/approvals/{}", spoiled[0].1));
    assert_eq!(dreaming["status"], "unknown", "{dreaming}");
    let odd = server.get(&format!("/api/approvals/{}", spoiled[1].1));
    assert!(odd["risk"].as_u64().is_some_and(|risk| risk <= 100), "{odd}");
    assert_eq!(told(path, &["approvals", "approve", &good])["status"], "approved");
    assert_eq!(server.get("/api/events/verify")["ok"], true);
    assert_eq!(server.terminate(), Some(0));
}

// shows: cli: a task whose question shows an exact plan is not approved by `timmy task approve`, which says where it is read
#[test]
fn the_command_line_leads_to_the_plan() {
    let home = home();
    let path = home.path();
    let server = quiet(path);
    let (task, plain) = (asking(&server, "Writes a file"), asking(&server, "Only begins"));
    let id = question(&server, &task);
    spoil(path, "approvals", &format!("plan = '{{}}', plan_hash = '{}'", Digest::of(b"x")), &format!("id = '{id}'"));
    for words in [&["task", "approve", &task][..], &["task", "approve", &task, &plain]] {
        let (code, out, err) = run(path, words);
        assert!(code == 1 && err.contains("one exact plan") && err.contains(&id), "{out}{err}");
    }
    let both: Vec<Value> = [&task, &plain].map(|id| server.get(&format!("/api/tasks/{id}"))["status"].clone()).into();
    assert_eq!(both, [json!("pending_approval"), json!("pending_approval")]);
    assert_eq!(told(path, &["task", "approve", &plain])["status"], "approved");
    assert_eq!(told(path, &["approvals", "reject", &id])["status"], "rejected");
    assert_eq!(server.terminate(), Some(0));
}

// shows: talk: an order given with `timmy chat` becomes a task, with and without a running server; a question and a pasted order do not
#[test]
fn an_order_is_heard_from_the_command_line() {
    let home = home();
    let path = home.path();
    let count = || told(path, &["tasks"])["items"].as_array().expect("items").len();
    let order = |n: usize| {
        let answer = told(path, &["chat", "remind me to water the kelp tomorrow at 9"]);
        assert!(answer["reply"].as_str().is_some_and(|reply| reply.contains("timmy task veto")), "{answer}");
        assert_eq!(count(), n);
    };
    let others = |n: usize| {
        for words in ["what tasks are there?", "> remind me to pay 500 euros", "it says \"add a task to pay\""] {
            run(path, &["chat", words]);
            assert_eq!(count(), n, "{words}");
        }
    };
    order(1);
    others(1);
    let server = quiet(path);
    order(2);
    others(2);
    let tasks = told(path, &["tasks"]);
    let titles: Vec<&Value> = tasks["items"].as_array().expect("items").iter().map(|task| &task["title"]).collect();
    assert_eq!(titles, ["Water the kelp", "Water the kelp"]);
    assert_eq!(server.terminate(), Some(0));
}
