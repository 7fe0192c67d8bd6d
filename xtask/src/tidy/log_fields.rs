//! Rule 18: a field of a log line has the same name wherever the same thing is logged. The names are a table.

use crate::finding::{Finding, LOG_FIELDS};
use crate::rust::{Source, line_at};
use crate::tree::{Tree, is_test};

/// Where the names stand, one at the beginning of a line: `    ("name", …`.
const TABLE: &str = "crates/timmy/src/log/fields.rs";
/// How a line is logged.
const CALLS: [&str; 5] =
    ["tracing::error!(", "tracing::warn!(", "tracing::info!(", "tracing::debug!(", "tracing::trace!("];

/// Checks every Rust file of the crates.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(table) = tree.rust().find(|(path, _)| *path == TABLE).map(|(_, text)| text) else { return };
    let known: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("    (\"")?.split_once('"')).map(|(name, _)| name).collect();
    for (path, text) in tree.rust().filter(|(path, _)| path.starts_with("crates/") && !is_test(path)) {
        let source = Source::of(text);
        let tests = source.test_lines();
        for (line, field) in fields(&source.code) {
            let in_test = tests.is_some_and(|(from, to)| (from..=to).contains(&line));
            if !in_test && !known.contains(&field.as_str()) {
                findings.push(Finding::new(path, line, &LOG_FIELDS, format!("`{field}` is no field of the log")));
            }
        }
    }
}

/// Fields of all log calls in `code`, with their lines.
fn fields(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for call in CALLS {
        for (at, _) in code.match_indices(call) {
            let open = at + call.len();
            let mut from = open;
            for argument in arguments(&code[open..]) {
                let line = line_at(code, from + argument.len() - argument.trim_start().len());
                from += argument.len() + 1;
                found.extend(name(argument).map(|name| (line, name.to_owned())));
            }
        }
    }
    found
}

/// The arguments up to the closing parenthesis, cut at the commas between them.
fn arguments(code: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                parts.push(&code[start..at]);
                return parts;
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&code[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// The field an argument names: `name = value`, `name`, `%name`, `?name`. The message and `target: …` name none.
fn name(argument: &str) -> Option<&str> {
    let argument = argument.trim().trim_start_matches(['%', '?']);
    let name = argument.split_once('=').map_or(argument, |(name, _)| name).trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    (!name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn a_field_that_is_not_in_the_table_is_found_in_every_way_of_writing_it() {
        let table = (TABLE, "pub const FIELDS: &[X] = &[\n    (\"error\", 1),\n    (\"status\", 2),\n];\n");
        let of =
            |body: &str| found(check, &[table, ("crates/timmy-web/src/a.rs", &format!("fn f() {{\n{body}\n}}\n"))]);
        let good =
            "tracing::warn!(%error, status = f(1, 2), \"a, b = c\");\ntracing::info!(target: \"x\", \"words {}\", 1);";
        assert_eq!(of(good), [""; 0]);
        for bad in ["err = 1", "%err", "?err", "err", "status, err = g(a, [b, c])"] {
            let lines = of(&format!("tracing::debug!({bad}, \"m\");"));
            assert_eq!(lines, ["crates/timmy-web/src/a.rs:2 rule 18"], "{bad}");
        }
        assert_eq!(of("tracing::error!(\n  %error,\n  err = 1,\n  \"m\"\n);"), ["crates/timmy-web/src/a.rs:4 rule 18"]);
        let in_test = "#[cfg(test)]\nmod tests {\n fn t() { tracing::warn!(err = 1, \"m\"); }\n}";
        assert_eq!(of(in_test), [""; 0]);
    }
}
