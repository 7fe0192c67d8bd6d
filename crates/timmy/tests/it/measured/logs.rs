//! Log lines and the times of an answer.

use std::fs::File;

use serde_json::Value;

use super::QUIET;
use crate::support::{Server, home, json};
use crate::web::session;

const LOUD: [(&str, &str); 2] = [("TIMMY__LOG__FORMAT", "json"), ("TIMMY__LOG__LEVEL", "debug")];

// shows: process: JSON log lines with one name for each field, a line for each request, and no secret in any
#[test]
fn every_log_line_is_json_with_known_names_and_without_a_secret() {
    let home = home();
    let told = home.path().join("told.txt");
    let secrets = home.path().join("secrets.toml");
    let settings = home.path().join("timmy.toml");
    std::fs::write(
        &settings,
        "[provider.cloud]\nkind = \"openai\"\nurl = \"http://127.0.0.1:9\"\nmodel = \"m\"\nplace = \"local\"\n",
    )
    .expect("written");
    std::fs::write(&secrets, "[provider.cloud]\napi_key = \"sk-of-the-cloud\"\n").expect("written");
    std::fs::set_permissions(&secrets, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("closed");
    let mut variables = LOUD.to_vec();
    variables.extend([("TIMMY__CASCADE__PROVIDERS", "cloud,scripted,reflex"), ("TIMMY__THINKING__ENABLED", "false")]);
    let server = Server::start_telling(home.path(), &variables, File::create(&told).expect("a file").into());
    let token = json(home.path(), &["token", "create", "--name", "phone\n{}", "--scope", "operate"]);
    let token = token["token"].as_str().expect("a token").to_owned();
    let (cookie, csrf) = session(&server);
    let bearer = format!("Bearer {token}");
    let chat = r#"{"messages":[{"role":"user","content":"the words of the owner"}]}"#;
    assert_eq!(server.request("POST", "/api/chat", &[("Authorization", &bearer)], Some(chat)).0, 200);
    server.request("GET", "/thinking/secret-path?token=in-the-query", &[("Authorization", &bearer)], None);
    server.request("GET", "/health/page", &[("Cookie", &cookie)], None);
    server.request("GET", "/health", &[("Authorization", "Bearer of-a-stranger")], None);
    let hidden =
        [&token, &cookie["timmy_session=".len()..], &csrf, &server.token, "sk-of-the-cloud"].map(str::to_owned);
    assert_eq!(server.terminate(), Some(0));
    let said = std::fs::read_to_string(&told).expect("read");
    let lines: Vec<Value> = said
        .lines()
        // The words for the person at the terminal are no log lines.
        .filter(|line| *line != "stopping")
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line:?}: {e}")))
        .collect();
    for line in &lines {
        for (name, value) in line.as_object().expect("an object") {
            let holds = timmy::log::fields::holds(name).unwrap_or_else(|| panic!("{name} is no field: {line}"));
            assert_eq!(value.is_string(), holds == timmy::log::fields::Holds::Text, "{name}: {line}");
        }
        for field in ["time", "level", "target", "message"] {
            assert!(line[field].is_string(), "{line}");
        }
    }
    let request = |route: &str, principal: Value| {
        let found =
            lines.iter().find(|l| l["message"] == "request" && l["route"] == route && l["principal"] == principal);
        found.unwrap_or_else(|| panic!("no line for {route} by {principal}:\n{said}"))
    };
    let page = request("/health/page", "browser".into());
    assert_eq!((&page["method"], &page["status"], &page["level"]), (&"GET".into(), &200.into(), &"debug".into()));
    assert!(page["duration_us"].is_u64() && page["bytes"].as_u64() > Some(1_000), "{page}");
    request("/thinking/{id}", "phone {}".into());
    request("/health", Value::Null);
    for secret in hidden.iter().map(String::as_str).chain([
        "of-a-stranger",
        "in-the-query",
        "secret-path",
        "the words of the owner",
    ]) {
        assert!(!said.contains(secret), "{secret} stands in the log");
    }
}

// shows: configuration: the log says as much as [log] level wants
#[test]
fn a_quiet_log_says_nothing_while_all_is_well() {
    let home = home();
    let told = home.path().join("told.txt");
    let server = Server::start_telling(home.path(), &QUIET, File::create(&told).expect("a file").into());
    server.get("/api/status");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(std::fs::read_to_string(&told).expect("read"), "stopping\n");
}

// shows: api: whoever is logged in hears what took how long; a stranger does not
#[test]
fn the_times_of_an_answer_are_told_to_those_who_came_in() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let timing = |path: &str, headers: &[(&str, &str)]| {
        let head = server.head(path, headers);
        head.iter().find_map(|line| line.strip_prefix("server-timing: ").map(str::to_owned))
    };
    let bearer = format!("Bearer {}", server.token);
    for path in ["/health/page", "/thinking", "/api/status", "/metrics", "/no/such/page"] {
        let told = timing(path, &[("Authorization", &bearer), ("Accept", "text/html")]);
        let told = told.unwrap_or_else(|| panic!("{path} tells no times"));
        let times: Vec<(&str, f64)> = told
            .split(", ")
            .map(|part| part.split_once(";dur=").expect("a name and a time"))
            .map(|(name, dur)| (name, dur.parse().expect("milliseconds")))
            .collect();
        let names: Vec<&str> = times.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["db", "render", "total"], "{path}: {told}");
        assert!(times[2].1 > 0.0 && times[0].1 <= times[2].1 && times[1].1 <= times[2].1, "{path}: {told}");
        if path == "/health/page" {
            assert!(times[0].1 > 0.0 && times[1].1 > 0.0, "a page reads and is drawn: {told}");
        }
    }
    for (path, headers) in [
        ("/health", vec![]),
        ("/login", vec![("Accept", "text/html")]),
        ("/api/status", vec![]),
        ("/api/status", vec![("Authorization", "Bearer nonsense")]),
        ("/", vec![("Accept", "text/html")]),
    ] {
        assert_eq!(timing(path, &headers), None, "{path} with {headers:?}");
    }
}
