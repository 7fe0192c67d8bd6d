//! `cargo xtask order`: writes down in which order a house first runs its functions, for `crates/timmy/build.rs`.
//!
//! A release build that kept its symbols runs under qemu's user emulation, which notes each piece of code when it first
//! comes to it: the start, half a minute at rest, then the pages an owner opens most.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::shell;

/// The emulator; Debian and Ubuntu have it in `qemu-user`.
const EMULATOR: &str = "qemu-x86_64";
/// What is written.
const ORDER: &str = "crates/timmy/order.txt";
/// How long the house rests before the first page, in seconds: what it does by itself comes round in that time.
const REST_SECONDS: u64 = 30;
/// Pages opened after that, most opened first.
const PAGES: [&str; 8] = ["/now", "/", "/thinking", "/swarm/events", "/talk", "/tasks", "/approvals", "/health"];

/// Builds, runs and writes [`ORDER`].
pub fn run(root: &Path) -> anyhow::Result<bool> {
    if !shell::has(EMULATOR) {
        bail!("{EMULATOR} is not installed; Debian and Ubuntu have it in the package qemu-user");
    }
    let build = ["build", "--release", "--locked", "--package", "timmy"];
    if !shell::command("cargo", &build, root).env("TIMMY_KEEP_SYMBOLS", "1").status()?.success() {
        bail!("timmy does not build");
    }
    let place = root.join("target/order");
    if place.exists() {
        fs::remove_dir_all(&place).context("the folder of the run before cannot be removed")?;
    }
    fs::create_dir_all(&place).context("no folder for the run")?;
    let noted = place.join("noted");
    walk(&root.join("target/release/timmy"), &place, &noted)?;
    let order = order(BufReader::new(fs::File::open(&noted).context("the emulator noted nothing")?))?;
    if order.lines().count() < 1_000 {
        bail!("the emulator named hardly any function; was the binary stripped?");
    }
    fs::write(root.join(ORDER), &order).with_context(|| format!("cannot write {ORDER}"))?;
    fs::remove_dir_all(&place).context("the folder of the run cannot be removed")?;
    println!("order: wrote {} functions to {ORDER}", order.lines().count());
    Ok(true)
}

/// One life of the house under the emulator, which writes what it comes to into `noted`.
fn walk(binary: &Path, home: &Path, noted: &Path) -> anyhow::Result<()> {
    let noted = noted.to_string_lossy();
    let arguments = ["-d", "in_asm", "-D", &noted, &binary.to_string_lossy(), "serve", "--port", "0"];
    let mut command = shell::command(EMULATOR, &arguments, home);
    let house = command.env_clear().env("HOME", home).env("TIMMY_HOME", home).stdin(Stdio::null());
    let mut house = Emulated(house.stdout(Stdio::piped()).spawn().context("the emulator does not start")?);
    let mut lines = BufReader::new(house.0.stdout.take().context("no output")?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let address = first.strip_prefix("listening on http://").with_context(|| format!("timmy says {first:?}"))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "what the house does at rest is what is noted; nothing says its end"
    )]
    std::thread::sleep(Duration::from_secs(REST_SECONDS));
    let run = fs::read_to_string(home.join("run.json")).context("the house left no run.json")?;
    let token = run.split_once("\"token\":").and_then(|(_, rest)| rest.split('"').nth(1)).context("no token")?;
    for page in PAGES {
        let answer = get(address, page, token).with_context(|| format!("{page} does not answer"))?;
        println!("order: {page} {}", answer.lines().next().unwrap_or_default());
    }
    house.end()
}

/// The answer to one request, as text.
fn get(address: &str, page: &str, token: &str) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        socket,
        "GET {page} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nAccept: text/html\r\n\
         Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The names of functions in the order of `noted`, each once. Lines that matter read `IN: NAME`.
fn order(noted: impl BufRead) -> anyhow::Result<String> {
    let (mut seen, mut text) = (HashSet::new(), String::new());
    for line in noted.split(b'\n') {
        let line = line.context("what the emulator noted cannot be read")?;
        let Some(name) = line.strip_prefix(b"IN: ").map(String::from_utf8_lossy) else { continue };
        let name = name.trim();
        if !name.is_empty() && seen.insert(name.to_owned()) {
            text.push_str(name);
            text.push('\n');
        }
    }
    Ok(text)
}

/// A house that does not outlive the run.
struct Emulated(Child);

impl Emulated {
    /// Asks it to stop, so that what it runs then is noted as well, and waits.
    fn end(mut self) -> anyhow::Result<()> {
        let pid = self.0.id().to_string();
        shell::succeeds("kill", &["-TERM", &pid], Path::new("."))?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        // Ended already when all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_listed_once_and_in_the_order_they_were_first_come_to() {
        let noted = "----\nIN: \n0x1: nop\n----\nIN: main\n0x2: nop\nIN: second\nIN: main\n";
        assert_eq!(order(noted.as_bytes()).unwrap(), "main\nsecond\n");
    }
}
