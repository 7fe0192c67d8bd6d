//! Python packages that checks need, each set in a folder of its own below `target/tools`, by the versions of its list.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::shell;

/// The folder in which the packages listed in the file `wanted` are installed for the check `name`, or why there is
/// none. What is installed already is used.
///
/// # Errors
/// When the list cannot be read, or the folder cannot be written.
pub fn ready(root: &Path, name: &str, wanted: &str) -> anyhow::Result<Result<PathBuf, String>> {
    let list = fs::read_to_string(root.join(wanted)).with_context(|| format!("cannot read {wanted}"))?;
    let folder = root.join("target/tools").join(name).join("python");
    let mark = folder.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == list) {
        return Ok(Ok(folder));
    }
    if !shell::has("python3") {
        return Ok(Err("python3 is not installed".to_owned()));
    }
    println!("{name}: installing Python packages into {}", folder.display());
    let path = folder.to_string_lossy();
    if !shell::succeeds("python3", &["-m", "venv", "--clear", &path], root)? {
        return Ok(Err("python3 -m venv failed; Debian and Ubuntu have it in python3-venv".to_owned()));
    }
    let pip = folder.join("bin/pip");
    let install = ["install", "--quiet", "--disable-pip-version-check", "--requirement", wanted];
    if !shell::succeeds(&pip.to_string_lossy(), &install, root)? {
        return Ok(Err("pip could not install them".to_owned()));
    }
    fs::write(mark, list).context("the installation cannot be marked")?;
    Ok(Ok(folder))
}
