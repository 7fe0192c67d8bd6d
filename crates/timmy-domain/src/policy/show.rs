//! How a plan is shown to whoever decides: nothing hidden, nothing that looks like something else.

use crate::digest::Digest;
use crate::text::{is_harmful, shown};

/// Characters of one argument that are shown; a longer one is folded, and its hash stands for the rest.
pub const ARG_CHARS_MAX: usize = 120;
/// Arguments that are shown; more are counted.
pub const ARGS_MAX: usize = 40;

/// The Latin letter that `c` is commonly mistaken for, or `c` itself. Cyrillic and Greek look-alikes, full-width forms,
/// and the slashes and dots that are none (from the confusables of Unicode TR 39, the ones for letters of paths).
#[must_use]
pub const fn looks_like(c: char) -> char {
    match c {
        'а' => 'a',
        'е' => 'e',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'у' => 'y',
        'х' => 'x',
        'ѕ' => 's',
        'і' | 'ı' => 'i',
        'ј' => 'j',
        'һ' => 'h',
        'ԁ' => 'd',
        'ɡ' => 'g',
        'ո' => 'n',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'т' | 'τ' => 't',
        'ν' => 'v',
        'ѡ' => 'w',
        '∕' | '⁄' | '／' => '/',
        '․' | '．' | '。' => '.',
        '‐' | '‑' | '‒' | '–' | '—' | '−' => '-',
        '\u{FF01}'..='\u{FF5E}' => match char::from_u32(c as u32 - 0xFEE0) {
            Some(plain) => plain,
            None => c,
        },
        other => other,
    }
}

/// Why `text` could be mistaken for something else, in words; `None` when it is what it looks like.
#[must_use]
pub fn disguise(text: &str) -> Option<String> {
    if let Some(c) = text.chars().find(|&c| is_harmful(c) && c != '\n' && c != '\t') {
        return Some(format!("it holds the invisible character U+{:04X}", u32::from(c)));
    }
    let mixed = text.split(|c: char| !c.is_alphanumeric()).find(|word| {
        let latin = word.chars().any(|c| c.is_ascii_alphabetic());
        latin && word.chars().any(|c| !c.is_ascii() && looks_like(c) != c)
    });
    if let Some(word) = mixed {
        return Some(format!("\"{}\" mixes letters that only look alike", shown(word)));
    }
    let odd = text.chars().find(|&c| !c.is_ascii() && looks_like(c).is_ascii() && !c.is_alphabetic());
    odd.map(|c| format!("it holds U+{:04X}, which looks like \"{}\"", u32::from(c), looks_like(c)))
}

/// One argument as it is shown: quoted when it would be misread, harmful characters as `\u202e`, folded when long.
#[must_use]
pub fn arg(text: &str) -> String {
    let visible = shown(text).replace('\n', "\\n").replace('\t', "\\t");
    let long = visible.chars().count() > ARG_CHARS_MAX;
    let body: String = visible.chars().take(ARG_CHARS_MAX).collect();
    let plain = !body.is_empty() && body.chars().all(|c| c.is_alphanumeric() || "-_./=:,@+%".contains(c));
    let body = if plain { body } else { format!("'{}'", body.replace('\'', "'\\''")) };
    let rest = if long {
        format!("… [{} characters, sha256 {}]", text.chars().count(), Digest::of(text.as_bytes()).short())
    } else {
        String::new()
    };
    match disguise(text) {
        Some(why) => format!("{body}{rest} [careful: {why}]"),
        None => format!("{body}{rest}"),
    }
}

/// The arguments of a command as one line.
#[must_use]
pub fn args(argv: &[String]) -> String {
    let mut line = argv.iter().take(ARGS_MAX).map(|text| arg(text)).collect::<Vec<_>>().join(" ");
    if argv.len() > ARGS_MAX {
        let all = serde_json::to_string(argv).unwrap_or_default();
        line.push_str(&format!(" … [{} more, sha256 {}]", argv.len() - ARGS_MAX, Digest::of(all.as_bytes()).short()));
    }
    line
}

/// Free text of an approval: line breaks stay, what is harmful is shown as `\u202e`.
#[must_use]
pub fn words(text: &str) -> String {
    shown(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: approvals: text on a card cannot hide, reorder or imitate: escapes, bidi, look-alikes and long arguments are shown as such
    #[test]
    fn case_31_ansi_bidi_and_look_alikes_are_shown_as_what_they_are() {
        let card = arg("\u{1b}[2K\rls \u{202e}txt.exe");
        assert!(!card.chars().any(is_harmful) && card.contains("\\u001b") && card.contains("\\u202e"), "{card}");
        assert!(card.contains("careful"));
        assert!(arg("pаypal.com").contains("look alike"), "Cyrillic а");
        assert!(arg("/etc∕shadow").contains("U+2215"));
        assert!(arg("a\u{200b}b").contains("U+200B"));
        assert_eq!(arg("--release"), "--release");
        assert_eq!(arg("two words"), "'two words'");
        assert_eq!(arg("привет"), "привет", "a word of one script is no disguise");
        let long = "x".repeat(5_000);
        let card = arg(&long);
        assert!(card.chars().count() < 200 && card.contains("5000 characters") && card.contains("sha256"));
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert!(args(&many).contains("60 more"));
    }
}
