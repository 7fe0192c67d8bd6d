//! The router never wedges: whatever went wrong, it comes back by itself, and what it knows outlives a restart.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use timmy_core::settings::Settings;
use timmy_domain::Event;
use timmy_domain::thought::Place;
use timmy_llm::{
    Call, Cascade, CascadeSettings, ChatMessage, ChatRequest, Control, Failure, Ollama, OllamaSettings, Part, Provider,
    Reflex, Rules, Scripted, Step, TaskClass,
};
use timmy_testkit::{Engine, engine, routed};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A server that speaks as Ollama does, and can be killed.
struct Server {
    at: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `at`; while `fails` holds, it fails.
    fn start(at: SocketAddr, fails: Arc<AtomicBool>) -> Self {
        let listener = TcpListener::bind(at).expect("the port is free");
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { return };
                if told.load(Ordering::SeqCst) {
                    return;
                }
                answer(socket, fails.load(Ordering::SeqCst));
            }
        });
        Self { at, stopped, thread: Some(thread) }
    }

    fn kill(mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.at);
        self.thread.take().expect("a thread").join().expect("it ends");
    }
}

fn answer(mut socket: TcpStream, fails: bool) {
    let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
    }
    let _ = reader.read_exact(&mut vec![0; length]);
    let chat = concat!(
        r#"{"model":"small:1b","message":{"role":"assistant","content":"I am awake."},"done":true,"#,
        r#""done_reason":"stop","prompt_eval_count":7,"eval_count":3}"#,
        "\n"
    );
    let (status, body) = match head.split(' ').nth(1) {
        Some("/api/chat") if fails => (500, "{\"error\":\"out of memory\"}"),
        Some("/api/chat") => (200, chat),
        Some("/api/tags") => (200, r#"{"models":[{"name":"small:1b"}]}"#),
        _ => (200, r#"{"version":"0.9.9"}"#),
    };
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes()));
}

fn address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

fn ollama(at: SocketAddr) -> Arc<dyn Provider> {
    let settings = OllamaSettings { url: format!("http://{at}"), ..OllamaSettings::default() };
    Arc::new(Ollama::new(&settings).expect("an address"))
}

fn request(text: &str, sensitivity: timmy_domain::Sensitivity) -> ChatRequest {
    let part = Part { text: text.to_owned(), sensitivity, droppable: false };
    let message = ChatMessage {
        role: timmy_llm::Role::User,
        parts: vec![part],
        tool_calls: vec![],
        tool_call_id: None,
        images: vec![],
    };
    ChatRequest {
        messages: vec![message],
        tools: vec![],
        class: TaskClass::Chat,
        max_tokens: 100,
        temperature: None,
        model: None,
        sampling: timmy_llm::Sampling::default(),
        brief: timmy_llm::Brief::default(),
    }
}

/// Asks once, with ten seconds for it; who answered, or every reason.
async fn ask(engine: &Engine, task: &str) -> Result<String, Vec<&'static str>> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut call = Call::until(deadline, CancellationToken::new());
    task.clone_into(&mut call.manner.task);
    let asked = engine.app.ctx.ask("test", &request("hello", timmy_domain::Sensitivity::Open), &call).await;
    asked.map(|a| a.provider).map_err(|e| e.attempts.iter().map(|a| a.failure.word()).collect())
}

// shows: models: a model server that fails first, is killed and comes back later is used again by itself
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_failed_first_was_killed_and_came_back_is_used_again() {
    let (at, fails) = (address(), Arc::new(AtomicBool::new(true)));
    let server = Server::start(at, Arc::clone(&fails));
    let mut engine = engine(vec![ollama(at)], Settings::default());
    engine.run_only(&["models"]);
    let first = ask(&engine, "").await.expect_err("its very first call fails");
    assert_eq!(first, ["server_fault", "server_fault", "server_fault"], "asked again within the call");
    fails.store(false, Ordering::SeqCst);
    assert_eq!(ask(&engine, "").await, Ok("ollama".to_owned()), "one bad start shuts nothing");
    server.kill();
    let mut refused = 0;
    while ask(&engine, "").await == Err(vec!["unreachable"]) {
        refused += 1;
    }
    assert!((1..=5).contains(&refused), "{refused}");
    assert_eq!(ask(&engine, "").await, Err(vec!["resting"]), "nobody waits for a dead server");
    engine.advance_until("router.circuit_opened", 1, Duration::from_secs(16)).await;
    engine.advance_until("router.provider_down", 1, Duration::from_secs(16)).await;
    let server = Server::start(at, Arc::clone(&fails));
    engine.advance_until("router.provider_up", 2, Duration::from_secs(16)).await;
    assert_eq!(ask(&engine, "").await, Ok("ollama".to_owned()), "as soon as a look found it");
    assert_eq!(ask(&engine, "").await, Ok("ollama".to_owned()));
    let closed = engine.advance_until("router.circuit_closed", 1, Duration::from_secs(16)).await;
    assert!(matches!(closed[0].event(), Event::CircuitClosed(e) if e.provider == "ollama"));
    assert_eq!(engine.app.ctx.cascade.status()[0].circuit(), "closed");
    server.kill();
    engine.stop().await;
}

// shows: models: rests, what the owner switched off, and an hour in which all stays here outlive a restart
#[tokio::test(flavor = "multi_thread")]
async fn what_the_router_knows_outlives_a_restart() {
    // It answers when it is looked at, and fails when it is asked.
    let bad = || Step::Fail(Failure::TooLarge { what: "it is over every bound".to_owned() });
    let ill = || -> Arc<dyn Provider> { Arc::new(Scripted::script((0..5).map(|_| bad()).collect()).named("ill")) };
    let reply = |name: &str, place| -> Arc<dyn Provider> {
        Arc::new(Scripted::script(vec![Step::Reply("well".to_owned())]).named(name).at(place))
    };
    let mut first = engine(vec![ill()], Settings::default());
    for _ in 0..5 {
        ask(&first, "").await.expect_err("it is ill");
    }
    first.run_only(&["models"]);
    let opened = first.advance_until("router.circuit_opened", 1, Duration::from_secs(1)).await;
    assert!(matches!(opened[0].event(), Event::CircuitOpened(e) if e.provider == "ill" && e.seconds >= 48));
    first.stop().await;

    let providers = || vec![ill(), reply("off", Place::Local), reply("far", Place::Remote)];
    let mut second = first.reopen(providers(), Settings::default());
    second.app.router.control("off", Control::Disable).await.expect("switched off");
    second.app.router.keep_local(Some(60)).await.expect("an hour");
    assert_eq!(ask(&second, "").await, Err(vec!["resting", "resting", "privacy"]));
    second.stop().await;

    let mut third = second.reopen(providers(), Settings::default());
    assert_eq!(ask(&third, "").await, Err(vec!["resting", "resting", "privacy"]), "as before the restart");
    third.app.router.control("off", Control::Enable).await.expect("switched on");
    assert_eq!(ask(&third, "").await, Ok("off".to_owned()));
    assert!(third.app.router.control("nobody", Control::Enable).await.is_err());
    assert_eq!(third.events("router.local_only").await.len(), 1);
    third.stop().await;
    third.clock.advance(Duration::from_secs(3_601));
    let mut fourth = third.reopen(vec![reply("far", Place::Remote)], Settings::default());
    assert_eq!(ask(&fourth, "").await, Ok("far".to_owned()), "the hour is over");
    fourth.stop().await;
}

// shows: models: what leaves stands in a ledger, and a budget that is used up leaves the model on this machine
#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_stands_in_the_ledger_and_budgets_are_hard() {
    let replies = |name: &str, place| -> Arc<dyn Provider> {
        let steps = (0..9).map(|n| Step::Reply(format!("reply {n}"))).collect();
        Arc::new(Scripted::script(steps).named(name).at(place))
    };
    let settings = CascadeSettings {
        prices: vec!["far/* 10 50".to_owned()],
        budget_day_cents: 2,
        budget_task_cents: 1,
        ..CascadeSettings::default()
    };
    let providers = vec![replies("far", Place::Remote), replies("near", Place::Local), Arc::new(Reflex::new("m"))];
    let cascade = Cascade::with(providers, Rules::of(&settings).expect("rules"));
    let mut engine = routed(cascade, Settings::default());
    assert_eq!(ask(&engine, "t1").await, Ok("far".to_owned()));
    let lines = engine.app.ctx.store.read(|r| r.egress(0, 10)).await.expect("the ledger");
    assert_eq!((lines.len(), lines[0].bytes, lines[0].why.as_str(), lines[0].task_id.as_str()), (1, 5, "test", "t1"));
    // What is reserved is 100 tokens at 50 dollars a million, half a cent: the second one does not fit into one cent
    // only when the first one was dear, so two are spent by hand.
    let spend = |tx: &mut timmy_store::Tx<'_>| {
        let new = timmy_store::NewEgress {
            provider: "far".to_owned(),
            model: String::new(),
            host: String::new(),
            why: "test".to_owned(),
            task_id: "t1".to_owned(),
            bytes: 1,
            reserved_micros: 9_000,
        };
        tx.egress_enter(&new, timmy_store::SpendingCaps::default())
    };
    engine.app.ctx.store.write(spend).await.expect("written").expect("it fits");
    assert_eq!(ask(&engine, "t1").await, Ok("near".to_owned()), "the budget of the task");
    assert_eq!(ask(&engine, "t2").await, Ok("far".to_owned()), "another task");
    engine.app.ctx.store.write(spend).await.expect("written").expect("it fits");
    assert_eq!(ask(&engine, "t3").await, Ok("near".to_owned()), "the budget of the day");
    assert_eq!(ask(&engine, "").await, Ok("near".to_owned()));
    let told = engine.events("router.budget_reached").await;
    let budgets: Vec<String> = told
        .iter()
        .filter_map(|r| if let Event::BudgetReached(e) = r.event() { Some(e.budget.clone()) } else { None })
        .collect();
    assert!(budgets.contains(&"task".to_owned()) && budgets.contains(&"day".to_owned()), "{budgets:?}");
    let lines = engine.app.ctx.store.read(|r| r.egress(0, 10)).await.expect("the ledger");
    assert_eq!(lines.len(), 4, "what was not asked left nothing");
    engine.stop().await;
}

// shows: models: each of the three budgets refuses a call before it starts, and breaks an answer off that becomes dearer than was set aside
#[tokio::test(flavor = "multi_thread")]
async fn each_budget_refuses_before_a_call_and_breaks_off_within_it() {
    // 100 tokens of 50 millionths each are set aside; a cent allows once 64 more, and no second time.
    const PAID: u64 = 5_000 + 3_200;
    type Cap = fn(&mut CascadeSettings);
    let budgets: [(&str, Cap); 3] = [
        ("day", |s| s.budget_day_cents = 1),
        ("task", |s| s.budget_task_cents = 1),
        ("provider", |s| s.budget_provider_cents = 1),
    ];
    for (budget, cap) in budgets {
        let long = Step::Slow { chunks: vec!["sixteen letters ".to_owned(); 100], every: Duration::ZERO };
        let far =
            Arc::new(Scripted::script(vec![long, Step::Reply("again".to_owned())]).named("far").at(Place::Remote));
        let replies = (0..9).map(|n| Step::Reply(format!("reply {n}"))).collect();
        let near: Arc<dyn Provider> = Arc::new(Scripted::script(replies).named("near"));
        let mut settings = CascadeSettings {
            prices: vec!["far/* 0 50".to_owned()],
            budget_day_cents: 0,
            budget_task_cents: 0,
            budget_provider_cents: 0,
            ..CascadeSettings::default()
        };
        cap(&mut settings);
        let providers: Vec<Arc<dyn Provider>> = vec![far.clone(), near];
        let mut engine = routed(Cascade::with(providers, Rules::of(&settings).expect("rules")), Settings::default());
        let told = async |engine: &Engine| engine.events("router.budget_reached").await.len();
        assert_eq!(ask(&engine, "t1").await, Ok("near".to_owned()), "{budget}: it was broken off");
        assert_eq!(told(&engine).await, 1, "{budget}");
        // The books are closed behind the answer.
        let ledger = || async { engine.app.ctx.store.read(|r| r.egress(0, 10)).await.expect("the ledger") };
        while ledger().await.iter().any(|line| line.state == "open") {
            tokio::task::yield_now().await;
        }
        let lines = ledger().await;
        assert_eq!((lines.len(), lines[0].cost_micros, lines[0].state.as_str()), (1, PAID, "failed"), "{budget}");
        // With what the next call sets aside, the cent would not do.
        assert_eq!(ask(&engine, "t1").await, Ok("near".to_owned()), "{budget}: refused before it starts");
        assert_eq!((far.requests().len(), ledger().await.len()), (1, 1), "{budget}: nothing was asked, nothing left");
        if budget == "task" {
            assert_eq!(ask(&engine, "t2").await, Ok("far".to_owned()), "another task has its own");
        }
        let budgets: Vec<String> = engine
            .events("router.budget_reached")
            .await
            .iter()
            .filter_map(|r| if let Event::BudgetReached(e) = r.event() { Some(e.budget.clone()) } else { None })
            .collect();
        assert_eq!(budgets, [budget], "told once");
        engine.stop().await;
    }
}

// shows: models: a look at a provider elsewhere stands in the ledger, and is no question
#[tokio::test(flavor = "multi_thread")]
async fn a_look_elsewhere_stands_in_the_ledger() {
    let far: Arc<dyn Provider> = Arc::new(Scripted::script(vec![]).named("far").at(Place::Remote));
    let near: Arc<dyn Provider> = Arc::new(Scripted::script(vec![]).named("near"));
    let mut engine = engine(vec![far, near], Settings::default());
    for _ in 0..3 {
        engine.app.router.look().await.expect("looked");
    }
    let (lines, sums) = loop {
        let day = engine.app.ctx.now().to_utc().date().to_string();
        let read = move |r: &timmy_store::Reader<'_>| Ok((r.egress(0, 10)?, r.egress_by_provider(&day)?));
        let (lines, sums) = engine.app.ctx.store.read(read).await.expect("the ledger");
        if lines.iter().all(|line| line.state != "open") {
            break (lines, sums);
        }
        tokio::task::yield_now().await;
    };
    let told: Vec<_> = lines.iter().map(|l| (l.provider.as_str(), l.why.as_str(), l.bytes, l.state.as_str())).collect();
    assert_eq!(told, [("far", "look", 0, "answered")], "one line for the looks of a day");
    assert_eq!((sums.len(), sums[0].calls), (1, 0), "nothing was asked");
    engine.stop().await;
}
