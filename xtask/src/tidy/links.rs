//! Rule 11: documents point at things that exist.

use crate::finding::{Finding, LINKS};
use crate::tree::{Tree, extension, file_name, folder, join};

/// The index of the decision records.
const INDEX: &str = "docs/adr/README.md";

/// Checks every document.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.iter().filter(|(path, _)| extension(path) == "md") {
        for (line, target) in links(text) {
            if let Some(what) = broken(tree, path, text, &target) {
                findings.push(Finding::new(path, line, &LINKS, what));
            }
        }
    }
    records(tree, findings);
}

/// Why `target`, written in `path`, leads nowhere, if so.
fn broken(tree: &Tree, path: &str, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let place = if file.is_empty() { Some(path.to_owned()) } else { join(folder(path), file) };
    let place = place.filter(|place| tree.has(place));
    let Some(place) = place else { return Some(format!("nothing lies at {target}")) };
    let there = if file.is_empty() { Some(text) } else { tree.text(&place) };
    match (anchor, there) {
        (Some(anchor), Some(there)) if extension(&place) == "md" && !anchors(there).any(|a| a == anchor) => {
            Some(format!("{place} has no heading #{anchor}"))
        }
        _ => None,
    }
}

/// The targets of `[text](target)` outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (n, line) in prose(text) {
        // Code in backquotes holds no links: every second piece is code.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        for (at, _) in plain.match_indices("](") {
            if let Some(end) = plain[at + 2..].find(')') {
                links.push((n, plain[at + 2..at + 2 + end].trim().to_owned()));
            }
        }
    }
    links
}

/// Lines outside fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(n, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fence && !fenced).then_some((n + 1, line))
    })
}

/// The anchors of the headings of a document.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}

/// Every record is listed, and no two have one number.
fn records(tree: &Tree, findings: &mut Vec<Finding>) {
    let index = tree.text(INDEX).unwrap_or_default();
    let mut before = "";
    for (path, _) in tree.below("docs/adr", "md").filter(|(path, _)| *path != INDEX) {
        let name = file_name(path);
        if !index.contains(&format!("({name})")) {
            findings.push(Finding::new(path, 1, &LINKS, format!("{INDEX} does not list this record")));
        }
        let number = name.split('-').next().unwrap_or_default();
        if number == before {
            findings.push(Finding::new(path, 1, &LINKS, format!("another record has the number {number}")));
        }
        before = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn links_to_files_folders_and_headings_resolve_or_are_found() {
        let text = "# Top part\n[a](docs/b.md) [c](docs) [d](#top-part) [e](docs/b.md#the-end) [f](https://example.org/x)\n`[g](nowhere)`\n```\n[h](nowhere)\n```\n";
        let b = "## The end\n[up](../README.md)";
        assert_eq!(found(check, &[("README.md", text), ("docs/b.md", b)]), [""; 0]);
        let text = "[a](docs/x.md)\n[b](docs/b.md#start)\n[c](../../etc/passwd)\n";
        let lines = [1, 2, 3].map(|n| format!("README.md:{n} rule 11"));
        assert_eq!(found(check, &[("README.md", text), ("docs/b.md", "## The end")]), lines);
    }

    #[test]
    fn a_record_must_be_listed_and_have_its_own_number() {
        let index = ("docs/adr/README.md", "[1](0001-a.md)");
        assert_eq!(found(check, &[index, ("docs/adr/0001-a.md", "")]), [""; 0]);
        let both = found(check, &[index, ("docs/adr/0001-a.md", ""), ("docs/adr/0001-b.md", "")]);
        assert_eq!(both, ["docs/adr/0001-b.md:1 rule 11", "docs/adr/0001-b.md:1 rule 11"]);
    }
}
