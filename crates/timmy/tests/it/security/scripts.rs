//! Script that was stored: whatever is said, named or reported stays words on every page (34).

use std::path::Path;
use std::process::Command;

use serde_json::json;
use timmy_core::settings::Settings;
use timmy_domain::{Event, NewEvent};
use timmy_llm::{Failure, Provider, Scripted, Step};
use timmy_testkit::{Engine, FakeClock};

use super::calls;
use crate::support::{Server, home};
use crate::web::session;

/// What an attacker would like a page to hold.
const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";
/// The same where a file name is wanted.
const NAME: &str = "'\"><img src=x onerror=alert(3)>";
/// What the parser of links and code could be talked into.
const PROSE: &str = "[a](javascript:alert(4)) <javascript:alert(5)> ![i](x\" onerror=\"alert(6)) `\"><script>alert(7)</script>`\n```\"><script>alert(8)</script>\n</code></pre><script>alert(9)</script>\n```\n# <svg onload=alert(10)>\n<style>*{x:y}</style> {{7*7}} {% raw %}";

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
async fn poison(at: &Path, place: &Path) {
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
    engine.stop().await;
}

/// What must stand on no page, whatever was stored.
const NEVER: [&str; 10] = [
    "<script>",
    "<img",
    "<svg onload",
    "onerror=alert(3)>",
    "<style",
    "href=\"javascript:",
    "href='javascript:",
    "src=\"x",
    "onerror=\"",
    "</script><img",
];

// shows: dashboard: a script in a thought, message, folder, file, commit, token, provider, fault or event stays words on every page (34)
#[tokio::test(flavor = "multi_thread")]
async fn case_34_script_that_was_stored_stays_words_on_every_page() {
    let (home, place) = (home(), home());
    poison(home.path(), place.path()).await;
    let server = Server::start_with(home.path(), &super::QUIET);
    let (cookie, _) = session(&server);
    let first = |list: &str, field: &str| {
        let list = server.get(list);
        let items = list["items"].as_array().expect("a list").clone();
        items.first().map(|item| item[field].to_string().replace('"', "")).unwrap_or_else(|| "1".to_owned())
    };
    let (thought, message) = (first("/thinking/api", "id"), first("/api/messages", "id"));
    let mut paths: Vec<String> = Vec::new();
    for (_, verb, path) in calls().into_iter().filter(|(_, verb, _)| *verb == "GET") {
        assert_eq!(verb, "GET");
        for name in [thought.as_str(), message.as_str(), "1"] {
            paths.push(path.split('/').map(|part| if part == "1" { name } else { part }).collect::<Vec<_>>().join("/"));
        }
    }
    let last = server.get("/api/events?newest=true&limit=1")["items"][0]["seq"].as_i64().expect("a position");
    paths.extend((1..=last).map(|seq| format!("/swarm/events/{seq}")));
    let asked: String = SCRIPT.bytes().map(|b| format!("%{b:02X}")).collect();
    let queries = ["text", "type", "q", "filter", "about", "next", "after", "seed"];
    paths.extend(paths.clone().iter().take(120).map(|path| {
        let query: Vec<String> = queries.iter().map(|name| format!("{name}={asked}")).collect();
        format!("{path}?{}", query.join("&"))
    }));
    paths.push(format!("/nowhere/{asked}"));
    paths.push(format!("/login?next=/{asked}"));
    let (mut pages, mut words) = (0, 0);
    for path in &paths {
        if path.contains("/stream") || path.contains("/live") {
            continue;
        }
        for script in [None, Some(("HX-Request", "true"))] {
            let mut headers = vec![("Cookie", cookie.as_str()), ("Accept", "text/html")];
            headers.extend(script);
            let (status, head, body) = whole(&server, path, &headers);
            assert!(status < 500, "{path}: {status}");
            assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
            if !head.contains("content-type: text/html") {
                continue;
            }
            pages += 1;
            words += usize::from(body.contains("&#60;script&#62;alert(1)") || body.contains("&#60;img src=x"));
            for never in NEVER {
                // The house's own pictures and scripts have an address of the house.
                let own = body.replace("<script src=\"/static/", "").replace("<img src=\"/static/", "");
                let at = own.find(never);
                assert!(at.is_none(), "{path} holds {never}: {}", around(&own, at.unwrap_or(0)));
            }
        }
    }
    assert!(pages > 60 && words > 15, "{pages} pages, of which {words} show what was stored");
}

fn around(text: &str, at: usize) -> &str {
    let from = text.floor_char_boundary(at.saturating_sub(120));
    &text[from..text.floor_char_boundary((at + 120).min(text.len()))]
}

/// An answer with its head, in small letters.
fn whole(server: &Server, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut raw = super::raw::Raw::open(server);
    let extra: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{extra}Connection: close\r\n\r\n", server.address));
    let (status, head) = raw.head();
    (status, head.to_lowercase(), raw.rest())
}
