//! The log from the terminal: the filter of the page, the export, and pages as Markdown.

use crate::support::{Server, home, json, run};

/// What the test itself put in: the server may think a thought of its own between two exports.
const MINE: &str = "type:timmy.* actor:owner";

// shows: cli: the filter of the Events page, the export of the log and every page as Markdown, with and without a server
#[test]
fn what_the_dashboard_shows_is_in_the_terminal_too() {
    let home = home();
    for served in [false, true] {
        let server = served.then(|| Server::start(home.path()));
        let thought = json(home.path(), &["thoughts", "inject", "# what", "about [kelp](https://evil.test)"]);
        let found = json(home.path(), &["events", "query", "--filter", "type:timmy.* actor:owner kelp"]);
        let newest = found["items"].as_array().and_then(|items| items.last()).expect("an event");
        assert_eq!(newest["seq"], thought["seq"]);
        let (code, out, err) = run(home.path(), &["events", "query", "--filter", "severty:error"]);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("at character 1") && err.contains("`severity:`"), "{err}");

        let file = home.path().join(format!("events-{served}.ndjson"));
        let to = file.to_str().expect("text");
        let told = json(home.path(), &["events", "export", "--filter", MINE, "--to", to]);
        let text = std::fs::read_to_string(&file).expect("written");
        assert_eq!(told["events"], text.lines().count());
        let names = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        assert!(names.clone().count() > 0 && names.into_iter().all(|e| e["event"] == "timmy.thought"), "{text}");
        let (code, out, _) = run(home.path(), &["events", "export", "--filter", MINE]);
        assert_eq!((code, out), (0, text.clone()), "the same without a file");
        let (code, _, err) = run(home.path(), &["events", "export", "--to", to]);
        assert!(code == 1 && err.contains("is there already"), "{err}");
        assert_eq!(std::fs::read_to_string(&file).expect("there"), text, "what was there stays");
        let (code, _, err) = run(home.path(), &["events", "export", "--to", "/no/such/folder/x.ndjson"]);
        assert!(code == 1 && err.contains("cannot be written"), "{err}");

        let (code, page, err) = run(home.path(), &["show", "thoughts"]);
        assert!(code == 0 && page.starts_with("# Thoughts\n"), "{page}{err}");
        assert!(page.contains("\\[kelp\\](https\\://evil.test)"), "{page}");
        let page = json(home.path(), &["show", "/swarm/events?q=type:timmy.*"]);
        assert!(page["markdown"].as_str().is_some_and(|text| text.starts_with("# Events\n")), "{page}");
        assert_eq!(run(home.path(), &["show", "nowhere"]).0, 2);
        assert_eq!(server.map_or(Some(0), Server::terminate), Some(0));
    }
}
