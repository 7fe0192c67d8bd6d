//! Rule 17: the documents that everybody reads first stay short.

use crate::finding::{BRIEF, Finding};
use crate::tree::Tree;

/// Lines each of them may have.
const LINES_MAX: [(&str, usize); 2] = [("AGENTS.md", 120), ("ARCHITECTURE.md", 400)];

/// Checks their length.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, max) in LINES_MAX {
        let lines = tree.text(path).map_or(0, |text| text.lines().count());
        if lines > max {
            findings.push(Finding::new(path, max + 1, &BRIEF, format!("{lines} lines, at most {max}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn one_line_too_many_is_found() {
        assert_eq!(found(check, &[("AGENTS.md", &"x\n".repeat(120))]), [""; 0]);
        assert_eq!(found(check, &[("AGENTS.md", &"x\n".repeat(121))]), ["AGENTS.md:121 rule 17"]);
    }
}
