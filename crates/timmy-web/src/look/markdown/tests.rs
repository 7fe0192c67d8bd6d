use proptest::prelude::*;
use timmy_domain::Timestamp;

use super::*;
use crate::look::prose::blocks;

/// What is left of a line when everything escaped is taken out. A letter stands in its place, or its neighbours would
/// seem to touch: `:/\|/` is no address.
fn bare(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
                out.push('x');
            }
            c => out.push(c),
        }
    }
    out
}

fn words(text: &str) -> String {
    let mut md = Md::default();
    md.words(text);
    md.done()
}

const HOSTILE: [&str; 16] = [
    "# I am a heading",
    "text\n\n# I am a heading",
    "[click](https://evil.test)",
    "![x](http://evil.test/x.png)",
    "<script>alert(1)</script>",
    "see https://evil.test or www.evil.test",
    "- item\n1. one\n2) two\n+ plus\n* star",
    "**bold** _it_ ~~no~~ `code`",
    "```\nfence\n```",
    "| a | b |\n| --- | --- |",
    "Setext\n======",
    "Rule\n---",
    "> quote",
    "&lt;b&gt; &#35;",
    "\\# back\\slash \\[x](y)",
    "\u{202e}\u{0}[x]: https://evil.test",
];

// shows: dashboard: words of people, models and files make no heading, no link and no mark of a page's Markdown
#[test]
fn what_was_said_stays_words() {
    assert_eq!(words("# I am"), "\\# I am\n");
    assert_eq!(words("1. one"), "1\\. one\n");
    assert_eq!(words("Timmy's 3.5 GB, on 2026-11-21 (here)"), "Timmy's 3.5 GB, on 2026-11-21 (here)\n");
    assert_eq!(words("see https://evil.test, www.evil.test"), "see https\\://evil.test, www\\.evil.test\n");
    for text in HOSTILE {
        harmless(&words(text)).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        let link = Line::new().link(text, "/talk").0;
        assert!(link.starts_with('[') && link.ends_with("](/talk.md)"), "{link}");
        assert!(!bare(&link[1..link.len() - "](/talk.md)".len()]).contains(['[', ']']), "{link}");
        let mut md = Md::default();
        md.quote(&blocks(text));
        assert!(md.done().lines().all(|line| line.starts_with('>')), "{text:?}");
    }
}

/// One line that holds nothing but words.
fn harmless(document: &str) -> Result<(), String> {
    let Some(line) = document.strip_suffix('\n') else {
        return if document.is_empty() { Ok(()) } else { Err(format!("no line: {document:?}")) };
    };
    let left = bare(line);
    let marks = left.contains(['\n', '\r', '`', '*', '_', '[', ']', '<', '>', '~', '|', '&', '\\']);
    let begins = left.starts_with(['#', '+', '-', '=', ' ', '\t']) && !line.starts_with('\\');
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let counts = number.len() < line.len() && number.starts_with(['.', ')']);
    let address = left.contains("://") || left.to_ascii_lowercase().contains("www.");
    if marks || begins || counts || address { Err(format!("{line:?}")) } else { Ok(()) }
}

proptest! {
    #[test]
    fn no_words_become_marks(text in "\\PC{0,60}|[#*_`>\\[\\]()<:/.w0-9 \\\\\n|-]{0,40}") {
        prop_assert_eq!(harmless(&words(&text)), Ok(()));
    }

    #[test]
    fn a_quote_keeps_every_line_inside(text in "([-#*`> \\\\a-z0-9.|\\[\\]()\n]{0,80})") {
        let mut md = Md::default();
        md.quote(&blocks(&text));
        md.words("after");
        let document = md.done();
        let mut lines = document.lines().rev();
        prop_assert_eq!(lines.next(), Some("after"));
        prop_assert!(lines.all(|line| line.is_empty() || line.starts_with('>')), "{}", document);
    }

    #[test]
    fn code_ends_where_it_is_meant_to(text in "[`a |\\\\]{0,20}") {
        let mut span = String::new();
        code_span(&text, &mut span);
        let fence = span.len() - span.trim_start_matches('`').len();
        if !span.is_empty() {
            let inside = span[fence..span.len() - fence].replace("\\|", "|");
            let wanted = one_line(&text);
            prop_assert_eq!(inside.trim(), wanted.trim());
            prop_assert!(!inside.split(|c| c != '`').any(|run| run.len() == fence), "{}", span);
        }
    }
}

#[test]
fn blocks_are_set_as_they_were_meant() {
    let mut md = Md::default();
    md.quote(&blocks("Try **this** now:\n- one *two*\n- `a*b`\n\n```\n# not a heading\n```\n1. x"));
    let wanted = "> Try **this** now:\n>\n> - one *two*\n> - `a*b`\n>\n> ```\n> # not a heading\n> ```\n>\n> 1. x\n";
    assert_eq!(md.done(), wanted);
}

#[test]
fn links_lead_to_twins_and_never_away() {
    let to = |href: &str| Line::new().link("x", href).0;
    assert_eq!(to("/talk?about=1"), "[x](/talk.md?about=1)");
    assert_eq!(to("/swarm/events/12"), "[x](/swarm/events/12.md)");
    assert_eq!(to("/swarm/events?q=type:watch.* x"), "[x](/swarm/events.md?q=type:watch.%2A%20x)");
    for away in ["https://evil.test", "//evil.test", "javascript:alert(1)"] {
        assert_eq!(to(away), "[x](/index.md)");
    }
}

#[test]
fn lists_tables_and_headings_stand_apart() {
    let mut md = Md::default();
    md.heading(2, "One");
    md.item(Line::new().text("a"));
    md.item(Line::new().text("b").also("c").also(""));
    md.table(&["A", "B"], [vec![Line::new().text("x|y"), Line::new()]]);
    md.table(&["A"], []);
    md.exact("json", "{\"a\": \"```\"}");
    let wanted =
        "## One\n\n- a\n- b · c\n\n| A | B |\n| --- | --- |\n| x\\|y |  |\n\n````json\n{\"a\": \"```\"}\n````\n";
    assert_eq!(md.done(), wanted);
    let clock = crate::look::Clock { now: Timestamp::EPOCH, offset: time::UtcOffset::UTC };
    assert_eq!(Line::new().time(&clock.minute(Timestamp::EPOCH)).0, "00:00 (Thursday 1 January 1970, 00:00:00)");
}
