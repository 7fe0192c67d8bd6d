//! The list of sessions: on the page, for programs and in the terminal, and what ends one.

use serde_json::json;

use super::{FORM, QUIET};
use crate::support::{Server, home, json as cli_json, run};
use crate::web::session;

fn inside(server: &Server, cookie: &str) -> u16 {
    server.request("GET", "/api/status", &[("Cookie", cookie)], None).0
}

fn page(server: &Server, cookie: &str, path: &str) -> String {
    let (status, page) = server.request("GET", path, &[("Cookie", cookie), ("Accept", "text/html")], None);
    assert_eq!(status, 200, "{path}: {page}");
    page
}

fn post(server: &Server, path: &str, cookie: &str, body: &str) -> (u16, String) {
    let own = format!("http://{}", server.address);
    let headers = [("Cookie", cookie), ("Origin", own.as_str()), ("Accept", "text/html"), FORM];
    server.request("POST", path, &headers, Some(body))
}

/// The handles of all sessions but that of `cookie`, as its own list tells them.
fn others(server: &Server, cookie: &str) -> Vec<String> {
    let list = server.request("GET", "/api/sessions", &[("Cookie", cookie)], None).1;
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let items = list["items"].as_array().expect("a list");
    assert_eq!(items.iter().filter(|seen| seen["own"] == true).count(), 1, "{list}");
    items.iter().filter(|seen| seen["own"] == false).map(|s| s["id"].as_str().expect("an id").to_owned()).collect()
}

// shows: login: Settings lists the browsers that are logged in and ends one or all others, without scripts; no list shows a key
#[test]
fn sessions_are_listed_and_ended_on_the_page() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let ((own, csrf), (second, _), (third, other_csrf)) = (session(&server), session(&server), session(&server));
    let (settings, twin) = (page(&server, &own, "/settings"), page(&server, &own, "/settings.md"));
    let ids = others(&server, &own);
    assert_eq!(ids.len(), 2);
    for id in &ids {
        assert!(id.len() == 12 && settings.contains(id.as_str()) && twin.contains(id.as_str()), "{id}");
    }
    assert!(settings.contains("this one") && twin.contains("this one"), "{twin}");
    let list = server.get("/api/sessions").to_string();
    for cookie in [&own, &second, &third] {
        let secret = cookie.split_once('=').expect("a pair").1;
        for text in [&settings, &twin, &list] {
            assert!(!text.contains(secret), "a cookie is shown");
        }
    }
    assert!(!list.contains(&other_csrf), "the word of another browser's forms is shown");

    // The word of the form is needed, as everywhere.
    assert_eq!(post(&server, "/settings/sessions/end", &own, &format!("id={}", ids[0])).0, 403);
    let (status, page) = post(&server, "/settings/sessions/end", &own, &format!("csrf={csrf}&id=nobody"));
    assert!(status == 404 && page.contains("There is no such session"), "{status}");
    assert_eq!(post(&server, "/settings/sessions/end", &own, &format!("csrf={csrf}&id={}", ids[0])).0, 303);
    let open = [&own, &second, &third].map(|cookie| inside(&server, cookie));
    assert_eq!(open.iter().filter(|status| **status == 200).count(), 2, "{open:?}");
    assert_eq!(inside(&server, &own), 200);
    assert_eq!(post(&server, "/settings/sessions/end-others", &own, &format!("csrf={csrf}")).0, 303);
    assert_eq!([&own, &second, &third].map(|cookie| inside(&server, cookie)), [200, 401, 401]);
    assert!(others(&server, &own).is_empty());
    let told = server.get("/api/events?after=0&type=login.sessions_ended&limit=10");
    let told = told["items"].as_array().expect("a list");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["data"], json!({"sessions_ended": 1, "session": ids[0]}));
    assert_eq!(told[1]["data"]["sessions_ended"], 1);
}

// shows: cli: the browsers that are logged in are listed and logged out in the terminal, with and without a server
#[test]
fn sessions_are_listed_and_ended_in_the_terminal() {
    let home = home();
    assert_eq!(run(home.path(), &["sessions"]).1.trim(), "No browser is logged in.");
    let server = Server::start_with(home.path(), &QUIET);
    let ((first, _), (second, _)) = (session(&server), session(&server));
    let list = cli_json(home.path(), &["sessions", "list"]);
    let items = list["items"].as_array().expect("a list");
    assert!(items.len() == 2 && items.iter().all(|seen| seen["own"] == false), "the terminal has none: {list}");
    let id = items[0]["id"].as_str().expect("an id");
    let (code, out, err) = run(home.path(), &["sessions", "end", id]);
    assert!(code == 0 && out.contains(id), "{out}{err}");
    let (code, _, err) = run(home.path(), &["sessions", "end", id]);
    assert!(code == 1 && err.contains("no such session"), "{err}");
    assert_eq!(inside(&server, &first) + inside(&server, &second), 200 + 401);
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(cli_json(home.path(), &["sessions", "end-others"]), json!({"sessions_ended": 1}));
    assert_eq!(run(home.path(), &["sessions", "list"]).1.trim(), "No browser is logged in.");
    assert_eq!(run(home.path(), &["sessions", "end"]).0, 2);
}
