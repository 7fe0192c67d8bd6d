//! Rules 10 and 16: every dependency has its reason, and lockfiles say nothing about where they were made.

use std::collections::BTreeMap;

use super::manifests;
use crate::finding::{Finding, LOCK, REASONS};
use crate::tree::Tree;

/// Where the reasons stand.
const DOCUMENT: &str = "docs/deps.md";
/// The manifest and the lockfile of the browser tests.
const NODE_MANIFEST: &str = "e2e/package.json";
const NODE_LOCK: &str = "e2e/package-lock.json";

/// Compares the manifests with the document.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let used = used(tree);
    let reasons = reasons(tree.text(DOCUMENT).unwrap_or_default());
    for (name, (path, line)) in &used {
        if !reasons.contains_key(name) {
            findings.push(Finding::new(path, *line, &REASONS, format!("{name} has no reason in {DOCUMENT}")));
        }
    }
    for (name, line) in &reasons {
        if !used.contains_key(name) {
            findings.push(Finding::new(DOCUMENT, *line, &REASONS, format!("nothing depends on {name}")));
        }
    }
    lock(tree, findings);
}

/// Every direct dependency with the place that names it first.
fn used(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let mut used = BTreeMap::new();
    for dependency in manifests::workspace(tree) {
        used.insert(dependency.name, ("Cargo.toml".to_owned(), dependency.line));
    }
    for manifest in manifests::all(tree) {
        for dependency in manifest.dependencies {
            if dependency.name != "timmy" && !dependency.name.starts_with("timmy-") {
                used.entry(dependency.name).or_insert((manifest.path.clone(), dependency.line));
            }
        }
    }
    let mut inside = false;
    for (n, line) in tree.text(NODE_MANIFEST).unwrap_or_default().lines().enumerate() {
        if line.trim_end().ends_with('{') {
            inside = line.contains("ependencies\"");
        } else if line.trim_start().starts_with('}') {
            inside = false;
        } else if let (true, Some(name)) = (inside, line.split('"').nth(1)) {
            used.insert(name.to_owned(), (NODE_MANIFEST.to_owned(), n + 1));
        }
    }
    used
}

/// The names in lines such as `| `serde` | because |` with their numbers; a line without a reason does not count.
fn reasons(text: &str) -> BTreeMap<String, usize> {
    let lines = text.lines().enumerate().filter_map(|(n, line)| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        cells.next().is_some_and(|reason| !reason.is_empty()).then(|| (name.to_owned(), n + 1))
    });
    lines.collect()
}

/// Checks the lockfile of the browser tests.
fn lock(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(text) = tree.text(NODE_LOCK) else { return };
    let mut package = None;
    for (n, line) in text.lines().enumerate() {
        if line.contains("\"resolved\":") || line.contains("://") {
            findings.push(Finding::new(NODE_LOCK, n + 1, &LOCK, "a host is named"));
        }
        let before = if line.trim_start().starts_with("\"node_modules/") { package.replace(n + 1) } else { None };
        if let Some(line) = before {
            findings.push(Finding::new(NODE_LOCK, line, &LOCK, "a package without an integrity hash"));
        }
        if line.contains("\"integrity\": \"sha512-") {
            package = None;
        }
    }
    if let Some(line) = package {
        findings.push(Finding::new(NODE_LOCK, line, &LOCK, "a package without an integrity hash"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const MANIFEST: (&str, &str) = (
        "crates/timmy-llm/Cargo.toml",
        "[package]\nname = \"timmy-llm\"\n[dependencies]\ntimmy-domain.workspace = true\nserde.workspace = true\n",
    );
    const NODE: (&str, &str) =
        ("e2e/package.json", "{\n  \"name\": \"x\",\n  \"devDependencies\": {\n    \"axe-core\": \"1\"\n  }\n}\n");

    #[test]
    fn both_directions_are_checked_and_a_name_without_a_reason_is_none() {
        let whole = "| `serde` | JSON. |\n| `axe-core` | Finds barriers. |\n";
        assert_eq!(found(check, &[MANIFEST, NODE, ("docs/deps.md", whole)]), [""; 0]);
        let short = "| `serde` | JSON. |\n| `axe-core` | |\n";
        assert_eq!(found(check, &[MANIFEST, NODE, ("docs/deps.md", short)]), ["e2e/package.json:4 rule 10"]);
        let stale = "| `serde` | JSON. |\n| `axe-core` | Finds barriers. |\n| `chrono` | Time. |\n";
        assert_eq!(found(check, &[MANIFEST, NODE, ("docs/deps.md", stale)]), ["docs/deps.md:3 rule 10"]);
    }

    #[test]
    fn the_lockfile_names_no_host_and_every_package_has_its_hash() {
        let good = "\"node_modules/a\": {\n \"integrity\": \"sha512-x\"\n}\n";
        assert_eq!(found(check, &[(NODE_LOCK, good)]), [""; 0]);
        let hosted = "\"node_modules/a\": {\n \"resolved\": \"https://host/a\",\n \"integrity\": \"sha512-x\"\n}\n";
        assert_eq!(found(check, &[(NODE_LOCK, hosted)]), [format!("{NODE_LOCK}:2 rule 16")]);
        let bare = "\"node_modules/a\": {\n}\n\"node_modules/b\": {\n \"integrity\": \"sha512-x\"\n}\n";
        assert_eq!(found(check, &[(NODE_LOCK, bare)]), [format!("{NODE_LOCK}:1 rule 16")]);
    }
}
