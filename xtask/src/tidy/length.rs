//! Rule 6: files stay short enough to be read in one sitting.

use crate::finding::{Finding, LENGTH};
use crate::tree::{Tree, extension, file_name};

/// Lines after which a file needs a reason.
const LINES_WITHOUT_REASON_MAX: usize = 600;
/// Lines that no file has.
const LINES_MAX: usize = 1_000;
/// Lines at the top in which the reason stands.
const HEADER_LINES: usize = 15;
/// Kinds of files that people write and read.
const KINDS: [&str; 9] = ["rs", "sql", "css", "js", "mjs", "html", "sh", "toml", "md"];
/// What others wrote.
const VENDORED: [&str; 1] = ["htmx.min.js"];

/// Checks every file that people wrote.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.iter() {
        let fixture = path.contains("/fixtures/") || path.contains("/snapshots/");
        if !KINDS.contains(&extension(path)) || VENDORED.contains(&file_name(path)) || fixture {
            continue;
        }
        let lines = text.lines().count();
        let reasoned = text.lines().take(HEADER_LINES).any(|line| line.contains("long because: "));
        if lines > LINES_MAX || (lines > LINES_WITHOUT_REASON_MAX && !reasoned) {
            findings.push(Finding::new(path, 1, &LENGTH, format!("{lines} lines")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn of(path: &str, head: &str, lines: usize) -> Vec<String> {
        found(check, &[(path, &format!("{head}\n{}", "x\n".repeat(lines - 1)))])
    }

    #[test]
    fn a_long_file_needs_a_reason_and_a_very_long_one_has_none() {
        assert_eq!(of("crates/a/src/b.rs", "//! Short.", 600), [""; 0]);
        assert_eq!(of("crates/a/src/b.rs", "//! Long.", 601), ["crates/a/src/b.rs:1 rule 6"]);
        assert_eq!(of("crates/a/src/b.rs", "//! long because: one table.", 1_000), [""; 0]);
        assert_eq!(of("crates/a/src/b.rs", "//! long because: one table.", 1_001), ["crates/a/src/b.rs:1 rule 6"]);
    }

    #[test]
    fn what_others_or_tools_wrote_may_be_long() {
        for path in ["crates/timmy-web/static/htmx.min.js", "Cargo.lock", "crates/a/tests/it/snapshots/a.md", "a.snap"]
        {
            assert_eq!(of(path, "", 5_000), [""; 0], "{path}");
        }
    }
}
