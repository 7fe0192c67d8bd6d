//! What a tool did: what the one who asked reads, and what the receipt keeps.

use serde::Serialize;
use timmy_domain::digest::Digest;
use timmy_domain::plan::Taint;
use timmy_domain::text;

use super::scope::Identity;

/// Bytes of text a tool gives.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Bytes of one thing that is kept of a call.
pub const ARTIFACT_BYTES_MAX: usize = 1024 * 1024;

/// Files one receipt names; further ones are counted.
pub const TOUCHED_MAX: usize = 200;

/// What a call gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What the one who asked reads: cleaned, at most [`TEXT_BYTES_MAX`] bytes. It is data, whoever wrote it.
    pub text: String,
    /// Whether there was more than is told.
    pub truncated: bool,
    /// Bytes that came in: read of files, of a child, over the network.
    pub bytes_in: u64,
    /// Bytes that went out: into files, over the network.
    pub bytes_out: u64,
    /// Files that were read or changed, at most [`TOUCHED_MAX`].
    pub touched: Vec<Touched>,
    /// Hosts that were asked.
    pub hosts: Vec<String>,
    /// What is kept of the call, each at most [`ARTIFACT_BYTES_MAX`] bytes.
    pub artifacts: Vec<Artifact>,
    /// Facts a claim of success can be checked by, such as `status 0`; one line each.
    pub evidence: Vec<String>,
    /// Where the text comes from; it can inform, and when that is outside it can never instruct.
    pub taint: Vec<Taint>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether the effect was there already, because an earlier run of the same plan was cut off after it.
    pub was_done: bool,
}

/// A file that was read or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// Its path.
    pub path: String,
    /// Which file it was before; `None` when there was none.
    #[serde(skip)]
    pub identity: Option<Identity>,
    /// The hash of its content before; `None` when there was none, or it was only looked through.
    pub before_sha256: Option<Digest>,
    /// The hash of its content after a change; `None` when it was only read.
    pub after_sha256: Option<Digest>,
}

/// Something that is kept of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What it is to the owner.
    pub kind: ArtifactKind,
    /// A name for people, such as the path of the file.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The hash of the bytes.
    pub sha256: Digest,
}

/// What something that is kept is to the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// What a file held before it was changed: with it the change can be undone.
    Before,
    /// What was made.
    Made,
    /// What a program wrote, or a page said.
    Output,
}

/// `text`, cleaned, and at most `bytes_max` bytes of it: its beginning and its end, since what failed often stands
/// last. The flag says whether something was left out.
#[must_use]
pub fn head_and_tail(text: &str, bytes_max: usize) -> (String, bool) {
    let text = text::clean(text);
    if text.len() <= bytes_max {
        return (text, false);
    }
    let (head_end, tail_start) = (floor(&text, bytes_max / 2), ceil(&text, text.len() - bytes_max / 2));
    let left_out = tail_start - head_end;
    (format!("{}\n[… {left_out} bytes left out …]\n{}", &text[..head_end], &text[tail_start..]), true)
}

/// `text`, cleaned, and at most `bytes_max` bytes of its beginning.
#[must_use]
pub fn head(text: &str, bytes_max: usize) -> (String, bool) {
    let mut text = text::clean(text);
    let cut = text.len() > bytes_max;
    if cut {
        text.truncate(floor(&text, bytes_max));
    }
    (text, cut)
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_keeps_its_beginning_and_its_end() {
        assert_eq!(head_and_tail("short\u{202e}", 100), ("short".to_owned(), false));
        let long = format!("begin{}end", "ä".repeat(1_000));
        let (told, cut) = head_and_tail(&long, 101);
        assert!(cut && told.starts_with("beginä") && told.ends_with("äend") && told.len() < 150, "{told}");
        assert!(told.contains("bytes left out"));
        assert_eq!(head("äää", 5), ("ää".to_owned(), true));
        assert_eq!(head("", 0), (String::new(), false));
    }
}
