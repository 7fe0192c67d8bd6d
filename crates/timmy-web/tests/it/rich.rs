//! A house with as much on its pages as a week of living brings.

use std::sync::Arc;

use serde_json::json;
use timmy_domain::NewEvent;
use timmy_domain::event::{ErrorCaptured, LoginFailed, ThinkingRested};

use crate::house::{House, scripted};
use timmy_llm::{Provider, Step};

/// Sentences of the length that thoughts and answers have.
const SAID: [&str; 4] = [
    "Three commits in tideline since yesterday, all in the parser, and one of them without a test. I would look at the \
     second first: it changes how empty lines are read, and the message says only `wip`.",
    "The archive opens cleanly, and that is **not** the same as being able to restore from it. What would convince me:\n\n\
     - a restore on another disk\n- a count of files on both sides\n- the oldest file that was changed",
    "Humidity went from 61 to 68 percent while the window was closed. Either the sensor drifts or something is wet.",
    "Run `cargo test -p tideline` before the merge; the failing case is `empty_lines_between_items`.\n\n```sh\ncargo test \
     -p tideline empty_lines\n```",
];

/// An owner's words that try to be more than words.
pub const HOSTILE: &str =
    "# Not a heading\n\n[not a link](https://evil.test) <script>alert(1)</script> ![x](http://evil.test)";

pub struct Rich {
    pub house: House,
    /// A thought in the middle of the chain.
    pub thought: String,
    /// The event that reported it.
    pub seq: i64,
    /// A question that was answered.
    pub message: String,
    /// A task that is over, and something it produced.
    pub task: String,
    pub thing: i64,
}

/// The models of the house and the parts that run in it.
pub fn living() -> (Vec<Arc<dyn Provider>>, [&'static str; 1]) {
    let replies = (0..80).map(|n| Step::Reply(SAID[n % SAID.len()].to_owned())).collect();
    (scripted(replies), ["talk.answer"])
}

pub async fn rich() -> Rich {
    let (models, parts) = living();
    lived_in(House::serve(models, &parts).await).await
}

/// Lives a week in `house`.
pub async fn lived_in(house: House) -> Rich {
    let store = house.engine.app.ctx.store.clone();
    for n in 0..150_u64 {
        house.engine.clock.advance(std::time::Duration::from_secs(97));
        let event = match n % 10 {
            3 => NewEvent::new("login", LoginFailed { how: "code".into(), failures: n }),
            7 => NewEvent::new(
                "watch",
                ErrorCaptured {
                    component: "watch.look".into(),
                    message: format!("/home/ines/code/tideline/{n} cannot be read: permission denied"),
                    fingerprint: format!("{n:016x}"),
                    count: 1,
                    action: "looks again in 5 min".into(),
                },
            ),
            _ => NewEvent::new(
                "thinking",
                ThinkingRested { why: "nothing changed since the last thought".into(), until: None },
            ),
        };
        store.append(vec![event]).await.expect("written");
    }
    for n in 0..35_usize {
        house.engine.clock.advance(std::time::Duration::from_secs(311));
        house.post("/thinking/api/inject", json!({"content": SAID[n % SAID.len()]})).await;
    }
    for n in 0..24_usize {
        house.engine.clock.advance(std::time::Duration::from_secs(131));
        let content = if n == 20 { HOSTILE.to_owned() } else { format!("What about number {n}? {}", SAID[n % 3]) };
        house.post("/api/chat", json!({"messages": [{"role": "user", "content": content}]})).await;
    }
    let thought = house.post("/thinking/api/inject", json!({"content": HOSTILE})).await;
    let (thought, seq) =
        (thought["id"].as_str().expect("an id").to_owned(), thought["seq"].as_i64().expect("a number"));
    let folder = house.engine.home.as_ref().expect("a home").path().to_string_lossy().into_owned();
    house.post("/api/watch", json!({"path": folder})).await;
    let messages = house.get("/api/messages?limit=10").await;
    let asked = messages["items"].as_array().expect("a list").iter().find(|m| m["speaker"] == "owner");
    let message = asked.and_then(|m| m["id"].as_str()).expect("a question").to_owned();
    let (task, thing) = worked(&house).await;
    Rich { house, thought, seq, message, task, thing }
}

/// A task that was worked on and is over, with things of every kind.
async fn worked(house: &House) -> (String, i64) {
    let asked = json!({"title": "Read the cellar sensors", "description": HOSTILE, "assigned_to": "owner"});
    let made = house.post("/api/tasks", asked).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let task: timmy_domain::TaskId = id.parse().expect("an id");
    let things = [
        ("made", "report.md", "text/markdown", HOSTILE.as_bytes().to_vec()),
        ("output", "what make wrote", "text/plain", "one line and another\n".repeat(2_000).into_bytes()),
        ("output", "kelp.test", "text/uri-list", b"https://kelp.test/beds?year=2026\n".to_vec()),
        ("before", "/home/ines/\u{202E}gpj.exe", "application/octet-stream", b"\x7fELF\0\0".to_vec()),
    ];
    let kept = house.engine.app.ctx.store.write(move |tx| {
        for (kind, name, media_type, bytes) in &things {
            let new = timmy_store::NewArtifact {
                kind: (*kind).into(),
                name: (*name).into(),
                media_type: (*media_type).into(),
                sha256: timmy_domain::Digest::of(bytes).to_string(),
                bytes: bytes.clone(),
            };
            tx.keep_artifact(task, &new)?;
        }
        tx.artifacts(task)
    });
    let things = kept.await.expect("kept");
    house.post(&format!("/api/tasks/{id}/complete"), json!({"result": HOSTILE})).await;
    (id, things[0].seq)
}

impl Rich {
    /// Every page, with the addresses of what this house holds.
    pub fn pages(&self) -> Vec<String> {
        let known = timmy_web::nav::PAGES.iter().map(|page| page.route.to_owned());
        let more = [
            format!("/thinking/{}", self.thought),
            format!("/swarm/events/{}", self.seq),
            format!("/swarm/events?around={}", self.seq),
            format!("/talk?about={}", self.thought),
            "/swarm/events?q=severity:warning%20-type:login.*%20%22two%20words%22".to_owned(),
            "/swarm/events?q=type:error.captured%20since:7d".to_owned(),
            "/swarm/events?q=typ:a".to_owned(),
            "/thinking?kept=1".to_owned(),
            format!("/tasks/{}", self.task),
            "/tasks?view=board".to_owned(),
            "/approvals?status=all".to_owned(),
            "/keys".to_owned(),
        ];
        known.chain(more).collect()
    }

    /// `path` of the table of routes with what this house holds.
    pub fn filled(&self, path: &str) -> String {
        let asset = timmy_web::look::assets::asset("app.css");
        if path.starts_with("/static/") {
            return asset.to_owned();
        }
        let id = if path.starts_with("/talk") || path.starts_with("/api/chat") { &self.message } else { &self.thought };
        let id = if path.starts_with("/tasks") || path.starts_with("/api/tasks") { &self.task } else { id };
        let path = path.replace("{n}", &self.thing.to_string());
        path.replace("{id}", id).replace("{seq}", &self.seq.to_string())
    }
}
