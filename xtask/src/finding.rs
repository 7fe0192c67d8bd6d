//! The rules of the house by number, and what a check found.

use std::fmt;

/// A rule: its number never changes, so that people can talk about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub number: u8,
    /// Its name in a word or two.
    pub name: &'static str,
    /// What it demands.
    pub demand: &'static str,
    /// What to do about a finding.
    pub remedy: &'static str,
}

macro_rules! rules {
    ($( $constant:ident = $number:literal, $name:literal, $demand:literal, $remedy:literal; )*) => {
        $( pub const $constant: Rule = Rule { number: $number, name: $name, demand: $demand, remedy: $remedy }; )*
        /// All rules in order.
        pub const RULES: &[&Rule] = &[$( &$constant ),*];
    };
}

rules! {
    FLOORS = 1, "floors",
        "A crate depends only on lower floors; siblings never know each other.",
        "move the shared word down a floor, or let the two talk through events";
    ROOMS = 2, "rooms",
        "The rooms of timmy-core do not import each other, except crate::trust::policy::decide.",
        "send an event or a command, or move what both need beside the rooms";
    NAMES = 3, "named crates",
        "Only the crates in the table of xtask/src/tidy/floors.rs name rusqlite, reqwest, axum, clap and anyhow.",
        "use the crate of the house that wraps it, or change the table and say why in an ADR";
    HANDS = 4, "hands on the world",
        "Only timmy-tools starts processes; only timmy and xtask read the environment and the home folder.",
        "take the value as an argument, or call timmy-tools";
    SQL = 5, "sql",
        "SQL stands in timmy-store alone.",
        "add a method to the table's file in crates/timmy-store/src/tables and call that";
    LENGTH = 6, "length",
        "A file over 600 lines says why in its header (`long because: …`); none has more than 1,000.",
        "split the file by idea, or add the reason to its header";
    FORGOTTEN = 7, "forgotten files",
        "Every source file, template, static file, migration and dependency is used by something.",
        "name it where it is used, or delete it";
    ALLOW = 8, "bare allow",
        "Lints are lifted with #[expect(lint, reason = \"…\")], so that a lift nobody needs is noticed.",
        "write #[expect(…, reason = \"…\")]";
    UNFINISHED = 9, "unfinished work",
        "Source holds no marks for later: what is not built is absent, and docs/status.md says so.",
        "finish it, or take it out and open an issue";
    REASONS = 10, "dependency reasons",
        "Every direct dependency has a line in docs/deps.md, and every line there a dependency.",
        "add the line `| `name` | reason |`, or drop the dependency";
    LINKS = 11, "links",
        "Relative links in documents resolve, and docs/adr/README.md lists every record.",
        "correct the link, or add the record to the index";
    FOREIGN = 12, "foreign hosts",
        "Nothing a browser loads names another host.",
        "serve the file from crates/timmy-web/static";
    INLINE = 13, "inline style and script",
        "Templates hold no style=, <style>, inline <script> or on…= handlers, because the policy refuses them.",
        "move it to app.css or to a script file";
    FROZEN = 14, "frozen migrations",
        "A migration that was merged never changes.",
        "take the change back and write a new migration";
    SHOWS = 15, "shows lines",
        "A `// shows: system: what` line stands directly above a test and names a system of the mission.",
        "put it above the test, or use a name from xtask/src/status.rs";
    LOCK = 16, "lockfiles",
        "e2e/package-lock.json names no registry host and every package in it has an integrity hash.",
        "run npm install in e2e/ again, where .npmrc keeps hosts out";
    BRIEF = 17, "short documents",
        "AGENTS.md has at most 120 lines and ARCHITECTURE.md at most 400.",
        "move the detail to docs/ and link it";
    LOG_FIELDS = 18, "log fields",
        "A field of a log line has a name from the table in crates/timmy/src/log/fields.rs.",
        "use the name that is there, or add one that nothing else has";
}

/// Something a rule refuses.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, counted from one.
    pub line: usize,
    /// The rule.
    pub rule: &'static Rule,
    /// What was found.
    pub what: String,
}

impl Finding {
    /// A finding at `path:line`.
    pub fn new(path: &str, line: usize, rule: &'static Rule, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, what } = self;
        writeln!(f, "{path}:{line}: {what}")?;
        write!(f, "    rule {} ({}): {}", rule.number, rule.name, rule.remedy)
    }
}

/// Prints every rule with its number.
pub fn print_rules() {
    for rule in RULES {
        println!("{:>2}  {}: {}", rule.number, rule.name, rule.demand);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_numbered_without_gaps() {
        let numbers: Vec<_> = RULES.iter().map(|rule| rule.number).collect();
        assert_eq!(numbers, (1..=u8::try_from(RULES.len()).unwrap()).collect::<Vec<_>>());
    }

    #[test]
    fn a_finding_says_where_what_and_what_to_do() {
        let text = Finding::new("a/b.rs", 7, &ALLOW, "a bare allow").to_string();
        assert!(text.starts_with("a/b.rs:7: a bare allow\n    rule 8 (bare allow): write #[expect("), "{text}");
    }
}
