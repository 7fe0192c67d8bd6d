//! `cargo xtask bench`: runs the benchmarks and writes what they measured into docs/performance.md.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};

use crate::{peers, shell};

/// The document.
pub const DOCUMENT: &str = "docs/performance.md";

/// How each figure is measured; the tables follow it.
const METHOD: &str = include_str!("bench/method.md");

/// A benchmark: its heading, and the command that repeats it alone.
const BENCHES: [(&str, &str); 11] = [
    ("Durable appends", "cargo bench --package timmy-store --bench append -- 300000"),
    ("Start", "cargo bench --package timmy --bench house -- start"),
    ("Pages", "cargo bench --package timmy --bench house -- pages"),
    ("Live feed", "cargo bench --package timmy --bench house -- feed"),
    ("Sandbox", "cargo bench --package timmy --bench house -- spawn"),
    ("Tasks", "cargo bench --package timmy --bench house -- tasks"),
    ("Router", "cargo bench --package timmy-llm --bench router"),
    ("Gateway", "cargo bench --package timmy --bench house -- gateway"),
    ("Pulls", "cargo bench --package timmy-llm --bench pull"),
    ("Local engine", "cargo bench --package timmy-engine --bench engine"),
    ("Memory", "cargo bench --package timmy --bench house -- memory"),
];

/// One figure, as a benchmark prints it: `figure`, name, value, bound and spread, with tabs between them.
#[derive(Debug, PartialEq, Eq)]
struct Figure {
    name: String,
    value: String,
    bound: String,
    spread: String,
}

fn figure(line: &str) -> Option<Figure> {
    let mut parts = line.strip_prefix("figure\t")?.split('\t').map(|part| part.replace('|', "/"));
    let mut next = || parts.next();
    let (name, value) = (next()?, next()?);
    Some(Figure { name, value, bound: next().unwrap_or_default(), spread: next().unwrap_or_default() })
}

/// Runs one benchmark with its words on the terminal, and gives its figures.
///
/// The engine's finds its peer through `PEER_PYTHON`, which the others do not read.
fn measure(root: &Path, command: &str, peer: Option<&Path>) -> anyhow::Result<Vec<Figure>> {
    let words: Vec<&str> = command.split(' ').collect();
    let (program, arguments) = words.split_first().context("an empty command")?;
    let mut child = shell::command(program, arguments, root)
        .envs(peer.map(|python| ("PEER_PYTHON", python)))
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command}"))?;
    let mut figures = Vec::new();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line.with_context(|| format!("{command} printed something that is not text"))?;
            println!("{line}");
            figures.extend(figure(&line));
        }
    }
    if !child.wait()?.success() || figures.is_empty() {
        bail!("{command} failed, or measured nothing; {DOCUMENT} stays as it is");
    }
    Ok(figures)
}

/// Runs all benchmarks, or those whose heading contains `only`, and writes the document.
///
/// With `only` nothing is written: a document of figures of several days says nothing.
pub fn run(root: &Path, only: Option<&str>) -> anyhow::Result<bool> {
    let wanted = |heading: &str| only.is_none_or(|o| heading.to_lowercase().contains(&o.to_lowercase()));
    let mut text = format!("{METHOD}\n{}\n", machine(root));
    // A Python that was chosen stands.
    let peer = if shell::variable("PEER_PYTHON").is_some() { None } else { peers::python(root) };
    for (heading, command) in BENCHES.into_iter().filter(|(heading, _)| wanted(heading)) {
        println!("\n== {heading} · {command}");
        text.push_str(&section(heading, command, &measure(root, command, peer.as_deref())?));
    }
    if only.is_none() {
        fs::write(root.join(DOCUMENT), text).with_context(|| format!("cannot write {DOCUMENT}"))?;
        println!("bench: wrote {DOCUMENT}");
    }
    Ok(true)
}

fn section(heading: &str, command: &str, figures: &[Figure]) -> String {
    let mut text =
        format!("\n## {heading}\n\n`{command}`\n\n| what | measured | bound | spread |\n|---|---|---|---|\n");
    for Figure { name, value, bound, spread } in figures {
        text.push_str(&format!("| {name} | **{value}** | {bound} | {spread} |\n"));
    }
    text
}

/// The machine and the day, without which a figure says nothing.
fn machine(root: &Path) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_else(|| "unknown".to_owned())
    };
    let cpu = read("/proc/cpuinfo");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let said = |program: &str, arguments: &[&str]| {
        shell::output(program, arguments, root).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    format!(
        "Measured on {} at commit {}: {cores} cores of {}, memory {}, Linux {}, {}.\n",
        said("date", &["+%Y-%m-%d"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        field(&cpu, "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim(),
        said("rustc", &["--version"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_from_its_line_and_anything_else_is_not_one() {
        let read = figure("figure\tStart\t7 ms\t≤ 30 ms\t6 | 8 ms").expect("a figure");
        assert_eq!((read.name.as_str(), read.value.as_str()), ("Start", "7 ms"));
        assert_eq!((read.bound.as_str(), read.spread.as_str()), ("≤ 30 ms", "6 / 8 ms"));
        assert_eq!(figure("figure\tonly a name"), None);
        assert_eq!(figure("running 3 tests"), None);
    }

    #[test]
    fn a_section_carries_the_command_that_repeats_it() {
        let figures = [Figure { name: "a".into(), value: "1 ms".into(), bound: String::new(), spread: "x".into() }];
        let text = section("Start", "cargo bench", &figures);
        assert!(text.contains("`cargo bench`") && text.contains("| a | **1 ms** |  | x |"), "{text}");
    }
}
