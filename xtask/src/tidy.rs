//! The house rules, one file each; every rule is a pure function from the tree to its findings.

use std::path::Path;

use crate::finding::Finding;
use crate::tree::Tree;

mod brief;
mod calls;
mod floors;
mod forgotten;
pub mod frozen;
mod length;
mod links;
mod log_fields;
mod look;
mod manifests;
mod reasons;
mod rooms;
mod words;

/// A rule file: reads the tree, adds what it refuses.
type Check = fn(&Tree, &mut Vec<Finding>);

/// Every check that runs. A file of this folder that is missing here is dead code, which the compiler reports.
const CHECKS: &[Check] = &[
    floors::check,
    rooms::check,
    calls::check,
    length::check,
    forgotten::check,
    words::check,
    reasons::check,
    links::check,
    look::check,
    frozen::check,
    brief::check,
    log_fields::check,
    crate::status::check,
];

/// Checks the tree at `root` and prints what it finds; `false` when it found something.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let tree = Tree::read(root)?;
    let findings = findings(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("tidy: {} files, nothing to say", tree.iter().count()),
        1 => println!("tidy: 1 finding"),
        many => println!("tidy: {many} findings"),
    }
    Ok(findings.is_empty())
}

/// Everything that the rules refuse, in the order of files and lines.
fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in CHECKS {
        check(tree, &mut findings);
    }
    findings.sort_by(|a, b| (&a.path, a.line, a.rule.number).cmp(&(&b.path, b.line, b.rule.number)));
    findings
}

/// What `check` finds in `files`, as `path:line rule` for tests.
#[cfg(test)]
fn found(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    check(&Tree::of(files), &mut findings);
    findings.into_iter().map(|f| format!("{}:{} rule {}", f.path, f.line, f.rule.number)).collect()
}
