//! The palette: everything that can be gone to or done, and how well it fits what was typed.

use serde::Serialize;
use serde_json::{Value, json};

use crate::nav;
use crate::verbs::{Act, Question, VERBS};

/// Entries that are shown for something typed.
pub const FOUND_MAX: usize = 20;
/// Bytes of what is typed that are looked at.
pub const QUERY_BYTES_MAX: usize = 200;
/// Characters of a title up to which letters may be left out when it is typed; longer ones match by words.
const LOOSE_CHARS_MAX: usize = 40;
/// Words of a query that are looked at.
const WORDS_MAX: usize = 8;

/// Which kind of thing an entry is; the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Section {
    /// Something the owner saw or said lately.
    Recent,
    /// Something to do.
    Do,
    /// A page.
    Go,
    /// A setting.
    Setting,
}

impl Section {
    /// The heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recent => "Recent",
            Self::Do => "Do",
            Self::Go => "Go to",
            Self::Setting => "Settings",
        }
    }
}

/// What happens when an entry is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The browser goes there.
    To(String),
    /// A form is sent.
    Send {
        /// Where.
        route: &'static str,
        /// What it carries.
        fields: &'static [(&'static str, &'static str)],
        /// Whether the browser goes where the answer leads.
        leave: bool,
    },
    /// One thing is asked for, then a form is sent.
    Ask(Question),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which kind.
    pub section: Section,
    /// Its name.
    pub title: String,
    /// Further words by which it is found.
    pub words: String,
    /// Its symbol in the sprite.
    pub icon: &'static str,
    /// Its key or its twin in the terminal, or another short note; may be empty.
    pub note: String,
    /// Whether the note is a command or a key, set in monospace.
    pub mono: bool,
    /// What happens when it is chosen.
    pub step: Step,
}

impl Entry {
    /// The entry for the script, with short names to keep the index small.
    #[must_use]
    pub fn data(&self) -> Value {
        let mut out = json!({"t": self.title, "i": self.icon});
        let mut put = |name: &str, value: Value| {
            if let Some(map) = out.as_object_mut() {
                map.insert(name.to_owned(), value);
            }
        };
        // Most entries of the index are acts, so only the others say what they are.
        if self.section != Section::Do {
            put("s", json!(self.section.name()));
        }
        if !self.words.is_empty() {
            put("w", json!(self.words));
        }
        if !self.note.is_empty() {
            put(if self.mono { "c" } else { "n" }, json!(self.note));
        }
        match &self.step {
            Step::To(href) => put("h", json!(href)),
            Step::Send { route, fields, leave } => {
                put("p", json!(route));
                if !fields.is_empty() {
                    put(
                        "f",
                        fields
                            .iter()
                            .map(|(k, v)| ((*k).to_owned(), json!(v)))
                            .collect::<serde_json::Map<_, _>>()
                            .into(),
                    );
                }
                if *leave {
                    put("l", json!(1));
                }
            }
            Step::Ask(q) => {
                put("p", json!(q.route));
                put("a", json!([q.field, q.label, q.example]));
                if q.leave {
                    put("l", json!(1));
                }
            }
        }
        out
    }
}

/// The entries that are always there: verbs, then pages.
#[must_use]
pub fn fixed() -> Vec<Entry> {
    let verbs = VERBS.iter().map(|verb| Entry {
        section: Section::Do,
        title: verb.title.to_owned(),
        words: verb.words.to_owned(),
        icon: verb.icon,
        note: verb.cli.to_owned(),
        mono: true,
        step: match verb.act {
            Act::Do(route, fields) => Step::Send { route, fields, leave: false },
            Act::Leave(route, fields) => Step::Send { route, fields, leave: true },
            Act::Ask(question) => Step::Ask(question),
            Act::Go(href) => Step::To(href.to_owned()),
        },
    });
    let pages = nav::PAGES.iter().map(|page| Entry {
        section: Section::Go,
        title: page.title.to_owned(),
        words: page.group.name().to_lowercase(),
        icon: page.icon,
        note: format!("g {}", page.key),
        mono: true,
        step: Step::To(page.route.to_owned()),
    });
    verbs.chain(pages).collect()
}

/// How well `title` and `words` fit what was `typed`; `None` when they do not. More is better.
///
/// Every word that was typed has to fit: a beginning of a word of the title best, then a part of the title, then a
/// beginning of another word, then letters of a short title in their order.
#[must_use]
pub fn score(typed: &str, title: &str, words: &str) -> Option<u32> {
    let (title, words) = (title.to_lowercase(), words.to_lowercase());
    let mut sum = 0;
    for word in typed.to_lowercase().split_whitespace().take(WORDS_MAX) {
        sum += if title.starts_with(word) {
            100
        } else if begins(&title, word) {
            80
        } else if title.contains(word) {
            50
        } else if begins(&words, word) {
            40
        } else if title.chars().count() <= LOOSE_CHARS_MAX && in_order(&title, word) {
            10
        } else {
            return None;
        };
    }
    // Among equals, the shorter title was meant more likely.
    Some(sum * 100 + 100_u32.saturating_sub(u32::try_from(title.chars().count()).unwrap_or(100)))
}

/// Whether a word of `text` begins with `start`.
fn begins(text: &str, start: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| !word.is_empty() && word.starts_with(start))
}

/// Whether the letters of `word` stand in `text` in their order, the first of them at the beginning of a word.
fn in_order(text: &str, word: &str) -> bool {
    let starts = text
        .char_indices()
        .filter(|(at, _)| *at == 0 || text[..*at].chars().next_back().is_some_and(|before| !before.is_alphanumeric()));
    for (at, _) in starts {
        let mut rest = text[at..].chars();
        let mut wanted = word.chars();
        if rest.next() == wanted.next() && wanted.all(|c| rest.any(|r| r == c)) {
            return true;
        }
    }
    false
}

/// The entries that fit what was `typed`, the best first; with nothing typed, all in their sections.
#[must_use]
pub fn find(typed: &str, mut entries: Vec<Entry>) -> Vec<Entry> {
    if typed.trim().is_empty() {
        entries.retain(|entry| entry.section != Section::Setting);
        entries.sort_by_key(|entry| entry.section);
        return entries;
    }
    let fits = |entry: Entry| Some((score(typed, &entry.title, &entry.words)?, entry));
    let mut found: Vec<(u32, Entry)> = entries.into_iter().filter_map(fits).collect();
    found.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.section.cmp(&other.section)));
    found.truncate(FOUND_MAX);
    found.into_iter().map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_fit_has_the_higher_score() {
        // Typed, then titles from the best fit to the worst.
        let rows: [(&str, &[&str]); 6] = [
            ("pause", &["Pause thinking", "Pause thinking for 1 h"]),
            ("th", &["Think now", "Pause thinking"]),
            ("pause 1", &["Pause thinking for 1 h"]),
            ("he", &["Health", "Events of health"]),
            ("watch", &["Watch a folder…", "Stop watching a folder"]),
            ("int", &["thinking.interval_seconds", "Hint of it"]),
        ];
        for (typed, titles) in rows {
            let scores: Vec<u32> = titles.iter().map(|t| score(typed, t, "").expect(t)).collect();
            assert!(scores.windows(2).all(|pair| pair[0] > pair[1]), "{typed}: {scores:?}");
        }
        assert!(score("rest", "Pause thinking", "rest quiet") < score("pause", "Pause thinking", "rest quiet"));
        assert_eq!(score("rest hour", "Pause thinking", "rest quiet"), None, "every word has to fit");
    }

    #[test]
    fn letters_may_be_left_out_of_short_titles_only() {
        assert!(score("ptk", "Pause thinking", "").is_some());
        assert!(score("tis", "thinking.interval_seconds", "").is_some());
        assert_eq!(score("kgt", "Pause thinking", ""), None, "not in this order");
        assert_eq!(score("ause", "Health", ""), None);
        assert_eq!(score("ptk", &"Pause thinking and go on with other things".repeat(2), ""), None);
        for typed in ["", "  ", "é", "\u{1F525}", "%00", "ss ss ss"] {
            let _ = score(typed, "Straße für Gäste", "");
        }
        assert!(score("STRASSE", "strasse", "").is_some(), "large and small letters are the same");
    }

    #[test]
    fn nothing_typed_shows_everything_but_settings_and_a_query_is_bounded() {
        let all = find("", fixed());
        assert_eq!(all.len(), VERBS.len() + nav::PAGES.len());
        assert!(all.windows(2).all(|pair| pair[0].section <= pair[1].section));
        let many: Vec<Entry> = std::iter::repeat_n(fixed(), 40).flatten().collect();
        assert_eq!(find("t", many).len(), FOUND_MAX);
        let best = find("dark", fixed());
        assert_eq!(best.first().map(|e| e.title.as_str()), Some("Dark look"));
    }
}
