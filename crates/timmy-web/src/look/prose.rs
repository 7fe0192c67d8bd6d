//! Text of people and models as it is read: paragraphs, lists, code, and a few marks inside a line.
//!
//! Models write Markdown whether asked to or not. This reads the little of it that they really use and leaves
//! everything else as it was typed. Nothing is ever dropped but the marks themselves, and the templates escape it all.

use std::borrow::Cow;

/// A piece of text: its paragraphs, its lists, and what stands between fences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Words, with their line breaks.
    Words(String),
    /// The items of a list; numbered from a number, or not at all.
    List(Option<u32>, Vec<String>),
    /// Between fences: code, in monospace.
    Code(String),
}

/// How a stretch of a line is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it is.
    Plain,
    /// Between backticks.
    Code,
    /// Between two stars.
    Strong,
    /// Between single stars.
    Stressed,
}

/// The text in blocks: empty lines part paragraphs, three backticks fence code, dashes and numbers make lists.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            flush(&mut words, &mut out);
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
            if !code.is_empty() {
                out.push(Block::Code(code.join("\n")));
            }
        } else if trimmed.is_empty() {
            flush(&mut words, &mut out);
        } else if let Some((number, item)) = item(trimmed) {
            flush(&mut words, &mut out);
            match out.last_mut() {
                Some(Block::List(first, items)) if first.is_some() == number.is_some() => items.push(item.to_owned()),
                _ => out.push(Block::List(number, vec![item.to_owned()])),
            }
        } else if let Some(title) = heading(trimmed) {
            flush(&mut words, &mut out);
            out.push(Block::Words(format!("**{title}**")));
        } else {
            match out.last_mut() {
                // An indented line goes on with the item above it.
                Some(Block::List(_, items)) if words.is_empty() && trimmed.len() < line.len() => {
                    if let Some(last) = items.last_mut() {
                        last.push('\n');
                        last.push_str(trimmed);
                    }
                }
                _ => words.push(line),
            }
        }
    }
    flush(&mut words, &mut out);
    out
}

fn flush(words: &mut Vec<&str>, out: &mut Vec<Block>) {
    let text = words.join("\n");
    words.clear();
    if !text.trim().is_empty() {
        out.push(Block::Words(text.trim().to_owned()));
    }
}

/// The number, if any, and the words of a list's line.
fn item(line: &str) -> Option<(Option<u32>, &str)> {
    let plain = ["- ", "* ", "• "].iter().find_map(|dash| line.strip_prefix(dash));
    if let Some(words) = plain {
        return Some((None, words.trim()));
    }
    let (number, words) = line.split_once(". ").or_else(|| line.split_once(") "))?;
    // Two digits at most: a year at the start of a sentence is no item.
    let short = !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    if short { number.parse().ok().map(|number| (Some(number), words.trim())) } else { None }
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    let depth = line.len() - title.len();
    let title = title.strip_prefix(' ')?.trim().trim_matches('*');
    ((1..=6).contains(&depth) && !title.is_empty()).then_some(title)
}

/// A paragraph or an item in stretches. What is opened and never closed stands as it was typed.
#[must_use]
pub fn marks(text: &str) -> Vec<(Mark, Cow<'_, str>)> {
    let mut out: Vec<(Mark, Cow<'_, str>)> = Vec::new();
    let mut push = |mark: Mark, part| match out.last_mut() {
        Some((last, words)) if *last == mark && mark == Mark::Plain => words.to_mut().push_str(part),
        _ if part.is_empty() => {}
        _ => out.push((mark, Cow::Borrowed(part))),
    };
    let mut rest = text;
    let mut before = ' ';
    while let Some(at) = rest.find(['`', '*']) {
        let (plain, from) = rest.split_at(at);
        push(Mark::Plain, plain);
        before = plain.chars().next_back().unwrap_or(before);
        let (mark, fence) = match from {
            _ if from.starts_with('`') => (Mark::Code, "`"),
            _ if from.starts_with("**") => (Mark::Strong, "**"),
            _ => (Mark::Stressed, "*"),
        };
        let inside = &from[fence.len()..];
        let end = closing(inside, mark, fence).filter(|_| mark == Mark::Code || opens(before));
        if let Some(end) = end {
            push(mark, &inside[..end]);
            rest = &inside[end + fence.len()..];
        } else {
            push(Mark::Plain, fence);
            rest = inside;
        }
        before = fence.chars().next_back().unwrap_or(' ');
    }
    push(Mark::Plain, rest);
    out
}

/// Whether a star after `before` may open something; inside words, paths and patterns it is only a star.
fn opens(before: char) -> bool {
    before.is_whitespace() || matches!(before, '(' | '[' | '"' | '\'' | '“' | '‘' | '—')
}

/// Where what was opened ends, on the same line.
fn closing(inside: &str, mark: Mark, fence: &str) -> Option<usize> {
    let line = inside.lines().next().unwrap_or_default();
    if mark == Mark::Code {
        return line.find(fence).filter(|end| *end > 0);
    }
    let tight = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace() && c != '*');
    let fits = |end: &usize| {
        let after = line[end + fence.len()..].chars().next();
        tight(line[..*end].chars().next_back()) && after.is_none_or(|c| !c.is_alphanumeric() && c != '*')
    };
    if !tight(line.chars().next()) {
        return None;
    }
    line.match_indices(fence).map(|(end, _)| end).find(fits)
}

/// The text in one line, without its marks and without code.
#[must_use]
pub fn line(blocks: &[Block]) -> String {
    let words = |text: &String| marks(text).into_iter().map(|(_, part)| part).collect::<String>();
    let lines = blocks.iter().map(|block| match block {
        Block::Words(text) => words(text),
        Block::List(_, items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        Block::Code(_) => "…".to_owned(),
    });
    lines.collect::<Vec<_>>().join(" ").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Block {
        Block::Words(text.into())
    }

    #[test]
    fn text_falls_into_paragraphs_and_fences() {
        let found = blocks("One\ntwo\n\n```sh\nmake test\n\nmake run\n```\nAfter");
        assert_eq!(found, [words("One\ntwo"), Block::Code("make test\n\nmake run".into()), words("After")]);
        assert_eq!(blocks("```\nnever closed"), [Block::Code("never closed".into())]);
        assert_eq!(blocks("\n\n"), []);
    }

    #[test]
    fn dashes_and_numbers_make_lists() {
        let found = blocks("New:\n- one\n  goes on\n- two\n\n- three\nAfter\n3. c\n4. d\n\n## Then\n2026. A year.");
        let list = |first, items: &[&str]| Block::List(first, items.iter().map(|&item| item.to_owned()).collect());
        assert_eq!(
            found,
            [
                words("New:"),
                list(None, &["one\ngoes on", "two", "three"]),
                words("After"),
                list(Some(3), &["c", "d"]),
                words("**Then**"),
                words("2026. A year."),
            ]
        );
    }

    #[test]
    fn marks_are_read_where_they_are_meant() {
        use Mark::{Code, Plain, Stressed, Strong};
        let found = marks("Run `a * b`, **now**, *please*.");
        let wanted = [
            (Plain, "Run "),
            (Code, "a * b"),
            (Plain, ", "),
            (Strong, "now"),
            (Plain, ", "),
            (Stressed, "please"),
            (Plain, "."),
        ];
        assert_eq!(found, wanted.map(|(mark, text)| (mark, Cow::Borrowed(text))));
        for plain in
            ["watch.* and timmy.*", "2 * 3 * 4", "a*b*c", "`open", "**open", "``", "****", "*", "src/*.rs, docs/*.md"]
        {
            assert_eq!(marks(plain), [(Plain, Cow::Borrowed(plain))], "{plain}");
        }
    }

    #[test]
    fn one_line_tells_it_without_marks() {
        assert_eq!(line(&blocks("Do **this**:\n- a\n- `b`\n```\nx\n```")), "Do this: a; b …");
    }
}
