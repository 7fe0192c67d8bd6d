//! The document against the running house: what is answered has the shape that is described, no more and no less.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Server, home};

/// Words of a schema that explain and do not bound, or that schemathesis checks in the long tests.
const NOT_CHECKED: [&str; 9] =
    ["description", "examples", "format", "pattern", "minLength", "minItems", "maxItems", "title", "propertyNames"];

/// The document, and which of its calls were made.
struct Document {
    whole: Value,
    made: RefCell<BTreeSet<String>>,
}

impl Document {
    fn followed<'d>(&'d self, value: &'d Value) -> &'d Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let place = reference.strip_prefix('#').expect("a place in the document");
        self.whole.pointer(place).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// What of `value` does not fit `schema`. A field that is not described does not fit.
    fn misfits(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (word, bound) in self.followed(schema).as_object().expect("a schema") {
            match word.as_str() {
                "properties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        match bound.get(name) {
                            Some(schema) => found.extend(self.misfits(schema, value, &format!("{at}.{name}"))),
                            None => found.push(format!("{at}: {name} is not described")),
                        }
                    }
                }
                "items" => {
                    let items = value.as_array().into_iter().flatten();
                    found.extend(items.flat_map(|item| self.misfits(bound, item, &format!("{at}[]"))));
                }
                // A table of values by names of their own.
                "additionalProperties" if bound.is_object() => {
                    let values = value.as_object().into_iter().flatten();
                    found.extend(values.flat_map(|(name, one)| self.misfits(bound, one, &format!("{at}.{name}"))));
                }
                "oneOf" => {
                    let kinds: Vec<_> = listed(bound).iter().map(|kind| self.misfits(kind, value, at)).collect();
                    let fitting = kinds.iter().filter(|misfits| misfits.is_empty()).count();
                    if fitting != 1 {
                        found.push(format!("{at}: {fitting} of {} kinds fit: {kinds:?}", kinds.len()));
                    }
                }
                other if NOT_CHECKED.contains(&other) => {}
                _ if holds(word, bound, value) => {}
                _ => found.push(format!("{at}: {word} is {bound}, which {value} does not hold")),
            }
        }
        found
    }

    /// Holds an answer against what is described of the call `verb` `route`.
    fn holds(&self, verb: &str, route: &str, status: u16, body: &str) {
        let what = format!("{verb} {route} answered {status}");
        let operation = &self.whole["paths"][route][verb.to_lowercase()];
        assert!(operation.is_object(), "{verb} {route} is not described");
        let answer = self.followed(&operation["responses"][status.to_string()]);
        assert!(answer.is_object(), "{what}, which is not described: {body}");
        self.made.borrow_mut().insert(format!("{verb} {route}"));
        let Some(schema) = answer.pointer("/content/application~1json/schema") else { return };
        if route == "/openapi.json" && status == 200 {
            return;
        }
        let value: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{what}, not JSON: {e}: {body}"));
        let misfits = self.misfits(schema, &value, "");
        assert!(misfits.is_empty(), "{what} in another shape than described: {misfits:#?}\n{value:#}");
    }
}

fn listed(values: &Value) -> &[Value] {
    values.as_array().map(Vec::as_slice).expect("a list")
}

/// Whether `value` keeps within a bound of its own; one of another kind of value is kept.
fn holds(word: &str, bound: &Value, value: &Value) -> bool {
    match word {
        "type" if bound.is_array() => listed(bound).iter().any(|kind| is_a(kind.as_str().expect("a name"), value)),
        "type" => is_a(bound.as_str().expect("a name"), value),
        "enum" => listed(bound).contains(value),
        "minimum" => value.as_f64().is_none_or(|number| Some(number) >= bound.as_f64()),
        "maximum" => value.as_f64().is_none_or(|number| Some(number) <= bound.as_f64()),
        "maxLength" => value.as_str().is_none_or(|text| Some(text.chars().count() as u64) <= bound.as_u64()),
        "required" => {
            listed(bound).iter().filter_map(Value::as_str).all(|name| !value.is_object() || value.get(name).is_some())
        }
        other => panic!("nobody checks {other}"),
    }
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}

/// A house and its document.
struct Described {
    server: Server,
    document: Document,
}

impl Described {
    /// Makes a call and gives its answer, which fits the document. Parts of the route in braces stand for `name`,
    /// or for what stands between the bars in it.
    fn call(&self, verb: &str, route: &str, name: &str, query: &str, body: Option<&Value>) -> (u16, Value) {
        let mut path = format!("{route}{query}");
        for name in name.split('|') {
            if let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
                path.replace_range(from..=to, name);
            }
        }
        let token = format!("Bearer {}", self.server.token);
        let body = body.map(Value::to_string);
        let (status, text) = self.server.request(verb, &path, &[("Authorization", &token)], body.as_deref());
        self.document.holds(verb, route, status, &text);
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn get(&self, route: &str, name: &str, query: &str) -> Value {
        let (status, value) = self.call("GET", route, name, query, None);
        assert_eq!(status, 200, "GET {route}{query}: {value}");
        value
    }

    fn act(&self, verb: &str, route: &str, name: &str, body: &Value, wanted: u16) -> Value {
        let (status, value) = self.call(verb, route, name, "", Some(body));
        assert_eq!(status, wanted, "{verb} {route}: {value}");
        value
    }
}

fn house(of: &Described) {
    for route in ["/health", "/healthz", "/readyz", "/metrics", "/openapi.json", "/api/status"] {
        of.get(route, "", "");
    }
    of.get("/api/health", "", "?probe=true");
    assert_eq!(of.call("GET", "/swarm/live", "", "", None).0, 303);
}

fn conversation(of: &Described) {
    let said = json!({"messages": [{"role": "user", "content": "good morning"}]});
    let reply = of.act("POST", "/api/chat", "", &said, 200);
    let question = reply["answers"].as_str().expect("an id").to_owned();
    of.act("POST", "/api/chat/{id}/retry", &question, &json!({}), 409);
    of.act("POST", "/api/chat/{id}/stop", &question, &json!({}), 409);
    assert!(of.get("/api/messages", "", "?limit=1")["next"].is_string(), "there is more");
    of.get("/api/messages", "", "");
    of.get("/api/v1/router/providers", "", "");
    of.act("POST", "/api/v1/router/complete", "", &said, 200);
    for page in ["status", "metrics", "config", "egress"] {
        of.get(&format!("/api/v1/router/{page}"), "", "");
    }
    of.act("POST", "/api/v1/router/order", "", &json!({"providers": ["scripted"]}), 200);
    of.act("POST", "/api/v1/router/local-only", "", &json!({"minutes": 0}), 200);
    of.act("POST", "/api/v1/router/health-check", "", &json!({}), 200);
    let control = "/api/v1/router/providers/{name}/control";
    of.act("POST", control, "scripted", &json!({"action": "reset_circuit"}), 200);
    of.act("POST", control, "nobody", &json!({"action": "disable"}), 404);
    of.get("/api/v1/router/explain", "", "");
    of.get(
        "/api/v1/router/explain",
        "",
        "?task_class=vision&sensitivity=local-only&tokens=9000&tools=true&vision=true",
    );
    let test = "/api/v1/router/providers/{name}/test";
    assert_eq!(of.act("POST", test, "scripted", &json!({}), 200)["answered"], true);
    of.act("POST", test, "nobody", &json!({}), 404);
}

fn thoughts(of: &Described) {
    let thought = of.act("POST", "/thinking/api/inject", "", &json!({"content": "kelp"}), 201);
    let id = thought["id"].as_str().expect("an id");
    of.act("POST", "/thinking/api/think", "", &json!({"seed_type": "freeform"}), 201);
    of.act("POST", "/thinking/api/stop", "", &json!({}), 409);
    of.act("POST", "/thinking/api/pause", "", &json!({"minutes": 5.0}), 200);
    of.act("POST", "/thinking/api/resume", "", &json!({}), 200);
    assert!(of.get("/thinking/api", "", "?limit=1")["next"].is_i64(), "there is more");
    of.get("/thinking/api/{id}", id, "");
    of.get("/thinking/api/{id}/chain", id, "");
    for verb in ["keep", "release", "fewer", "unfewer"] {
        of.act("POST", &format!("/thinking/api/{{id}}/{verb}"), id, &json!({}), 200);
    }
}

fn log(of: &Described) {
    assert!(of.get("/api/events", "", "?limit=2&newest=true")["next"].is_i64(), "there is more");
    of.get("/api/events", "", "?type=timmy.*&severity=info&actor=owner");
    assert!(of.get("/api/events/{seq}", "2", "?chain=true")["causes"].is_array());
    of.get("/api/events/{seq}", "1", "");
    assert_eq!(of.get("/api/events/verify", "", "")["ok"], true);
    let export = of.get("/swarm/events/export", "", "?q=type:timmy.*");
    let lines = export.as_str().expect("lines").lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let misfits: Vec<_> =
        lines.flat_map(|line| of.document.misfits(&json!({"$ref": "#/components/schemas/Event"}), &line, "")).collect();
    assert!(misfits.is_empty(), "{misfits:#?}");
}

fn folders(of: &Described) {
    let other = home();
    let body = json!({"path": other.path()});
    let folder = of.act("POST", "/api/watch", "", &body, 201);
    of.get("/api/watch", "", "");
    of.act("DELETE", "/api/watch/{which}", &folder["id"].to_string(), &json!({}), 200);
    assert!(other.path().is_dir(), "it is untouched");
}

fn models(of: &Described) {
    let other = home();
    let file = other.path().join("m.gguf");
    std::fs::write(&file, b"GGUF\x03\0\0\0weights").expect("written");
    let body = json!({"name": "m", "path": file});
    of.act("POST", "/api/v1/models", "", &body, 403);
    of.act("POST", "/api/v1/models", "", &json!({"name": "o", "format": "ollama", "role": "judge"}), 201);
    of.act("POST", "/api/v1/models/import", "", &body, 201);
    of.act("POST", "/api/v1/models/import", "", &json!({"name": "../m", "path": file}), 422);
    assert_eq!(of.get("/api/v1/models", "", "")["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(of.get("/api/v1/models", "", "?role=judge")["items"][0]["name"], "o");
    of.get("/api/v1/models/roles/{role}", "reward", "");
    of.get("/api/v1/models/{name}", "m", "");
    of.act("PATCH", "/api/v1/models/{name}/active", "m", &json!({"active": false}), 200);
    of.act("POST", "/api/v1/models/assignments", "", &json!({"agent_id": "timmy", "model_name": "o"}), 201);
    of.act("POST", "/api/v1/models/assignments", "", &json!({"agent_id": "timmy", "model_name": "none"}), 404);
    of.get("/api/v1/models/assignments/all", "", "");
    of.act("DELETE", "/api/v1/models/assignments/{agent}", "timmy", &json!({}), 200);
    of.act("DELETE", "/api/v1/models/{name}", "m", &json!({}), 200);
    of.act("POST", "/api/v1/models/{name}/restore", "m", &json!({}), 200);
    assert!(of.get("/api/v1/models/catalogue", "", "")["items"].is_array());
    of.get("/api/v1/models/found", "", "");
    // Nothing is fetched here: one has no checksum, one is unknown.
    of.act("POST", "/api/v1/models/pulls", "", &json!({"name": "phi-4"}), 409);
    of.act("POST", "/api/v1/models/pulls", "", &json!({"name": "nothing"}), 404);
    of.get("/api/v1/models/pulls", "", "");
    let far = json!({"name": "far", "url": "http://127.0.0.1:9/far.gguf"});
    of.act("POST", "/api/v1/models/fetch", "", &far, 201);
    of.get("/api/v1/models/pulls/{name}", "far", "");
    of.act("POST", "/api/v1/models/fetch", "", &json!({"name": "far", "url": "ftp://a/b"}), 422);
    of.call("GET", "/api/v1/models/pulls/{name}", "qwen3-4b", "", None);
    of.act("DELETE", "/api/v1/models/pulls/{name}", "qwen3-4b", &json!({}), 409);
}

fn keys(of: &Described) {
    of.get("/api/settings", "", "");
    let change = json!({"set": {"thinking.interval_seconds": 600}, "unset": ["talk.max_tokens"]});
    of.act("POST", "/api/settings/changes", "", &change, 200);
    of.act("POST", "/api/backups", "", &json!({"only": "settings"}), 201);
    assert_eq!(of.get("/api/backups", "", "")["items"].as_array().map(Vec::len), Some(1));
    of.act("POST", "/api/login/code", "", &json!({}), 201);
    of.get("/api/login/password", "", "");
    of.act("PUT", "/api/login/password", "", &json!({"password": "lantern orchard violet"}), 200);
    of.act("DELETE", "/api/login/password", "", &json!({}), 200);
    crate::web::session(&of.server);
    let open = of.get("/api/sessions", "", "");
    of.act("DELETE", "/api/sessions/{id}", open["items"][0]["id"].as_str().expect("an id"), &json!({}), 200);
    of.act("DELETE", "/api/sessions/{id}", "nobody", &json!({}), 404);
    of.act("DELETE", "/api/sessions", "", &json!({}), 200);
    of.act("POST", "/api/tokens", "", &json!({"name": "phone", "scope": "read"}), 201);
    of.get("/api/tokens", "", "");
    of.act("DELETE", "/api/tokens/{name}", "phone", &json!({}), 200);
}

fn trust(of: &Described) {
    let nowhere = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11";
    of.get("/api/approvals", "", "?status=pending&limit=5");
    of.get("/api/approvals/digest", "", "");
    assert_eq!(of.call("GET", "/api/approvals", "", "?status=odd", None).0, 422);
    assert_eq!(of.call("GET", "/api/approvals/{id}", nowhere, "", None).0, 404);
    for route in ["/api/approvals/{id}/approve", "/api/approvals/{id}/reject", "/api/approvals/{id}/revoke"] {
        for verb in ["POST", "PATCH"] {
            of.act(verb, route, nowhere, &json!({"reason": "no"}), 404);
        }
    }
    let batch = of.act("POST", "/api/approvals/batch", "", &json!({"ids": [nowhere], "act": "approve"}), 200);
    assert_eq!(batch["items"][0]["error"]["code"], "unknown_approval");
    let shape = json!({"tool": "shell", "exe": "/usr/bin/hugo", "words": ["build"], "folders": ["/srv/site"]});
    let rule = of.act("POST", "/api/rules", "", &shape, 201);
    of.act("POST", "/api/rules", "", &json!({"tool": "shell", "exe": "/bin/sh", "words": ["-c"]}), 422);
    of.act("POST", "/api/rules/preview", "", &shape, 200);
    assert_eq!(of.get("/api/rules", "", "")["items"][0]["live"], true);
    of.act("POST", "/api/rules/{id}/revoke", rule["id"].as_str().expect("an id"), &json!({}), 200);
    assert_eq!(of.get("/api/rules", "", "")["items"][0]["live"], false);
    of.get("/api/rules/suggestions", "", "");
    for (argv, verdict) in
        [(json!(["git", "status"]), "auto"), (json!(["rm", "-rf", "/"]), "ask"), (json!(["timmy", "x"]), "deny")]
    {
        let said = of.act("POST", "/api/policy/explain", "", &json!({"argv": argv, "cwd": "/srv/work"}), 200);
        assert_eq!(said["verdict"], verdict, "{argv}");
    }
}

fn work(of: &Described) {
    let new = |title: &str| json!({"title": title, "requires_approval": true});
    let task = of.act("POST", "/api/tasks", "", &new("Water the kelp"), 201);
    let (id, next) = (task["id"].as_str().expect("an id"), of.act("POST", "/api/tasks", "", &new("Next"), 201));
    let question = of.get("/api/approvals", "", &format!("?status=pending&subject=task:{id}"))["items"][0].clone();
    of.get("/api/approvals/{id}", question["id"].as_str().expect("a question that waits"), "");
    of.get("/api/tasks", "", "?status=pending_approval&priority=normal&assigned_to=timmy&limit=1");
    of.get("/api/tasks/{id}", id, "");
    of.get("/api/tasks/counts", "", "");
    of.get("/api/queue/status", "", "?assigned_to=forge");
    of.get("/api/queue/agent/{name}", "timmy", "");
    of.get("/api/queue/position/{id}", id, "");
    for verb in ["POST", "PATCH"] {
        let act = |word: &str, body, wanted| of.act(verb, &format!("/api/tasks/{{id}}/{word}"), id, &body, wanted);
        act("modify", json!({"title": "Water it", "due": "2031-01-31T12:00:00Z"}), 200);
        act("move", json!({"to": "top"}), 200);
        act("move", json!({"after": next["id"]}), 200);
        act("move", json!({}), 422);
        for word in ["pause", "resume", "retry", "unbacklog"] {
            act(word, json!({}), 409);
        }
        act("backlog", json!({"reason": "later"}), 200);
        assert_eq!(of.get("/api/tasks/backlog", "", "?limit=5")["items"].as_array().map(Vec::len), Some(1));
        act("unbacklog", json!({}), 200);
    }
    let batch = json!({"ids": [id, "nonsense"], "act": "veto", "reason": "no"});
    of.act("POST", "/api/tasks/bulk", "", &batch, 200);
    for (verb, word) in
        ["approve", "veto", "cancel", "complete"].iter().flat_map(|word| ["POST", "PATCH"].map(|verb| (verb, word)))
    {
        of.act(verb, &format!("/api/tasks/{{id}}/{word}"), id, &json!({}), 409);
    }
    of.get("/api/tasks/{id}/artifacts", id, "");
    let nothing = format!("{id}|7");
    assert_eq!(of.call("GET", "/api/tasks/{id}/artifacts/{n}", &nothing, "", None).0, 404);
    of.act("POST", "/api/tasks/{id}/artifacts/{n}/rate", &nothing, &json!({"good": true}), 404);
    of.act("POST", "/api/tasks/{id}/artifacts/{n}/rate", &nothing, &json!({}), 422);
    let again = of.act("POST", "/api/tasks/{id}/send-back", id, &json!({"remark": "Warmer water."}), 201);
    assert_eq!(again["parent_task_id"], id);
    of.act("POST", "/api/tasks/{id}/send-back", id, &json!({"remark": "Warmer water."}), 409);
    of.act("POST", "/api/tasks/{id}/send-back", id, &json!({"remark": " "}), 422);
    let once = json!({"title": "Once", "idempotency_key": "k", "requires_approval": true});
    of.act("POST", "/api/tasks", "", &once, 201);
    of.act("POST", "/api/tasks", "", &once, 200);
}

fn gateway(of: &Described) {
    let listed = of.get("/v1/models", "", "");
    let name = listed["data"][0]["id"].as_str().expect("a model").to_owned();
    of.call("GET", "/v1/models/{id}", &name, "", None);
    let hello = json!([{"role": "user", "content": "Hello."}]);
    of.act("POST", "/v1/chat/completions", "", &json!({"model": "auto", "messages": hello}), 200);
    of.act("POST", "/v1/chat/completions", "", &json!({"model": "auto"}), 422);
    of.act("POST", "/v1/completions", "", &json!({"model": "auto", "prompt": "Once"}), 200);
    // The scripted provider embeds nothing, and there is no other.
    of.act("POST", "/v1/embeddings", "", &json!({"model": "auto", "input": "Once"}), 503);
}

fn refusals(of: &Described) {
    let nowhere = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11";
    for (verb, route) in
        [("GET", "/thinking/api/{id}"), ("POST", "/thinking/api/{id}/keep"), ("GET", "/api/events/{seq}")]
    {
        assert_eq!(of.call(verb, route, nowhere, "", None).0, 404, "{route}");
    }
    for query in ["?limit=0", "?limit=many", "?type=A", "?after=-1", "?severity=bad", "?newest=perhaps"] {
        assert_eq!(of.call("GET", "/api/events", "", query, None).0, 422, "{query}");
    }
    for body in [json!(["words"]), json!("words"), json!(null), json!({"content": 1}), json!({})] {
        of.act("POST", "/thinking/api/inject", "", &body, 422);
    }
    of.act("POST", "/thinking/api/inject", "", &json!({"content": "x".repeat(1_100_000)}), 413);
    let (status, body) = of.server.request("POST", "/api/tokens", &[], Some("{}"));
    assert_eq!(status, 401);
    of.document.holds("POST", "/api/tokens", status, &body);
    let foreign = [("Host", "evil.example")];
    let (status, body) = of.server.request("GET", "/health", &foreign, None);
    of.document.holds("GET", "/health", status, &body);
}

// shows: api: every call answers in the shape that /openapi.json describes
#[test]
fn every_call_answers_as_it_is_described() {
    let home = home();
    let server = Server::start_with(
        home.path(),
        &[("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__ENABLED", "false")],
    );
    let document = Document { whole: server.get("/openapi.json"), made: RefCell::default() };
    let of = Described { server, document };
    for walk in [house, conversation, thoughts, log, folders, models, keys, trust, work, gateway, refusals] {
        walk(&of);
    }
    let paths = of.document.whole["paths"].as_object().expect("paths");
    let described = paths.iter().flat_map(|(path, item)| {
        item.as_object().expect("verbs").keys().map(move |verb| format!("{} {path}", verb.to_uppercase()))
    });
    let missed: Vec<_> = described.filter(|call| !of.document.made.borrow().contains(call)).collect();
    assert!(missed.is_empty(), "nobody made {missed:?}: add a line to the walk in this file that fits");
}

#[test]
fn an_answer_that_is_written_while_it_is_compressed_ends_whole() {
    use std::io::{Read, Write};
    let home = home();
    let server = Server::start(home.path());
    let head = format!(
        "GET /swarm/events/export HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept-Encoding: gzip\r\n\
         Connection: close\r\n\r\n",
        server.address, server.token
    );
    let mut socket = std::net::TcpStream::connect(&server.address).expect("listens");
    socket.set_read_timeout(Some(crate::support::PATIENCE)).expect("set");
    socket.write_all(head.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("answered");
    let head = String::from_utf8_lossy(&answer[..answer.len().min(1_024)]).to_lowercase();
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "it broke off after {} bytes", answer.len());
}
