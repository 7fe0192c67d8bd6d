//! Rule 2: the rooms of `timmy-core` know each other only through events.

use crate::finding::{Finding, ROOMS};
use crate::rust::{Source, line_at};
use crate::tree::Tree;

/// The rooms.
const ROOMS_OF_THE_CORE: [&str; 6] = ["mind", "work", "trust", "repair", "talk", "world"];
/// The one thing of a room that everybody may call: a pure function.
const EXCEPTION: &str = "trust::policy::decide";

/// Checks every file that lies in a room.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.below("crates/timmy-core/src", "rs") {
        let Some(own) = room_of(path) else { continue };
        let code = Source::of(text).code;
        for (at, target) in targets(&code) {
            let other = target.split("::").next().unwrap_or_default();
            if ROOMS_OF_THE_CORE.contains(&other) && other != own && target != EXCEPTION {
                let what = format!("the room `{own}` names `{other}`");
                findings.push(Finding::new(path, line_at(&code, at), &ROOMS, what));
            }
        }
    }
}

/// The room a file lies in, if any: `src/mind/…` or `src/mind.rs`.
fn room_of(path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix("crates/timmy-core/src/")?;
    let first = rest.split('/').next()?.trim_end_matches(".rs");
    ROOMS_OF_THE_CORE.into_iter().find(|room| *room == first)
}

/// Every path that starts at the root of the crate, without `crate::`, with its place in `code`.
/// Groups are opened: `crate::{mind, talk::say}` gives `mind` and `talk::say`.
fn targets(code: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let at = at + start.len();
            open(code, at, "", &mut targets);
        }
    }
    targets
}

/// Reads the path at `at`, going into its group when it ends in one.
fn open(code: &str, at: usize, before: &str, targets: &mut Vec<(usize, String)>) -> usize {
    let path: String = code[at..].chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect();
    let mut end = at + path.len();
    let whole = format!("{before}{path}");
    if !(path.is_empty() || path.ends_with("::")) || !code[end..].starts_with('{') {
        targets.push((at, whole.trim_end_matches("::").to_owned()));
        return end;
    }
    end += 1;
    loop {
        end += code[end..].len() - code[end..].trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
        if end >= code.len() || code[end..].starts_with('}') {
            return (end + 1).min(code.len());
        }
        let next = open(code, end, &whole, targets);
        // Whatever is neither a name nor a bracket, such as `as x` or `*`, is stepped over.
        end = next.max(end + code[end..].chars().next().map_or(1, char::len_utf8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn in_mind(text: &str) -> Vec<String> {
        found(check, &[("crates/timmy-core/src/mind/thinking.rs", text)])
    }

    #[test]
    fn a_room_may_use_what_lies_beside_the_rooms_and_its_own() {
        for text in [
            "use crate::ctx::Ctx;",
            "use crate::mind::seed;",
            "use crate::trust::policy::decide;",
            "// crate::talk is another room\nlet s = \"crate::talk\";",
            "use crate::{bus, mind::{seed, pick}, trust::policy::decide};",
            "use timmy_domain::thought::{Place, SeedType};",
        ] {
            assert_eq!(in_mind(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_room_that_names_another_is_found_however_it_is_written() {
        let path = "crates/timmy-core/src/mind/thinking.rs";
        for (text, line) in [
            ("use crate::talk::conversation;", 1),
            ("use crate::{\n  bus,\n  talk::{self, say},\n};", 3),
            ("fn f() {\n crate::trust::policy::change() }", 2),
            ("use super::super::repair;", 1),
            ("use crate::trust::{policy::{decide, change}};", 1),
        ] {
            assert!(in_mind(text).contains(&format!("{path}:{line} rule 2")), "{text}: {:?}", in_mind(text));
        }
        assert_eq!(found(check, &[("crates/timmy-core/src/world.rs", "use crate::work;")]).len(), 1);
        assert_eq!(found(check, &[("crates/timmy-core/src/lib.rs", "use crate::work;")]), [""; 0]);
    }
}
