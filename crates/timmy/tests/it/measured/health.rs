//! Health of a real process, for programs and for people.

use serde_json::Value;

use super::QUIET;
use crate::support::{Server, home};
use crate::web::session;

fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
    let found = list.as_array().and_then(|items| items.iter().find(|item| item["name"] == name));
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

// shows: dashboard: Health shows use, waiting and faults of each resource, and when each part last ran and runs next
#[test]
fn health_tells_what_is_used_what_waits_and_what_failed() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let health = server.wait_for(|| {
        let health = server.get("/api/health");
        // The checks of the store run in the background, and the parts begin beside each other.
        let ran = named(&health["parts"], "models")["runs"].as_u64() >= Some(1);
        (ran && named(&health["routines"], "Check of the store")["ok"] == true).then_some(health)
    });
    let resources = &health["resources"];
    for name in [
        "Processor",
        "Memory",
        "Disk",
        "File handles",
        "Store, writing",
        "Store, reading",
        "Requests",
        "Live feed",
        "Models",
        "Tasks",
    ] {
        let resource = named(resources, name);
        assert!(
            ["well", "tight", "failing", "silent"].contains(&resource["grade"].as_str().unwrap_or_default()),
            "{resource}"
        );
        assert!(
            resource["grade"] == "silent" || resource["used"].as_str().is_some_and(|u| !u.is_empty()),
            "{resource}"
        );
    }
    let handles = named(resources, "File handles")["share"].as_array().expect("a share").clone();
    assert!(handles[0].as_u64() > Some(3) && handles[0].as_u64() < handles[1].as_u64(), "{handles:?}");
    let models = named(&health["parts"], "models");
    assert!(
        models["runs"].as_u64() >= Some(1) && models["took_micros"].is_u64() && models["next_at"].is_string(),
        "{models}"
    );
    assert_eq!(named(&health["parts"], "pulse")["runs"], 0, "what runs all the time has no runs");
    let never = named(&health["routines"], "Restore drill");
    assert!(never["ok"].is_null() && never["at"].is_null() && !never["result"].as_str().unwrap_or_default().is_empty());

    let (cookie, _) = session(&server);
    let (status, page) = server.request("GET", "/health/page", &[("Cookie", &cookie), ("Accept", "text/html")], None);
    assert_eq!(status, 200);
    for words in [
        "Resources",
        "File handles",
        "Done regularly",
        "No backup has been made yet.",
        "What may leave this machine",
        "No collector is named",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

// shows: dashboard: off, not yet, unreachable and nothing to say are four different pictures
#[test]
fn what_is_absent_says_why_it_is_absent() {
    let home = home();
    let variables = [
        ("TIMMY__CASCADE__PROVIDERS", "ollama,reflex"),
        ("TIMMY__OLLAMA__URL", "http://127.0.0.1:9"),
        ("TIMMY__THINKING__ENABLED", "false"),
        ("TIMMY__BACKUP__ENABLED", "false"),
        ("TIMMY__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:9"),
    ];
    let server = Server::start_with(home.path(), &variables);
    let (cookie, _) = session(&server);
    let headers = [("Cookie", cookie.as_str()), ("Accept", "text/html")];
    let page = server.wait_for(|| {
        let (_, page) = server.request("GET", "/health/page", &headers, None);
        (page.contains("Not reached") && page.contains("Does not answer")).then_some(page)
    });
    let row = |name: &str| {
        let from = page.find(&format!("<td class=\"lead\">{name}</td>")).unwrap_or_else(|| panic!("no row {name}"));
        page[from..].split("</tr>").next().unwrap_or_default().to_owned()
    };
    assert!(row("Backup").contains("Off") && row("Backup").contains("[backup] enabled"), "off by choice");
    assert!(row("Retention").contains("Not yet"), "nothing yet");
    assert!(row("Traces").contains("Not reached") && row("Traces").contains("127.0.0.1:9"), "unreachable");
    assert!(row("Models").contains("1 not reachable"));
}
