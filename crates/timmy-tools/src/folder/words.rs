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

/// How long before `now` the moment `at_ns` (nanoseconds since the epoch) lies, as people say it.
/// A clock that is ahead makes it `just now`.
pub(super) fn age(now: Timestamp, at_ns: i64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = now.since(Timestamp::from_micros(at_ns / 1_000)).as_secs();
    let (count, one, many) = match seconds {
        0..MINUTE => return "just now".to_owned(),
        MINUTE..HOUR => (seconds / MINUTE, "minute", "minutes"),
        HOUR..DAY => (seconds / HOUR, "hour", "hours"),
        s if s < 14 * DAY => (seconds / DAY, "day", "days"),
        s if s < 60 * DAY => (seconds / (7 * DAY), "week", "weeks"),
        s if s < 730 * DAY => (seconds / (30 * DAY), "month", "months"),
        _ => (seconds / (365 * DAY), "year", "years"),
    };
    format!("{} ago", text::plural(count, one, many))
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
    fn ages_read_as_people_say_them() {
        let now = Timestamp::from_micros(2_000_000_000_000_000);
        let rows = [
            (-500, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (7_200, "2 hours ago"),
            (86_400 * 2, "2 days ago"),
            (86_400 * 15, "2 weeks ago"),
            (86_400 * 100, "3 months ago"),
            (86_400 * 800, "2 years ago"),
        ];
        for (seconds, wanted) in rows {
            assert_eq!(age(now, (2_000_000_000 - seconds) * 1_000_000_000), wanted, "{seconds} s");
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
