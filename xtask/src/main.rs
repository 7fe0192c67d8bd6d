//! The house's automation: `cargo xtask tidy | gen | ci | e2e`.
//!
//! People, `make` and `.ci/run` all come through here, so that nobody runs different checks.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

mod bench;
mod ci;
mod e2e;
mod finding;
mod fuzz;
mod gen_docs;
mod llama;
mod order;
mod peers;
mod rust;
mod schemathesis;
mod shell;
mod status;
mod tidy;
mod toolservers;
mod tree;
mod venv;

const USAGE: &str = "\
cargo xtask tidy [--rules]         check the house rules; --rules lists them
cargo xtask gen [--check] [--binary PATH]
                                   write the generated documents, or compare them
cargo xtask ci [--quick] [--long]  every check in order, with times; --quick leaves out the browser,
                                   --long adds the long tests, the release build, schemathesis and fuzzing
cargo xtask e2e [--binary PATH] [--only PATTERN]
                                   the journeys in a real browser
cargo xtask bench [--only HEADING]  the benchmarks; all together write docs/performance.md
cargo xtask schemathesis [--binary PATH] [--examples N]
                                   what the OpenAPI document says, asked of a real house
cargo xtask toolservers            the official servers and clients of tools as live peers
cargo xtask peers                  llama.cpp's server and OpenAI's client as live peers
cargo xtask llama                  the optional engine llama.cpp, built from source and tested
cargo xtask fuzz [--only TARGET] [--seconds N]
                                   the fuzz targets, each for N seconds
cargo xtask order                  note in which order a house first runs its functions, for the linker
cargo xtask freeze                 print the lines that freeze the migrations as they are";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the command; `false` means that it ran and found something.
fn run(arguments: &[String]) -> anyhow::Result<bool> {
    let root = root()?;
    let (command, rest) = arguments.split_first().with_context(|| format!("say what to do:\n{USAGE}"))?;
    let flags = Flags::read(rest)?;
    match command.as_str() {
        "tidy" if flags.has("--rules") => {
            finding::print_rules();
            Ok(true)
        }
        "tidy" => tidy::run(&root),
        "gen" => gen_docs::run(&root, flags.value("--binary").map(Path::new), flags.has("--check")),
        "ci" => Ok(ci::run(&root, flags.has("--quick"), flags.has("--long"))),
        "e2e" => e2e::run(&root, flags.value("--binary").map(Path::new), flags.value("--only")),
        "schemathesis" => schemathesis::run(&root, flags.value("--binary").map(Path::new), flags.value("--examples")),
        "toolservers" => toolservers::run(&root),
        "peers" => peers::run(&root),
        "llama" => llama::run(&root),
        "fuzz" => fuzz::run(&root, flags.value("--only"), flags.value("--seconds")),
        "order" => order::run(&root),
        "bench" => bench::run(&root, flags.value("--only")),
        "freeze" => {
            print!("{}", tidy::frozen::lines(&tree::Tree::read(&root)?));
            Ok(true)
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(true)
        }
        other => bail!("no such command: {other}\n{USAGE}"),
    }
}

/// The root of the workspace: the folder above this crate's.
fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A binary that was moved with its tree still finds the tree it is run in.
    if here.join("Cargo.toml").is_file() {
        here.parent().map(Path::to_path_buf).context("xtask lies at the root of the file system")
    } else {
        std::env::current_dir().context("the current folder cannot be read")
    }
}

/// Flags after the command: `--name` or `--name VALUE`.
struct Flags(Vec<(String, Option<String>)>);

impl Flags {
    const WITH_VALUE: [&str; 4] = ["--binary", "--examples", "--only", "--seconds"];
    const WITHOUT: [&str; 4] = ["--check", "--quick", "--long", "--rules"];

    fn read(arguments: &[String]) -> anyhow::Result<Self> {
        let mut flags = Vec::new();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = if Self::WITH_VALUE.contains(&name.as_str()) {
                Some(rest.next().with_context(|| format!("{name} wants a value"))?.clone())
            } else if Self::WITHOUT.contains(&name.as_str()) {
                None
            } else {
                bail!("no such flag: {name}\n{USAGE}");
            };
            flags.push((name.clone(), value));
        }
        Ok(Self(flags))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.as_deref())
    }
}
