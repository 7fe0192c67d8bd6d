//! The static files, inside the binary, each at an address that holds the hash of its bytes.
//!
//! An address never changes its content, so the server may answer `immutable` and forget about it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use askama::filters::HtmlSafe;
use sha2::{Digest, Sha256};

use crate::{keys, nav, palette};

/// Hexadecimal digits of the hash that stand in an address.
const HASH_DIGITS: usize = 12;

/// One static file.
#[derive(Debug)]
pub struct Asset {
    /// Its name below the hash.
    pub name: &'static str,
    /// The `Content-Type` it is served with.
    pub content_type: &'static str,
    /// The file.
    pub bytes: Cow<'static, [u8]>,
    /// The first [`HASH_DIGITS`] digits of the SHA-256 of the file.
    pub hash: String,
    /// `/static/{hash}/{name}`.
    pub url: String,
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The file that is written from tables: keys, pages and the verbs of the palette.
const INDEX: &str = "index.js";

macro_rules! files {
    ($($name:literal: $kind:ident),+ $(,)?) => {
        [$(($name, $kind, Cow::Borrowed(include_bytes!(concat!("../../static/", $name)).as_slice()))),+]
    };
}

/// The tables as the scripts read them, so that what a key or an entry does is written down once, in Rust.
fn index() -> Vec<u8> {
    let go: BTreeMap<String, &str> = nav::PAGES.iter().map(|page| (page.key.to_string(), page.route)).collect();
    let entries: Vec<serde_json::Value> = palette::fixed().iter().map(palette::Entry::data).collect();
    let icons = asset_url("icons.svg", include_bytes!("../../static/icons.svg"));
    let tables = serde_json::json!({"keys": keys::data(), "go": go, "entries": entries, "icons": icons});
    format!("globalThis.timmy={tables};").into_bytes()
}

fn hash_of(bytes: &[u8]) -> String {
    let mut hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    hash.truncate(HASH_DIGITS);
    hash
}

fn asset_url(name: &str, bytes: &[u8]) -> String {
    format!("/static/{}/{name}", hash_of(bytes))
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = files![
        "app.css": CSS,
        "app.js": JS,
        "keys.js": JS,
        "palette.js": JS,
        "live.js": JS,
        "talk.js": JS,
        "tasks.js": JS,
        "htmx.min.js": JS,
        "icons.svg": SVG,
        "state-idle.svg": SVG,
        "state-thinking.svg": SVG,
        "state-working.svg": SVG,
        "state-waiting.svg": SVG,
        "state-degraded.svg": SVG,
    ];
    files
        .into_iter()
        .chain([(INDEX, JS, Cow::Owned(index()))])
        .map(|(name, content_type, bytes)| {
            let (hash, url) = (hash_of(&bytes), asset_url(name, &bytes));
            Asset { name, content_type, bytes, hash, url }
        })
        .collect()
});

/// Every static file.
#[must_use]
pub fn all() -> &'static [Asset] {
    &ASSETS
}

/// The file served at `/static/{hash}/{name}`, when both fit.
#[must_use]
pub fn find(hash: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name && asset.hash == hash)
}

/// The address of the file called `name`; an unknown name gives an address that answers 404.
#[must_use]
pub fn asset(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/static/unknown", |asset| asset.url.as_str())
}

/// What stands before the name of a symbol. Made once: a page draws a hundred of them.
static SYMBOL: LazyLock<String> =
    LazyLock::new(|| format!("<svg class=\"i\" aria-hidden=\"true\"><use href=\"{}#", asset("icons.svg")));

/// A symbol of the sprite, hidden from those who listen: a word always stands beside it.
#[derive(Clone, Copy, Debug)]
pub struct Icon<'a>(&'a str);

impl fmt::Display for Icon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&SYMBOL)?;
        f.write_str(self.0)?;
        f.write_str("\"/></svg>")
    }
}

// The name comes from this crate's code and templates, never from outside.
impl HtmlSafe for Icon<'_> {}

/// The symbol called `name`. A name that is not made of letters, digits and hyphens draws nothing.
#[must_use]
pub fn icon(name: &str) -> Icon<'_> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    Icon(if plain { name } else { "" })
}
