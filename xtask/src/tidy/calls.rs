//! Rules 4, 5 and 8: calls and texts that belong to one crate, and lints that are lifted without a reason.

use crate::finding::{ALLOW, Finding, HANDS, SQL};
use crate::rust::Source;
use crate::tree::{Tree, crate_of, is_test};

/// What names the environment of the process or the home folder. Tests may; clippy bans the calls there as well.
const ENVIRONMENT: [&str; 5] = ["std::env::", "env::var", "use std::env", "env::home_dir", "env::current_dir"];
/// What starts processes.
const PROCESSES: [&str; 3] = ["process::Command", "tokio::process", "process::{Command"];
/// How an SQL statement begins.
const STATEMENTS: [&str; 12] = [
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "ALTER TABLE ",
    "DROP TABLE ",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
    "WITH RECURSIVE ",
];

/// Checks every Rust file.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.rust() {
        let source = Source::of(text);
        hands(path, &source, findings);
        if !matches!(crate_of(path), Some("timmy-store" | "xtask")) {
            sql(path, &source, findings);
        }
        for (line, code) in source.lines() {
            // Support shared by several test binaries is used by each in part, which no `expect` can say.
            let shared = path.contains("/tests/support") && code.contains("dead_code");
            if !shared && (code.contains("#[allow(") || code.contains("#![allow(")) {
                findings.push(Finding::new(path, line, &ALLOW, "a bare allow"));
            }
        }
    }
}

fn hands(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    let own = crate_of(path).unwrap_or_default();
    // An example is a little binary of its own.
    let binary = matches!(own, "timmy" | "xtask") || path.contains("/examples/");
    let inline_tests = source.test_lines();
    for (line, code) in source.lines() {
        let in_test = is_test(path) || inline_tests.is_some_and(|(from, to)| (from..=to).contains(&line));
        if !binary && !in_test && ENVIRONMENT.iter().any(|word| code.contains(word)) {
            let what = format!("{own} reads the environment of the process");
            findings.push(Finding::new(path, line, &HANDS, what));
        }
        let may_start = matches!(own, "timmy-tools" | "xtask") || in_test || own == "timmy-testkit";
        if !may_start && PROCESSES.iter().any(|word| code.contains(word)) {
            findings.push(Finding::new(path, line, &HANDS, format!("{own} starts a process")));
        }
    }
}

fn sql(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    for (line, text) in &source.texts {
        let text = text.trim_start();
        // Upper case and a word after the verb tell a statement from a sentence.
        let statement = STATEMENTS.iter().any(|start| text.starts_with(start));
        let update = text.starts_with("UPDATE ") && !text.contains(" SET ");
        if statement && !update {
            let shown: String = text.chars().take(40).collect();
            findings.push(Finding::new(path, *line, &SQL, format!("an SQL statement: {shown}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn sql_outside_the_store_is_refused_and_words_about_it_are_not() {
        let text = "fn f() {\n let q = \"SELECT id FROM tasks\";\n}";
        assert_eq!(found(check, &[("crates/timmy-core/src/a.rs", text)]), ["crates/timmy-core/src/a.rs:2 rule 5"]);
        assert_eq!(found(check, &[("crates/timmy-store/src/a.rs", text)]), [""; 0]);
        let words = "// SELECT id FROM tasks\nlet a = \"Select a folder\"; let b = \"UPDATE NOW\";";
        assert_eq!(found(check, &[("crates/timmy-core/src/a.rs", words)]), [""; 0]);
    }

    #[test]
    fn only_the_binary_reads_the_environment() {
        let text = "let home = std::env::var(\"HOME\");";
        assert_eq!(found(check, &[("crates/timmy-web/src/a.rs", text)]), ["crates/timmy-web/src/a.rs:1 rule 4"]);
        assert_eq!(found(check, &[("crates/timmy/src/a.rs", text)]), [""; 0]);
        assert_eq!(found(check, &[("crates/timmy-store/benches/append.rs", text)]), [""; 0]);
        let built_in = "const V: &str = env!(\"CARGO_PKG_VERSION\");";
        assert_eq!(found(check, &[("crates/timmy-web/src/a.rs", built_in)]), [""; 0]);
    }

    #[test]
    fn only_the_tools_and_the_tests_of_the_binary_start_processes() {
        let text = "use std::process::Command;";
        assert_eq!(found(check, &[("crates/timmy-tools/src/git.rs", text)]), [""; 0]);
        assert_eq!(found(check, &[("crates/timmy/tests/it/cli.rs", text)]), [""; 0]);
        assert_eq!(found(check, &[("crates/timmy/src/a.rs", text)]), ["crates/timmy/src/a.rs:1 rule 4"]);
        assert_eq!(found(check, &[("crates/timmy-core/src/a.rs", "tokio::process::Command::new(a)")]).len(), 1);
    }

    #[test]
    fn a_bare_allow_is_refused_and_an_expect_is_not() {
        let allow = "#[allow(dead_code)]\nfn f() {}";
        assert_eq!(found(check, &[("crates/timmy/src/a.rs", allow)]), ["crates/timmy/src/a.rs:1 rule 8"]);
        let expect = "#[expect(dead_code, reason = \"shown below\")]\n// #[allow(dead_code)]\nfn f() {}";
        assert_eq!(found(check, &[("crates/timmy/src/a.rs", expect)]), [""; 0]);
    }
}
