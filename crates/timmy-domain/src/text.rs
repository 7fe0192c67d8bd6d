//! Cleaning and cutting text that came from outside.

/// Text as one safe line: control characters, line breaks and bidirectional overrides become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    // Most text is fine already, and every row of a page comes through here.
    let plain = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    if plain && !text.contains("  ") && !text.starts_with(' ') && !text.ends_with(' ') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if is_harmful(c) { ' ' } else { c };
        if !(c == ' ' && out.ends_with(' ')) {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

/// Text with its line breaks and tabs, yet without other control characters and bidirectional overrides.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|&c| c == '\n' || c == '\t' || !is_harmful(c)).collect()
}

/// Whether a character steers a terminal or changes how others are shown without being seen: control characters (C0,
/// DEL and C1), line and paragraph separators, bidirectional controls (Unicode TR 9), zero-width and invisible
/// characters, tags, and the byte-order mark. The joiners that words and emoji are made with are none of these.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Text for a terminal or a log: line breaks and tabs stay, and what is harmful is shown as `\u001b`. JSON stays the
/// same JSON, since harmful characters stand in its strings alone.
#[must_use]
pub fn shown(text: &str) -> std::borrow::Cow<'_, str> {
    let harmful = |c: char| c != '\n' && c != '\t' && is_harmful(c);
    if !text.chars().any(harmful) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out.into()
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
    fn what_steers_a_terminal_is_shown_instead_and_json_stays_json() {
        assert_eq!(shown("plain\n\ttext"), "plain\n\ttext");
        assert_eq!(shown("\u{1b}]0;x\u{7}\u{9b}2J\r\u{7f}"), r"\u001b]0;x\u0007\u009b2J\u000d\u007f");
        assert_eq!(shown("a\u{202e}b\u{2028}c\u{E0041}d"), r"a\u202eb\u2028c\udb40\udc41d");
        assert_eq!(shown("👩\u{200d}🔧 می\u{200c}خواهم"), "👩\u{200d}🔧 می\u{200c}خواهم", "joiners stay");
        let value = serde_json::json!({"a\u{9b}": "\u{202e}\u{7f}\n"});
        let read: serde_json::Value = serde_json::from_str(&shown(&value.to_string())).expect("still JSON");
        assert_eq!(read, value);
    }

    #[test]
    fn cutting_never_splits_a_character_and_prefers_a_word() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("one two three four", 10), "one two…");
        assert_eq!(cut("ääääää", 3), "ää…");
        assert_eq!(cut("", 0), "");
    }
}
