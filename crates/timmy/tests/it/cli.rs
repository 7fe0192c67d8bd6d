//! The command line: exit codes, JSON in any position, with and without a server.

use std::process::Stdio;

use crate::support::{Server, home, json, run, timmy};

// shows: cli: exit codes 0 done, 1 failed, 2 wrong usage; --home and --json in any position
#[test]
fn exit_codes_and_flags_are_as_promised() {
    let home = home();
    assert_eq!(run(home.path(), &["status"]).0, 0, "not running is an answer, no failure");
    assert_eq!(run(home.path(), &["login"]).0, 1, "a login needs a server");
    for wrong in [
        &["dance"][..],
        &[],
        &["watch"],
        &["token", "create"],
        &["events", "tail", "--type", "A..b"],
        &["think", "--seed", "lunch"],
        &["thoughts", "--limit", "0"],
    ] {
        let (code, out, err) = run(home.path(), wrong);
        assert_eq!(code, 2, "{wrong:?}: {out}{err}");
        assert!(!err.is_empty(), "{wrong:?}");
    }
    let (code, before, _) = run(home.path(), &["--json", "status"]);
    let (_, after, _) = run(home.path(), &["status", "--json"]);
    assert_eq!((code, &before), (0, &after));
    assert_eq!(json(home.path(), &["status"])["running"], false);
    let (code, out, _) = run(home.path(), &["login", "--json"]);
    assert_eq!(code, 1);
    let told: serde_json::Value = serde_json::from_str(&out).expect("a failure in JSON too");
    assert!(told["error"]["message"].as_str().is_some_and(|m| m.contains("not running")), "{told}");
}

// shows: cli: status, watch, thoughts, think, chat, events, token, doctor against a running server
#[test]
fn every_command_works_through_a_running_server() {
    let home = home();
    let folder = home.path().join("kelp");
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join("notes.md"), "# Kelp\n").expect("written");
    let server = Server::start(home.path());
    let status = json(home.path(), &["status"]);
    assert_eq!(status["running"], true);
    assert!(
        ["idle", "thinking", "working", "waiting", "degraded"].contains(&status["state"].as_str().expect("a word"))
    );
    let added = json(home.path(), &["watch", "add", folder.to_str().expect("text")]);
    assert_eq!(added["name"], "kelp");
    assert_eq!(json(home.path(), &["watch", "list"])["items"].as_array().map(Vec::len), Some(1));
    let (code, _, err) = run(home.path(), &["watch", "add", "/nowhere/at/all"]);
    assert_eq!(code, 1);
    assert!(err.lines().count() >= 2, "what happened and what to do: {err}");
    let injected = json(home.path(), &["thoughts", "inject", "what", "about", "kelp"]);
    let id = injected["id"].as_str().expect("an id").to_owned();
    assert_eq!(json(home.path(), &["thoughts", "keep", &id])["kept"], true);
    assert_eq!(run(home.path(), &["thoughts", "keep", "nonsense"]).0, 1);
    let chain = json(home.path(), &["thoughts", "chain", &id]);
    assert_eq!(chain["items"].as_array().and_then(|c| c.last()).map(|t| t["id"] == id.as_str()), Some(true));
    let answer = json(home.path(), &["chat", "hello", "there"]);
    assert!(answer["reply"].as_str().is_some_and(|r| r.starts_with("Scripted")), "{answer}");
    assert_eq!((answer["provider"].as_str(), answer["place"].as_str()), (Some("scripted"), Some("local")));
    let (code, out, err) = run(home.path(), &["chat", "hello"]);
    assert!(code == 0 && out.contains("scripted") && out.contains("on this machine"), "{out}{err}");
    let about = json(home.path(), &["thoughts", "reply", &id, "tell me more"]);
    assert!(about["reply"].is_string());
    assert_eq!(run(home.path(), &["thoughts", "pause", "2h"]).0, 0);
    assert_eq!(run(home.path(), &["thoughts", "pause", "2 weeks"]).0, 2);
    assert_eq!(run(home.path(), &["thoughts", "resume"]).0, 0);
    let query = json(home.path(), &["events", "query", "--type", "message.*", "--limit", "50"]);
    assert!(query["items"].as_array().is_some_and(|i| i.len() >= 4), "{query}");
    let replied =
        query["items"].as_array().and_then(|i| i.iter().find(|e| e["event"] == "message.replied")).expect("a reply");
    let seq = replied["seq"].to_string();
    let (code, out, err) = run(home.path(), &["events", "show", &seq, "--chain"]);
    assert!(code == 0 && out.contains("message.received") && out.contains("message.replied"), "{out}{err}");
    assert_eq!(run(home.path(), &["events", "show", "999999999"]).0, 1);
    let (code, out, _) = run(home.path(), &["events", "verify"]);
    assert!(code == 0 && out.contains("chain is whole"), "{out}");
    let token = json(home.path(), &["token", "create", "--name", "phone", "--scope", "read"]);
    let secret = token["token"].as_str().expect("a token");
    let bearer = format!("Bearer {secret}");
    assert_eq!(server.request("GET", "/thinking/api", &[("Authorization", &bearer)], None).0, 200);
    assert_eq!(
        server.request("POST", "/thinking/api/inject", &[("Authorization", &bearer)], Some("{\"content\":\"x\"}")).0,
        403,
        "read may not write"
    );
    assert_eq!(run(home.path(), &["token", "create", "--name", "phone"]).0, 1, "the name is taken");
    assert_eq!(run(home.path(), &["token", "revoke", "phone"]).0, 0);
    assert_eq!(server.request("GET", "/thinking/api", &[("Authorization", &bearer)], None).0, 401, "revoked at once");
    let (_, list, _) = run(home.path(), &["token", "list"]);
    assert!(!list.contains(secret));
    assert_eq!(run(home.path(), &["doctor"]).0, 0);
    let login = json(home.path(), &["login"]);
    assert!(login["url"].as_str().is_some_and(|u| u.contains("/login#code=")), "{login}");
    assert_eq!(server.terminate(), Some(0));
}

// shows: cli: without a server the same commands work on the home itself
#[test]
fn commands_work_on_the_home_without_a_server() {
    let home = home();
    std::fs::write(home.path().join("timmy.toml"), "[cascade]\nproviders = [\"scripted\", \"reflex\"]\n")
        .expect("written");
    let thought = json(home.path(), &["think", "--seed", "creative"]);
    assert_eq!(thought["seed_type"], "creative");
    let answer = json(home.path(), &["chat", "hello"]);
    assert!(answer["reply"].as_str().is_some_and(|r| r.starts_with("Scripted")));
    assert_eq!(json(home.path(), &["thoughts"])["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(run(home.path(), &["events", "verify"]).0, 0);
    assert_eq!(run(home.path(), &["doctor"]).0, 0);
    assert_eq!(run(home.path(), &["thoughts", "inject", "left for later"]).0, 0);
    let server = Server::start(home.path());
    let list = server.get("/thinking/api");
    let contents: Vec<&str> =
        list["items"].as_array().expect("items").iter().filter_map(|t| t["content"].as_str()).collect();
    assert!(contents.contains(&"left for later"), "{contents:?}");
}

// shows: cli: chat reads from a pipe and a reader that goes away is no fault
#[test]
fn pipes_work_in_both_directions() {
    use std::io::Write;
    let home = home();
    std::fs::write(home.path().join("timmy.toml"), "[cascade]\nproviders = [\"scripted\"]\n").expect("written");
    let mut child =
        timmy(home.path()).args(["chat", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    child.stdin.take().expect("piped").write_all(b"hello from a pipe\n").expect("written");
    let out = child.wait_with_output().expect("ends");
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("Scripted"), "{out:?}");
    let mut child = timmy(home.path())
        .args(["config", "explain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("ends");
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

// shows: configuration: config explain shows value, source and doc, and never a secret
#[test]
fn config_explains_each_key_and_hides_secrets() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    std::fs::write(home.path().join("timmy.toml"), "[thinking]\ninterval_seconds = 60\n[provider.grok]\nkind = \"openai\"\nurl = \"https://api.example.com/v1\"\nmodel = \"m\"\n").expect("written");
    let secrets = home.path().join("secrets.toml");
    std::fs::write(&secrets, "[provider.grok]\napi_key = \"very-secret-key\"\n").expect("written");
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o644)).expect("set");
    let (code, _, err) = run(home.path(), &["config", "check"]);
    assert!(code == 1 && err.contains("chmod 600"), "{err}");
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o600)).expect("set");
    let (code, out, err) = run(home.path(), &["config", "explain"]);
    assert!(code == 0 && !out.contains("very-secret") && !err.contains("very-secret"), "{out}{err}");
    assert!(
        out.contains("thinking.interval_seconds = 60")
            && out.contains("timmy.toml line 2")
            && out.contains("set, not shown"),
        "{out}"
    );
    assert_eq!(run(home.path(), &["config", "explain", "thinkng"]).0, 1);
}

// shows: configuration: config set writes one key and keeps comments, with or without a server, and tells it
#[test]
fn config_sets_and_unsets_a_key_and_tells_it() {
    let home = home();
    let file = home.path().join("timmy.toml");
    std::fs::write(&file, "# Mine.\n[thinking] # the loop\nenabled = true\n").expect("written");
    let read = || std::fs::read_to_string(&file).expect("read");
    let (code, out, err) = run(home.path(), &["config", "set", "thinking.interval_seconds", "60"]);
    assert!(code == 0 && out == "thinking.interval_seconds = 60\n", "{out}{err}");
    assert_eq!(read(), "# Mine.\n[thinking] # the loop\nenabled = true\ninterval_seconds = 60\n");
    let (code, _, err) = run(home.path(), &["config", "set", "thinking.interval_seconds", "0"]);
    assert!(code == 1 && err.contains("from 1 to 86400"), "{err}");
    let (code, _, err) = run(home.path(), &["config", "set", "thinking.interval_secs", "9"]);
    assert!(code == 1 && err.contains("did you mean \"thinking.interval_seconds\"?"), "{err}");
    assert_eq!(run(home.path(), &["config", "set", "thinking.enabled"]).0, 2, "a key without a value");
    let pair = ["config", "set", "thinking.quiet_from", "22:00", "thinking.quiet_until", "07:00"];
    assert_eq!(run(home.path(), &pair).0, 0, "keys that belong together are set together");
    let server = Server::start(home.path());
    let (code, out, err) = run(home.path(), &["config", "set", "thinking.interval_seconds", "90"]);
    assert!(code == 0 && out.contains("= 90; takes effect at the next start"), "{out}{err}");
    let (code, _, err) = run(home.path(), &["config", "set", "cascade.providers", "reflex"]);
    assert!(code == 1 && err.contains("environment TIMMY__CASCADE__PROVIDERS, which wins over the file"), "{err}");
    assert_eq!(run(home.path(), &["config", "unset", "thinking.interval_seconds"]).0, 0);
    assert!(!read().contains("interval"), "{}", read());
    let told = json(home.path(), &["events", "query", "--type", "settings.changed"]);
    let keys: Vec<_> = told["items"].as_array().expect("a list").iter().map(|e| e["data"].to_string()).collect();
    assert_eq!(keys.len(), 5, "{keys:?}");
    assert_eq!(keys[4], "{\"key\":\"thinking.interval_seconds\",\"set\":false}");
    assert_eq!(server.terminate(), Some(0));
}

// shows: configuration: a file that keeps Timmy from starting is mended by config set
#[test]
fn config_mends_a_file_with_a_fault() {
    let home = home();
    let file = home.path().join("timmy.toml");
    std::fs::write(&file, "[thinking]\ninterval_seconds = 0\n").expect("written");
    assert_eq!(run(home.path(), &["config", "check"]).0, 1);
    let (code, _, err) = run(home.path(), &["config", "set", "talk.max_tokens", "99"]);
    assert!(code == 1 && err.contains("from 1 to 86400"), "the fault is still there: {err}");
    let (code, _, err) = run(home.path(), &["config", "set", "thinking.interval_seconds", "30"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(run(home.path(), &["config", "check"]).0, 0);
}

// shows: cli: task and tasks make, list, show and steer tasks, with and without a server
#[test]
fn tasks_are_made_and_steered_from_the_command_line() {
    let home = home();
    let path = home.path();
    let add = ["task", "add", "Water", "the", "kelp", "--priority", "high", "--ask", "--due", "2031-01-31T12:00:00Z"];
    let made = json(path, &add);
    let id = made["id"].as_str().expect("an id");
    assert_eq!((made["title"].as_str(), made["status"].as_str()), (Some("Water the kelp"), Some("pending_approval")));
    let server = Server::start(path);
    let other = json(path, &["task", "add", "Sweep", "--ask", "--key", "k"]);
    assert_eq!(other["id"], json(path, &["task", "add", "Sweep", "--key", "k"])["id"]);
    let (code, out, err) =
        run(path, &["tasks", "--status", "pending_approval", "--priority", "HIGH", "--agent", "timmy"]);
    assert!(code == 0 && out.contains("Water the kelp") && !out.contains("Sweep"), "{out}{err}");
    assert_eq!(json(path, &["tasks", "--limit", "1"])["items"].as_array().map(Vec::len), Some(1));
    let edited = json(path, &["task", "edit", id, "--title", "Water it", "--description", "Twice."]);
    assert_eq!(edited["title"], "Water it");
    let (code, out, _) = run(path, &["task", "show", id]);
    assert!(code == 0 && out.contains("Water it") && out.contains("Twice.") && out.contains("Due 2031-01-31"), "{out}");
    let other = other["id"].as_str().expect("an id");
    for place in [&["--top"][..], &["--bottom"], &["--before", other], &["--after", other]] {
        assert_eq!(run(path, &[&["task", "move", id][..], place].concat()).0, 0, "{place:?}");
    }
    for (words, status) in [
        (&["backlog", id, "--reason", "later"][..], "backlogged"),
        (&["unbacklog", id], "pending_approval"),
        (&["complete", id, "--result", "It drinks."], "completed"),
        (&["veto", other, "--reason", "no"], "vetoed"),
    ] {
        let done = json(path, &[&["task"][..], words].concat());
        assert_eq!(done["status"], status, "{words:?}");
    }
    for verb in ["approve", "pause", "resume", "cancel", "retry"] {
        let (code, _, err) = run(path, &["task", verb, id]);
        assert!(code == 1 && err.contains("does not fit"), "{verb}: {err}");
    }
    for wrong in
        [&["task"][..], &["task", "add"], &["task", "move", id], &["task", "edit", id], &["tasks", "--limit", "0"]]
    {
        assert_eq!(run(path, wrong).0, 2, "{wrong:?}");
    }
    assert_eq!(run(path, &["tasks", "--status", "odd"]).0, 1);
    assert_eq!(server.terminate(), Some(0));
}

// shows: cli: approvals lists, shows and decides what waits, and the task it is about moves with it
#[test]
fn approvals_are_decided_from_the_command_line() {
    let home = home();
    let path = home.path();
    let one = json(path, &["task", "add", "May I?", "--ask"]);
    let two = json(path, &["task", "add", "And this?", "--ask"]);
    let waiting = json(path, &["approvals"]);
    let items = waiting["items"].as_array().expect("items");
    let ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 2, "{waiting}");
    let (code, out, err) = run(path, &["approvals", "show", ids[1]]);
    assert!(code == 0 && out.contains("May I?") && out.contains("pending"), "{out}{err}");
    assert_eq!(json(path, &["approvals", "approve", ids[1], "--reason", "fine"])["status"], "approved");
    assert_eq!(json(path, &["approvals", "reject", ids[0]])["status"], "rejected");
    assert!(json(path, &["task", "show", one["id"].as_str().expect("an id")])["approved_at"].is_string());
    assert_eq!(json(path, &["task", "show", two["id"].as_str().expect("an id")])["status"], "vetoed");
    assert_eq!(run(path, &["approvals", "approve", ids[0]]).0, 1, "decided already");
    assert!(run(path, &["approvals"]).1.contains("Nothing waits for you."));
    let all = json(path, &["approvals", "list", "--status", "all"]);
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
    assert!(run(path, &["approvals", "rules"]).1.contains("There are no rules."));
}
