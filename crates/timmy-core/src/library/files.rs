//! Files of models: where they may lie, whether they are what they say, and those that Ollama keeps.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use timmy_domain::Problem;
use timmy_domain::model::ModelFormat;
use timmy_domain::text::{cut, one_line};

/// The folder inside that of the models in which removed files wait.
const ASIDE_FOLDER: &str = ".removed";
/// Manifests of Ollama that are looked at.
const MANIFESTS_MAX: usize = 500;
/// How deep they lie: host, owner, name, tag.
const DEPTH_MAX: usize = 4;
/// Bytes of a manifest.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// The kind of layer that holds the weights.
const WEIGHTS: &str = "application/vnd.ollama.image.model";

/// A file that was found to be a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it really lies.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
}

/// A model that Ollama keeps on this disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blob {
    /// What Ollama calls it.
    pub name: String,
    /// Where its weights lie.
    pub path: String,
    /// Their bytes.
    pub bytes: u64,
}

/// Where Ollama keeps its models, unless it was told otherwise.
#[must_use]
pub fn ollama_folder(user_home: &Path) -> PathBuf {
    user_home.join(".ollama").join("models")
}

/// Whether the file at `path` is a model of `format` and lies in one of the `granted` folders; `None` grants all.
///
/// # Errors
/// What is wrong with it.
pub fn look(path: &Path, format: ModelFormat, granted: Option<&[PathBuf]>) -> Result<Found, Problem> {
    let shown = cut(&one_line(&path.to_string_lossy()), 300);
    let bad = |what: String, hint: &str| Problem::invalid("bad_model_file", what, hint);
    // Links are followed first: what counts is where a file really lies.
    let real = fs::canonicalize(path)
        .map_err(|error| bad(format!("{shown} cannot be read: {error}."), "Check the path and who may read it."))?;
    if let Some(granted) = granted {
        let within = |folder: &PathBuf| fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder));
        if !granted.iter().any(within) {
            return Err(Problem::new(
                timmy_domain::problem::Kind::Forbidden,
                "path_not_granted",
                format!("{shown} lies outside of what Timmy may read. Nothing was registered."),
                "Import it yourself with `timmy model import PATH`, or move it into the folder of models.",
            ));
        }
    }
    let meta = fs::metadata(&real).map_err(|error| bad(format!("{shown} cannot be read: {error}."), "Check it."))?;
    if format == ModelFormat::Hf {
        return match meta.is_dir() {
            true => Ok(Found { path: text(&real)?, bytes: 0 }),
            false => Err(bad(format!("{shown} is no folder."), "Give the folder that holds config.json.")),
        };
    }
    // A pipe or a device would never end; it is not even opened.
    if !meta.is_file() {
        return Err(bad(format!("{shown} is no file."), "Give the file itself."));
    }
    let mut head = [0; 8];
    let mut file = File::open(&real).map_err(|error| bad(format!("{shown} cannot be read: {error}."), "Check it."))?;
    file.read_exact(&mut head).map_err(|_| bad(format!("{shown} is too short for a model."), "Fetch it again."))?;
    let is_one = match format {
        ModelFormat::Gguf => head.starts_with(b"GGUF"),
        // Eight bytes say how long the head is, which is never long.
        _ => u64::from_le_bytes(head) < meta.len(),
    };
    if !is_one {
        return Err(bad(format!("{shown} is no file of this format."), "Timmy runs GGUF files."));
    }
    Ok(Found { path: text(&real)?, bytes: meta.len() })
}

fn text(path: &Path) -> Result<String, Problem> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Problem::invalid("bad_model_file", "The path is not Unicode.", "Give the file another name."))
}

/// The models Ollama keeps below `folder`, by name.
#[must_use]
pub fn ollama(folder: &Path) -> Vec<Blob> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    walk(&folder.join("manifests"), DEPTH_MAX, &mut looked_at, &mut |manifest| found.extend(blob(folder, manifest)));
    found.sort_by(|a: &Blob, b: &Blob| a.name.cmp(&b.name));
    found
}

fn walk(folder: &Path, depth: usize, looked_at: &mut usize, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        *looked_at += 1;
        if *looked_at > MANIFESTS_MAX {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 1 => walk(&entry.path(), depth - 1, looked_at, each),
            Ok(kind) if kind.is_file() => each(&entry.path()),
            _ => {}
        }
    }
}

fn blob(folder: &Path, manifest: &Path) -> Option<Blob> {
    let mut words = String::new();
    File::open(manifest).ok()?.take(MANIFEST_BYTES_MAX).read_to_string(&mut words).ok()?;
    let value: serde_json::Value = serde_json::from_str(&words).ok()?;
    let layers = value.get("layers")?.as_array()?;
    let digest = layers.iter().find(|l| l["mediaType"] == WEIGHTS)?.get("digest")?.as_str()?.strip_prefix("sha256:")?;
    if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let path = folder.join("blobs").join(format!("sha256-{digest}"));
    let found = look(&path, ModelFormat::Gguf, Some(&[folder.to_owned()])).ok()?;
    let tag = cut(&one_line(&manifest.file_name()?.to_string_lossy()), 60);
    let name = cut(&one_line(&manifest.parent()?.file_name()?.to_string_lossy()), 60);
    Some(Blob { name: format!("{name}:{tag}"), path: found.path, bytes: found.bytes })
}

/// Moves a file of Timmy's own aside, and gives its new place; `None` for one that lies elsewhere and stays.
pub(super) fn put_aside(folder: &Path, file: &Path) -> Result<Option<PathBuf>, Problem> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let own = real(folder).is_some_and(|folder| file.parent().and_then(real) == Some(folder));
    let Some(name) = file.file_name().filter(|_| own) else { return Ok(None) };
    let aside = folder.join(ASIDE_FOLDER);
    let moved = fs::create_dir_all(&aside).and_then(|()| fs::rename(file, aside.join(name)));
    match moved {
        Ok(()) => Ok(Some(aside.join(name))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::unavailable(
            "disk_refused",
            format!("The file could not be put aside: {error}. Nothing was changed."),
            "Look at the folder of models.",
        )),
    }
}

/// Moves it back; when that fails the model is registered without its file, and says so when it is asked.
pub(super) fn bring_back(aside: Option<&Path>, path: &str) {
    if let Some(aside) = aside
        && let Err(error) = fs::rename(aside, path)
    {
        tracing::warn!(%error, "a removed model could not be moved back");
    }
}

/// Removes what was put aside and is not in `kept`.
pub(super) fn sweep(folder: &Path, kept: &[PathBuf]) {
    for entry in fs::read_dir(folder.join(ASIDE_FOLDER)).into_iter().flatten().flatten() {
        if !kept.contains(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: models: a file is registered only from a folder that was granted, wherever its links lead
    #[test]
    fn a_file_counts_where_it_really_lies() {
        let (home, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let write = |path: PathBuf, bytes: &[u8]| fs::write(path, bytes).expect("written");
        write(home.path().join("good.gguf"), b"GGUF\x03\0\0\0more");
        write(home.path().join("short.gguf"), b"GG");
        write(home.path().join("other.gguf"), b"#!/bin/sh\n");
        write(other.path().join("far.gguf"), b"GGUF\x03\0\0\0more");
        let granted = [home.path().to_owned()];
        let look = |path: PathBuf| look(&path, ModelFormat::Gguf, Some(&granted)).map_err(|p| p.code);
        assert!(look(home.path().join("good.gguf")).is_ok_and(|f| f.bytes == 12));
        for bad in ["short.gguf", "other.gguf", "missing.gguf", ""] {
            assert_eq!(look(home.path().join(bad)), Err("bad_model_file"), "{bad}");
        }
        assert_eq!(look(other.path().join("far.gguf")), Err("path_not_granted"));
        std::os::unix::fs::symlink(other.path().join("far.gguf"), home.path().join("link.gguf")).expect("a link");
        assert_eq!(look(home.path().join("link.gguf")), Err("path_not_granted"));
        assert!(super::look(&other.path().join("far.gguf"), ModelFormat::Gguf, None).is_ok());
        assert!(super::look(Path::new("/dev/zero"), ModelFormat::Gguf, None).is_err());
    }

    // shows: models: models that Ollama keeps on the disk are found and used without copying
    #[test]
    fn what_ollama_keeps_is_found_by_its_manifests() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = ollama_folder(home.path());
        assert!(ollama(&folder).is_empty());
        let tags = folder.join("manifests/registry.example/library/qwen3");
        fs::create_dir_all(&tags).expect("a folder");
        fs::create_dir_all(folder.join("blobs")).expect("a folder");
        let digest = "ab".repeat(32);
        let manifest = |digest: &str| {
            let layers = [
                serde_json::json!({ "mediaType": "application/vnd.ollama.image.license", "digest": "sha256:x" }),
                serde_json::json!({ "mediaType": WEIGHTS, "digest": format!("sha256:{digest}"), "size": 12 }),
            ];
            serde_json::json!({ "layers": layers }).to_string()
        };
        fs::write(tags.join("0.6b"), manifest(&digest)).expect("written");
        fs::write(tags.join("evil"), manifest("../../../../etc/passwd")).expect("written");
        fs::write(tags.join("gone"), manifest(&"cd".repeat(32))).expect("written");
        fs::write(tags.join("garbage"), "{").expect("written");
        fs::write(folder.join(format!("blobs/sha256-{digest}")), b"GGUF\x03\0\0\0more").expect("written");
        let found = ollama(&folder);
        assert_eq!(found.iter().map(|b| (b.name.as_str(), b.bytes)).collect::<Vec<_>>(), [("qwen3:0.6b", 12)]);
    }
}
