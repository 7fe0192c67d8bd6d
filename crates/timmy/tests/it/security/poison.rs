//! A home in which whatever can be said, named or reported is script (34). Each field has a mark of its own, by which
//! it is known on a page.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use timmy_core::decide::decide;
use timmy_core::settings::Settings;
use timmy_core::trust::policy::{Permission, Surroundings};
use timmy_core::trust::rules::Wanted;
use timmy_domain::approval::{Act, Decision, Subject};
use timmy_domain::plan::{Exe, FileTouch, How, Place, Plan};
use timmy_domain::policy::rule::Shape;
use timmy_domain::risk::RiskClass;
use timmy_domain::task::birth::NewTask;
use timmy_domain::{Actor, Digest, Event, NewEvent};
use timmy_llm::{Failure, Provider, Scripted, Step};
use timmy_store::{NewArtifact, NewEgress, SpendingCaps};
use timmy_testkit::{Engine, FakeClock, spoil};

use super::strangers::{models, tools};
use crate::support::Server;

/// What an attacker would like a page to hold.
pub const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";
/// The same where a file name is wanted.
pub const NAME: &str = "'\"><img src=x onerror=alert(3)>";
/// What the parser of links and code could be talked into.
pub const PROSE: &str = "[a](javascript:alert(4)) <javascript:alert(5)> ![i](x\" onerror=\"alert(6)) `\"><script>alert(7)</script>`\n```\"><script>alert(8)</script>\n</code></pre><script>alert(9)</script>\n```\n# <svg onload=alert(10)>\n<style>*{x:y}</style> {{7*7}} {% raw %}";

fn git(dir: &Path, args: &[&str]) {
    let name = format!("user.name={NAME}");
    let fixed = ["-c", &name, "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    let status = Command::new("git").arg("-C").arg(dir).args(fixed).args(args).status().expect("git runs");
    assert!(status.success(), "git {args:?}");
}

/// A repository in which every name is hostile.
fn project(parent: &Path) -> std::path::PathBuf {
    let dir = parent.join(NAME);
    std::fs::create_dir(&dir).expect("made");
    git(&dir, &["init", "-q", "-b", "main"]);
    std::fs::write(dir.join(format!("{NAME}.md")), SCRIPT).expect("written");
    std::fs::write(dir.join("README.md"), PROSE).expect("written");
    git(&dir, &["add", "."]);
    git(&dir, &["commit", "-q", "-m", SCRIPT]);
    dir
}

/// Fills a home with hostile words, past every check at the door.
pub async fn poison(at: &Path, place: &Path) {
    let failing = Scripted::script(vec![Step::Fail(Failure::Malformed { what: SCRIPT.to_owned() })]).named(NAME);
    let saying = Scripted::script((0..8).map(|n| Step::Reply(format!("{n} {SCRIPT} {PROSE}"))).collect()).named(NAME);
    let providers: Vec<std::sync::Arc<dyn Provider>> = vec![std::sync::Arc::new(failing), std::sync::Arc::new(saying)];
    let mut engine = Engine::open(at, FakeClock::default(), providers, Settings::default());
    engine.run_only(&["mind.thinking", "work.processor", "mind.watch", "talk.answer"]);
    engine.app.watch.add(project(place).to_str().expect("text")).await.expect("watched");
    engine.wait_for("watch.observed", 1).await;
    engine.ask(&format!("{SCRIPT} {PROSE}")).await;
    engine.app.thinking.inject(&format!("{SCRIPT} {PROSE}")).await.expect("put in");
    engine.wait_for_thoughts(1).await;
    engine
        .app
        .access
        .create_token(SCRIPT.get(..60).unwrap_or(SCRIPT), timmy_core::trust::access::Scope::Read)
        .await
        .expect("made");
    let code = engine.app.access.mint_code();
    engine.app.access.log_in(&code, SCRIPT).await.expect("a session of a browser that calls itself a script");
    engine.app.ctx.capture(NAME, SCRIPT, PROSE).await;
    let data = json!({"why": SCRIPT, NAME: {"deep": [PROSE, {SCRIPT: 1}]}, "path": NAME});
    let strange = NewEvent::new("test", Event::Unknown { name: "strange.thing".into(), data });
    engine.app.ctx.store.append(vec![strange]).await.expect("written");
    works(&engine).await;
    engine.stop().await;
}

/// Script behind the mark of a field.
pub fn said(mark: &str) -> String {
    format!("{mark}{SCRIPT}")
}

fn plan(engine: &Engine, nonce: &str) -> Plan {
    let expires_at = engine.app.ctx.now().plus(Duration::from_secs(3_600));
    let args = json!({"content": said("f-content"), NAME: [SCRIPT]});
    let mut plan = Plan::new("shell", RiskClass::Execute, args, nonce, expires_at);
    plan.argv = vec!["hugo".into(), said("f-argument")];
    plan.exe = Some(Exe { path: format!("/usr/bin/{NAME}"), sha256: Digest::of(b"hugo") });
    plan.cwd = Some(Place { path: format!("/srv/{}", said("f-folder")), dev: 1, inode: 2 });
    let path = format!("/srv/{}", said("f-file"));
    plan.files = vec![FileTouch { path, dev: 1, inode: 3, how: How::Read, before_sha256: None }];
    plan.hosts = vec![said("f-host")];
    plan.undo = Some(said("f-undo"));
    plan
}

/// What Timmy's work leaves behind: questions with plans and the words on them, a rule, and the ledger of what left.
async fn works(engine: &Engine) {
    for (nonce, act) in [("waits", None), ("no", Some(Act::Reject)), ("yes", Some(Act::Approve))] {
        let (plan, around) = (plan(engine, nonce), Surroundings { tier: 3, ..Surroundings::default() });
        let subject = Subject::new(Subject::CALL, nonce);
        let asked = engine.app.policy.permit(&plan, around, subject, None).await.expect("judged");
        let Permission::Wait(approval) = asked else { panic!("it was not asked: {asked:?}") };
        if let Some(act) = act {
            let word = Decision::by_owner(act, said("f-door"), Some(said("f-word")));
            decide(&engine.app, approval.id, word, None).await.expect("decided");
        }
    }
    let shape = Shape {
        tool: "shell".into(),
        exe: Some("/usr/bin/hugo".into()),
        words: vec![said("f-rule")],
        hosts: vec![said("f-rulehost")],
        ..Shape::default()
    };
    let wanted = Wanted { shape, task_id: None, tier_min: 2, days: None, max_uses: None };
    engine.app.rules.create(wanted, &said("f-ruledoor")).await.expect("made");
    let left = NewEgress {
        provider: said("f-left-to"),
        model: said("f-left-model"),
        host: said("f-left-host"),
        why: said("f-left-why"),
        task_id: String::new(),
        bytes: 7,
        reserved_micros: 0,
    };
    let entered = engine.app.ctx.store.write(move |tx| tx.egress_enter(&left, SpendingCaps::default())).await;
    entered.expect("written").expect("within its bounds");
    produced(engine).await;
}

/// A task of the owner with all that came of it.
async fn produced(engine: &Engine) {
    let new = NewTask {
        description: format!("{} {PROSE}", said("f-description")),
        requires_approval: Some(true),
        ..NewTask::titled(said("f-title"), Actor::Owner)
    };
    let task = engine.app.queue.create(new).await.expect("made").task;
    let kinds = [
        ("made", "text/markdown", PROSE.to_owned()),
        ("output", "text/html", said("f-thing")),
        ("before", "text/uri-list", format!("https://{NAME}/\nhttps://example.org/{SCRIPT}\njavascript:alert(1)")),
        (SCRIPT, SCRIPT, said("f-odd-thing")),
    ];
    let things = kinds.map(|(kind, media_type, text)| NewArtifact {
        kind: kind.to_owned(),
        name: format!("{}.html", said("f-thing-name")),
        media_type: media_type.to_owned(),
        sha256: Digest::of(text.as_bytes()).to_string(),
        bytes: text.into_bytes(),
    });
    let kept = engine.app.ctx.store.write(move |tx| things.iter().try_for_each(|one| tx.keep_artifact(task.id, one)));
    kept.await.expect("kept");
}

/// A file of settings with a text, a provider and a server of tools, and a backup, all named by a stranger.
pub fn surroundings(home: &Path) {
    let text = |mark: &str| Value::from(said(mark)).to_string();
    let lines = format!(
        "[ollama]\nembed_model = {}\n[provider.far]\nurl = \"{}/v1\"\nmodel = {}\n[mcp.kind]\nurl = \"{}/mcp\"\n",
        text("f-setting"),
        models(),
        text("f-asked-model"),
        tools(),
    );
    std::fs::write(home.join("timmy.toml"), lines).expect("written");
    std::fs::create_dir_all(home.join("backups")).expect("made");
    std::fs::write(home.join(format!("backups/timmy-f-backup{NAME}-2026-11-21T0330Z.tar.gz")), "none")
        .expect("written");
}

/// Words that come through the doors of a running server.
pub fn through_the_doors(server: &Server) {
    let task = |title: &str| {
        let body = json!({"title": said(title), "description": said("f-description"), "requires_approval": true});
        format!("/api/tasks/{}", server.post("/api/tasks", &body)["id"].as_str().expect("an id"))
    };
    task("f-waits");
    server.post(&format!("{}/veto", task("f-vetoed")), &json!({"reason": said("f-veto")}));
    server.post(&format!("{}/backlog", task("f-aside")), &json!({"reason": said("f-aside-why")}));
    let done = task("f-done");
    server.post(&format!("{done}/complete"), &json!({"result": format!("{} {PROSE}", said("f-result"))}));
    server.post(&format!("{done}/send-back"), &json!({"remark": said("f-remark")}));
    task("f-odd");
    task("f-strange");
    let waiting = server.get("/api/approvals?status=pending");
    let of = |title: &str| {
        let items = waiting["items"].as_array().expect("a list");
        let one =
            items.iter().find(|one| one["title"].as_str().is_some_and(|t| t.contains(title))).expect("a question");
        one["id"].as_str().expect("an id").to_owned()
    };
    server.post(&format!("/api/approvals/{}/reject", of("f-strange")), &json!({"reason": said("f-no")}));
    let with_things = server.get("/api/tasks?limit=1000")["items"].as_array().expect("a list").clone();
    let titled = |one: &&Value| one["title"].as_str().is_some_and(|title| title.starts_with("f-title"));
    let id = with_things.iter().find(titled).expect("the task")["id"].as_str().expect("an id").to_owned();
    let n = server.get(&format!("/api/tasks/{id}/artifacts"))["items"][0]["n"].as_i64().expect("a number");
    server.post(&format!("/api/tasks/{id}/artifacts/{n}/rate"), &json!({"good": false, "note": said("f-note")}));
    server.post("/api/v1/models", &json!({"name": "evil", "format": "ollama", "description": said("f-model-about")}));
    server.post("/api/v1/models", &json!({"name": "worse", "format": "ollama", "description": SCRIPT}));
    server.post("/api/tokens", &json!({"name": format!("f-token{NAME}"), "scope": "read"}));
    let asked = json!([{"role": "user", "content": SCRIPT}]);
    // The path of a call has the name of the model that was asked: one that is offered, and not one that nobody has.
    for model in [said("f-gate"), format!("far/{}", said("f-gate")), format!("far/{}", said("f-offered"))] {
        server.ask("POST", "/v1/chat/completions", Some(&json!({"model": model, "messages": asked, "user": SCRIPT})));
    }
    server.ask("POST", "/api/v1/router/complete", Some(&json!({"messages": asked})));
    server.ask("POST", "/api/v1/router/providers/far/test", Some(&json!({})));
}

/// A change past every door: the table, what is set, and in which rows.
type Change = (&'static str, String, &'static str);

/// Words of a field as a text of SQL.
fn quoted(mark: &str) -> String {
    format!("'{}'", said(mark).replace('\'', "''"))
}

fn changes_of_work() -> Vec<Change> {
    let text = quoted;
    let step = json!([{"description": said("f-step"), "status": "failed", "started_at": "2026-11-21T03:30:00.000000Z",
                       "completed_at": null, "output": said("f-output"), "evidence": [said("f-evidence")]}]);
    let steps = format!("'{}'", step.to_string().replace('\'', "''"));
    vec![
        (
            "task_queue",
            format!(
                "task_type = {}, assigned_to = {}, created_by = {}, steps = {steps}",
                text("f-kind"),
                text("f-agent"),
                text("f-maker")
            ),
            "title LIKE 'f-odd%'",
        ),
        (
            "task_queue",
            format!("status = {}, priority = {}", text("f-status"), text("f-priority")),
            "title LIKE 'f-strange%'",
        ),
        (
            "approvals",
            format!(
                "expires_at = 4000000000000000, description = {}, proposed_action = {}, created_by = {}",
                text("f-why"),
                text("f-action"),
                text("f-asker")
            ),
            "subject_id = 'waits'",
        ),
        (
            "approvals",
            format!(
                "risk = json_set(risk, '$.factors[0].words', {}, '$.floor', {})",
                text("f-factor"),
                text("f-floor")
            ),
            "subject_id = 'waits'",
        ),
        (
            "approvals",
            format!("title = {}, decided_by = {}", text("f-question"), text("f-decider")),
            "subject_id = 'no'",
        ),
        ("rules", format!("created_by = {}", text("f-rule-maker")), "1"),
    ]
}

fn changes_of_the_rest() -> Vec<Change> {
    let text = quoted;
    vec![
        ("custom_models", format!("name = {}, path = {}", text("f-model"), text("f-path")), "name = 'worse'"),
        // The next look at the folder may take it away before a page is drawn, so it need not stand on one.
        ("watched_folders", format!("error = {}", text("f-folder-error")), "1"),
        (
            "event_log",
            format!(
                "actor = {}, source = {}, agent_id = {}, task_id = {}",
                text("f-actor"),
                text("f-source"),
                text("f-event-agent"),
                text("f-event-task")
            ),
            "event_type = 'strange.thing'",
        ),
        ("event_log", format!("event_type = {}", text("f-event")), "event_type = 'message.received'"),
        (
            "thoughts",
            format!("seed_note = {}, seed_type = {}, place = {}", text("f-seed"), text("f-seed-type"), text("f-place")),
            "1",
        ),
        (
            "messages",
            format!(
                "channel = {}, model = {}, provider = {}",
                text("f-channel"),
                text("f-answered"),
                text("f-answerer")
            ),
            "1",
        ),
        ("observations", format!("detail = {}, kind = {}", text("f-detail"), text("f-seen")), "1"),
    ]
}

/// What the doors would refuse, as another program or a newer version could have written it.
pub fn past_the_house(home: &Path) {
    for (table, set, those) in changes_of_work().into_iter().chain(changes_of_the_rest()) {
        spoil(home, table, &set, those);
    }
}
