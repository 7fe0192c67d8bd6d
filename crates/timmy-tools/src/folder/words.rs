//! The sentences' small parts: names, ages, lists and the lines that are quoted.

use std::path::Path;

use timmy_domain::observation::{OBSERVATION_CHARS_MAX, ObservationKind};
use timmy_domain::{Timestamp, text};

use super::Seen;

/// Characters of a name (folder, branch, author) in a sentence.
pub(super) const NAME_CHARS_MAX: usize = 60;

/// Characters of a quoted title (commit subject, read-me heading) in a sentence.
pub(super) const TITLE_CHARS_MAX: usize = 100;

/// Characters of one quoted line.
const LINE_CHARS_MAX: usize = 160;

/// Lines quoted of one file, of the old text and of the new one.
const LINES_OLD_MAX: usize = 3;
const LINES_NEW_MAX: usize = 6;

/// Files named in one sentence.
const FILES_NAMED_MAX: usize = 3;

/// Files quoted in one detail.
pub(super) const FILES_QUOTED_MAX: usize = 5;

/// An observation whose parts are safe to show and within their bounds.
pub(super) fn seen(kind: ObservationKind, summary: &str, detail: &str) -> Seen {
    Seen {
        kind,
        summary: text::cut(&text::one_line(summary), OBSERVATION_CHARS_MAX),
        detail: text::cut(text::clean(detail).trim_end(), OBSERVATION_CHARS_MAX),
    }
}

/// The last part of a path, as people name the project.
pub(super) fn folder_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    short(&name.to_string_lossy(), NAME_CHARS_MAX)
}

/// One safe line of at most `chars_max` characters.
pub(super) fn short(from_outside: &str, chars_max: usize) -> String {
    text::cut(&text::one_line(from_outside), chars_max)
}

/// The day of the moment `at_ns` (nanoseconds since the epoch, UTC), with the year when it is not that of `now`. A
/// day and not an age, since what is seen today is still read next week. A clock that is ahead makes it today.
pub(super) fn day(now: Timestamp, at_ns: i64) -> String {
    let at = Timestamp::from_micros(at_ns / 1_000).min(now).to_utc();
    let year = if at.year() == now.to_utc().year() { String::new() } else { format!(" {}", at.year()) };
    format!("on {} {}{year}", at.day(), at.month())
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// The first few paths by name and how many more there are.
pub(super) fn files<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = paths.len();
    let mut named: Vec<String> = paths.take(FILES_NAMED_MAX).map(|p| short(p, NAME_CHARS_MAX)).collect();
    if count > named.len() {
        named.push(format!("{} more", count - named.len()));
    }
    joined(&named)
}

/// The first lines of a text that are not blank, each on a line of its own.
pub(super) fn excerpt(from_outside: &str) -> String {
    quoted("", from_outside.lines(), LINES_NEW_MAX)
}

/// The first lines that `new` adds to or takes from `old`, marked `+` and `-`: what is left when the
/// lines both begin with and both end with are put aside.
pub(super) fn changed_lines(old: &str, new: &str) -> String {
    let (mut old, mut new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let begin = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    (old, new) = (old.split_off(begin), new.split_off(begin));
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    old.truncate(old.len() - end);
    new.truncate(new.len() - end);
    quoted("- ", old.into_iter(), LINES_OLD_MAX) + &quoted("+ ", new.into_iter(), LINES_NEW_MAX)
}

fn quoted<'a>(sign: &str, lines: impl Iterator<Item = &'a str>, lines_max: usize) -> String {
    let kept = lines.map(|l| short(l, LINE_CHARS_MAX)).filter(|l| !l.is_empty()).take(lines_max);
    kept.map(|line| format!("{sign}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_year_only_when_it_is_another() {
        let now = Timestamp::from_micros(2_000_000_000_000_000);
        let rows =
            [(0, "on 18 May"), (-60, "on 18 May"), (2 * 86_400, "on 16 May"), (400 * 86_400, "on 13 April 2032")];
        for (seconds, wanted) in rows {
            assert_eq!(day(now, (2_000_000_000 - seconds) * 1_000_000_000), wanted, "{seconds} s");
        }
    }

    #[test]
    fn long_lists_name_a_few_and_count_the_rest() {
        assert_eq!(files(["a"].into_iter()), "a");
        assert_eq!(files(["a", "b", "c"].into_iter()), "a, b and c");
        assert_eq!(files(["a", "b", "c", "d", "e"].into_iter()), "a, b, c and 2 more");
        assert_eq!(files(["a\nb\u{202e}"].into_iter()), "a b");
    }

    #[test]
    fn only_the_lines_that_differ_are_quoted() {
        assert_eq!(changed_lines("a\nb\nc\n", "a\nB\nc\n"), "- b\n+ B\n");
        assert_eq!(changed_lines("a\n", "a\nb\n\nc\n"), "+ b\n+ c\n");
        assert_eq!(changed_lines("a\na\n", "a\n"), "- a\n");
        assert_eq!(changed_lines("", ""), "");
        assert_eq!(excerpt("\n\n# Title\u{1b}[0m\n\ntext\n"), "# Title [0m\ntext\n");
    }
}
