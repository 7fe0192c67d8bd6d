//! The one place of the automation that starts other programs.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, bail};

/// `program` with `arguments`, to be run in `folder`.
pub fn command<S: AsRef<OsStr>>(program: &str, arguments: &[S], folder: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "automation starts the tools of the house; this is its only door")]
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}

/// Runs it with the terminal it has; `false` when it failed.
pub fn succeeds<S: AsRef<OsStr>>(program: &str, arguments: &[S], folder: &Path) -> anyhow::Result<bool> {
    let status = command(program, arguments, folder).status().with_context(|| format!("cannot start {program}"))?;
    Ok(status.success())
}

/// Runs it and gives what it printed.
pub fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S], folder: &Path) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } =
        command(program, arguments, folder).output().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&stderr).trim());
    }
    String::from_utf8(stdout).with_context(|| format!("{program} printed something that is not text"))
}

/// Whether `program` is there.
pub fn has(program: &str) -> bool {
    command(program, &["--version"], Path::new(".")).output().is_ok_and(|output| output.status.success())
}

/// A variable of the environment, unless it is empty.
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "automation is configured by the environment it runs in")]
    let value = std::env::var(name);
    value.ok().filter(|value| !value.is_empty())
}

/// Whether this is an unattended run, where nothing may be skipped.
pub fn unattended() -> bool {
    variable("CI").is_some()
}
