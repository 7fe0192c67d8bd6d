//! Rule 14: a migration that was merged is history; other people's databases went through it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::finding::{FROZEN, Finding};
use crate::tree::{Tree, file_name};

/// Where migrations lie.
const FOLDER: &str = "crates/timmy-store/migrations";
/// Lines of `sha256  name`, as `sha256sum` prints them.
const LIST: &str = "crates/timmy-store/migrations/frozen.txt";

/// Compares the frozen migrations with what they were.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (n, line) in tree.text(LIST).unwrap_or_default().lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((hash, name)) = line.split_once("  ") else {
            findings.push(Finding::new(LIST, n + 1, &FROZEN, "not a line of `sha256  name`"));
            continue;
        };
        match tree.text(&format!("{FOLDER}/{name}")) {
            None => findings.push(Finding::new(LIST, n + 1, &FROZEN, format!("{name} is gone"))),
            Some(text) if hash_of(text) != hash => {
                findings.push(Finding::new(&format!("{FOLDER}/{name}"), 1, &FROZEN, "changed after it was frozen"));
            }
            Some(_) => {}
        }
    }
}

/// The list as it stands for the migrations as they are.
pub fn lines(tree: &Tree) -> String {
    tree.below(FOLDER, "sql").fold(String::new(), |mut lines, (path, text)| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(lines, "{}  {}", hash_of(text), file_name(path));
        lines
    })
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const MIGRATION: &str = "crates/timmy-store/migrations/0001_events.sql";

    #[test]
    fn a_frozen_migration_that_changed_or_went_is_found() {
        let list = lines(&Tree::of(&[(MIGRATION, "CREATE TABLE a (b);")]));
        assert!(list.ends_with("  0001_events.sql\n") && list.len() == 64 + 2 + 16, "{list}");
        assert_eq!(found(check, &[(MIGRATION, "CREATE TABLE a (b);"), (LIST, &list)]), [""; 0]);
        let changed = found(check, &[(MIGRATION, "CREATE TABLE a (c);"), (LIST, &list)]);
        assert_eq!(changed, [format!("{MIGRATION}:1 rule 14")]);
        assert_eq!(found(check, &[(LIST, &list)]), [format!("{LIST}:1 rule 14")]);
        assert_eq!(found(check, &[(LIST, "abc 0001_events.sql")]), [format!("{LIST}:1 rule 14")]);
    }

    #[test]
    fn a_migration_that_is_not_frozen_may_change() {
        assert_eq!(found(check, &[(MIGRATION, "anything"), (LIST, "# none yet\n")]), [""; 0]);
    }
}
