//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, each for a while.
//!
//! They need the nightly compiler and cargo-fuzz, which is installed into `target/tools`. What they find is written to
//! `fuzz/artifacts`; a finding that was mended moves into `fuzz/corpus`, where `cargo test` meets it again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell;

/// The version of cargo-fuzz.
const VERSION: &str = "0.13.2";
/// How long each target runs, in seconds, unless it is said.
const SECONDS: &str = "20";
/// How long one input may take, in seconds: what is slower is a finding.
const INPUT_SECONDS_MAX: &str = "10";
/// What a target may use, in MiB: more is a finding.
const MEMORY_MIB_MAX: &str = "2048";

/// Runs the target `only`, or all of them, each for `seconds`; `false` when one found something.
///
/// Without the nightly compiler this skips and says so, except in an unattended run, where it fails.
pub fn run(root: &Path, only: Option<&str>, seconds: Option<&str>) -> anyhow::Result<bool> {
    let program = match ready(root)? {
        Ok(program) => program,
        Err(why) if shell::unattended() => bail!("the fuzz targets cannot run: {why}"),
        Err(why) => {
            println!("fuzz: SKIPPED, so nothing is shown about bytes from outside: {why}");
            return Ok(true);
        }
    };
    let targets: Vec<String> =
        targets(root)?.into_iter().filter(|target| only.is_none_or(|only| only == target)).collect();
    if targets.is_empty() {
        bail!("there is no target {}; they stand in fuzz/targets", only.unwrap_or_default());
    }
    let mut passed = true;
    for target in &targets {
        println!("fuzz: {target}");
        if !one(root, &program, target, seconds.unwrap_or(SECONDS))? {
            println!("fuzz: {target} found something; `fuzz/artifacts/{target}` has the input");
            passed = false;
        }
    }
    Ok(passed)
}

/// The targets, by name.
fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let files = fs::read_dir(root.join("fuzz/targets")).context("cannot list fuzz/targets")?;
    let mut names: Vec<String> =
        files.flatten().filter_map(|file| file.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

/// Runs one target. What it learns goes to `target/fuzz/corpus`; the seeds in `fuzz/corpus` are only read.
fn one(root: &Path, program: &Path, target: &str, seconds: &str) -> anyhow::Result<bool> {
    let learnt = root.join("target/fuzz/corpus").join(target);
    fs::create_dir_all(&learnt).with_context(|| format!("cannot make {}", learnt.display()))?;
    let seeds = root.join("fuzz/corpus").join(target);
    let words = root.join("fuzz/dictionaries").join(format!("{target}.dict"));
    let mut arguments = vec![
        "+nightly".to_owned(),
        "fuzz".to_owned(),
        "run".to_owned(),
        "--fuzz-dir".to_owned(),
        root.join("fuzz").to_string_lossy().into_owned(),
        "--target-dir".to_owned(),
        root.join("target/fuzz/build").to_string_lossy().into_owned(),
        target.to_owned(),
        learnt.to_string_lossy().into_owned(),
        seeds.to_string_lossy().into_owned(),
        "--".to_owned(),
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ];
    if words.is_file() {
        arguments.push(format!("-dict={}", words.to_string_lossy()));
    }
    let folder = program.parent().context("cargo-fuzz lies nowhere")?.to_string_lossy().into_owned();
    let path = shell::variable("PATH").unwrap_or_default();
    let status = shell::command("cargo", &arguments, root).env("PATH", format!("{folder}:{path}")).status();
    Ok(status.context("cannot start cargo")?.success())
}

/// cargo-fuzz, or why there is none.
fn ready(root: &Path) -> anyhow::Result<Result<PathBuf, String>> {
    if shell::output("cargo", &["+nightly", "--version"], root).is_err() {
        return Ok(Err("the nightly compiler is not installed; `rustup toolchain install nightly` does it".to_owned()));
    }
    let tools = root.join("target/tools");
    let program = tools.join("bin/cargo-fuzz");
    let known = shell::output(&program.to_string_lossy(), &["--version"], root).unwrap_or_default();
    if !known.trim().ends_with(VERSION) {
        println!("fuzz: installing cargo-fuzz {VERSION} into {}", tools.display());
        let place = tools.to_string_lossy();
        let install =
            ["install", "--quiet", "--locked", "--force", "--root", &place, "cargo-fuzz", "--version", VERSION];
        if !shell::succeeds("cargo", &install, root)? {
            return Ok(Err("cargo-fuzz cannot be installed".to_owned()));
        }
    }
    Ok(Ok(program))
}
