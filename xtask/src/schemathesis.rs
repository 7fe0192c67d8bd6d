//! `cargo xtask schemathesis`: asks a real house everything its OpenAPI document says, and much that it does not.
//!
//! schemathesis lives in a folder of its own below `target/tools`; versions stand in `xtask/schemathesis.txt`, and what
//! of its checks is lifted, with the reason, in `xtask/schemathesis.toml`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::shell;

/// What is installed, with versions.
const WANTED: &str = "xtask/schemathesis.txt";
/// How it is set.
const SETTINGS: &str = "xtask/schemathesis.toml";
/// Cases of each kind for each call, unless it is said.
const EXAMPLES: &str = "30";
/// Where its chance begins, so that a run can be repeated.
const SEED: &str = "1";

/// Drives a house of `binary`, which Cargo builds when it is not given; `false` when something was found.
///
/// Without Python this skips and says so, except in an unattended run, where it fails.
pub fn run(root: &Path, binary: Option<&Path>, examples: Option<&str>) -> anyhow::Result<bool> {
    let program = match ready(root)? {
        Ok(program) => program,
        Err(why) if shell::unattended() => bail!("schemathesis cannot run: {why}"),
        Err(why) => {
            println!("schemathesis: SKIPPED, so nothing is shown about the interface: {why}");
            return Ok(true);
        }
    };
    let binary = match binary {
        Some(binary) => root.join(binary),
        None => build(root)?,
    };
    let place = root.join("target/schemathesis");
    if place.exists() {
        fs::remove_dir_all(&place).context("the folder of the run before cannot be removed")?;
    }
    let home = place.join("home");
    fs::create_dir_all(&home).context("no folder for the run")?;
    let house = House::start(&binary, &home, &place.join("log"))?;
    let settings = fs::read_to_string(root.join(SETTINGS)).with_context(|| format!("cannot read {SETTINGS}"))?;
    let known = place.join("settings.toml");
    fs::write(&known, settings + &house.known()?).context("the settings cannot be written")?;
    let passed = shell::command(
        &program.to_string_lossy(),
        &[
            "--config-file",
            &known.to_string_lossy(),
            "run",
            &format!("http://{}/openapi.json", house.address),
            "--header",
            &format!("Authorization: Bearer {}", house.token),
            "--checks=all",
            "--continue-on-failure",
            "--seed",
            SEED,
            "--max-examples",
            examples.unwrap_or(EXAMPLES),
        ],
        &place,
    )
    .status()
    .context("schemathesis does not start")?
    .success();
    Ok(house.ended_well()? && passed)
}

fn build(root: &Path) -> anyhow::Result<PathBuf> {
    if !shell::succeeds("cargo", &["build", "--quiet", "--package", "timmy"], root)? {
        bail!("timmy does not build");
    }
    Ok(root.join("target/debug/timmy"))
}

/// The installed program, or why there is none.
fn ready(root: &Path) -> anyhow::Result<Result<PathBuf, String>> {
    let wanted = fs::read_to_string(root.join(WANTED)).with_context(|| format!("cannot read {WANTED}"))?;
    let folder = root.join("target/tools/schemathesis");
    let (program, mark) = (folder.join("bin/schemathesis"), folder.join("installed.txt"));
    if program.is_file() && fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(Ok(program));
    }
    if !shell::has("python3") {
        return Ok(Err("python3 is not installed".to_owned()));
    }
    println!("schemathesis: installing it into {}", folder.display());
    let path = folder.to_string_lossy();
    if !shell::succeeds("python3", &["-m", "venv", "--clear", &path], root)? {
        return Ok(Err("python3 -m venv failed; Debian and Ubuntu have it in python3-venv".to_owned()));
    }
    let pip = folder.join("bin/pip");
    let install = ["install", "--quiet", "--disable-pip-version-check", "--requirement", WANTED];
    if !shell::succeeds(&pip.to_string_lossy(), &install, root)? {
        return Ok(Err("pip could not install it".to_owned()));
    }
    fs::write(mark, wanted).context("the installation cannot be marked")?;
    Ok(Ok(program))
}

/// A house with nobody in it: no model, no thoughts of its own.
struct House {
    process: Child,
    program: PathBuf,
    home: PathBuf,
    log: PathBuf,
    address: String,
    token: String,
}

impl House {
    /// A server on the empty folder `home`. What it complains about goes to `log`.
    fn start(binary: &Path, home: &Path, log: &Path) -> anyhow::Result<Self> {
        let complaints = fs::File::create(log).context("no file for the log")?;
        let mut process = timmy(binary, home, &["serve", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()
            .context("timmy does not start")?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let first = lines.next().transpose().context("timmy says nothing")?.unwrap_or_default();
        let (program, home, log) = (binary.to_owned(), home.to_owned(), log.to_owned());
        let mut house = Self { process, program, home, log, address: String::new(), token: String::new() };
        // Whoever does not read what it says would make it wait.
        std::thread::spawn(move || lines.for_each(drop));
        let said = first.strip_prefix("listening on http://");
        house.address = said.with_context(|| format!("timmy says {first:?}"))?.to_owned();
        house.token =
            house.asked(&["token", "create", "--name", "schemathesis", "--scope", "admin", "--json"], "token")?;
        Ok(house)
    }

    /// The field `name` of what a command answers in JSON.
    fn asked(&self, arguments: &[&str], name: &str) -> anyhow::Result<String> {
        let output = timmy(&self.program, &self.home, arguments).output().context("timmy does not start")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let found = field(&said, name).map(str::to_owned);
        found.with_context(|| format!("timmy {} says nothing of {name}: {said:?}", arguments.join(" ")))
    }

    /// Settings that name what lies in the house, so that calls about one thing find it in every second case.
    fn known(&self) -> anyhow::Result<String> {
        let thought = self.asked(&["think", "--json"], "id")?;
        let question = self.asked(&["chat", "good", "morning", "--json"], "answers")?;
        Ok([("Thinking", thought), ("Conversation", question)].iter().fold(String::new(), |text, (tag, id)| {
            format!(
                "{text}\n[dictionaries.{tag}]\nvalues = [\"{id}\"]\n\n[[operations]]\ninclude-tag = \"{tag}\"\n\
                 parameters.id = {{ dictionary = \"{tag}\", probability = 0.5 }}\n"
            )
        }))
    }

    /// Ends it; `false` when it had ended by itself, or when something in it panicked.
    fn ended_well(mut self) -> anyhow::Result<bool> {
        if let Some(status) = self.process.try_wait()? {
            println!("schemathesis: the server ended by itself: {status}");
            return Ok(false);
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked at")).collect();
        for line in &panics {
            println!("schemathesis: {line}");
        }
        Ok(panics.is_empty())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // Ended already when it went wrong.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command of `binary` over `home`, with nothing of this machine around it.
fn timmy(binary: &Path, home: &Path, arguments: &[&str]) -> Command {
    let mut command = shell::command(&binary.to_string_lossy(), arguments, home);
    command
        .env_clear()
        .env("HOME", home)
        .env("TIMMY_HOME", home)
        .env("TIMMY__CASCADE__PROVIDERS", "reflex")
        .env("TIMMY__THINKING__ENABLED", "false")
        .stdin(Stdio::null());
    command
}

/// The first text called `name` in JSON.
fn field<'j>(json: &'j str, name: &str) -> Option<&'j str> {
    json.split_once(&format!("\"{name}\":"))?.1.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_what_a_command_prints() {
        assert_eq!(field("{\"name\":\"x\",\"token\":\"timmy_1\"}", "token"), Some("timmy_1"));
        assert_eq!(field("{\n  \"token\": \"timmy_2\"\n}", "token"), Some("timmy_2"));
        assert_eq!(field("error: no", "token"), None);
    }

    #[test]
    fn every_version_is_fixed() {
        let wanted = include_str!("../schemathesis.txt");
        let lines = wanted.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.clone().count() > 1 && lines.clone().all(|line| line.contains("==")), "{wanted}");
    }
}
