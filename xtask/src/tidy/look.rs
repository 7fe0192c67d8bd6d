//! Rules 12 and 13: what a browser loads comes from this house, and pages keep to their own policy.

use crate::finding::{FOREIGN, Finding, INLINE};
use crate::tree::{Tree, extension};

/// What a browser loads.
const FOLDERS: [&str; 2] = ["crates/timmy-web/templates/", "crates/timmy-web/static/"];
/// Addresses that are names, not places, and addresses of this machine.
const HARMLESS: [&str; 5] = [
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/1999/xlink",
    "http://127.0.0.1",
    "http://localhost",
    "http://[::1]",
];
/// Ways to load something from a host without naming the protocol.
const RELATIVE: [&str; 6] = ["src=\"//", "href=\"//", "action=\"//", "url(//", "url(\"//", "url('//"];

/// Checks templates and static files.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.iter().filter(|(path, _)| FOLDERS.iter().any(|folder| path.starts_with(folder))) {
        for (n, line) in text.lines().enumerate() {
            if let Some(host) = foreign(line) {
                findings.push(Finding::new(path, n + 1, &FOREIGN, format!("another host: {host}")));
            }
            let refused = (extension(path) == "html").then(|| inline(line)).flatten();
            if let Some(what) = refused {
                findings.push(Finding::new(path, n + 1, &INLINE, what));
            }
        }
    }
}

/// The first address of another host in `line`.
fn foreign(line: &str) -> Option<&str> {
    let end = |at: usize| line[at..].find(['"', '\'', ' ', ')', '<', '>', '`']).map_or(line.len(), |end| at + end);
    let named = ["http://", "https://", "ws://", "wss://"].into_iter().flat_map(|scheme| line.match_indices(scheme));
    // A scheme alone, as in `"ws://" + location.host`, names nobody.
    let named = named.map(|(at, scheme)| (&line[at..end(at)], scheme)).find(|(address, scheme)| {
        let host = &address[scheme.len()..];
        host.starts_with(|c: char| c.is_alphanumeric()) && !HARMLESS.iter().any(|known| address.starts_with(known))
    });
    named.map(|(address, _)| address).or_else(|| RELATIVE.into_iter().find(|start| line.contains(start)))
}

/// What the content policy would refuse in `line`.
fn inline(line: &str) -> Option<String> {
    for word in [" style=", "<style"] {
        if line.contains(word) {
            return Some(format!("inline style: {}", word.trim()));
        }
    }
    if let Some(at) = line.find("<script") {
        let tag = &line[at..line[at..].find('>').map_or(line.len(), |end| at + end)];
        if !tag.contains(" src=") && !tag.contains("application/json") {
            return Some("an inline script".to_owned());
        }
    }
    line.match_indices(" on").find_map(|(at, _)| {
        let name: String = line[at + 3..].chars().take_while(char::is_ascii_lowercase).collect();
        let handler = !name.is_empty() && line[at + 3 + name.len()..].starts_with("=");
        handler.then(|| format!("an inline handler: on{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn page(line: &str) -> Vec<String> {
        found(check, &[("crates/timmy-web/templates/pages/a.html", line)])
    }

    #[test]
    fn another_host_is_found_however_it_is_written() {
        for line in [
            "<link href=\"https://fonts.example/a.css\">",
            "<img src=\"//cdn.example/a.png\">",
            "<a href='http://a.example'>",
        ] {
            assert_eq!(page(line), ["crates/timmy-web/templates/pages/a.html:1 rule 12"], "{line}");
        }
        let css = [("crates/timmy-web/static/app.css", "a { background: url(https://a.example/x.png) }")];
        assert_eq!(found(check, &css), ["crates/timmy-web/static/app.css:1 rule 12"]);
        for line in [
            "<svg xmlns=\"http://www.w3.org/2000/svg\">",
            "curl http://127.0.0.1:8000/health",
            "new WebSocket('ws://' + host)",
        ] {
            assert_eq!(page(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn inline_style_script_and_handlers_are_found() {
        for line in
            ["<p style=\"color: red\">", "<style>", "<script>let a;</script>", "<a href=\"#\" onclick=\"go()\">"]
        {
            assert_eq!(page(line), ["crates/timmy-web/templates/pages/a.html:1 rule 13"], "{line}");
        }
        for line in ["<script src=\"/static/live.js\" defer></script>", "<p>It went on=1 and on.</p><input once>"] {
            assert_eq!(page(line), [""; 0], "{line}");
        }
    }
}
