//! The readers of a look without a folder and without git: for whoever searches for bytes that confuse them.

use super::mark::Mark;
use super::read::{Content, text_of};
use super::{commits, repo, words};

/// The commits in what `git log` printed: hash, author and subject, as they are shown.
#[must_use]
pub fn commits(output: &[u8]) -> Vec<[String; 3]> {
    commits::parse(output).into_iter().map(|commit| [commit.hash, commit.author, commit.subject]).collect()
}

/// The files in what `git ls-files --debug` printed.
#[must_use]
pub fn index(output: &[u8]) -> Vec<String> {
    repo::parse_index(output).into_keys().collect()
}

/// The files in what `git diff-index` printed.
#[must_use]
pub fn staged(output: &[u8]) -> Vec<String> {
    repo::parse_staged(output).into_iter().map(|staged| staged.path).collect()
}

/// The text of a file, when it is one that is read; `whole` tells whether `bytes` are all of it.
#[must_use]
pub fn text(bytes: &[u8], whole: bool) -> Option<String> {
    match text_of(bytes.to_vec(), whole) {
        Content::Text(text) => Some(text.text),
        Content::Nothing | Content::OverBudget => None,
    }
}

/// What is quoted of a file that went from `old` to `new`.
#[must_use]
pub fn changed(old: &str, new: &str) -> String {
    words::changed_lines(old, new)
}

/// A mark read and written again; `None` when it is none.
#[must_use]
pub fn mark(text: &str) -> Option<String> {
    Mark::parse(text).map(|mark| mark.encode())
}
