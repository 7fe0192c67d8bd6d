//! What git prints about a repository that somebody else filled: safe to show, and within bounds.

use timmy_domain::text::is_harmful;
use timmy_tools::folder::{MARK_BYTES_MAX, dry};

/// Characters of anything that is shown on one line.
const LINE_CHARS_MAX: usize = 200;

fn shown(text: &str) {
    assert!(!text.contains(is_harmful) && !text.contains(['\n', '\t']), "{text:?}");
    assert!(text.chars().count() <= LINE_CHARS_MAX, "{text:?}");
}

/// Reads the same bytes as each thing that git may have printed.
pub fn check(bytes: &[u8]) {
    for commit in dry::commits(bytes) {
        commit.iter().for_each(|part| shown(part));
        assert!(!commit[1].is_empty() && !commit[2].is_empty(), "nobody and nothing have names: {commit:?}");
    }
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    assert!(dry::index(bytes).len() <= zeros && dry::staged(bytes).len() <= zeros, "a name ends with a zero");
    let half = bytes.len() / 2;
    let texts = [dry::text(&bytes[..half], false), dry::text(&bytes[half..], true)];
    for text in texts.iter().flatten() {
        assert!(!text.contains('\0') && !text.contains("PRIVATE KEY-----"));
        assert_eq!(dry::changed(text, text), "", "nothing has changed");
    }
    if let [Some(old), Some(new)] = &texts {
        let quoted = dry::changed(old, new);
        quoted.lines().for_each(shown);
        assert!(quoted.lines().count() <= 9 && quoted.lines().all(|line| line.starts_with(['+', '-'])), "{quoted:?}");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(written) = dry::mark(text) {
        assert_eq!(dry::mark(&written).as_ref(), Some(&written), "a mark stays as it is");
        assert!(written.len() <= MARK_BYTES_MAX.max(bytes.len()), "{} bytes", written.len());
    }
}
