//! Where a look ended: the text that the next look of the same folder begins from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::read::hash;
use super::walk::Entry;

/// Bytes a mark may hold.
pub const MARK_BYTES_MAX: usize = 64 * 1024;

/// Files a mark remembers one by one: the most recently changed ones, at most 70 bytes each.
pub(super) const FILES_MARKED_MAX: usize = 900;

/// Uncommitted files a mark remembers, the newest ones, about 20 bytes each.
pub(super) const WORKS_MARKED_MAX: usize = 1_000;

/// The form of the text; another number is another form, and the look begins anew.
const FORM: u8 = 1;

/// Where a look ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    form: u8,
    /// The state of the repository, where the folder is one that git could read.
    pub git: Option<GitMark>,
    /// The most recently changed files of a plain folder, by the hash of their path.
    files: BTreeMap<String, String>,
    /// Whether `files` are all of them.
    pub whole: bool,
    /// When the newest file changed, in nanoseconds since the epoch.
    pub newest_ns: i64,
}

/// The state of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GitMark {
    /// The commit that was checked out; `None` before the first one.
    pub head: Option<String>,
    /// The branch; `None` when none was checked out.
    pub branch: Option<String>,
    /// One hash for each file that was not committed, at most [`WORKS_MARKED_MAX`].
    pub work: Vec<String>,
}

/// One file as a mark remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileMark {
    /// The hash of its text; empty when it was not read, `-` when there was no text in it.
    pub hash: String,
    /// When it changed, in nanoseconds since the epoch.
    pub changed_ns: i64,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Mark {
    pub(super) fn of_repository(head: Option<String>, branch: Option<String>, mut work: Vec<String>) -> Self {
        work.truncate(WORKS_MARKED_MAX);
        Self { form: FORM, git: Some(GitMark { head, branch, work }), ..Self::default() }
    }

    pub(super) fn of_folder(newest_ns: i64) -> Self {
        Self { form: FORM, newest_ns, whole: true, ..Self::default() }
    }

    /// Reads a mark; one that is damaged or of another form gives `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mark: Self = serde_json::from_str(text).ok()?;
        let sha = |s: &String| matches!(s.len(), 40 | 64) && s.bytes().all(|b| b.is_ascii_hexdigit());
        let sound = mark.git.as_ref().and_then(|g| g.head.as_ref()).is_none_or(sha);
        (mark.form == FORM && sound).then_some(mark)
    }

    /// The text of the mark. The bounds on what it remembers keep it within [`MARK_BYTES_MAX`].
    pub(super) fn encode(&self) -> String {
        // Plain data with text keys, so encoding cannot fail; an empty mark would only begin anew.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn file(&self, path: &str) -> Option<FileMark> {
        let mut parts = self.files.get(&key(path))?.split(':');
        let hash = parts.next()?.to_owned();
        let changed_ns = i64::from_str_radix(parts.next()?, 16).ok()?;
        let bytes = u64::from_str_radix(parts.next()?, 16).ok()?;
        Some(FileMark { hash, changed_ns, bytes })
    }

    /// Remembers a file; beyond [`FILES_MARKED_MAX`] the mark is no longer whole.
    pub(super) fn remember(&mut self, entry: &Entry, hash: &str) {
        if self.files.len() >= FILES_MARKED_MAX {
            self.whole = false;
            return;
        }
        // A hash and two numbers; negative times (before 1970) are kept as zero.
        let value = format!("{hash}:{:x}:{:x}", entry.changed_ns.max(0), entry.bytes);
        self.files.insert(key(&entry.path), value);
    }
}

fn key(path: &str) -> String {
    let mut key = hash([path.as_bytes()]);
    key.truncate(12);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry {
        Entry { path: path.to_owned(), changed_ns: i64::MAX, bytes: u64::MAX }
    }

    #[test]
    fn a_mark_comes_back_as_it_went_and_stays_within_its_bound() {
        let mut mark = Mark::of_folder(7);
        for i in 0..FILES_MARKED_MAX + 5 {
            mark.remember(&entry(&format!("some/long/path/{i}.md")), "0123456789abcdef");
        }
        assert!(!mark.whole);
        let text = mark.encode();
        assert!(text.len() <= MARK_BYTES_MAX, "{}", text.len());
        let back = Mark::parse(&text).unwrap_or_default();
        assert_eq!(back.newest_ns, 7);
        let file = back.file("some/long/path/3.md");
        assert_eq!(file.map(|f| (f.changed_ns, f.bytes)), Some((i64::MAX, u64::MAX)));
        assert_eq!(back.file("another"), None);
        let work = vec!["0123456789abcdef".to_owned(); WORKS_MARKED_MAX + 5];
        let text = Mark::of_repository(Some("a".repeat(64)), Some("ä".repeat(60)), work).encode();
        assert!(text.len() <= MARK_BYTES_MAX && Mark::parse(&text).is_some(), "{}", text.len());
    }

    #[test]
    fn a_mark_nobody_made_here_is_not_believed() {
        for bad in ["", "{}", "null", r#"{"form":9,"git":null,"files":{},"whole":true,"newest_ns":0}"#] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
        }
        let option = Mark::of_repository(Some("--output=/tmp/x".to_owned()), None, Vec::new());
        assert_eq!(Mark::parse(&option.encode()), None, "a head that is an option of git");
    }
}
