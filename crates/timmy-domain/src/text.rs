//! Cleaning and cutting text that came from outside.

/// Text as one safe line: control characters, line breaks and bidirectional overrides become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if c.is_control() || is_invisible(c) { ' ' } else { c };
        if !(c == ' ' && out.ends_with(' ')) {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

/// Text with its line breaks and tabs, yet without other control characters and bidirectional overrides.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|&c| c == '\n' || c == '\t' || !(c.is_control() || is_invisible(c))).collect()
}

/// Characters that change how others are shown without being seen: bidirectional controls
/// (Unicode TR 9), zero-width characters and the byte-order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{061C}')
}

/// At most `chars_max` characters of `text`, cut at a word where one ends near, with `…` when cut.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.len() <= chars_max || text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let keep = chars_max.saturating_sub(1);
    let end = text.char_indices().nth(keep).map_or(text.len(), |(i, _)| i);
    let head = &text[..end];
    let at = match head.rfind(char::is_whitespace) {
        Some(space) if end - space <= 24 => space,
        _ => end,
    };
    format!("{}…", head[..at].trim_end())
}

/// A rough count of tokens: four bytes of English text make about one. Used where no provider has told.
#[must_use]
pub fn tokens_estimate(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// `1 thing`, `2 things`: the count with its noun.
#[must_use]
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_cannot_be_forged_by_text_from_outside() {
        assert_eq!(one_line("ok\nERROR root\u{1b}[31m \u{202e}txt"), "ok ERROR root [31m txt");
        assert_eq!(clean("a\r\nb\u{0}\tc"), "a\nb\tc");
    }

    #[test]
    fn cutting_never_splits_a_character_and_prefers_a_word() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("one two three four", 10), "one two…");
        assert_eq!(cut("ääääää", 3), "ää…");
        assert_eq!(cut("", 0), "");
    }
}
