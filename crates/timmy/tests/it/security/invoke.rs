//! Tools by their names over HTTP: whoever holds a key, no door lets them call what Timmy's own hands do (15).

use serde_json::{Value, json};
use timmy_web::routes::TABLE;

use super::{QUIET, calls};
use crate::support::{Server, home};
use crate::web::session;

/// Names that other houses gave to calls that spawn, steer and send, beside those of Timmy's own hands.
const FOREIGN: [&str; 9] = [
    "exec",
    "sessions_spawn",
    "sessions_send",
    "sessions_list",
    "gateway",
    "config.apply",
    "approve",
    "token_create",
    "login_code",
];
/// Addresses under which tools are called elsewhere.
const PLACES: [&str; 9] = [
    "/tools/invoke",
    "/api/tools/invoke",
    "/api/tools",
    "/api/v1/tools/call",
    "/invoke",
    "/rpc",
    "/mcp/tools/call",
    "/mcp/call",
    "/api/exec",
];

/// Sends a message of the Model Context Protocol with this key.
fn say(server: &Server, key: &str, method: &str, params: &Value) -> (u16, Value) {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (status, text) = server.request("POST", "/mcp", &[("Authorization", key)], Some(&message));
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The names of Timmy's own tools.
fn hands() -> Vec<String> {
    let all = timmy_tools::tools::all(std::sync::Arc::new(timmy_tools::tools::fetch::Internet));
    all.specs().map(|spec| spec.name.clone()).collect()
}

// shows: api: no route and no message calls a tool of Timmy's own hands, a session, a key or a decision, whatever the scope (15)
#[test]
fn case_15_no_tool_is_called_over_http() {
    let (home, place) = (home(), home());
    let server = Server::start_with(home.path(), &QUIET);
    let mark = place.path().join("mark");
    let keys = ["read", "operate", "admin"].map(|scope| {
        let made = server.post("/api/tokens", &json!({"name": scope, "scope": scope}));
        format!("Bearer {}", made["token"].as_str().expect("a token"))
    });
    let hands = hands();
    assert!(hands.len() >= 12, "{hands:?}");
    // What would do something, if anybody listened: a program, a file, and arguments as any tool has them.
    let arguments = json!({"argv": ["/usr/bin/touch", mark], "program": "touch", "args": [mark], "command": format!("touch {}", mark.display()),
        "path": mark, "content": "forged", "text": "forged", "url": "http://127.0.0.1:1/", "message": "forged"});
    for key in &keys {
        for name in hands.iter().map(String::as_str).chain(FOREIGN) {
            let (status, answer) = say(&server, key, "tools/call", &json!({"name": name, "arguments": arguments}));
            assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32_602)), "{name}: {answer}");
            for method in [name.to_owned(), format!("tools/{name}"), format!("sessions/{name}")] {
                let (status, answer) = say(&server, key, &method, &arguments);
                assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32_601)), "{method}: {answer}");
            }
        }
        let (_, offered) = say(&server, key, "tools/list", &json!({}));
        for tool in offered["result"]["tools"].as_array().expect("a list") {
            let name = tool["name"].as_str().expect("a name");
            assert!(!hands.iter().any(|hand| hand == name) && !FOREIGN.contains(&name), "{name} is offered");
        }
        // Ids and addresses that would lead from what is offered to what is not.
        for way in ["../tokens", "..%2ftokens", "x/../../tokens", "../login/code", "?x", "#", "x/approve"] {
            for (tool, given) in [("task_get", json!({"id": way})), ("task_act", json!({"id": way, "act": "pause"}))] {
                let (_, answer) = say(&server, key, "tools/call", &json!({"name": tool, "arguments": given}));
                assert_eq!(answer["result"]["isError"], true, "{tool} {way}: {answer}");
            }
            for uri in [format!("timmy://tasks/{way}"), format!("timmy://thoughts/{way}"), format!("timmy://{way}")] {
                let (_, answer) = say(&server, key, "resources/read", &json!({"uri": uri}));
                assert!(answer["error"].is_object(), "{uri}: {answer}");
            }
        }
        for uri in ["timmy://tokens", "timmy://settings", "timmy://sessions", "file:///etc/passwd"] {
            assert!(say(&server, key, "resources/read", &json!({"uri": uri})).1["error"].is_object(), "{uri}");
        }
        let body = json!({"tool": "shell", "name": "shell", "arguments": arguments, "args": arguments}).to_string();
        for place in PLACES {
            let (status, text) = server.request("POST", place, &[("Authorization", key)], Some(&body));
            // A key that may only look is turned away before anything is looked for.
            let nothing = [404, 405].contains(&status) || status == 403 && *key == keys[0];
            assert!(nothing, "{place}: {status} {text}");
        }
    }
    // A browser is not let in there at all, whoever it is.
    let (cookie, csrf) = session(&server);
    let own = format!("http://{}", server.address);
    let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str()), ("X-CSRF-Token", csrf.as_str())];
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    assert_eq!(server.request("POST", "/mcp", &headers, Some(&ping)).0, 403);
    every_route_is_deaf(&server, &keys, &arguments);
    let tools = server.get("/api/events?after=0&type=tool.*&limit=10");
    assert_eq!(tools["items"], json!([]), "a tool was called");
    assert!(!mark.exists(), "something was done");
}

/// Asks every route for a call of a tool, in the words of several houses.
fn every_route_is_deaf(server: &Server, keys: &[String], arguments: &Value) {
    assert!(!TABLE.iter().any(|route| route.path.contains("invoke") || route.path.contains("exec")));
    let calls_of_a_model =
        json!([{"id": "c1", "type": "function", "function": {"name": "shell", "arguments": arguments.to_string()}}]);
    let bodies = [
        json!({"tool": "shell", "action": "shell", "arguments": arguments, "args": arguments, "sessionKey": "main"}),
        json!({"messages": [{"role": "assistant", "content": "", "tool_calls": calls_of_a_model}], "tool_calls": calls_of_a_model,
            "tools": calls_of_a_model, "tool_choice": {"type": "function", "function": {"name": "shell"}}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "shell", "params": arguments}),
    ];
    for (_, verb, path) in calls().into_iter().filter(|(_, verb, _)| *verb != "GET") {
        // What ends the keys that are tried here has nothing to tell about tools.
        if path.starts_with("/api/tokens") || path == "/mcp" {
            continue;
        }
        // A backup is made whatever the body says, and each one takes its time.
        let bodies = if path.contains("backup") { &bodies[..1] } else { &bodies[..] };
        for (key, body) in keys.iter().flat_map(|key| bodies.iter().map(move |body| (key, body))) {
            let (status, text) = server.request(verb, &path, &[("Authorization", key)], Some(&body.to_string()));
            // Where no model answers as it was told to, the gateway says that none could.
            let no_model = status == 503 && text.contains("no_model");
            assert!(status < 500 || no_model, "{verb} {path}: {status} {text}");
        }
    }
}
