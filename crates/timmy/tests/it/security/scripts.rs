//! Script that was stored: whatever is said, named or reported stays words on every page (34).

use std::collections::BTreeSet;

use super::calls;
use super::poison::{self, NAME, SCRIPT, poison};
use crate::support::{Server, home};
use crate::web::session;

/// What must stand on no page, whatever was stored.
const NEVER: [&str; 10] = [
    "<script>",
    "<img",
    "<svg onload",
    "onerror=alert(3)>",
    "<style",
    "href=\"javascript:",
    "href='javascript:",
    "src=\"x",
    "onerror=\"",
    "</script><img",
];

// shows: dashboard: a script in a thought, message, folder, file, commit, token, provider, fault or event stays words on every page (34)
#[tokio::test(flavor = "multi_thread")]
async fn case_34_script_that_was_stored_stays_words_on_every_page() {
    let (home, place) = (home(), home());
    poison(home.path(), place.path()).await;
    let server = Server::start_with(home.path(), &super::QUIET);
    let (cookie, _) = session(&server);
    let first = |list: &str, field: &str| {
        let list = server.get(list);
        let items = list["items"].as_array().expect("a list").clone();
        items.first().map(|item| item[field].to_string().replace('"', "")).unwrap_or_else(|| "1".to_owned())
    };
    let (thought, message) = (first("/thinking/api", "id"), first("/api/messages", "id"));
    let mut paths: Vec<String> = Vec::new();
    for (_, verb, path) in calls().into_iter().filter(|(_, verb, _)| *verb == "GET") {
        assert_eq!(verb, "GET");
        for name in [thought.as_str(), message.as_str(), "1"] {
            paths.push(path.split('/').map(|part| if part == "1" { name } else { part }).collect::<Vec<_>>().join("/"));
        }
    }
    let last = server.get("/api/events?newest=true&limit=1")["items"][0]["seq"].as_i64().expect("a position");
    paths.extend((1..=last).map(|seq| format!("/swarm/events/{seq}")));
    let asked: String = SCRIPT.bytes().map(|b| format!("%{b:02X}")).collect();
    let queries = ["text", "type", "q", "filter", "about", "next", "after", "seed"];
    paths.extend(paths.clone().iter().take(120).map(|path| {
        let query: Vec<String> = queries.iter().map(|name| format!("{name}={asked}")).collect();
        format!("{path}?{}", query.join("&"))
    }));
    paths.push(format!("/nowhere/{asked}"));
    paths.push(format!("/login?next=/{asked}"));
    let (mut pages, mut words) = (0, 0);
    for path in &paths {
        if path.contains("/stream") || path.contains("/live") {
            continue;
        }
        for script in [None, Some(("HX-Request", "true"))] {
            let mut headers = vec![("Cookie", cookie.as_str()), ("Accept", "text/html")];
            headers.extend(script);
            let (status, head, body) = whole(&server, path, &headers);
            assert!(status < 500, "{path}: {status}");
            assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
            if !head.contains("content-type: text/html") {
                continue;
            }
            pages += 1;
            words += usize::from(body.contains("&#60;script&#62;alert(1)") || body.contains("&#60;img src=x"));
            for never in NEVER {
                // The house's own pictures and scripts have an address of the house.
                let own = body.replace("<script src=\"/static/", "").replace("<img src=\"/static/", "");
                let at = own.find(never);
                assert!(at.is_none(), "{path} holds {never}: {}", around(&own, at.unwrap_or(0)));
            }
        }
    }
    assert!(pages > 60 && words > 15, "{pages} pages, of which {words} show what was stored");
}

fn around(text: &str, at: usize) -> &str {
    let from = text.floor_char_boundary(at.saturating_sub(120));
    &text[from..text.floor_char_boundary((at + 120).min(text.len()))]
}

/// An answer with its head, in small letters.
fn whole(server: &Server, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut raw = super::raw::Raw::open(server);
    let extra: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{extra}Connection: close\r\n\r\n", server.address));
    let (status, head) = raw.head();
    (status, head.to_lowercase(), raw.rest())
}

/// Elements no page of the house has.
const FOREIGN: [&str; 8] = ["iframe", "frame", "object", "embed", "base", "style", "math", "foreignobject"];

/// What a browser would run or load in `html` that the house did not put there: an element with a handler, a script or a
/// picture from elsewhere, an address that is a script. Reads tags as a browser does, their values aside.
fn foreign(html: &str) -> Option<&str> {
    let mut at = 0;
    while let Some(from) = html[at..].find('<').map(|n| at + n) {
        at = from + 1;
        if !html[at..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let Some((name, attributes, end)) = tag(&html[at..]) else { return Some(around(html, from)) };
        at += end;
        let value = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
        let runs = attributes.iter().any(|(name, value)| {
            let address = matches!(name.as_str(), "href" | "src" | "action" | "formaction");
            name.starts_with("on") || address && value.trim_start().to_lowercase().starts_with("javascript:")
        });
        let loads = matches!(name.as_str(), "script" | "img") && !value("src").starts_with("/static/");
        if runs || loads || FOREIGN.contains(&name.as_str()) {
            return Some(around(html, from));
        }
    }
    None
}

/// The line of a Markdown text in which a tag begins that is neither escaped nor code.
fn unescaped(markdown: &str) -> Option<&str> {
    let mut fenced = false;
    markdown.lines().find(|line| {
        let fence = line.trim_start_matches(['>', ' ', '-']).starts_with("```");
        fenced ^= fence;
        !fenced && !fence && begins_a_tag(line)
    })
}

fn begins_a_tag(line: &str) -> bool {
    let mut rest = line;
    while let Some(at) = rest.find(['\\', '`', '<']) {
        let (sign, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = match sign {
            b'\\' => after.strip_prefix(|_: char| true).unwrap_or_default(),
            b'`' => {
                let ticks = 1 + after.len() - after.trim_start_matches('`').len();
                let (fence, inner) = rest[at..].split_at(ticks);
                inner.find(fence).map_or(inner, |end| &inner[end + ticks..])
            }
            _ if after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') => return true,
            _ => after,
        };
    }
    false
}

/// The name of a tag, its attributes, and where it ends; `None` when it never does.
fn tag(text: &str) -> Option<(String, Vec<(String, &str)>, usize)> {
    let ends = |c: char| c.is_ascii_whitespace() || c == '>' || c == '/';
    let mut at = text.find(ends)?;
    let (name, mut attributes) = (text[..at].to_lowercase(), Vec::new());
    loop {
        at += text[at..].find(|c: char| !c.is_ascii_whitespace() && c != '/')?;
        if text[at..].starts_with('>') {
            return Some((name, attributes, at + 1));
        }
        let until = at + text[at..].find(|c: char| ends(c) || c == '=')?;
        let called = text[at..until].to_lowercase();
        at = until;
        let mut value = "";
        if let Some(rest) = text[at..].strip_prefix('=') {
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let inner = &rest[usize::from(quote.is_some())..];
            value = &inner[..inner.find(|c: char| quote.map_or(c.is_ascii_whitespace() || c == '>', |q| c == q))?];
            at += 1 + value.len() + 2 * usize::from(quote.is_some());
        }
        attributes.push((called, value));
    }
}

// shows: dashboard: the search of pages for stored script finds handlers, script addresses and strange elements, and raw tags in Markdown (34)
#[test]
fn what_a_browser_would_run_is_found() {
    let bad = [
        SCRIPT,
        NAME,
        poison::PROSE,
        "<a title=\"x\" onclick=y>",
        "<a href=' javascript:x'>",
        "<svg/onload=x>",
        "<img src=x",
    ];
    for html in bad {
        assert!(foreign(html).is_some(), "{html}");
    }
    for html in
        ["<p title=\"<script>\">a < b</p>", "<script src=\"/static/a.js\" defer></script>", "&lt;img onerror=x&gt;"]
    {
        assert_eq!(foreign(html), None);
    }
    let table = [
        ("a <b>", true),
        ("`x` <b>", true),
        ("\\<b>", false),
        ("``<b> ` <i>``", false),
        ("> ```\n> <b>\n> ```", false),
    ];
    for (markdown, bad) in table {
        assert_eq!(unescaped(markdown).is_some(), bad, "{markdown}");
    }
}

/// Marks of the fields that stand on some page.
const SHOWN: [&str; 65] = [
    "f-action",
    "f-actor",
    "f-agent",
    "f-answered",
    "f-answerer",
    "f-argument",
    "f-aside",
    "f-aside-why",
    "f-asked-model",
    "f-asker",
    "f-backup",
    "f-content",
    "f-decider",
    "f-description",
    "f-done",
    "f-door",
    "f-event",
    "f-event-agent",
    "f-event-task",
    "f-evidence",
    "f-factor",
    "f-fault",
    "f-file",
    "f-floor",
    "f-folder",
    "f-host",
    "f-kind",
    "f-left-host",
    "f-left-model",
    "f-left-to",
    "f-left-why",
    "f-maker",
    "f-model",
    "f-no",
    "f-note",
    "f-odd",
    "f-odd-thing",
    "f-offered",
    "f-output",
    "f-path",
    "f-priority",
    "f-question",
    "f-refusal",
    "f-remark",
    "f-result",
    "f-rule",
    "f-ruledoor",
    "f-rulehost",
    "f-seed",
    "f-setting",
    "f-source",
    "f-status",
    "f-step",
    "f-strange",
    "f-thing",
    "f-thing-name",
    "f-title",
    "f-token",
    "f-tool",
    "f-undo",
    "f-veto",
    "f-vetoed",
    "f-waits",
    "f-why",
    "f-word",
];

/// Every page with what is needed to see all of it: those without a name, and those of each task and event.
fn places(server: &Server) -> Vec<String> {
    let pages = timmy_web::routes::TABLE.iter().filter(|route| route.verbs.contains("GET"));
    let plain = pages.map(|route| route.path).filter(|path| {
        !["{", "/api/", "/v1/", "/static", "/swarm/live", "/thinking/api"].iter().any(|not| path.contains(not))
    });
    let mut all: Vec<String> = plain.map(str::to_owned).collect();
    for status in ["all", "approved", "rejected", "expired"] {
        all.extend(["/approvals", "/approvals/rows"].map(|page| format!("{page}?status={status}")));
    }
    for view in ["list", "board", "all", "done", "backlog"] {
        all.extend(["/tasks", "/tasks/rows"].map(|page| format!("{page}?view={view}")));
    }
    let ids = |path: &str, field: &str| -> Vec<String> {
        let items = server.get(path)["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item[field].to_string().replace('"', "")).collect()
    };
    for id in ids("/api/tasks?limit=1000", "id") {
        all.extend([format!("/tasks/{id}"), format!("/tasks/{id}/part")]);
        let things = ids(&format!("/api/tasks/{id}/artifacts"), "n");
        all.extend(things.iter().map(|n| format!("/tasks/{id}/artifacts/{n}/file")));
    }
    all.extend(ids("/api/events?newest=true&limit=1000", "seq").iter().map(|seq| format!("/swarm/events/{seq}")));
    all.extend(ids("/thinking/api", "id").iter().map(|id| format!("/thinking/{id}")));
    all.extend(ids("/api/messages", "id").iter().map(|id| format!("/talk/{id}/turn")));
    all
}

// shows: dashboard: a script in a task, its result, steps and things, an approval and the word on it, a rule, a model, a server of tools, a setting, a token, a backup, an event or a router's path stays words on every page, fragment and twin (34)
#[tokio::test(flavor = "multi_thread")]
async fn case_34_script_in_every_field_stays_words_on_every_page() {
    let (home, place) = (home(), home());
    poison(home.path(), place.path()).await;
    poison::surroundings(home.path());
    let server = Server::start_with(
        home.path(),
        &[("TIMMY__CASCADE__PROVIDERS", "far,scripted"), ("TIMMY__THINKING__ENABLED", "false")],
    );
    let holds = |path: &str, mark: &str| server.get(path).to_string().contains(mark).then_some(());
    server.wait_for(|| holds("/api/health", "f-tool"));
    server.wait_for(|| holds("/api/v1/router/providers", "f-offered"));
    poison::through_the_doors(&server);
    poison::past_the_house(home.path());
    let (cookie, _) = session(&server);
    let mut seen = Seen::default();
    for path in places(&server) {
        seen.look(&server, &cookie, &path);
    }
    let fault = serde_json::Value::from(poison::said("f-fault"));
    std::fs::write(home.path().join("timmy.toml"), format!("[{fault}]\nx = 1\n")).expect("written");
    seen.look(&server, &cookie, "/settings");
    let missing: Vec<&str> = SHOWN.into_iter().filter(|mark| !seen.marks.contains(*mark)).collect();
    assert!(missing.is_empty(), "on no page: {missing:?}");
    assert!(seen.pages > 150 && seen.twins > 60, "{} pages and {} twins", seen.pages, seen.twins);
}

/// Kinds of content that no browser reads as a page.
const INERT: [&str; 5] = ["", "application/json", "application/x-ndjson", "text/plain", "image/svg+xml"];

/// What was looked at.
#[derive(Default)]
struct Seen {
    /// Pages and parts of pages.
    pages: usize,
    /// Pages as Markdown.
    twins: usize,
    /// Marks of the fields that stood on a page.
    marks: BTreeSet<String>,
}

impl Seen {
    /// Fetches `path` as a page, as a part of one and as Markdown.
    fn look(&mut self, server: &Server, cookie: &str, path: &str) {
        for (accept, part) in [("text/html", false), ("text/html", true), ("text/markdown", false)] {
            let mut headers = vec![("Cookie", cookie), ("Accept", accept)];
            headers.extend(part.then_some(("HX-Request", "true")));
            let (status, head, body) = whole(server, path, &headers);
            assert!(status < 500, "{path}: {status}");
            assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
            let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
            match kind.split(';').next().unwrap_or_default() {
                "text/html" => {
                    self.pages += 1;
                    assert_eq!(foreign(&body), None, "{path} as {accept}");
                }
                "text/markdown" => {
                    self.twins += 1;
                    assert_eq!(unescaped(&body), None, "{path} as {accept}");
                }
                "application/octet-stream" => {
                    assert!(head.contains("content-disposition: attachment"), "{path}: {head}");
                    continue;
                }
                other => {
                    assert!(INERT.contains(&other), "{path}: {other}");
                    continue;
                }
            }
            let marks = body.match_indices("f-").map(|(at, _)| {
                let rest = &body[at..];
                &rest[..rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len())]
            });
            self.marks.extend(marks.map(str::to_owned));
        }
    }
}
