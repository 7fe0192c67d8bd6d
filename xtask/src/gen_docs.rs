//! The generated documents: written from the code they describe, and compared in every check.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::tree::Tree;
use crate::{shell, status};

/// Documents that the binary prints: the word after `timmy docs`, and the file.
const FROM_BINARY: [(&str, &str); 7] = [
    ("events", "docs/events.md"),
    ("config", "docs/config.md"),
    ("example", "timmy.example.toml"),
    ("routes", "docs/routes.md"),
    ("metrics", "docs/metrics.md"),
    ("log", "docs/log-fields.md"),
    ("openapi", "docs/openapi.json"),
];

/// Writes the documents, or with `check` compares them; `false` when one is stale.
///
/// `binary` is a built `timmy`; without it Cargo builds one.
pub fn run(root: &Path, binary: Option<&Path>, check: bool) -> anyhow::Result<bool> {
    let mut fresh = Vec::new();
    for (word, path) in FROM_BINARY {
        fresh.push((path, from_binary(root, binary, word).with_context(|| format!("{path} cannot be generated"))?));
    }
    fresh.push((status::DOCUMENT, status::document(&Tree::read(root)?)));
    let mut stale = 0;
    for (path, text) in fresh {
        let place = root.join(path);
        let before = fs::read_to_string(&place).unwrap_or_default();
        if let Some(line) = first_difference(&before, &text) {
            stale += 1;
            if check {
                println!("{path}:{line}: differs from what the code says; run `cargo xtask gen` and commit the result");
            } else {
                fs::write(&place, text).with_context(|| format!("cannot write {path}"))?;
                println!("gen: wrote {path}");
            }
        }
    }
    if stale == 0 {
        println!("gen: every generated document is up to date");
    }
    Ok(stale == 0 || !check)
}

fn from_binary(root: &Path, binary: Option<&Path>, word: &str) -> anyhow::Result<String> {
    match binary {
        Some(binary) => shell::output(&binary.to_string_lossy(), &["docs", word], root),
        None => shell::output("cargo", &["run", "--quiet", "--package", "timmy", "--", "docs", word], root),
    }
}

/// The first line, counted from one, in which the texts differ.
fn first_difference(a: &str, b: &str) -> Option<usize> {
    if a == b {
        return None;
    }
    let same = a.lines().zip(b.lines()).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_at_its_line_even_when_only_the_end_differs() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a", "a\n"), Some(2));
    }
}
