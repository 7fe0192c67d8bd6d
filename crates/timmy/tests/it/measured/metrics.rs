//! `/metrics` of a real process.

use std::path::Path;
use std::process::Command;

use timmy_web::metrics::families::FAMILIES;

use super::{QUIET, text};
use crate::support::{Server, home, json};

/// A token of the smallest scope, as a scraper has it.
fn scraper(server: &Server) -> String {
    let made = json(&server.home, &["token", "create", "--name", "scraper", "--scope", "read"]);
    made["token"].as_str().expect("a token").to_owned()
}

fn scrape(server: &Server, token: &str) -> String {
    let (status, page) = server.request("GET", "/metrics", &[("Authorization", &format!("Bearer {token}"))], None);
    assert_eq!(status, 200, "{page}");
    page
}

/// Something of everything: a turn, a thought, pages, addresses that lead nowhere, a refused act.
fn busy(server: &Server) {
    server.post("/api/chat", &serde_json::json!({"messages": [{"role": "user", "content": "Hello there."}]}));
    server.ask("POST", "/thinking/api/think", None);
    for path in ["/health/page", "/thinking/0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11", "/no/such/secret-page", "/%7Bid%7D"]
    {
        server.ask("GET", path, None);
    }
    server.ask("BREW", "/talk", None);
}

// shows: api: metrics for Prometheus, for a token that may only read; strangers get none
#[test]
fn metrics_are_served_to_a_read_token_in_the_text_format_of_prometheus() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    assert_eq!(server.request("GET", "/metrics", &[], None).0, 401);
    assert_eq!(server.request("GET", "/metrics", &[("Authorization", "Bearer nonsense")], None).0, 401);
    busy(&server);
    let token = scraper(&server);
    let head = server.head("/metrics", &[("Authorization", &format!("Bearer {token}"))]);
    assert!(head.contains(&"content-type: text/plain; version=0.0.4; charset=utf-8".to_owned()), "{head:?}");
    let families = server.wait_for(|| {
        let families = text::read(&scrape(&server, &token));
        // The turn is counted from the log, a moment after its answer.
        (families["timmy_talk_turns_total"].sum(&[("outcome", "answered")]) >= 1.0).then_some(families)
    });
    for family in FAMILIES {
        // What has not happened, or is not switched on, is absent.
        let may_miss = family.name.starts_with("timmy_telemetry_")
            || ["timmy_part_last_failure_timestamp_seconds", "timmy_provider_failures_total"].contains(&family.name);
        match families.get(family.name) {
            Some(found) => assert_eq!(found.kind, family.kind.name(), "{}", family.name),
            None => assert!(may_miss, "{} is missing", family.name),
        }
    }
    for name in families.keys() {
        assert!(FAMILIES.iter().any(|family| family.name == name), "{name} stands in no table");
    }
    let sum = |name: &str, labels: &[(&str, &str)]| families[name].sum(labels);
    assert_eq!(sum("timmy_http_requests_total", &[("route", "/health/page"), ("status", "2xx")]), 1.0);
    assert_eq!(sum("timmy_http_requests_total", &[("route", "/metrics"), ("status", "4xx")]), 2.0);
    assert!(sum("timmy_http_requests_total", &[("route", "none")]) >= 2.0, "what leads nowhere is counted together");
    assert!(sum("timmy_provider_answers_total", &[("provider", "scripted")]) >= 1.0);
    assert!(sum("timmy_store_events_total", &[]) >= 3.0 && sum("timmy_events_total", &[]) >= 3.0);
    assert!(sum("process_open_fds", &[]) > 3.0 && sum("process_cpu_seconds_total", &[]) > 0.0);
    assert!(sum("process_resident_memory_bytes", &[]) > 1e6);
}

// shows: api: no address, id or word of a person becomes a label, so metrics stay few whatever is asked
#[test]
fn labels_come_from_closed_lists_and_their_number_does_not_grow_with_what_is_asked() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let token = scraper(&server);
    busy(&server);
    let before = text::read(&scrape(&server, &token));
    for n in 0..40 {
        server.ask("GET", &format!("/thinking/{n}?q=my-secret-{n}"), None);
        server.ask("GET", &format!("/my-secret-{n}"), None);
        server.ask(&format!("VERB{n}"), "/talk", None);
    }
    let page = scrape(&server, &token);
    let after = text::read(&page);
    assert!(!page.contains("my-secret") && !page.contains("VERB"), "an address became a label");
    let count = |families: &std::collections::BTreeMap<String, text::Family>| {
        families["timmy_http_requests_total"].samples.len()
    };
    assert!(count(&after) <= count(&before) + 4, "{} and then {}", count(&before), count(&after));
    let routes: Vec<&str> = timmy_web::routes::TABLE.iter().map(|route| route.path).collect();
    for (_, labels, _) in &after["timmy_http_requests_total"].samples {
        assert!(labels["route"] == "none" || routes.contains(&labels["route"].as_str()), "{labels:?}");
    }
    let grew = |name: &str| after[name].sum(&[]) > before[name].sum(&[]);
    assert!(grew("timmy_http_requests_total") && grew("timmy_http_request_duration_seconds"));
}

/// The parser of the Python client library, which the Prometheus project publishes.
const PARSER: &str = "prometheus_client==0.25.0";
/// Reads standard input with it and prints how many families and samples there are.
const READ: &str = "import sys
from prometheus_client.parser import text_string_to_metric_families as read
families = list(read(sys.stdin.read()))
assert all(f.type in ('counter', 'gauge', 'histogram') and f.documentation for f in families), families
print(len(families), sum(len(f.samples) for f in families))
";

// shows: api: metrics are read by the parser of the Prometheus project
#[test]
#[ignore = "installs a Python package; part of make test-long"]
fn the_parser_of_the_prometheus_project_reads_the_metrics() {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
    let python = tools.join("bin/python");
    let run = |command: &mut Command| command.output().is_ok_and(|out| out.status.success());
    let installed = run(Command::new(&python).args(["-c", "import prometheus_client"]))
        || run(Command::new("python3").args(["-m", "venv"]).arg(&tools))
            && run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PARSER]));
    if !installed {
        assert!(std::env::var_os("CI").is_none(), "python3 with venv and pip is needed");
        println!("SKIPPED, so nothing is shown: python3 cannot install {PARSER}");
        return;
    }
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    busy(&server);
    let token = scraper(&server);
    let page = scrape(&server, &token);
    let file = home.path().join("metrics.txt");
    std::fs::write(&file, &page).expect("written");
    let read = Command::new(&python).args(["-c", READ]).stdin(std::fs::File::open(&file).expect("opened")).output();
    let read = read.expect("python runs");
    assert!(read.status.success(), "{}\n{page}", String::from_utf8_lossy(&read.stderr));
    let counted = String::from_utf8_lossy(&read.stdout).trim().to_owned();
    let families = text::read(&page);
    let samples: usize = families.values().map(|f| f.samples.len()).sum();
    assert_eq!(counted, format!("{} {samples}", families.len()));
}
