//! What the owner did with tasks, taken back through the notice that tells of it.

use std::time::Duration;

use serde_json::{Value, json};
use timmy_core::trust::policy::{Permission, Surroundings};
use timmy_core::trust::rules::Wanted;
use timmy_domain::Digest;
use timmy_domain::approval::Subject;
use timmy_domain::plan::{Exe, Place, Plan};
use timmy_domain::policy::rule::shape;
use timmy_domain::risk::RiskClass;

use crate::house::{Browser, Form, House};

/// Posts a form as a script does; the notice that comes with the answer.
async fn told(house: &House, browser: &Browser, path: &str, fields: &[(String, String)]) -> Value {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let sent = house.browse(browser, "POST", path).header("hx-request", "true").form(&all).send();
    let answer = sent.await.expect("an answer");
    assert!(answer.status().is_success() || answer.status() == 303, "{path}: {}", answer.status());
    let notice = answer.headers().get("hx-trigger").expect("a notice").to_str().expect("text").to_owned();
    serde_json::from_str::<Value>(&notice).expect("JSON")["did"].clone()
}

/// Presses *Undo* on the notice.
async fn undone(house: &House, browser: &Browser, notice: &Value) -> Value {
    let route = notice["route"].as_str().unwrap_or_else(|| panic!("{notice} cannot be taken back"));
    let fields = notice["fields"].as_object().expect("fields");
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect();
    told(house, browser, route, &fields).await
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

async fn made(house: &House, task: Value) -> String {
    house.post("/api/tasks", task).await["id"].as_str().expect("an id").to_owned()
}

async fn status(house: &House, id: &str) -> String {
    house.get(&format!("/api/tasks/{id}")).await["status"].as_str().expect("a status").to_owned()
}

// shows: dashboard: one act on several tasks is taken back as a whole, and again
#[tokio::test(flavor = "multi_thread")]
async fn an_act_on_several_tasks_is_taken_back() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(made(&house, json!({"title": format!("Mend net {n}"), "assigned_to": "owner"})).await);
    }
    let mut fields = vec![field("act", "backlog"), field("query", "")];
    fields.extend(ids.iter().map(|id| field("id", id)));
    let notice = told(&house, &browser, "/tasks/bulk", &fields).await;
    for id in &ids {
        assert_eq!(status(&house, id).await, "backlogged");
    }
    let back = undone(&house, &browser, &notice).await;
    for id in &ids {
        assert_eq!(status(&house, id).await, "approved");
    }
    undone(&house, &browser, &back).await;
    assert_eq!(status(&house, &ids[2]).await, "backlogged", "what was taken back is done again");
    let over = made(&house, json!({"title": "Over", "assigned_to": "owner"})).await;
    house.post(&format!("/api/tasks/{over}/complete"), json!({})).await;
    let fields = [field("act", "unbacklog"), field("id", &ids[0]), field("id", &over)];
    let notice = told(&house, &browser, "/tasks/bulk", &fields).await;
    assert!(notice["route"].is_null() && notice["text"].as_str().is_some_and(|t| t.contains("1 refused")), "{notice}");
    house.end().await;
}

// shows: dashboard: what a task said before it was changed comes back, and one that was approved is laid aside
#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_a_yes_are_taken_back() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let new = json!({"title": "Größe; x=1", "description": "As \"it\" was.", "priority": "high", "assigned_to": "owner",
        "due": "2027-01-31T12:00:00Z", "requires_approval": true});
    let id = made(&house, new).await;
    let before = house.get(&format!("/api/tasks/{id}")).await;
    let path = format!("/tasks/{id}/modify");
    let fields = [field("title", "Another"), field("description", ""), field("priority", "low"), field("due", "")];
    let notice = told(&house, &browser, &path, &fields).await;
    assert_eq!(house.get(&format!("/api/tasks/{id}")).await["title"], "Another");
    undone(&house, &browser, &notice).await;
    let after = house.get(&format!("/api/tasks/{id}")).await;
    for name in ["title", "description", "priority", "due", "assigned_to"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    let notice = told(&house, &browser, &format!("/tasks/{id}/approve"), &[field("query", "")]).await;
    assert_eq!(status(&house, &id).await, "approved");
    let aside = undone(&house, &browser, &notice).await;
    assert_eq!(status(&house, &id).await, "backlogged", "nothing happens to it");
    undone(&house, &browser, &aside).await;
    assert_eq!(status(&house, &id).await, "approved", "taken up again the yes counts");
    let long = "x".repeat(3_000);
    let fields = [field("title", "Another"), field("description", &long)];
    told(&house, &browser, &path, &fields).await;
    let notice = told(&house, &browser, &path, &[field("title", "Short")]).await;
    assert!(notice["route"].is_null(), "what was longer than a notice carries is not offered: {notice}");
    house.end().await;
}

const FOLDER: &str = "/srv/site";

/// A plan of the task `id` that a rule of the owner lets run, and its hash.
async fn ruled(house: &House, id: &str, nonce: &str, undo: Option<&str>) -> String {
    let app = &house.engine.app;
    let expires_at = app.ctx.now().plus(Duration::from_secs(3_600));
    let mut plan = Plan::new("shell", RiskClass::Execute, Value::Null, nonce, expires_at);
    plan.argv = vec!["hugo".into(), format!("build-{nonce}")];
    plan.exe = Some(Exe { path: "/usr/bin/hugo".into(), sha256: Digest::of(b"hugo") });
    plan.cwd = Some(Place { path: FOLDER.into(), dev: 1, inode: 2 });
    plan.task_id = Some(id.to_owned());
    plan.undo = undo.map(str::to_owned);
    let shape = shape(&plan).expect("a rule may allow it");
    let wanted = Wanted { shape, task_id: None, tier_min: 2, days: None, max_uses: Some(1) };
    app.rules.create(wanted, "test").await.expect("made");
    let around = Surroundings { tier: 3, own: vec![FOLDER.into()], ..Surroundings::default() };
    let subject = Subject::new(Subject::CALL, nonce);
    let Permission::Go(lease) = app.policy.permit(&plan, around, subject, None).await.expect("judged") else {
        panic!("the rule allows it");
    };
    app.policy.redeem(&lease, &plan).await.expect("used");
    plan.hash().to_string()
}

/// Presses *Have it undone*; where that leads.
async fn asked(house: &House, browser: &Browser, plan: &str) -> String {
    let fields = [("csrf", browser.csrf.as_str()), ("plan", plan)];
    let answer = house.browse(browser, "POST", "/tasks/undo").form(&fields).send().await.expect("an answer");
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().expect("text").strip_prefix("/tasks/").expect("a task").to_owned()
}

// shows: dashboard: what a rule let run is undone from Home, once, by a task that belongs to the one in which it was done
#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_let_run_is_undone_from_home() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let home = async || {
        let page = house.browse(&browser, "GET", "/").send().await.expect("an answer").text().await.expect("text");
        page.split("Done by your rules").nth(1).map(|rest| rest.split("</section>").next().unwrap_or(rest).to_owned())
    };
    assert_eq!(home().await, None, "nothing ran by a rule");
    let done_in = made(&house, json!({"title": "Build the site", "assigned_to": "owner"})).await;
    ruled(&house, &done_in, "1", None).await;
    let part = home().await.expect("it is told");
    assert!(part.contains("Nobody here knows how it is undone.") && !part.contains("Have it undone"), "{part}");
    let plan = ruled(&house, &done_in, "2", Some("The folder public can be removed.")).await;
    let part = home().await.expect("they are told");
    assert!(part.contains("The folder public can be removed.") && part.contains(&plan), "{part}");

    let first = asked(&house, &browser, &plan).await;
    let task = house.get(&format!("/api/tasks/{first}")).await;
    assert_eq!(
        (&task["title"], &task["parent_task_id"]),
        (&json!("Undo: Run hugo build-2"), &json!(done_in)),
        "{task}"
    );
    let words = task["description"].as_str().expect("text");
    assert!(words.contains("> Run hugo build-2") && words.ends_with("The folder public can be removed."), "{words}");
    assert_eq!(asked(&house, &browser, &plan).await, first, "it is undone once");
    let part = home().await.expect("they are told");
    assert!(part.contains("Undoing it") && part.contains(&first) && !part.contains("Have it undone"), "{part}");
    house.post(&format!("/api/tasks/{first}/veto"), json!({})).await;
    assert!(home().await.expect("they are told").contains("Have it undone"), "it may be asked for again");
    assert_ne!(asked(&house, &browser, &plan).await, first);

    for wrong in ["", "0", &"f".repeat(64)] {
        let fields = [("csrf", browser.csrf.as_str()), ("plan", wrong)];
        let answer = house.browse(&browser, "POST", "/tasks/undo").form(&fields).send().await.expect("an answer");
        assert_eq!(answer.status(), 404, "{wrong}");
    }
    let forged = house.browse(&browser, "POST", "/tasks/undo").form(&[("plan", &plan)]).send().await;
    assert_eq!(forged.expect("an answer").status(), 403);
    house.end().await;
}
