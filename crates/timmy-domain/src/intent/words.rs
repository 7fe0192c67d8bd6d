//! Words of a sentence, each with where it stands.

use crate::task::Priority;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// In small letters, with plain apostrophes.
    pub(super) low: String,
    /// As it was written.
    pub(super) raw: &'a str,
    /// Where it begins and ends, in bytes, without the marks around it.
    pub(super) from: usize,
    /// Behind its last byte.
    pub(super) to: usize,
    /// The mark directly behind it, such as `:` or `,`.
    pub(super) ends: Option<char>,
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || "'’-_/@.:#&+%€$".contains(c)
}

/// The words of `text`.
pub(super) fn split(text: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    let mut from = None;
    let mut push = |from: usize, to: usize| {
        let Some(whole) = text.get(from..to) else { return };
        let start = from + (whole.len() - whole.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '#').len());
        let bare = text.get(start..to).unwrap_or_default().trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%');
        if bare.is_empty() {
            return;
        }
        let to = start + bare.len();
        let ends = text.get(to..).and_then(|rest| rest.chars().next()).filter(|c| ":,;.!?)".contains(*c));
        let low = bare.to_lowercase().replace('’', "'");
        out.push(Word { low, raw: bare, from: start, to, ends });
    };
    for (at, c) in text.char_indices() {
        match (in_word(c), from) {
            (true, None) => from = Some(at),
            (false, Some(begun)) => {
                push(begun, at);
                from = None;
            }
            _ => {}
        }
    }
    if let Some(begun) = from {
        push(begun, text.len());
    }
    out
}

/// Marks that stand around the words of somebody else, or around code.
const QUOTES: [char; 8] = ['"', '“', '”', '„', '«', '»', '`', '‘'];

/// Whether `text` begins as what was pasted from elsewhere does: with a quotation mark, a `>`, or the sign of a list,
/// a link or code. Nobody begins an order with one.
pub(super) fn begins_quoted(text: &str) -> bool {
    !text.starts_with(char::is_alphanumeric)
}

/// Whether a quotation stands in `head`, apart from one that opens at its very end.
pub(super) fn is_quoted(head: &str) -> bool {
    head.trim_end_matches(|c: char| c.is_whitespace() || c == '\'' || QUOTES.contains(&c)).contains(QUOTES)
}

/// `title` without the quotation marks that stand around all of it.
pub(super) fn unquoted(title: &str) -> &str {
    let title = title.trim_matches(['\'', '’']);
    let inner = title.trim_matches(QUOTES);
    if inner.contains(QUOTES) { title } else { inner }
}

/// Makes an order of the polite "would you mind adding …".
pub(super) fn as_order(words: &mut [Word<'_>]) {
    const GERUNDS: [(&str, &str); 8] = [
        ("adding", "add"),
        ("creating", "create"),
        ("making", "make"),
        ("putting", "put"),
        ("setting", "set"),
        ("reminding", "remind"),
        ("scheduling", "schedule"),
        ("queuing", "queue"),
    ];
    for at in 1..words.len() {
        let minds = words.get(at - 1).is_some_and(|before| before.low == "mind");
        let Some(word) = words.get_mut(at).filter(|_| minds) else { continue };
        if let Some((_, plain)) = GERUNDS.iter().find(|(gerund, _)| *gerund == word.low) {
            (*plain).clone_into(&mut word.low);
        }
    }
}

/// What stands behind `head`, when `words` begin with one word of each of its places; a place that may be empty is
/// left out where none of its words stands.
pub(super) fn slots<'w, 'a>(words: &'w [Word<'a>], head: &[&[&str]]) -> Option<&'w [Word<'a>]> {
    head.iter().try_fold(words, |rest, place| {
        let fits = rest.first().is_some_and(|word| place.contains(&word.low.as_str()));
        if fits { rest.get(1..) } else { place.contains(&"").then_some(rest) }
    })
}

/// What stands behind `phrase`, when `words` begin with it.
pub(super) fn after<'w, 'a>(words: &'w [Word<'a>], phrase: &[&str]) -> Option<&'w [Word<'a>]> {
    let fits = words.len() >= phrase.len() && phrase.iter().zip(words).all(|(want, word)| word.low == *want);
    fits.then(|| words.get(phrase.len()..)).flatten()
}

/// Words of urgency, longest first.
const URGENCY: &[(&[&str], Priority)] = &[
    (&["with", "high", "priority"], Priority::High),
    (&["with", "low", "priority"], Priority::Low),
    (&["as", "soon", "as", "possible"], Priority::Urgent),
    (&["when", "you", "have", "time"], Priority::Low),
    (&["high", "priority"], Priority::High),
    (&["high-priority"], Priority::High),
    (&["low", "priority"], Priority::Low),
    (&["low-priority"], Priority::Low),
    (&["normal", "priority"], Priority::Normal),
    (&["top", "priority"], Priority::Urgent),
    (&["it's", "urgent"], Priority::Urgent),
    (&["urgent"], Priority::Urgent),
    (&["urgently"], Priority::Urgent),
    (&["critical"], Priority::Urgent),
    (&["asap"], Priority::Urgent),
    (&["emergency"], Priority::Urgent),
    (&["important"], Priority::High),
    (&["minor"], Priority::Low),
];

/// The urgency that `words` begin with, and what stands behind it.
pub(super) fn priority_at<'w, 'a>(words: &'w [Word<'a>]) -> Option<(Priority, &'w [Word<'a>])> {
    URGENCY.iter().find_map(|(phrase, priority)| after(words, phrase).map(|rest| (*priority, rest)))
}

/// The urgency that `words` end with, set apart or of more than one word, and what stands before it: "a chord in A
/// minor" is not of low priority.
pub(super) fn priority_at_end<'w, 'a>(words: &'w [Word<'a>]) -> Option<(Priority, &'w [Word<'a>])> {
    URGENCY.iter().find_map(|(phrase, priority)| {
        let from = words.len().checked_sub(phrase.len())?;
        let rest = after(words.get(from..)?, phrase)?;
        let before = words.get(..from)?;
        let apart = before.last().is_some_and(|word| word.ends.is_some());
        let plain =
            phrase.len() > 1 || matches!(phrase, ["asap"] | ["urgently"] | ["high-priority"] | ["low-priority"]);
        (rest.is_empty() && (apart || plain)).then_some((*priority, before))
    })
}
