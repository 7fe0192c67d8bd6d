//! What is wrong with a filter, where, and what would be right.

use std::fmt;

use crate::Event;

/// Characters of what was typed that are said again.
const SHOWN_CHARS_MAX: usize = 40;
/// Changes of one letter that still count as a slip.
const SLIP_LETTERS_MAX: usize = 3;

/// The text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FilterError {
    /// Which character it is about, counted from 1.
    pub column: usize,
    /// What is wrong, without a full stop.
    pub what: String,
    /// What would be right, as a sentence.
    pub hint: String,
}

impl FilterError {
    /// An error at `column`.
    pub(super) fn new(column: usize, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { column, what: what.into(), hint: hint.into() }
    }

    /// The same, at another place.
    pub(super) fn at(mut self, column: usize) -> Self {
        self.column = column;
        self
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at character {}.", self.what, self.column)
    }
}

/// What was typed, short and harmless enough to be said again.
pub(super) fn shown(text: &str) -> String {
    crate::text::cut(&crate::text::one_line(text), SHOWN_CHARS_MAX)
}

/// The one of `names` that is nearest to `said`, when it is near at all.
pub(super) fn nearest<'n>(said: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // What is far longer than any name is no slip, and the distance would take long.
    if said.len() > SHOWN_CHARS_MAX * 2 {
        return None;
    }
    let near = names.into_iter().map(|name| (strsim::damerau_levenshtein(said, name), name));
    let (letters, name) = near.min()?;
    let slip = letters <= SLIP_LETTERS_MAX.min(name.len() / 2);
    slip.then_some(name)
}

/// The event of the catalogue whose name is nearest to `name`, when it is near and not the same.
#[must_use]
pub fn nearest_name(name: &str) -> Option<&'static str> {
    let names = Event::catalogue().into_iter().map(|(name, ..)| name);
    nearest(name, names).filter(|found| *found != name)
}
