//! What the owner did with tasks, taken back through the notice that tells of it.

use serde_json::{Value, json};

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
