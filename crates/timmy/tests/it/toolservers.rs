//! The Model Context Protocol from both sides: Timmy offers tools to others, and uses those of a server under policy.
//! The server here is a second Timmy; the official Python client speaks to him where it is installed.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use timmy_core::decide::decide;
use timmy_core::settings::Settings;
use timmy_domain::approval::{Act as Answer, Approval, Decision};
use timmy_domain::task::Status;
use timmy_domain::task::birth::NewTask;
use timmy_domain::{Actor, Secret, TaskId};
use timmy_llm::{Scripted, Step, ToolCall};
use timmy_store::ApprovalQuery;
use timmy_testkit::{Engine, engine};
use timmy_tools::mcp::{Server as ToolServer, Way};

use crate::support::{PATIENCE, Server, home, run, timmy};

fn token(server: &Server, scope: &str) -> String {
    let made = server.post("/api/tokens", &json!({"name": format!("tools-{scope}"), "scope": scope}));
    made["token"].as_str().expect("a token").to_owned()
}

/// One message to the door, and what comes back.
fn say(server: &Server, key: &str, message: &str) -> (u16, Value) {
    let key = format!("Bearer {key}");
    let headers = [("Authorization", key.as_str()), ("Accept", "application/json, text/event-stream")];
    let (status, text) = server.request("POST", "/mcp", &headers, Some(message));
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn request(id: u64, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

fn call(server: &Server, key: &str, tool: &str, args: &Value) -> Value {
    let (status, answer) = say(server, key, &request(7, "tools/call", &json!({"name": tool, "arguments": args})));
    assert_eq!((status, &answer["id"]), (200, &json!(7)), "{answer}");
    answer["result"].clone()
}

fn names(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
}

// shows: api: Timmy offers his tools over the Model Context Protocol; a token that may read sees and calls only those that look
#[test]
fn tools_are_offered_by_scope_and_decide_nothing() {
    let home = home();
    let server = Server::start(home.path());
    let (read, operate) = (token(&server, "read"), token(&server, "operate"));
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let (status, answer) = say(&server, &read, &request(1, "initialize", &hello));
    assert_eq!((status, &answer["result"]["protocolVersion"]), (200, &json!("2025-06-18")), "{answer}");
    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    assert_eq!(say(&server, &read, &told), (202, Value::Null));
    let looking = names(&say(&server, &read, &request(2, "tools/list", &json!({}))).1);
    assert_eq!(looking.len(), 7, "{looking:?}");
    assert_eq!(names(&say(&server, &operate, &request(2, "tools/list", &json!({}))).1).len(), 9);
    assert_eq!(call(&server, &read, "task_create", &json!({"title": "x"}))["isError"], true);
    let made = call(&server, &operate, "task_create", &json!({"title": "Water the kelp", "priority": "high"}));
    let task = &made["structuredContent"];
    assert_eq!((&task["status"], &task["priority"]), (&json!("pending_approval"), &json!("high")), "{made}");
    assert_eq!(task["created_by"], "program:tools-operate", "its words are not the owner's");
    for bad in [
        json!({"title": "x", "priority": "urgent"}),
        json!({"title": "x", "requires_approval": false}),
        json!({"title": ""}),
        json!({"title": 1}),
    ] {
        assert_eq!(call(&server, &operate, "task_create", &bad)["isError"], true, "{bad}");
    }
    let id = task["id"].as_str().expect("an id");
    assert_eq!(call(&server, &operate, "task_act", &json!({"id": id, "act": "approve"}))["isError"], true);
    assert_eq!(call(&server, &operate, "task_act", &json!({"id": id, "act": "pause"}))["isError"], true, "409 is told");
    assert_eq!(call(&server, &read, "task_get", &json!({"id": id}))["structuredContent"]["title"], "Water the kelp");
    let told = run(home.path(), &["task", "show", id]).1;
    assert!(told.contains("a program with the token tools-operate"), "{told}");
    let events = server.get("/api/events?after=0&type=task.created&actor=program&limit=5");
    assert_eq!(events["items"].as_array().map(Vec::len), Some(1), "{events}");
    let waiting = call(&server, &read, "approvals_list", &json!({}));
    assert!(waiting["structuredContent"]["items"].is_array(), "{waiting}");
    let found = call(&server, &read, "events_search", &json!({"type": "task.*", "limit": 5}));
    assert!(found["content"][0]["text"].as_str().expect("text").contains("task.created"), "{found}");
    assert_eq!(call(&server, &read, "thoughts_search", &json!({"query": "kelp"}))["isError"], false);
    let uri = json!({"uri": format!("timmy://tasks/{id}")});
    let (_, answer) = say(&server, &read, &request(3, "resources/read", &uri));
    assert!(answer["result"]["contents"][0]["text"].as_str().expect("text").contains("Water the kelp"));
    assert_eq!(server.get(&format!("/api/tasks/{id}"))["status"], "pending_approval", "nobody decided");
}

// shows: api: what is no message of the protocol, or comes without a token, is refused in one shape
#[test]
fn bad_messages_are_refused() {
    let home = home();
    let server = Server::start(home.path());
    let read = token(&server, "read");
    let table = [
        ("{", 400, -32_700),
        ("[]", 400, -32_600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", 400, -32_600),
        ("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", 400, -32_600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"approvals/approve\"}", 200, -32_601),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"approve\"}}", 200, -32_602),
    ];
    for (message, wanted, code) in table {
        let (status, answer) = say(&server, &read, message);
        assert_eq!((status, answer["error"]["code"].as_i64()), (wanted, Some(code)), "{message}: {answer}");
    }
    let ping = request(1, "ping", &json!({}));
    assert_eq!(server.request("POST", "/mcp", &[], Some(&ping)).0, 401);
    let key = format!("Bearer {read}");
    let foreign = [("Authorization", key.as_str()), ("Origin", "http://evil.example")];
    assert_eq!(server.request("POST", "/mcp", &foreign, Some(&ping)).0, 403);
    let elsewhere = [("Authorization", key.as_str()), ("Host", "evil.example")];
    assert_eq!(server.request("POST", "/mcp", &elsewhere, Some(&ping)).0, 403);
    assert_eq!(server.request("GET", "/mcp", &[("Authorization", key.as_str())], None).0, 405);
    let old = [("Authorization", key.as_str()), ("MCP-Protocol-Version", "1999-01-01")];
    assert_eq!(server.request("POST", "/mcp", &old, Some(&ping)).0, 400);
}

// shows: cli: `timmy mcp serve` hands messages on, to the running server or to the home, and says what cannot be read
#[test]
fn messages_are_handed_on_over_pipes() {
    let home = home();
    let speak = |words: &[&str]| {
        let mut child = timmy(home.path());
        let mut child =
            child.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command starts");
        let lines = [
            request(1, "ping", &json!({})),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(),
            "nonsense".to_owned(),
            request(2, "tools/list", &json!({})),
        ];
        child.stdin.take().expect("a pipe").write_all(lines.join("\n").as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let alone = speak(&["mcp", "serve"]);
    assert_eq!((alone.len(), names(&alone[2]).len()), (3, 9), "{alone:?}");
    assert_eq!((&alone[0]["id"], &alone[1]["error"]["code"]), (&json!(1), &json!(-32_700)));
    let server = Server::start(home.path());
    let running = speak(&["mcp", "serve", "--read-only"]);
    assert_eq!(names(&running[2]).len(), 7, "{running:?}");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(run(home.path(), &["mcp"]).0, 2);
}

// shows: cli: `timmy mcp serve` without a server holds the home for one message at a time, finds a server that is started later, and goes on when it ends
#[test]
fn pipes_leave_the_home_to_a_server_that_is_started_later() {
    use std::io::{BufRead, BufReader};
    let home = home();
    let mut child = timmy(home.path());
    let mut child =
        child.args(["mcp", "serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let (mut to, from) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let mut lines = BufReader::new(from).lines();
    let mut ask = |id: u64, method: &str, params: &Value| {
        writeln!(to, "{}", request(id, method, params)).expect("written");
        let answer: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
        assert_eq!((&answer["id"], &answer["error"]), (&json!(id), &Value::Null), "{answer}");
        answer["result"].clone()
    };
    let status = json!({"name": "status", "arguments": {}});
    ask(1, "ping", &json!({}));
    let server = Server::start(home.path());
    let told = ask(2, "tools/call", &status);
    assert_eq!(told["isError"], false, "the server, which holds the home, answered: {told}");
    assert_eq!(server.terminate(), Some(0));
    // The way that is gone is found out by a message that only looks.
    ask(3, "tools/list", &json!({}));
    assert_eq!(ask(4, "tools/call", &status)["isError"], false);
    assert_eq!(run(home.path(), &["status"]).0, 0, "and the home is free");
    drop(to);
    assert!(child.wait().expect("it ends").success());
}

/// The questions about plans that wait now.
async fn questions(engine: &Engine) -> Vec<Approval> {
    let all = engine.app.approvals.page(ApprovalQuery::at(engine.app.ctx.now())).await.expect("read");
    all.into_iter().filter(|one| one.plan.is_some() && one.standing(engine.app.ctx.now()).name() == "pending").collect()
}

/// Answers every question about a plan until the task is over or aside; how many there were.
async fn answer_all(engine: &Engine, id: TaskId, answer: Answer) -> usize {
    let (mut asked, mut refused) = (0, String::new());
    let going = async {
        loop {
            for one in questions(engine).await {
                match decide(&engine.app, one.id, Decision::by_owner(answer, "test", None), None).await {
                    Ok(_) => asked += 1,
                    Err(problem) => refused = problem.message,
                }
            }
            let now = engine.app.queue.get(id).await.expect("there").status.known;
            if !matches!(now, Some(Status::Approved | Status::Running | Status::PendingApproval)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, going).await.is_err() {
        let told: Vec<String> = engine.events("*").await.iter().map(|e| e.envelope().to_string()).collect();
        panic!("stuck after {asked}: {refused}\n{}", told.join("\n"));
    }
    asked
}

// shows: approvals: a tool of a server is asked for like any other, is called after a yes alone, and leaves its receipt
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_of_a_server_is_called_under_policy() {
    let home = home();
    let server = Server::start(home.path());
    let key = token(&server, "operate");
    for (answer, done) in [(Answer::Reject, 0), (Answer::Approve, 1)] {
        let way = Way::Url { url: format!("http://{}/mcp", server.address), key: Secret::new(key.clone()) };
        let far = ToolServer { name: "far".to_owned(), way, read_only: vec!["status".to_owned()] };
        let settings = Settings { servers: vec![far], ..Settings::default() };
        let used = ToolCall { id: "c1".into(), name: "mcp_far_status".into(), arguments: "{}".into() };
        let steps =
            vec![Step::Tool(vec![used]), Step::Reply("It is there.".into()), Step::Reply("It is there.".into())];
        let mut engine = engine(vec![Arc::new(Scripted::script(steps))], settings);
        engine.run_only(&["work.processor", "tools.servers"]);
        let connected = engine.wait_until(|| engine.app.servers.connected() == 1);
        tokio::time::timeout(PATIENCE, connected).await.expect("connected");
        assert_eq!(engine.app.servers.standings()[0].words(), "connected with 9 tools");
        let made = engine.app.queue.create(NewTask::titled("Ask how the other house is", Actor::Owner)).await;
        let asked = answer_all(&engine, made.expect("made").task.id, answer).await;
        assert_eq!(asked, 1, "asked once");
        let receipts = engine.events("tool.completed").await;
        assert_eq!(receipts.len(), done, "{answer:?}");
        for receipt in receipts {
            let told = receipt.envelope();
            assert_eq!(
                (&told["data"]["tool"], &told["data"]["hosts"]),
                (&json!("mcp_far_status"), &json!(["127.0.0.1"]))
            );
        }
        engine.stop().await;
    }
}

// shows: api: the official Python client drives Timmy's tools over pipes and over HTTP
#[test]
fn the_official_client_drives_the_tools() {
    let Some(venv) = std::env::var_os("TIMMY_TEST_PYTHON_PEER").map(std::path::PathBuf::from) else {
        println!(
            "SKIPPED: TIMMY_TEST_PYTHON_PEER is not set; `cargo xtask toolservers` sets it, so nothing is shown here"
        );
        return;
    };
    let home = home();
    let server = Server::start(home.path());
    let key = token(&server, "operate");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/toolservers/client.py");
    let url = format!("http://{}/mcp", server.address);
    let there = home.path().display().to_string();
    for words in [vec![url.as_str(), key.as_str()], vec![env!("CARGO_BIN_EXE_timmy"), "--home", &there, "mcp", "serve"]]
    {
        let output = Command::new(venv.join("bin/python")).arg(script).args(&words).output().expect("it starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.trim() == "well", "{}: {out}\n{err}", words[0]);
    }
}
