//! `cargo xtask peers`: programs of others that speak of models as live peers: the server of llama.cpp, and the official
//! client of OpenAI's API.
//!
//! They live in a folder of their own below `target/tools`; the versions stand in `xtask/peers.txt`. The tests find them
//! through a variable, and say that they skip where it is not set.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{shell, venv};

/// What is installed, with versions.
const WANTED: &str = "xtask/peers.txt";
/// The tests that need them: test program, and a part of their names.
const TESTS: [(&str, &str); 3] =
    [("it", "peers::"), ("peer", "six_layouts"), ("peer", "models_that_make_vectors_only")];

/// The Python that has the peers, where they can be installed.
pub fn python(root: &Path) -> Option<PathBuf> {
    match venv::ready(root, "peers", WANTED) {
        Ok(Ok(folder)) => Some(folder.join("bin/python")),
        Ok(Err(_)) | Err(_) => None,
    }
}

/// Runs the tests with live peers; `false` when one failed.
///
/// Without Python this skips and says so, except in an unattended run, where it fails.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let folder = match venv::ready(root, "peers", WANTED)? {
        Ok(folder) => folder,
        Err(why) if shell::unattended() => bail!("the live peers of models cannot run: {why}"),
        Err(why) => {
            println!("peers: SKIPPED, so nothing is shown about llama.cpp and OpenAI's client: {why}");
            return Ok(true);
        }
    };
    for (test, name) in TESTS {
        // Of the whole workspace, as the step before built it: one package alone has other features, and is built anew.
        let arguments = ["test", "--quiet", "--locked", "--workspace", "--test", test, name];
        let status = shell::command("cargo", &arguments, root).env("TIMMY_TEST_MODEL_PEER", &folder).status();
        if !status.context("cargo does not start")?.success() {
            return Ok(false);
        }
    }
    Ok(true)
}
