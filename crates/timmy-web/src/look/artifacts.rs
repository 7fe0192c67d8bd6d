//! What a task produced, as the owner reviews it.

use axum::http::Uri;
use timmy_core::work::review;
use timmy_domain::policy::show;
use timmy_domain::text::{clean, cut};
use timmy_store::ArtifactRow;

use super::{Clock, State, Tone, When, prose, words};

/// Links of one thing that are shown.
const LINKS_MAX: usize = 20;
/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 200;
/// The media type of lists of links (RFC 2483).
const LINKS: &str = "text/uri-list";

/// How the beginning of a thing is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing to read: a program, a picture, or nothing at all.
    Closed,
    /// Set like what Timmy says.
    Prose(Vec<prose::Block>),
    /// As it is, in monospace.
    Exact(String),
    /// Addresses, each with its host. They are words and lead nowhere by themselves.
    Links(Vec<(String, String)>),
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactView {
    /// Its number.
    pub n: i64,
    /// Its name.
    pub name: String,
    /// The owner's word about it: shape, word, tone.
    pub rated: State,
    /// Whether the owner found it good.
    pub good: Option<bool>,
    /// Why.
    pub note: String,
    /// What it is, its type and its size: `Made · text/plain · 4.2 KB`.
    pub sub: String,
    /// When it came.
    pub at: When,
    /// Its beginning.
    pub body: Body,
    /// Whether more of it is in the file.
    pub cut: bool,
}

fn what(kind: &str) -> &str {
    match kind {
        "before" => "As it was before",
        "made" => "Made",
        "output" => "Output",
        other => other,
    }
}

fn body(row: &ArtifactRow, beginning: Option<&[u8]>) -> Body {
    let Some(text) = beginning.filter(|bytes| !bytes.is_empty()).and_then(review::words) else { return Body::Closed };
    match row.media_type.split(';').next().unwrap_or_default().trim() {
        LINKS => Body::Links(text.lines().filter_map(link).take(LINKS_MAX).collect()),
        "text/markdown" => Body::Prose(prose::blocks(&text)),
        _ => Body::Exact(text),
    }
}

/// The host of an address, and the address.
fn link(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let uri = line.parse::<Uri>().ok()?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    uri.host().filter(|_| web).map(|host| (show::words(host), show::words(line)))
}

impl ArtifactView {
    /// A thing as it is stored, with its beginning as far as it was read.
    #[must_use]
    pub fn of(row: &ArtifactRow, beginning: Option<&[u8]>, clock: &Clock) -> Self {
        let size = words::bytes(u64::try_from(row.bytes).unwrap_or(0));
        let kind = show::words(&row.media_type);
        Self {
            n: row.seq,
            name: cut(&show::words(&row.name), NAME_CHARS_MAX),
            rated: match row.good {
                Some(true) => State::well("Good"),
                Some(false) => State::failed("Not good"),
                None => State::new(Tone::Calm, "queued", "Not rated"),
            },
            good: row.good,
            note: row.note.as_deref().map(show::words).unwrap_or_default(),
            sub: format!("{} · {kind} · {size}", show::words(what(&row.kind))),
            at: clock.short(row.created_at),
            body: body(row, beginning),
            cut: beginning.is_some_and(|bytes| i64::try_from(bytes.len()).is_ok_and(|len| len < row.bytes)),
        }
    }

    /// What the body holds, in Markdown's own words.
    #[must_use]
    pub fn blocks(&self) -> Vec<prose::Block> {
        match &self.body {
            Body::Closed => Vec::new(),
            Body::Prose(blocks) => blocks.clone(),
            Body::Exact(text) => vec![prose::Block::Code(text.clone())],
            Body::Links(links) => {
                vec![prose::Block::List(None, links.iter().map(|(host, link)| format!("{host}: {link}")).collect())]
            }
        }
    }
}

/// A name for the file on the owner's disk: its last part, without anything a path or a header could be made of.
#[must_use]
pub fn file_name(row: &ArtifactRow) -> String {
    let last = clean(&row.name);
    let last = last.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let name: String = last.chars().map(plain).take(100).collect();
    let name = name.trim_matches(['.', '_']);
    if name.is_empty() { format!("artifact-{}", row.seq) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use timmy_domain::Timestamp;

    use super::*;

    fn row(name: &str, media_type: &str, bytes: i64) -> ArtifactRow {
        ArtifactRow {
            seq: 7,
            kind: "made".into(),
            name: name.into(),
            media_type: media_type.into(),
            sha256: String::new(),
            bytes,
            created_at: Timestamp::from_micros(1),
            good: None,
            note: None,
        }
    }

    // shows: tasks: the name under which a thing is downloaded leads to no other place and steers no header
    #[test]
    fn a_name_for_the_disk_is_one_plain_name() {
        for (name, wanted) in [
            ("notes/report.md", "report.md"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\win.ini", "win.ini"),
            ("a\"; filename=\"b.exe", "a___filename__b.exe"),
            ("x\r\nSet-Cookie: a=b", "x_Set-Cookie__a_b"),
            ("\u{202E}gpj.exe", "gpj.exe"),
            (".bashrc", "bashrc"),
            ("..", "artifact-7"),
            ("", "artifact-7"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(file_name(&row(name, "text/plain", 1)), wanted, "{name}");
        }
        assert_eq!(file_name(&row(&"x".repeat(4_000), "", 1)).len(), 100);
    }

    #[test]
    fn the_body_is_what_its_bytes_say_and_links_are_words() {
        let of = |kind: &str, bytes: &[u8]| body(&row("x", kind, 1), Some(bytes));
        assert_eq!(of("text/plain", b"a\nb"), Body::Exact("a\nb".into()));
        assert_eq!(of("application/octet-stream", b"plain words"), Body::Exact("plain words".into()));
        assert_eq!(of("text/plain", b"\x7fELF\0"), Body::Closed);
        assert_eq!(of("text/plain", b"\xff\xfe"), Body::Closed);
        assert_eq!(of("text/plain", "cut \u{e9}".as_bytes().split_last().expect("one").1), Body::Exact("cut ".into()));
        let links = b"https://kelp.test/a?b\njavascript:alert(1)\n# no\nhttp://evil.test@good.test/\n";
        let Body::Links(links) = of("text/uri-list", links) else { panic!("no links") };
        assert_eq!(links[0], ("kelp.test".into(), "https://kelp.test/a?b".into()));
        assert_eq!((links.len(), links[1].0.as_str()), (2, "good.test"), "the host is where it leads");
    }
}
