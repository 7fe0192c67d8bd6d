//! A day with the network denied. The test runs itself again in a network namespace of its own that has only a
//! loopback, so nothing can leave; and the kernel counts there whatever tries to: packets without a route, datagrams.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use timmy_core::settings::{Settings, ThinkingSettings};
use timmy_domain::thought::Place;
use timmy_domain::{Event, Secret};
use timmy_llm::{ApiSettings, Ollama, OllamaSettings, OpenAi, Provider, Reflex, Scripted, Step};
use timmy_testkit::engine::RUN_TOKEN;
use timmy_testkit::{Engine, engine};
use timmy_web::WebParts;
use timmy_web::settings::{FeedSettings, ServerSettings};
use tokio_util::sync::CancellationToken;

/// Set for the process within the namespace.
const INSIDE: &str = "TIMMY_TEST_OFFLINE";
/// Hours of the day that is simulated.
const HOURS: u64 = 24;
/// How far the clock is turned at once, in minutes.
const STEP_MINUTES: u64 = 5;
/// Replies the scripted model has before it falls silent.
const REPLIES: usize = 12;
/// Brings the loopback up with whichever tool is there, and goes on with the test.
const UP: &str = r#"ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || exit 77; exec "$@""#;

/// Runs the test called `name` again without a network. `None` when this process is that one already.
fn without_network(name: &str) -> Option<()> {
    if std::env::var_os(INSIDE).is_some() {
        return None;
    }
    let itself = std::env::current_exe().expect("a path");
    let out = Command::new("unshare")
        .args(["--net", "--map-root-user", "sh", "-c", UP, "sh"])
        .arg(itself)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output();
    let (ran, told) = match out {
        Ok(out) => (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        ),
        Err(error) => (false, error.to_string()),
    };
    if ran || told.contains("running 1 test") {
        assert!(ran, "{told}");
        assert!(told.contains("1 passed"), "{told}");
        return Some(());
    }
    let why =
        format!("no network namespace can be made here (unshare --net --map-root-user, then ip or ifconfig): {told}");
    assert!(std::env::var_os("CI").is_none(), "{why}");
    let _ = writeln!(std::io::stdout(), "skipped, not shown: {why}");
    Some(())
}

/// What the kernel of this namespace counted so far.
fn counted() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let old = std::fs::read_to_string("/proc/net/snmp").expect("readable");
    let lines: Vec<&str> = old.lines().collect();
    for pair in lines.chunks(2) {
        let [names, numbers] = pair else { continue };
        let kind = names.split(':').next().unwrap_or_default();
        for (name, number) in names.split_whitespace().zip(numbers.split_whitespace()).skip(1) {
            counts.insert(format!("{kind} {name}"), number.parse().unwrap_or(0));
        }
    }
    for line in std::fs::read_to_string("/proc/net/snmp6").unwrap_or_default().lines() {
        if let Some((name, number)) = line.split_once(char::is_whitespace) {
            counts.insert(name.to_owned(), number.trim().parse().unwrap_or(0));
        }
    }
    counts
}

/// What tried to leave since `before`: no route to it, or a datagram, which is what asking for a name is. A loopback
/// that is up may send a datagram or two of its own in IPv6, before any of this begins.
fn tried_to_leave(before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let watched = ["Ip OutNoRoutes", "Udp OutDatagrams", "Icmp OutMsgs", "Ip6OutNoRoutes", "Udp6OutDatagrams"];
    let now = counted();
    let by = |name: &str| now.get(name).copied().unwrap_or(0) - before.get(name).copied().unwrap_or(0);
    watched.into_iter().map(|name| (name.to_owned(), by(name))).filter(|(_, count)| *count > 0).collect()
}

fn git(dir: &Path, args: &[&str]) {
    let fixed = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "commit.gpgsign=false"];
    let status = Command::new("git").arg("-C").arg(dir).args(fixed).args(args).status().expect("git runs");
    assert!(status.success(), "git {args:?}");
}

/// A house with its pages on the loopback.
struct House {
    engine: Engine,
    address: String,
    stop: CancellationToken,
}

impl House {
    async fn open(providers: Vec<Arc<dyn Provider>>) -> Self {
        let thinking = ThinkingSettings { adaptive_rest: false, ..ThinkingSettings::default() };
        let mut engine = engine(providers, Settings { thinking, ..Settings::default() });
        engine.run();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let parts = WebParts {
            app: engine.app.clone(),
            server: ServerSettings::default(),
            feed: FeedSettings::default(),
            address,
            version: "1".to_owned(),
            home: "/home/timmy".to_owned(),
            desk: None,
        };
        tokio::spawn(timmy_web::serve(listener, parts, stop.clone()));
        Self { engine, address: address.to_string(), stop }
    }

    /// A page or call as the owner asks for it.
    async fn get(&self, path: &str) -> (u16, String) {
        let address = self.address.clone();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {RUN_TOKEN}\r\nConnection: close\r\n\r\n"
        );
        let asked = tokio::task::spawn_blocking(move || {
            let mut socket = std::net::TcpStream::connect(address).expect("the server listens");
            socket.write_all(head.as_bytes()).expect("sent");
            let mut answer = String::new();
            socket.read_to_string(&mut answer).expect("answered");
            answer
        });
        let answer = asked.await.expect("asked");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
    }

    /// Turns the clock on by an hour, and gives what runs in a rhythm time to do so.
    async fn hour(&self) {
        for _ in 0..60 / STEP_MINUTES {
            self.engine.clock.advance(Duration::from_secs(STEP_MINUTES * 60));
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.engine.stop().await;
    }
}

fn ollama() -> Arc<dyn Provider> {
    // Nobody listens there in a namespace that is empty.
    Arc::new(Ollama::new(&OllamaSettings::default()).expect("an address"))
}

fn remote(name: &str, url: &str) -> Arc<dyn Provider> {
    let settings = ApiSettings {
        name: name.into(),
        kind: String::new(),
        url: url.into(),
        model: "m".into(),
        embed_model: String::new(),
        place: "remote".into(),
    };
    Arc::new(OpenAi::new(&settings, Secret::new("sk-far-away".into())).expect("an address"))
}

// shows: process: a day without network: thoughts come, talk answers, a folder is seen, the log is whole, pages answer, and nothing tries to leave
#[test]
fn a_day_without_network_and_nothing_tries_to_leave() {
    if without_network("offline::a_day_without_network_and_nothing_tries_to_leave").is_some() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let before = counted();
        let place = tempfile::tempdir().expect("a folder");
        let dir = place.path().join("kelp");
        std::fs::create_dir(&dir).expect("made");
        git(&dir, &["init", "-q", "-b", "main"]);
        // Where a fetch or a push of this repository would go.
        git(&dir, &["remote", "add", "origin", "https://203.0.113.9/kelp.git"]);
        let replies = (1..=REPLIES)
            .map(|n| Step::Reply(format!("Thought or answer {n}, of {}.", ["kelp", "tides", "boats"][n % 3])));
        let scripted: Arc<dyn Provider> = Arc::new(Scripted::script(replies.collect()));
        let house = House::open(vec![ollama(), scripted, Arc::new(Reflex::new("a-model"))]).await;
        let folder = house.engine.app.watch.add(dir.to_str().expect("text")).await.expect("watched");
        for hour in 0..HOURS {
            std::fs::write(dir.join(format!("hour-{hour}.md")), format!("# Hour {hour}\n")).expect("written");
            git(&dir, &["add", "."]);
            git(&dir, &["commit", "-q", "-m", &format!("Note hour {hour}")]);
            house.hour().await;
            if hour % 4 == 0 {
                let answer = house.engine.ask(&format!("What happened in hour {hour}?")).await;
                assert!(matches!(answer.place, Some(Place::Local | Place::Reflex)), "{answer:?}");
            }
            for path in ["/", "/talk", "/thinking", "/swarm/events", "/health/page", "/api/status", "/api/health"] {
                assert_eq!(house.get(path).await.0, 200, "{path} in hour {hour}");
            }
        }
        let seen = house.engine.advance_until("watch.observed", 2, Duration::from_secs(600)).await;
        assert!(
            seen.iter().any(|r| matches!(r.event(), Event::Observed(o) if o.summary.contains("kelp"))),
            "{folder:?}"
        );
        let thoughts = house.engine.wait_for_thoughts(REPLIES).await;
        let by = |place| thoughts.iter().filter(|t| t.place == place).count();
        assert!(by(Place::Reflex) > 0 && by(Place::Local) > 0, "{} thoughts", thoughts.len());
        let chain = house.engine.app.ctx.store.verify_chain(1).await.expect("read");
        assert!(chain.bad.is_none() && chain.rows > 30, "{chain:?}");
        let (_, health) = house.get("/api/health").await;
        let parts: Value = serde_json::from_str(&health).expect("JSON");
        assert!(!parts.to_string().contains("\"failed\""), "every part runs: {parts}");
        house.end().await;
        let left = tried_to_leave(&before);
        assert!(left.is_empty(), "tried to leave: {left:?}");
        let opened = |counts: &BTreeMap<String, u64>| counts["Tcp ActiveOpens"];
        assert!(
            opened(&counted()) > opened(&before) + 100,
            "the counters count: pages were asked for over the loopback"
        );
    });
}

// shows: models: without network a remote provider fails plainly, and everything else goes on (the counter-proof of the day)
#[test]
fn a_remote_provider_does_try_to_leave_and_only_it_fails() {
    if without_network("offline::a_remote_provider_does_try_to_leave_and_only_it_fails").is_some() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for (name, url) in [("by-number", "https://203.0.113.7/v1"), ("by-name", "https://models.example/v1")] {
            let before = counted();
            let house = House::open(vec![ollama(), remote(name, url), Arc::new(Reflex::new("a-model"))]).await;
            house.hour().await;
            house.engine.wait_until(|| !tried_to_leave(&before).is_empty()).await;
            let answer = house.engine.ask("Who answers?").await;
            assert_eq!(answer.place, Some(Place::Reflex), "{answer:?}");
            house.engine.wait_for_thoughts(1).await;
            let (status, providers) = house.get("/api/v1/router/providers").await;
            let providers: Value = serde_json::from_str(&providers).expect("JSON");
            let far = providers["items"]
                .as_array()
                .and_then(|all| all.iter().find(|p| p["name"] == name))
                .expect("listed")
                .to_string();
            assert!(status == 200 && far.contains("cannot be reached"), "{far}");
            assert!(!far.contains("sk-far-away"), "{far}");
            assert_eq!(house.get("/health/page").await.0, 200);
            house.end().await;
        }
    });
}
