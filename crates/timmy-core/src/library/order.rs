//! What is to be fetched, and what it becomes when it is here: an entry of the catalogue, or a file at an address the
//! owner gave.

use std::path::Path;

use timmy_domain::model::catalogue::{self, Entry};
use timmy_domain::model::{ANSWER_TOKENS_USUAL, Model, ModelFormat, ModelRole, TEMPERATURE_USUAL, is_name};
use timmy_domain::{Problem, Timestamp};
use timmy_llm::pull::{self, Fetched, Wanted};

/// What a GGUF file begins with.
const GGUF: &[u8] = b"GGUF";
/// Characters of an address.
const URL_CHARS_MAX: usize = 2_000;
/// Tokens a model reads of which nothing is known.
const CONTEXT_USUAL: u64 = 4_096;

/// One file to fetch.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub name: String,
    pub wanted: Wanted,
    format: ModelFormat,
    context: u64,
    description: String,
}

impl Order {
    /// A model of the catalogue, from where `wanted` says.
    pub fn of(entry: &Entry, wanted: Wanted) -> Self {
        Self {
            name: entry.name.to_owned(),
            wanted,
            format: entry.format,
            context: entry.context,
            description: format!("{}, {}, {}", entry.family, entry.quantisation, entry.licence),
        }
    }

    /// The GGUF file at `url`, under `name`; `folder` is that of the models.
    pub fn from_address(name: &str, url: &str, sha256: Option<&str>, folder: &Path) -> Result<Self, Problem> {
        let bad = |what: &str, hint: &str| Problem::invalid("bad_pull", what.to_owned(), hint.to_owned());
        if !is_name(name) {
            return Err(bad("This is no name of a model.", "Use letters, digits and . _ : / - in between."));
        }
        if catalogue::find(name).is_some() {
            return Err(bad("The catalogue has another model of that name.", "Give it a name of its own."));
        }
        if url.chars().count() > URL_CHARS_MAX {
            return Err(bad("That is too long for an address.", "Give the address of the file itself."));
        }
        let sha256 = sha256.map(|sum| sum.trim().to_ascii_lowercase()).filter(|sum| !sum.is_empty());
        let file_name = format!("{}.gguf", name.replace(['/', ':'], "-"));
        if folder.join(&file_name).exists() {
            let hint = "Remove that model first, or give this one another name.";
            return Err(Problem::conflict("file_exists", "A file of that name is among the models already.", hint));
        }
        let told = match &sha256 {
            Some(_) => "checked against the checksum the owner gave",
            None => "nothing was verified, since no checksum was given",
        };
        let wanted = Wanted { url: url.trim().to_owned(), bytes: None, sha256, file_name, head: GGUF };
        pull::check(&wanted).map_err(|failure| {
            let hint =
                "Addresses begin with https://, or with http:// on this machine; a checksum is a SHA-256 of 64 signs.";
            bad(&format!("This cannot be fetched: {failure}."), hint)
        })?;
        let description = format!("from {}: {told}", host(&wanted));
        Ok(Self { name: name.to_owned(), wanted, format: ModelFormat::Gguf, context: CONTEXT_USUAL, description })
    }

    /// From where it comes.
    pub fn host(&self) -> String {
        host(&self.wanted)
    }

    /// Whether what comes is checked against a checksum that was known before.
    pub fn checksum_known(&self) -> bool {
        self.wanted.sha256.is_some()
    }

    /// Bytes of it that are here and can be gone on from.
    pub fn bytes_here(&self, folder: &Path) -> u64 {
        if self.checksum_known() { pull::unfinished_bytes(folder, &self.wanted.part_name()) } else { 0 }
    }

    /// What it is registered as.
    pub fn model(&self, fetched: &Fetched, at: Timestamp) -> Model {
        Model {
            name: self.name.clone(),
            format: self.format,
            path: fetched.path.to_string_lossy().into_owned(),
            role: ModelRole::General,
            context_window: self.context,
            description: self.description.clone(),
            registered_at: at,
            active: true,
            default_temperature: TEMPERATURE_USUAL,
            max_tokens: ANSWER_TOKENS_USUAL,
            bytes: fetched.bytes,
            sha256: fetched.sha256.clone(),
        }
    }
}

fn host(wanted: &Wanted) -> String {
    wanted.url.split('/').nth(2).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_only_when_it_can_be_asked_for() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(home.path().join("there.gguf"), b"x").expect("written");
        let good = "https://models.example/m.gguf";
        let sum = "AB".repeat(32);
        let rows = [
            ("mine", good, None, Ok(false)),
            ("mine", good, Some(sum.as_str()), Ok(true)),
            ("mine", good, Some(" "), Ok(false)),
            ("mine", "http://127.0.0.1:9/m.gguf", None, Ok(false)),
            ("mine", "http://models.example/m.gguf", None, Err("bad_pull")),
            ("mine", "https://me:word@models.example/m.gguf", None, Err("bad_pull")),
            ("mine", "file:///etc/passwd", None, Err("bad_pull")),
            ("mine", good, Some("abc"), Err("bad_pull")),
            ("../mine", good, None, Err("bad_pull")),
            ("qwen3-4b", good, None, Err("bad_pull")),
            ("there", good, None, Err("file_exists")),
        ];
        for (name, url, sha256, expected) in rows {
            let order = Order::from_address(name, url, sha256, home.path());
            let seen = order.as_ref().map(Order::checksum_known).map_err(|problem| problem.code);
            assert_eq!(seen, expected, "{name} {url} {sha256:?}");
            if let Ok(order) = order {
                assert_eq!(order.description.contains("nothing was verified"), !order.checksum_known());
            }
        }
    }
}
