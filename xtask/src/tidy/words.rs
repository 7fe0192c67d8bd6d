//! Rule 9: marks for work that is not done have no place in source.

use crate::finding::{Finding, UNFINISHED};
use crate::rust::has_word;
use crate::tree::{Tree, extension, file_name};

/// The usual marks, cut in two so that this file does not find itself.
const MARKS: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("W", "IP"),
    concat!("TB", "D"),
];
/// Macros and words that say the same.
const PHRASES: [&str; 5] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("lorem ", "ipsum"),
    concat!("coming ", "soon"),
    concat!("not yet ", "implemented"),
];
/// Kinds of files that are source. Documents may talk about such marks.
const KINDS: [&str; 9] = ["rs", "sql", "css", "js", "mjs", "html", "sh", "toml", "yml"];

/// Checks every source file.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.iter() {
        let source = KINDS.contains(&extension(path)) || matches!(file_name(path), "Makefile" | "run");
        if !source || file_name(path).ends_with(".min.js") {
            continue;
        }
        for (n, line) in text.lines().enumerate() {
            let mark = MARKS.iter().find(|mark| has_word(line, mark));
            let lower = line.to_lowercase();
            if let Some(mark) = mark.or_else(|| PHRASES.iter().find(|phrase| lower.contains(**phrase))) {
                findings.push(Finding::new(path, n + 1, &UNFINISHED, format!("a mark for later: {mark}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn every_mark_is_found_in_source_and_none_in_documents_or_other_words() {
        for mark in MARKS.iter().chain(&PHRASES) {
            let text = format!("fn f() {{}}\n// {mark} later\n");
            assert_eq!(found(check, &[("crates/a/src/b.rs", &text)]), ["crates/a/src/b.rs:2 rule 9"], "{mark}");
            assert_eq!(found(check, &[("STYLE.md", &text)]), [""; 0]);
        }
        assert_eq!(found(check, &[("crates/a/src/b.rs", "// a HACKSAW and the word todo in a list")]), [""; 0]);
    }
}
