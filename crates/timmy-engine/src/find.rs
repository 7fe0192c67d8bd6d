//! Which model files there are: in the models folder, at a path, and those Ollama keeps, used where they lie.

use std::fs;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use timmy_domain::text;
use timmy_llm::ModelFiles;

use crate::{encoder, gguf};

/// Files that are looked at in one folder.
const FILES_MAX: usize = 1_000;
/// How deep the folders of Ollama are.
const DEPTH_MAX: usize = 6;
/// Bytes of one of Ollama's lists.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// Characters of a name that is shown.
const NAME_CHARS_MAX: usize = 200;
/// What the weights are called in one of Ollama's lists.
const WEIGHTS: &str = "application/vnd.ollama.image.model";

/// Where a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// In the folder for models.
    Folder,
    /// At a path that the settings name, or the owner registered.
    Path,
    /// Among those of Ollama.
    Ollama,
}

/// A model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the owner calls it: the file's name without its ending, or Ollama's name and tag.
    pub name: String,
    /// Where it lies, links followed.
    pub path: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// Where it was found.
    pub source: Source,
}

impl Found {
    /// Whether it makes vectors and writes nothing, as its first bytes say. One that cannot be read counts as one that
    /// writes: loading it says what is wrong.
    #[must_use]
    pub fn makes_only_vectors(&self) -> bool {
        let layout =
            fs::File::open(&self.path).ok().and_then(|file| gguf::architecture(BufReader::new(file), self.bytes));
        layout.is_some_and(|layout| encoder::makes_only_vectors(&layout))
    }
}

/// What a model is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Answers.
    Words,
    /// Vectors.
    Vectors,
}

/// The folders in which models are looked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Timmy's own.
    pub models: PathBuf,
    /// Those of Ollama, where it keeps `manifests` and `blobs`.
    pub ollama: Vec<PathBuf>,
    /// Files anywhere else, by the names the owner gave them.
    pub registered: ModelFiles,
}

impl Places {
    /// Timmy's own models, by name.
    #[must_use]
    pub fn own(&self) -> Vec<Found> {
        let mut found: Vec<Found> = entries(&self.models)
            .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")))
            .filter_map(|path| file(&path, shown(&path.file_stem()?.to_string_lossy()), Source::Folder))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Those the owner registered that lie elsewhere and are there now, by name.
    #[must_use]
    pub fn elsewhere(&self) -> Vec<Found> {
        let (own, all) = (self.own(), self.registered.all());
        let found = all.into_iter().filter_map(|(name, path)| file(&path, shown(&name), Source::Path));
        found.filter(|found| !own.iter().any(|o| o.name == found.name || o.path == found.path)).collect()
    }

    /// What Ollama keeps, by name.
    #[must_use]
    pub fn of_ollama(&self) -> Vec<Found> {
        let mut found = Vec::new();
        for folder in &self.ollama {
            let mut lists = Vec::new();
            walk(&folder.join("manifests"), DEPTH_MAX, &mut lists);
            found.extend(lists.iter().filter_map(|list| manifest(folder, list)));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        found
    }

    /// The file that `wanted` names: a path, one of Timmy's own, or one of Ollama's. Nothing named takes the largest of
    /// his own that fits into `memory_bytes`, and where none fits the smallest. One that only makes vectors is taken
    /// for nothing else, and for those where no other is there.
    #[must_use]
    pub fn choose(&self, wanted: &str, memory_bytes: u64, work: For) -> Option<Found> {
        if wanted.is_empty() {
            let (others, mut own): (Vec<_>, Vec<_>) = self.own().into_iter().partition(Found::makes_only_vectors);
            if own.is_empty() && work == For::Vectors {
                own = others;
            }
            own.sort_by_key(|model| model.bytes);
            let fits = own.iter().rposition(|model| model.bytes <= memory_bytes).unwrap_or(0);
            return (fits < own.len()).then(|| own.swap_remove(fits));
        }
        let path = Path::new(wanted);
        if path.is_absolute() {
            return file(path, shown(&path.file_stem()?.to_string_lossy()), Source::Path);
        }
        self.named(wanted)
    }

    /// The one with this name, with or without its ending or Ollama's `latest`. A name the owner gave goes first.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Found> {
        if let Some(found) = self.registered.get(name).and_then(|path| file(&path, shown(name), Source::Path)) {
            return Some(found);
        }
        let same = |found: &Found| {
            let plain = found.name.strip_suffix(":latest").unwrap_or(&found.name);
            found.name == name || plain == name || name.strip_suffix(".gguf").is_some_and(|n| n == found.name)
        };
        self.own().into_iter().find(same).or_else(|| self.of_ollama().into_iter().find(same))
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().take(FILES_MAX).flatten().map(|entry| entry.path())
}

fn walk(folder: &Path, left: usize, into: &mut Vec<PathBuf>) {
    let Some(left) = left.checked_sub(1) else { return };
    for path in entries(folder) {
        // Links could lead in a circle.
        match fs::symlink_metadata(&path) {
            Ok(data) if data.is_dir() => walk(&path, left, into),
            Ok(data) if data.is_file() && into.len() < FILES_MAX => into.push(path),
            _ => {}
        }
    }
}

fn file(path: &Path, name: String, source: Source) -> Option<Found> {
    let path = fs::canonicalize(path).ok()?;
    let data = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    Some(Found { name, path, bytes: data.len(), source })
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
}

/// The weights that one of Ollama's lists names.
fn manifest(folder: &Path, list: &Path) -> Option<Found> {
    let mut bytes = Vec::new();
    fs::File::open(list).ok()?.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let manifest: Manifest = serde_json::from_slice(&bytes).ok()?;
    let digest = manifest.layers.into_iter().find(|layer| layer.media_type == WEIGHTS)?.digest;
    let blob = digest.replace(':', "-");
    // A digest is one name; anything else would lead elsewhere.
    let mut parts = Path::new(&blob).components();
    let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else { return None };
    let parts: Vec<String> = list.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let [.., family, tag] = parts.as_slice() else { return None };
    file(&folder.join("blobs").join(blob), shown(&format!("{family}:{tag}")), Source::Ollama)
}

fn shown(name: &str) -> String {
    text::cut(&text::one_line(name), NAME_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(at: &Path, bytes: usize) {
        fs::create_dir_all(at.parent().expect("a folder")).expect("made");
        fs::write(at, vec![b'x'; bytes]).expect("written");
    }

    fn places(root: &Path) -> Places {
        let registered = ModelFiles::default();
        Places { models: root.join("models"), ollama: vec![root.join("ollama")], registered }
    }

    #[test]
    fn nothing_named_takes_the_largest_that_fits_and_a_name_takes_its_own() {
        let root = tempfile::tempdir().expect("a folder");
        let places = places(root.path());
        assert_eq!(places.choose("", 1_000, For::Words), None);
        for (name, bytes) in [("small.gguf", 10), ("middle.GGUF", 20), ("large.gguf", 30), ("notes.txt", 5)] {
            put(&root.path().join("models").join(name), bytes);
        }
        let path = root.path().join("models/small.gguf").display().to_string();
        let rows = [
            ("", 25, Some("middle")),
            ("", 1, Some("small")),
            ("", 99, Some("large")),
            ("small", 99, Some("small")),
            ("small.gguf", 99, Some("small")),
            (&path, 99, Some("small")),
            ("../models/small", 99, None),
            ("notes", 99, None),
            ("/nowhere.gguf", 99, None),
        ];
        for (wanted, memory, expected) in rows {
            let found = places.choose(wanted, memory, For::Words).map(|found| found.name);
            assert_eq!(found.as_deref(), expected, "{wanted} within {memory}");
        }
    }

    // shows: engine: a file the owner registered is used where it lies, and one that is gone is no model
    #[test]
    fn a_registered_file_is_used_where_it_lies() {
        let root = tempfile::tempdir().expect("a folder");
        let places = places(root.path());
        let far = root.path().join("far/away.bin");
        put(&far, 7);
        put(&root.path().join("models/own.gguf"), 7);
        let named = |name: &str, path: &Path| (name.to_owned(), path.to_owned());
        let own = root.path().join("models/own.gguf");
        places.registered.set([named("far", &far), named("gone", &root.path().join("gone")), named("mine", &own)]);
        let found = places.named("far").expect("found");
        assert_eq!((found.name.as_str(), found.bytes, found.source), ("far", 7, Source::Path));
        assert!(places.named("gone").is_none() && places.named("mine").is_some() && places.named("away").is_none());
        assert_eq!(places.elsewhere().iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["far"]);
        assert_eq!(places.choose("far", 0, For::Words).map(|f| f.path), Some(fs::canonicalize(&far).expect("a path")));
        places.registered.set([]);
        assert!(places.named("far").is_none());
    }

    #[test]
    fn what_ollama_keeps_is_used_where_it_lies_and_a_list_cannot_lead_elsewhere() {
        let root = tempfile::tempdir().expect("a folder");
        let places = places(root.path());
        put(&root.path().join("ollama/blobs/sha256-ab"), 7);
        put(&root.path().join("secret"), 7);
        let list = |name: &str, digest: &str| {
            let at = root.path().join("ollama/manifests/host/library").join(name);
            put(&at, 0);
            let layers = serde_json::json!({"layers": [
                {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:00"},
                {"mediaType": WEIGHTS, "digest": digest},
            ]});
            fs::write(at, layers.to_string()).expect("written");
        };
        list("llama3/latest", "sha256:ab");
        list("sly/1b", "../../secret");
        list("gone/1b", "sha256:cd");
        put(&root.path().join("ollama/manifests/host/library/broken/1b"), 3);
        let found = places.of_ollama();
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["llama3:latest"]);
        assert!(found[0].path.ends_with("ollama/blobs/sha256-ab"));
        assert_eq!(places.named("llama3"), places.choose("llama3:latest", 0, For::Words));
        assert!(places.named("llama3").is_some() && places.choose("", 99, For::Vectors).is_none());
    }
}
