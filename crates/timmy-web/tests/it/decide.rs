//! Questions that show an exact plan: a yes is given where the plan is read, and by no button that does not show it.

use std::time::Duration;

use serde_json::{Value, json};
use timmy_core::work::queue;
use timmy_domain::approval::{NewApproval, Subject};
use timmy_domain::plan::{FileTouch, How, Plan};
use timmy_domain::risk::{Assessment, RiskClass};
use timmy_domain::task::step::Act;
use timmy_domain::{Actor, TaskId};

use crate::house::{Browser, Form, House, read, refusal};

/// A line break, an escape of a terminal, and the sign that turns the order of letters around.
const HOSTILE: &str = "pay\u{202E}gpj.exe\u{1b}[2J\u{200B}";

async fn waiting(house: &House, title: &str) -> String {
    let made = json!({"title": title, "requires_approval": true, "assigned_to": "owner"});
    house.post("/api/tasks", made).await["id"].as_str().expect("an id").to_owned()
}

/// Lets the task `id` ask whether it may write one exact file.
async fn planned(house: &House, id: &str, title: &str) -> String {
    let app = &house.engine.app;
    let expires_at = app.ctx.now().plus(Duration::from_secs(3_600));
    let args = json!({"path": HOSTILE, "how": "create", "content": HOSTILE});
    let mut plan = Plan::new("write_file", RiskClass::WriteGranted, args, id, expires_at);
    let path = format!("/srv/site/{HOSTILE}");
    plan.files = vec![FileTouch { path, dev: 1, inode: 2, how: How::Create, before_sha256: None }];
    plan.argv = vec!["rm".into(), HOSTILE.into()];
    plan.hosts = vec![format!("{HOSTILE}.example.org")];
    plan.task_id = Some(id.to_owned());
    let new = NewApproval {
        subject: Subject::task(id),
        title: title.into(),
        description: HOSTILE.into(),
        proposed_action: HOSTILE.into(),
        plan: Some(plan),
        risk: Assessment::plain(40, "test", HOSTILE),
        expires_at: None,
        by: Actor::Timmy,
        cause: None,
    };
    app.approvals.ask(new, None).await.expect("asked").id.to_string()
}

async fn page(house: &House, browser: &Browser, path: &str) -> String {
    let answer = house.browse(browser, "GET", path).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

async fn standing(house: &House, task: &str, approval: &str) -> (Value, Value) {
    let task = house.get(&format!("/api/tasks/{task}")).await;
    let approval = house.get(&format!("/api/approvals/{approval}")).await;
    (task["status"].clone(), approval["status"].clone())
}

// shows: approvals: a question with an exact plan is answered where the plan is shown: list, board, task, bulk, JSON and the queue itself only lead there
#[tokio::test(flavor = "multi_thread")]
async fn no_button_says_yes_to_a_plan_it_does_not_show() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let (plain, exact) = (waiting(&house, "Only begins").await, waiting(&house, "Writes a file").await);
    let question = planned(&house, &exact, "May it write?").await;
    let link = format!("href=\"/approvals#a-{question}\"");
    for path in ["/tasks", "/tasks?view=board", "/tasks?status=pending_approval", &format!("/tasks/{exact}")] {
        let shown = page(&house, &browser, path).await;
        assert!(shown.contains(&link) && shown.contains("Decide…"), "{path}: {shown}");
        assert!(!shown.contains(&format!("/tasks/{exact}/approve\"")), "{path}: {shown}");
    }
    let list = page(&house, &browser, "/tasks").await;
    assert!(list.contains(&format!("/tasks/{plain}/approve\"")), "a question without a plan is answered at once");
    assert!(page(&house, &browser, "/approvals").await.contains(&format!("id=\"a-{question}\"")));
    // By JSON, with either verb, alone and among others.
    for verb in ["POST", "PATCH"] {
        let yes = house.ask(verb, &format!("/api/tasks/{exact}/approve")).json(&json!({}));
        assert_eq!(refusal(yes).await, (409, "plan_unseen".into()), "{verb}");
    }
    let both = json!({"ids": [exact], "act": "approve"});
    let items = house.post("/api/tasks/bulk", both).await["items"].clone();
    assert_eq!((&items[0]["task"], &items[0]["error"]["code"]), (&Value::Null, &json!("plan_unseen")));
    // By the page, with its own button and in bulk.
    let fields = [("csrf", browser.csrf.as_str())];
    let alone = house.browse(&browser, "POST", &format!("/tasks/{exact}/approve")).form(&fields).send();
    assert_eq!(alone.await.expect("an answer").status(), 409);
    let fields = [("csrf", browser.csrf.as_str()), ("act", "approve"), ("id", &exact), ("id", &plain)];
    let bulk = house.browse(&browser, "POST", "/tasks/bulk").header("hx-request", "true").form(&fields).send();
    let bulk = bulk.await.expect("an answer");
    let told = bulk.headers()["hx-trigger"].to_str().expect("text").to_owned();
    for part in ["1 done, 1 refused.", "Writes a file", "one exact plan"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // And past decisions, straight at the queue.
    let id: TaskId = exact.parse().expect("an id");
    let straight = house.engine.app.queue.act(id, Act::Approve, Actor::Owner, "test").await;
    assert_eq!(straight.expect_err("refused").code, "plan_unseen");
    let inside = house.engine.app.ctx.store.write(move |tx| queue::step(tx, id, &Act::Approve, &Actor::Owner, "test"));
    assert!(inside.await.is_err());
    assert_eq!(standing(&house, &exact, &question).await, (json!("pending_approval"), json!("pending")));
    assert!(house.get(&format!("/api/tasks/{plain}")).await["approved_at"].is_string());
    // Where the plan is shown, one yes moves both.
    read(house.ask("POST", &format!("/api/approvals/{question}/approve")).json(&json!({})).send().await.expect("sent"))
        .await;
    assert_eq!(standing(&house, &exact, &question).await, (json!("approved"), json!("approved")));
    house.end().await;
}

// shows: approvals: with more questions than one page holds, a task still leads to the page its question stands on
#[tokio::test(flavor = "multi_thread")]
async fn a_task_leads_to_its_question_among_many() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let exact = waiting(&house, "The oldest").await;
    let question = planned(&house, &exact, "May it write?").await;
    for n in 0..12 {
        waiting(&house, &format!("Younger {n}")).await;
    }
    for path in ["/tasks?status=pending_approval".to_owned(), format!("/tasks/{exact}")] {
        let shown = page(&house, &browser, &path).await;
        let (before, _) = shown.split_once(&format!("#a-{question}\"")).expect("a link");
        let at = before.rsplit("href=\"").next().expect("an address").replace("&amp;", "&").replace("&#38;", "&");
        assert!(page(&house, &browser, &at).await.contains(&format!("id=\"a-{question}\"")), "{path}: {at}");
    }
    house.end().await;
}

// shows: approvals: bidi signs, escapes of terminals and signs nobody sees stand on the card, the task and the list as visible escapes
#[tokio::test(flavor = "multi_thread")]
async fn hidden_signs_are_seen_on_real_pages() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let task = waiting(&house, "Pay the bill").await;
    planned(&house, &task, HOSTILE).await;
    for path in ["/approvals".to_owned(), "/approvals/rows".to_owned(), "/".to_owned(), format!("/tasks/{task}")] {
        let shown = page(&house, &browser, &path).await;
        for sign in ['\u{202E}', '\u{1b}', '\u{200B}'] {
            assert!(!shown.contains(sign), "{path}: {:x}", sign as u32);
        }
    }
    let card = page(&house, &browser, "/approvals").await;
    // In the title, the reason, the command, the file, the host, the factor and the exact plan.
    assert!(card.matches("\\u202e").count() >= 7 && card.matches("\\u200b").count() >= 7, "{card}");
    let told = house.get("/api/approvals?status=pending").await["items"][0].clone();
    let parts = ["/title", "/description", "/proposed_action", "/factors/0/words", "/files/0/path", "/hosts/0"];
    for part in parts {
        let words = told.pointer(part).and_then(Value::as_str).expect("words");
        assert!(words.contains("\\u202e") && !words.contains(['\u{202E}', '\u{1b}', '\u{200B}']), "{part}: {words}");
    }
    house.end().await;
}
