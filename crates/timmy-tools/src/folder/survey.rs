//! The first word about a folder: what it is, what kinds of text lie in it, what its read-me says.

use std::collections::BTreeMap;

use timmy_domain::observation::ObservationKind;
use timmy_domain::text;

use super::kind::{self, Kind};
use super::read::{self, Budget, Content};
use super::repo::Repo;
use super::{Scene, Seen, words};
use crate::ToolError;

/// Kinds of text named in the sentence.
const KINDS_NAMED_MAX: usize = 2;

/// Kinds of text counted in the detail.
const KINDS_COUNTED_MAX: usize = 8;

/// Characters quoted of the read-me.
const READ_ME_CHARS_MAX: usize = 600;

/// The survey of a repository: only what git has or would take counts.
pub(super) fn of_repository(scene: &Scene, repo: &Repo, budget: &mut Budget) -> Seen {
    let what = format!("a git repository {}", repo.on_branch());
    survey(scene, &what, &|path| repo.knows(path), "", budget)
}

/// The survey of a plain folder; `trouble` is why git could not read the repository in it.
pub(super) fn of_folder(scene: &Scene, trouble: Option<&ToolError>, budget: &mut Budget) -> Seen {
    let (what, trouble) = match trouble {
        None => ("a folder", String::new()),
        Some(error) => ("a git repository", format!("; its commits cannot be read: {error}")),
    };
    survey(scene, what, &|_| true, &trouble, budget)
}

fn survey(scene: &Scene, what: &str, ours: &dyn Fn(&str) -> bool, trouble: &str, budget: &mut Budget) -> Seen {
    let mut count_by_kind: BTreeMap<&str, u64> = BTreeMap::new();
    let mut others = 0_u64;
    for entry in scene.listing.files.iter().filter(|e| ours(&e.path)) {
        match kind::of(&entry.path) {
            Kind::Text(kind) => *count_by_kind.entry(kind).or_default() += 1,
            Kind::Unknown | Kind::NotText => others += 1,
        }
    }
    let mut kinds: Vec<(&str, u64)> = count_by_kind.into_iter().collect();
    kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let texts: u64 = kinds.iter().map(|(_, count)| count).sum();
    let least = if scene.listing.complete { "" } else { "at least " };
    let holds = match (texts, others) {
        (0, 0) => "without files to read".to_owned(),
        (0, others) => format!("with {least}{}", text::plural(others, "file", "files")),
        (texts, _) => format!("with {least}{}{}", text::plural(texts, "text file", "text files"), mostly(&kinds)),
    };
    let read_me = read_me(scene, budget);
    let title = read_me.as_deref().and_then(heading);
    let says = title.map(|title| format!("; its read-me begins “{title}”")).unwrap_or_default();
    let summary = format!("{}: {what} {holds}{says}{trouble}.", scene.name);
    let counted = kinds.iter().take(KINDS_COUNTED_MAX).map(|(kind, count)| format!("{kind} {count}"));
    let mut detail = counted.collect::<Vec<_>>().join(", ");
    if let Some(read_me) = read_me {
        detail += &format!("\nRead-me:\n{}", text::cut(text::clean(&read_me).trim(), READ_ME_CHARS_MAX));
    }
    words::seen(ObservationKind::Survey, &summary, detail.trim())
}

fn mostly(kinds: &[(&str, u64)]) -> String {
    let named: Vec<String> = kinds.iter().take(KINDS_NAMED_MAX).map(|(kind, _)| (*kind).to_owned()).collect();
    let mostly = if kinds.len() > KINDS_NAMED_MAX { "mostly " } else { "" };
    format!(", {mostly}{}", words::joined(&named))
}

fn read_me(scene: &Scene, budget: &mut Budget) -> Option<String> {
    let is_read_me = |path: &str| !path.contains('/') && path.to_ascii_lowercase().starts_with("readme");
    let entry = scene.listing.files.iter().find(|e| is_read_me(&e.path) && kind::of(&e.path) != Kind::NotText)?;
    match read::read(&scene.root, &entry.path, budget) {
        Content::Text(text) => Some(text.text),
        _ => None,
    }
}

/// The first line that says something: not blank, not a badge, not markup.
fn heading(read_me: &str) -> Option<String> {
    let lines = read_me.lines().map(|l| l.trim().trim_start_matches(['#', '=']).trim());
    let mut telling = lines.filter(|l| !l.is_empty() && !["<", "[![", "![", "---"].iter().any(|b| l.starts_with(b)));
    telling.next().map(|line| words::short(line, words::TITLE_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heading_is_the_first_line_that_says_something() {
        assert_eq!(heading("\n<p align=center>\n[![ci](x)](y)\n# Kelp\n"), Some("Kelp".to_owned()));
        assert_eq!(heading("======\nTitle\n"), Some("Title".to_owned()));
        assert_eq!(heading("\n\n"), None);
    }

    #[test]
    fn kinds_are_called_most_only_when_there_are_others() {
        assert_eq!(mostly(&[("Rust", 3)]), ", Rust");
        assert_eq!(mostly(&[("Rust", 3), ("TOML", 1)]), ", Rust and TOML");
        assert_eq!(mostly(&[("Rust", 3), ("TOML", 2), ("C", 1)]), ", mostly Rust and TOML");
    }
}
