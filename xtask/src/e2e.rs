//! The journeys in a real browser: brings what they need, says so, and runs them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell;

/// Names under which Chromium is installed.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What runs side by side, each with its own browser and house.
const SUITES: [&str; 2] = ["pages.test.mjs", "work.test.mjs"];

/// Runs the journeys against `binary`, which Cargo builds when it is not given; `false` when one failed.
///
/// Without a browser or Node this skips and says so, except in an unattended run, where it fails.
pub fn run(root: &Path, binary: Option<&Path>, only: Option<&str>) -> anyhow::Result<bool> {
    let browser = match ready(root)? {
        Ok(browser) => browser,
        Err(why) if shell::unattended() => bail!("the browser journeys cannot run: {why}"),
        Err(why) => {
            println!("e2e: SKIPPED, so nothing is shown about the dashboard: {why}");
            return Ok(true);
        }
    };
    let alone = binary.is_none();
    let binary = match binary {
        Some(binary) => root.join(binary),
        None => build(root)?,
    };
    let mut arguments = vec!["--test", "--test-reporter=spec", "--test-concurrency=2"];
    let pattern = only.map(|only| format!("--test-name-pattern={only}"));
    arguments.extend(pattern.as_deref());
    arguments.extend(SUITES);
    let mut node = shell::command("node", &arguments, &root.join("e2e"));
    // Whoever runs them alone wants to look at the pictures.
    if alone {
        node.env("PICTURES", "1");
    }
    let status = node.env("TIMMY_BINARY", binary).env("CHROMIUM", browser).status().context("cannot start node")?;
    Ok(status.success())
}

fn build(root: &Path) -> anyhow::Result<PathBuf> {
    if !shell::succeeds("cargo", &["build", "--quiet", "--workspace", "--bins"], root)? {
        bail!("timmy does not build");
    }
    Ok(root.join("target/debug/timmy"))
}

/// The browser to use once everything is there, or why it is not.
fn ready(root: &Path) -> anyhow::Result<Result<String, String>> {
    if !shell::has("node") || !shell::has("npm") {
        return Ok(Err("Node and npm are not installed".to_owned()));
    }
    let browser = match browser() {
        Some(browser) => browser,
        None => match install(root)? {
            Ok(browser) => browser,
            Err(why) => return Ok(Err(why)),
        },
    };
    let folder = root.join("e2e");
    if !installed(&folder) {
        println!("e2e: installing playwright-core and axe-core with npm ci");
        if !shell::succeeds("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], &folder)? {
            return Ok(Err("npm ci failed in e2e/".to_owned()));
        }
    }
    Ok(Ok(browser))
}

/// Whether npm last installed what the lockfile says.
fn installed(folder: &Path) -> bool {
    let time = |path: &str| folder.join(path).metadata().and_then(|m| m.modified()).ok();
    match (time("node_modules/.package-lock.json"), time("package-lock.json")) {
        (Some(installed), Some(wanted)) => installed >= wanted,
        _ => false,
    }
}

/// The browser that the environment names, or one that is installed.
fn browser() -> Option<String> {
    let named = shell::variable("CHROMIUM").filter(|browser| shell::has(browser));
    let found = named.or_else(|| BROWSERS.into_iter().find(|browser| shell::has(browser)).map(str::to_owned))?;
    // The browser is started by its path, which the shell knows.
    let path = shell::output("sh", &["-c", "command -v \"$1\"", "sh", &found], Path::new("."));
    path.ok().map(|path| path.trim().to_owned())
}

/// Installs Chromium where that is possible without asking: as root, with apt.
fn install(root: &Path) -> anyhow::Result<Result<String, String>> {
    let user = shell::output("id", &["-u"], root).unwrap_or_default();
    if user.trim() != "0" || !shell::has("apt-get") {
        return Ok(Err("Chromium is not installed; install it, or set CHROMIUM to its path".to_owned()));
    }
    println!("e2e: Chromium is missing; installing it with apt-get");
    for arguments in [
        &["update", "-qq"][..],
        &["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"][..],
    ] {
        let done = shell::command("apt-get", arguments, root).env("DEBIAN_FRONTEND", "noninteractive").status();
        if !done.context("cannot start apt-get")?.success() {
            return Ok(Err(format!("apt-get {} failed", arguments.join(" "))));
        }
    }
    Ok(browser().ok_or_else(|| "Chromium was installed and does not start".to_owned()))
}
