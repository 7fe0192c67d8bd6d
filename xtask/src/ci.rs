//! Every check of the house in one order, for people and for unattended runs alike.

use std::num::NonZero;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::{e2e, fuzz, gen_docs, peers, schemathesis, shell, tidy, toolservers};

/// What a step does: run a program, or call a check of this crate.
enum Act {
    Run(&'static [&'static str]),
    Tests,
    Tidy,
    Generated,
    Browser,
    ToolServers,
    Peers,
    Schemathesis,
    Fuzz,
}

/// A step: its name, the command that repeats it alone, and what it does.
struct Step {
    name: &'static str,
    repeat: &'static str,
    act: Act,
}

const fn step(name: &'static str, repeat: &'static str, act: Act) -> Step {
    Step { name, repeat, act }
}

/// What the build leaves for the generator and the browser, so that nothing is compiled a second time.
const BINARY: &str = "target/debug/timmy";

/// Cheap checks first: whoever broke the format should not wait for the compiler.
const STEPS: &[Step] = &[
    step("format", "cargo fmt --all --check", Act::Run(&["cargo", "fmt", "--all", "--check"])),
    step("tidy", "cargo xtask tidy", Act::Tidy),
    step(
        "clippy",
        "cargo clippy --workspace --all-targets -- -D warnings",
        Act::Run(&["cargo", "clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ),
    step(
        "build",
        "cargo build --workspace --bins --tests",
        Act::Run(&["cargo", "build", "--quiet", "--workspace", "--locked", "--bins", "--tests"]),
    ),
    step("generated", "cargo xtask gen --check", Act::Generated),
    step("tests", "cargo test --workspace", Act::Tests),
];
const BROWSER: Step = step("browser", "cargo xtask e2e", Act::Browser);
const TOOL_SERVERS: Step = step("tool servers", "cargo xtask toolservers", Act::ToolServers);
const PEERS: Step = step("peers", "cargo xtask peers", Act::Peers);
const LONG: &[Step] = &[
    step(
        "long tests",
        "cargo test --workspace -- --ignored",
        Act::Run(&["cargo", "test", "--workspace", "--locked", "--no-fail-fast", "--", "--ignored"]),
    ),
    step(
        "release",
        "cargo build --release --package timmy",
        Act::Run(&["cargo", "build", "--quiet", "--release", "--locked", "--package", "timmy"]),
    ),
    step("schemathesis", "cargo xtask schemathesis", Act::Schemathesis),
    step("fuzz", "cargo xtask fuzz", Act::Fuzz),
];

/// Runs the steps and stops at the first that fails; `false` when one did.
pub fn run(root: &Path, quick: bool, long: bool) -> bool {
    let more: &[Step] = if quick { &[] } else { &[TOOL_SERVERS, PEERS, BROWSER] };
    let steps: Vec<&Step> = STEPS.iter().chain(more).chain(if long { LONG } else { &[] }).collect();
    let mut times = Vec::new();
    let all = Instant::now();
    for step in &steps {
        println!("\n== {} · {}", step.name, step.repeat);
        let start = Instant::now();
        let outcome = act(root, &step.act);
        times.push((step.name, start.elapsed()));
        let why = match outcome {
            Ok(true) => continue,
            Ok(false) => String::new(),
            Err(error) => format!(": {error:#}"),
        };
        print!("{}", table(&times, all.elapsed()));
        println!("ci: {} failed{why}\nci: to repeat it: {}", step.name, step.repeat);
        return false;
    }
    print!("{}", table(&times, all.elapsed()));
    println!("ci: {} steps passed", steps.len());
    true
}

fn act(root: &Path, act: &Act) -> anyhow::Result<bool> {
    match act {
        Act::Run([program, arguments @ ..]) => shell::succeeds(program, arguments, root),
        Act::Run([]) => Ok(true),
        Act::Tests => tests(root),
        Act::Tidy => tidy::run(root),
        Act::Generated => gen_docs::run(root, Some(Path::new(BINARY)), true),
        Act::Browser => e2e::run(root, Some(Path::new(BINARY)), None),
        Act::ToolServers => toolservers::run(root),
        Act::Peers => peers::run(root),
        Act::Schemathesis => schemathesis::run(root, Some(Path::new(BINARY)), None),
        Act::Fuzz => fuzz::run(root, None, None),
    }
}

/// All tests, twice as many at once as there are processors: most wait for processes, sockets and the disk.
fn tests(root: &Path) -> anyhow::Result<bool> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get) * 2;
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast"];
    let mut command = shell::command("cargo", &arguments, root);
    let status = command.env("RUST_TEST_THREADS", threads.to_string()).status().context("cannot start cargo")?;
    Ok(status.success())
}

/// The time of each step and of all.
fn table(times: &[(&str, Duration)], all: Duration) -> String {
    let lines = times.iter().copied().chain(std::iter::once(("together", all)));
    lines.fold(String::from("\n"), |text, (name, time)| format!("{text}{name:>12} {:>7.1} s\n", time.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stop_at_the_first_failure_and_each_can_be_repeated_alone() {
        for step in STEPS.iter().chain(LONG).chain([&BROWSER]) {
            assert!(step.repeat.starts_with("cargo "), "{}", step.name);
        }
        let nowhere = tempfile::tempdir().unwrap();
        assert!(!run(nowhere.path(), true, false), "an empty folder passes no check");
    }

    #[test]
    fn times_are_listed_with_their_sum() {
        let text = table(&[("tidy", Duration::from_millis(1_250))], Duration::from_secs(2));
        assert_eq!(text, "\n        tidy     1.2 s\n    together     2.0 s\n");
    }
}
