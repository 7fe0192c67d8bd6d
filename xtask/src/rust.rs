//! A light look at Rust source: code, texts and comments apart, line by line.
//!
//! Not a parser. Rules only need to know whether a word stands in code, in a text or in a comment.

/// A Rust file taken apart.
#[derive(Debug)]
pub struct Source {
    /// The code: comments and the inside of texts are blanks, line breaks stay.
    pub code: String,
    /// Texts with the line they start on.
    pub texts: Vec<(usize, String)>,
    /// Comments with the line they start on, without their marks.
    pub comments: Vec<(usize, String)>,
}

impl Source {
    /// Takes `text` apart.
    pub fn of(text: &str) -> Self {
        let mut reader =
            Reader { rest: text, line: 1, source: Self { code: String::new(), texts: vec![], comments: vec![] } };
        while reader.step() {}
        reader.source
    }

    /// Lines of code with their numbers, counted from one.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(n, line)| (n + 1, line))
    }

    /// The lines that belong to an inline `#[cfg(test)] mod … { … }`, as a range of line numbers.
    pub fn test_lines(&self) -> Option<(usize, usize)> {
        let start = self.code.find("#[cfg(test)]")?;
        let open = start + self.code[start..].find('{')?;
        // `#[cfg(test)] mod tests;` has its semicolon before the next brace.
        if self.code[start..open].contains(';') {
            return None;
        }
        let mut depth = 0_usize;
        let close = self.code[open..].char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(open + at)
        })?;
        Some((line_at(&self.code, start), line_at(&self.code, close)))
    }
}

/// The line, counted from one, of the byte at `at`.
pub fn line_at(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|b| *b == b'\n').count() + 1
}

/// Whether `word` stands in `text` as a word of its own.
pub fn has_word(text: &str, word: &str) -> bool {
    words_at(text, word).next().is_some()
}

/// Where `word` stands in `text` as a word of its own.
pub fn words_at<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !text[..*at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    source: Source,
}

impl Reader<'_> {
    /// Reads the next piece; `false` at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.comment(end);
        } else if self.rest.starts_with("/*") {
            self.comment(block_end(self.rest));
        } else if let Some((open, close)) = raw_text(self.rest, &self.source.code) {
            let body = &self.rest[open..];
            let end = body.find(&close).unwrap_or(body.len());
            self.text(open, end, close.len());
        } else if first == '"' {
            let end = text_end(&self.rest[1..]);
            self.text(1, end, 1);
        } else if let Some(length) = character(self.rest) {
            self.blank(length);
        } else {
            self.copy(first.len_utf8());
        }
        true
    }

    fn comment(&mut self, length: usize) {
        let text = self.rest[..length].trim_start_matches(['/', '*', '!']).trim_end_matches(['/', '*']).trim();
        self.source.comments.push((self.line, text.to_owned()));
        self.blank(length);
    }

    fn text(&mut self, open: usize, length: usize, close: usize) {
        self.source.texts.push((self.line, self.rest[open..open + length].to_owned()));
        self.copy(open);
        self.blank(length);
        self.copy(close.min(self.rest.len()));
    }

    fn copy(&mut self, length: usize) {
        let (piece, rest) = self.rest.split_at(length);
        self.source.code.push_str(piece);
        self.line += piece.matches('\n').count();
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (piece, rest) = self.rest.split_at(length);
        self.source.code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.line += piece.matches('\n').count();
        self.rest = rest;
    }
}

/// Where a block comment ends; they nest.
fn block_end(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Where the text ends whose opening quote was just read.
fn text_end(body: &str) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    body.len()
}

/// The length of the opening and the closing of a raw text, when one starts here.
fn raw_text(rest: &str, before: &str) -> Option<(usize, String)> {
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let prefix = ["br", "cr", "r"].into_iter().find(|p| rest.starts_with(p))?;
    let hashes = rest[prefix.len()..].bytes().take_while(|b| *b == b'#').count();
    rest[prefix.len() + hashes..]
        .starts_with('"')
        .then(|| (prefix.len() + hashes + 1, format!("\"{}", "#".repeat(hashes))))
}

/// The length of a character in quotes, when one starts here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    let first = body.chars().next()?;
    if first == '\\' {
        let escaped = body[1..].chars().next()?.len_utf8();
        return body[1 + escaped..].find('\'').map(|end| end + 3 + escaped);
    }
    body[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_texts_and_comments_come_apart_and_keep_their_lines() {
        let source =
            Source::of("let a = \"x // y\"; // why\n/* two\nlines */ let b = r#\"say \"SELECT\"\"#;\nlet c = '\"';\n");
        assert_eq!(source.texts, [(1, "x // y".to_owned()), (3, "say \"SELECT\"".to_owned())]);
        assert_eq!(source.comments, [(1, "why".to_owned()), (2, "two\nlines".to_owned())]);
        assert_eq!(source.code.lines().count(), 4);
        assert!(source.code.contains("let c ="));
        assert!(!source.code.contains("SELECT") && !source.code.contains("why"));
    }

    #[test]
    fn lifetimes_escapes_and_nested_comments_do_not_confuse_it() {
        let source =
            Source::of("fn f<'a>(x: &'a str) -> char { '\\'' } /* a /* b */ c */ const S: &str = \"\\\"SELECT\";");
        assert_eq!(source.texts, [(1, "\\\"SELECT".to_owned())]);
        assert!(source.code.contains("fn f<'a>(x: &'a str)"));
        assert!(!source.code.contains('b'), "{}", source.code);
    }

    #[test]
    fn the_inline_test_module_is_found_by_its_braces() {
        let source = Source::of("fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { \"}\"; }\n}\nfn c() {}\n");
        assert_eq!(source.test_lines(), Some((2, 5)));
        assert_eq!(Source::of("#[cfg(test)]\nmod tests;\nfn c() {}").test_lines(), None);
    }

    #[test]
    fn a_word_inside_another_word_is_not_that_word() {
        assert!(has_word("use std::env;", "env"));
        assert!(!has_word("let environment = 1;", "env") && !has_word("my_env", "env"));
    }
}
