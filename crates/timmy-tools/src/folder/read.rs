//! Reading text files within the budget of one look.

use std::fmt::Write as _;
use std::io::Read;
use std::os::fd::OwnedFd;

use sha2::{Digest, Sha256};

use super::{Limits, walk};

/// Bytes kept of a content hash: enough to tell the versions of one file apart.
const HASH_BYTES: usize = 8;

/// Words that only files with a private key hold.
const KEY_WORDS: &str = "PRIVATE KEY-----";

/// Bytes one look may still read.
pub(super) struct Budget {
    file_bytes: usize,
    left_bytes: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { file_bytes: limits.file_bytes, left_bytes: limits.total_bytes }
    }
}

/// A text, or the beginning of one.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The text as it stands in the file.
    pub text: String,
    /// Whether that is all of it.
    pub whole: bool,
}

/// What reading a file gave.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Text.
    Text(Text),
    /// Not text, a private key, or not readable: nothing to tell about.
    Nothing,
    /// The look has read as much as it may.
    OverBudget,
}

/// Reads the file at `path` below `root`, at most the bytes the budget gives one file.
pub(super) fn read(root: &OwnedFd, path: &str, budget: &mut Budget) -> Content {
    if budget.left_bytes == 0 {
        return Content::OverBudget;
    }
    let Ok(file) = walk::open_file(root, path) else { return Content::Nothing };
    let bytes_max = budget.file_bytes.min(budget.left_bytes);
    let mut bytes = Vec::new();
    // One byte more than may be kept tells whether the file goes on.
    if file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).is_err() {
        return Content::Nothing;
    }
    let whole = bytes.len() <= bytes_max;
    bytes.truncate(bytes_max);
    budget.left_bytes -= bytes.len();
    if !whole && bytes_max < budget.file_bytes {
        return Content::OverBudget;
    }
    text_of(bytes, whole)
}

/// `bytes` as text, unless they are something else. The cut may have split the last character.
pub(super) fn text_of(mut bytes: Vec<u8>, whole: bool) -> Content {
    if let Err(error) = std::str::from_utf8(&bytes) {
        if whole || error.error_len().is_some() {
            return Content::Nothing;
        }
        bytes.truncate(error.valid_up_to());
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') && !text.contains(KEY_WORDS) => Content::Text(Text { text, whole }),
        _ => Content::Nothing,
    }
}

/// A short hash of `parts`, in hexadecimal digits.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().iter().take(HASH_BYTES).fold(String::new(), |mut out, byte| {
        // Writing into a string cannot fail.
        write!(out, "{byte:02x}").ok();
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_keys_and_broken_text_give_nothing() {
        let gives = |bytes: &[u8], whole| matches!(text_of(bytes.to_vec(), whole), Content::Text(_));
        assert!(gives(b"plain", true));
        assert!(!gives(b"a\0b", true), "a zero byte");
        assert!(!gives(b"a\xff", true), "invalid");
        assert!(!gives("ä".as_bytes().get(..1).unwrap_or_default(), true), "cut short, yet said to be whole");
        assert!(gives(b"abc\xc3", false), "the cut split the last character");
        assert!(!gives(b"-----BEGIN RSA PRIVATE KEY-----\nMII", true), "a key in a file of any name");
    }

    #[test]
    fn the_hash_tells_contents_apart() {
        assert_eq!(hash([b"a".as_slice(), b"b"]), hash([b"ab".as_slice()]));
        assert_ne!(hash([b"a".as_slice()]), hash([b"b".as_slice()]));
        assert_eq!(hash([b"".as_slice()]).len(), 16);
    }
}
