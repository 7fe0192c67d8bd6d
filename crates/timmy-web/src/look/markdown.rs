//! The Markdown twin of every page, for agents and terminals: written from the very view the page is drawn from, so
//! that the two cannot differ.
//!
//! What people, models and files said is escaped so that it stays words: it makes no heading, no link, no list and no
//! mark of this document. A thought or a message stands in a quote, line by line.

use std::fmt::{Display, Write as _};

use super::prose::{self, Block, Mark};
use super::{Absent, Fact, Gauge, Shell, State, When};
use crate::nav;
use timmy_domain::text::{clean, one_line};

mod health;
mod home;
mod library;
mod log;
mod mind;
mod router;
mod settings;
mod talk;
mod work;

/// A page that has a twin.
pub trait Twin {
    /// What surrounds it.
    fn shell(&self) -> &Shell;
    /// Everything below the heading and the state.
    fn write(&self, md: &mut Md);
}

/// The twin of `page`.
#[must_use]
pub fn twin(page: &impl Twin) -> String {
    let shell = page.shell();
    let mut md = Md::default();
    md.heading(1, &shell.title);
    let now = &shell.now;
    let mut line = Line::new().strong(&now.state().word).text(". ").text(&now.act).text(".");
    if !now.aside.is_empty() {
        line = line.text(" ").text(&now.aside);
    }
    md.line(line);
    if let Some(notice) = &shell.notice {
        md.line(Line::new().strong(&notice.state.word).text(". ").text(&notice.text));
    }
    page.write(&mut md);
    md.heading(2, "Pages");
    for page in nav::PAGES {
        md.item(Line::new().link(page.title, page.route).text(": ").text(page.blurb));
    }
    md.heading(2, "This document");
    md.item(Line::new().text("Position in the log: ").text(shell.live_seq));
    md.item(Line::new().text(&shell.host).text(", Timmy ").text(&shell.version));
    md.done()
}

/// A document that grows.
#[derive(Debug, Default)]
pub struct Md {
    out: String,
    /// Whether the last line was an item, so that the next item follows it closely.
    listed: bool,
}

/// One line of a document, made of words and marks. Whatever is put in stays on this line.
#[derive(Debug, Default)]
pub struct Line(String);

impl Line {
    /// An empty line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Words.
    #[must_use]
    pub fn text(mut self, words: impl Display) -> Self {
        // A space at either end is meant here, where words follow words.
        let words = words.to_string();
        let plain = one_line(&words);
        if words.starts_with(' ') && !self.0.ends_with(' ') && !self.0.is_empty() {
            self.0.push(' ');
        }
        escape(&plain, self.0.is_empty(), &mut self.0);
        if words.ends_with(' ') && !plain.is_empty() {
            self.0.push(' ');
        }
        self
    }

    /// Words that stand out.
    #[must_use]
    pub fn strong(mut self, words: &str) -> Self {
        let plain = one_line(words);
        if !plain.is_empty() {
            self.0.push_str("**");
            escape(&plain, false, &mut self.0);
            self.0.push_str("**");
        }
        self
    }

    /// An id, a path or a command.
    #[must_use]
    pub fn code(mut self, words: impl Display) -> Self {
        code_span(&words.to_string(), &mut self.0);
        self
    }

    /// A link to a page of this site; a page that has a twin is linked by it.
    #[must_use]
    pub fn link(mut self, label: &str, href: &str) -> Self {
        self.0.push('[');
        escape(&one_line(label), false, &mut self.0);
        self.0.push_str("](");
        target(href, &mut self.0);
        self.0.push(')');
        self
    }

    /// A time: as it is told, with the exact one behind it.
    #[must_use]
    pub fn time(self, when: &When) -> Self {
        if when.full == when.text {
            self.text(&when.full)
        } else {
            self.text(&when.text).text(format!(" ({})", when.full))
        }
    }

    /// A dot between two things, when something stands before it.
    #[must_use]
    pub fn dot(mut self) -> Self {
        if !self.0.is_empty() {
            self.0.push_str(" · ");
        }
        self
    }

    /// Words behind a dot, when there are any.
    #[must_use]
    pub fn also(self, words: &str) -> Self {
        if words.is_empty() { self } else { self.dot().text(words) }
    }
}

impl Md {
    fn begin(&mut self, item: bool) {
        if !(self.out.is_empty() || item && self.listed) {
            self.out.push('\n');
        }
        self.listed = item;
    }

    /// A heading of `level` 1 to 6.
    pub fn heading(&mut self, level: usize, words: &str) {
        self.begin(false);
        let _ = write!(self.out, "{} ", "#".repeat(level.clamp(1, 6)));
        escape(&one_line(words), false, &mut self.out);
        self.out.push('\n');
    }

    /// A heading that is a link.
    pub fn heading_line(&mut self, level: usize, Line(text): Line) {
        self.begin(false);
        let _ = writeln!(self.out, "{} {text}", "#".repeat(level.clamp(1, 6)));
    }

    /// A paragraph of one line; nothing when it is empty.
    pub fn line(&mut self, Line(text): Line) {
        if !text.is_empty() {
            self.begin(false);
            let _ = writeln!(self.out, "{text}");
        }
    }

    /// A paragraph; nothing when there are no words.
    pub fn words(&mut self, words: &str) {
        self.line(Line::new().text(words));
    }

    /// One item of a list.
    pub fn item(&mut self, line: Line) {
        self.item_at(0, line);
    }

    /// One item, indented `depth` times.
    pub fn item_at(&mut self, depth: usize, Line(text): Line) {
        self.begin(true);
        let _ = writeln!(self.out, "{}- {text}", "  ".repeat(depth));
    }

    /// A table, with its rows; nothing when there are none.
    pub fn table(&mut self, heads: &[&str], rows: impl IntoIterator<Item = Vec<Line>>) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        self.begin(false);
        let _ = writeln!(self.out, "| {} |", heads.join(" | "));
        let _ = writeln!(self.out, "|{}", " --- |".repeat(heads.len()));
        for row in rows {
            self.out.push('|');
            for cell in row {
                let _ = write!(self.out, " {} |", cell.0);
            }
            self.out.push('\n');
        }
    }

    /// Figures with their names.
    pub fn facts(&mut self, facts: &[Fact]) {
        for fact in facts {
            let line = Line::new().strong(&fact.label).text(": ");
            self.item(match &fact.href {
                Some(href) => line.link(&fact.value, href),
                None if fact.mono => line.code(&fact.value),
                None => line.text(&fact.value),
            });
        }
    }

    /// An amount against its bound.
    pub fn gauge(&mut self, gauge: &Gauge) {
        self.item(Line::new().strong(&gauge.label).text(": ").text(&gauge.text));
    }

    /// Nothing to show, and why.
    pub fn absent(&mut self, absent: &Absent) {
        let mut line = Line::new().strong(&absent.title).text(". ").text(&absent.text);
        if let Some(was) = &absent.was {
            line = line.text(" ").code(was);
        }
        if let Some(act) = &absent.act {
            line = line.text(" ").link(&act.label, &act.href);
        }
        self.line(line);
    }

    /// A command for the terminal.
    pub fn command(&mut self, command: &str) {
        self.line(Line::new().text("In a terminal: ").code(command));
    }

    /// What somebody said, in a quote.
    pub fn quote(&mut self, blocks: &[Block]) {
        self.begin(false);
        for (at, block) in blocks.iter().enumerate() {
            if at > 0 {
                self.out.push_str(">\n");
            }
            match block {
                Block::Words(text) => {
                    let mut lines = String::new();
                    marked(text, &mut lines);
                    self.quoted(lines.lines());
                }
                Block::List(first, items) => {
                    for (at, item) in items.iter().enumerate() {
                        let mut line = String::new();
                        marked(&one_line(item), &mut line);
                        match first {
                            Some(first) => self.quoted([format!("{}. {line}", first + u32::try_from(at).unwrap_or(0))]),
                            None => self.quoted([format!("- {line}")]),
                        }
                    }
                }
                Block::Code(code) => {
                    let code = clean(code);
                    let fence = "`".repeat(longest_run(&code).max(2) + 1);
                    self.quoted([fence.as_str()]);
                    self.quoted(code.lines());
                    self.quoted([fence.as_str()]);
                }
            }
        }
    }

    fn quoted<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        for line in lines {
            let line = line.as_ref();
            let _ = writeln!(self.out, ">{}{line}", if line.is_empty() { "" } else { " " });
        }
    }

    /// Exact text, between fences.
    pub fn exact(&mut self, kind: &str, text: &str) {
        let text = clean(text);
        let fence = "`".repeat(longest_run(&text).max(2) + 1);
        self.begin(false);
        let _ = writeln!(self.out, "{fence}{kind}\n{text}\n{fence}");
    }

    /// The document.
    #[must_use]
    pub fn done(self) -> String {
        self.out
    }
}

/// The state and a title behind it.
fn stated(state: &State, title: &str) -> Line {
    Line::new().strong(&state.word).text(": ").text(title)
}

/// Text with its marks, line by line; each line begins anew.
fn marked(text: &str, out: &mut String) {
    for (mark, part) in prose::marks(text) {
        let mut lines = part.split('\n').peekable();
        while let Some(line) = lines.next() {
            let plain = spaced(line);
            let fresh = out.is_empty() || out.ends_with('\n');
            match mark {
                Mark::Plain => escape(&plain, fresh, out),
                Mark::Code => code_span(&plain, out),
                Mark::Strong | Mark::Stressed if plain.trim().is_empty() => {}
                Mark::Strong | Mark::Stressed => {
                    let fence = if mark == Mark::Strong { "**" } else { "*" };
                    out.push_str(fence);
                    escape(plain.trim(), false, out);
                    out.push_str(fence);
                }
            }
            if lines.peek().is_some() {
                out.push('\n');
            }
        }
    }
}

/// One line of clean text that keeps the spaces at its ends, where marks meet words.
fn spaced(line: &str) -> String {
    let inside = one_line(line);
    let (first, last) = (line.starts_with([' ', '\t']), line.ends_with([' ', '\t']));
    match (inside.is_empty(), first, last) {
        (true, ..) => {
            if line.is_empty() {
                String::new()
            } else {
                " ".to_owned()
            }
        }
        (false, false, false) => inside,
        (false, ..) => format!("{}{inside}{}", if first { " " } else { "" }, if last { " " } else { "" }),
    }
}

/// Writes one line of text so that it stays text. `fresh` says that the line begins with it.
fn escape(text: &str, fresh: bool, out: &mut String) {
    let text = if fresh { text.trim_start() } else { text };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    for (at, c) in text.char_indices() {
        let marks = matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' | '&');
        // What begins a heading, a list, a rule or an underline.
        let begins = fresh
            && (at == 0 && matches!(c, '#' | '+' | '-' | '=' | ':')
                || digits > 0 && at == digits && matches!(c, '.' | ')'));
        // What readers of addresses take for a link by itself.
        let address = c == ':' && text[at + 1..].starts_with("//")
            || c == '.' && at >= 3 && text.as_bytes()[at - 3..at].eq_ignore_ascii_case(b"www");
        if marks || begins || address {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Writes a stretch of code in one line.
fn code_span(text: &str, out: &mut String) {
    let text = one_line(text);
    if text.is_empty() {
        return;
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let room = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    // In a table a bar would end the cell, in code too.
    let text = text.replace('|', "\\|");
    let _ = write!(out, "{fence}{room}{text}{room}{fence}");
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Writes where a link leads. Only paths of this site are links; a page that has a twin is linked by it.
fn target(href: &str, out: &mut String) {
    let href = if href.starts_with('/') && !href.starts_with("//") { href } else { "/" };
    let href = nav::twin(href).unwrap_or_else(|| href.to_owned());
    for byte in href.bytes() {
        if byte.is_ascii_graphic() && !b"()<>[]\\\"`*_|".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests;
