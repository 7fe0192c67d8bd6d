//! What the fuzz targets search with, repeated on everything that is known: seeds, and inputs that once were findings.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../../fuzz/src/lib.rs"]
mod checks;

/// Every target: its folder in `fuzz/corpus`, and its check.
const TARGETS: [(&str, fn(&[u8])); 9] = [
    ("answer_stream", checks::answer_stream::check),
    ("archive", checks::archive::check),
    ("client_frame", checks::client_frame::check),
    ("config", checks::config::check),
    ("door", checks::door::check),
    ("event_filter", checks::event_filter::check),
    ("gguf_header", checks::gguf_header::check),
    ("git_output", checks::git_output::check),
    ("watched_folder", checks::watched_folder::check),
];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Names of what lies in a folder, without their endings.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").path().file_stem().expect("a name").to_string_lossy().into())
        .collect();
    names.sort();
    names
}

#[test]
fn every_fuzz_target_has_a_check_seeds_and_words() {
    let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    for folder in ["targets", "corpus", "dictionaries"] {
        assert_eq!(names(&fuzz().join(folder)), known, "fuzz/{folder}");
    }
}

// shows: process: what fuzzing has found in bytes from outside stays mended
#[test]
fn every_known_input_of_the_fuzz_targets_is_borne() {
    for (name, check) in TARGETS {
        let folder = fuzz().join("corpus").join(name);
        let files: Vec<PathBuf> =
            fs::read_dir(&folder).expect("seeds").map(|file| file.expect("readable").path()).collect();
        assert!(files.len() >= 4, "{name} has few seeds");
        for file in files {
            eprintln!("{}", file.display());
            check(&fs::read(&file).expect("readable"));
        }
    }
}
