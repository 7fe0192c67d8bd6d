//! `cargo xtask toolservers`: the official packages of the Model Context Protocol as live peers, on both sides.
//!
//! They live in folders of their own below `target/tools`; the Python versions stand in `xtask/toolservers.txt`. The
//! tests find them through two variables, and say that they skip where those are not set.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{shell, venv};

/// What of Python is installed, with versions.
const WANTED: &str = "xtask/toolservers.txt";
/// What of Node is installed, with versions.
const MODULES: [&str; 2] =
    ["@modelcontextprotocol/server-everything@2026.8.31", "@modelcontextprotocol/server-filesystem@2026.8.31"];
/// The beginnings of the names of the tests that need them.
const TESTS: [&str; 2] = ["mcp::live", "toolservers::the_official"];

/// Runs the tests with live peers; `false` when one failed.
///
/// Without Python or Node this skips and says so, except in an unattended run, where it fails.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let (venv, modules) = match venv::ready(root, "toolservers", WANTED)?.and_then(|venv| Ok((venv, node(root)?))) {
        Ok(places) => places,
        Err(why) if shell::unattended() => bail!("the live servers of tools cannot run: {why}"),
        Err(why) => {
            println!("toolservers: SKIPPED, so nothing is shown about the official packages: {why}");
            return Ok(true);
        }
    };
    // Of the whole workspace, as the step before built it: one package alone has other features, and is built anew.
    let mut arguments = vec!["test", "--quiet", "--locked", "--workspace", "--test", "it", "--"];
    arguments.extend(TESTS);
    let status = shell::command("cargo", &arguments, root)
        .env("TIMMY_TEST_PYTHON_PEER", &venv)
        .env("TIMMY_TEST_NODE_PEER", &modules)
        .status()
        .context("cargo does not start")?;
    Ok(status.success())
}

/// The folder of the installed Node modules, or why there is none.
fn node(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join("target/tools/toolservers/node");
    let (modules, mark) = (folder.join("node_modules"), folder.join("installed.txt"));
    let wanted = MODULES.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(modules);
    }
    if !shell::has("npm") {
        return Err("npm is not installed".to_owned());
    }
    println!("toolservers: installing the reference servers into {}", folder.display());
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let path = folder.to_string_lossy();
    let first = ["install", "--prefix", &path, "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--silent"];
    let arguments: Vec<&str> = first.into_iter().chain(MODULES).collect();
    match shell::succeeds("npm", &arguments, root) {
        Ok(true) => {}
        _ => return Err("npm could not install them".to_owned()),
    }
    fs::write(mark, wanted).map_err(|error| error.to_string())?;
    Ok(modules)
}
