//! What the engine says in a second: a model of 400 MB on one thread, whole and streamed, beside llama.cpp where that is
//! installed. Run with `cargo bench -p timmy-engine --bench engine`. Lines that begin with `figure` go into
//! docs/performance.md.
//!
//! The peer is the package `xllamacpp` of the Python that `PEER_PYTHON` names (`python3` otherwise). Both take turns,
//! because on a shared machine only figures of one minute can be held against each other.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::unwrap_used, reason = "a failed measurement should stop")]
#![expect(clippy::disallowed_methods, reason = "the peer is a process of its own")]

use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use timmy_engine::fixture::Fixture;
use timmy_engine::{LoadOptions, load};

/// Tokens that are said in each turn.
const TOKENS: usize = 32;
/// Turns of each.
const ROUNDS: usize = 5;
/// Tokens to look back on.
const CONTEXT_TOKENS: usize = 256;
/// Tokens of the prompt.
const PROMPT: [u32; 9] = [312, 265, 508, 302, 286, 445, 279, 674, 358];
const PEER: &str = include_str!("peer.py");

/// Tokens a second after the prompt.
fn own(path: &Path, memory_budget_bytes: Option<u64>) -> f64 {
    let path = path.to_owned();
    let options = LoadOptions { path, memory_budget_bytes, threads: 1, context_length: Some(CONTEXT_TOKENS) };
    let mut model = load(&options).unwrap();
    let mut logits = model.forward(&PROMPT, 0).unwrap();
    let start = Instant::now();
    for _ in 0..TOKENS {
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        logits = model.forward(&[u32::try_from(best).unwrap()], model.length()).unwrap();
    }
    TOKENS as f64 / start.elapsed().as_secs_f64()
}

/// The same by the peer; `None` when it is not installed.
fn peer(path: &Path) -> Option<f64> {
    let python = std::env::var("PEER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command.args(["-c", PEER]).arg(path).arg(TOKENS.to_string()).arg(CONTEXT_TOKENS.to_string());
    let said = command.args(PROMPT.map(|token| token.to_string())).output().ok()?;
    String::from_utf8_lossy(&said.stdout).lines().find_map(|line| line.strip_prefix("speed ")?.parse().ok())
}

/// The middle one, and the least and the most as text.
fn middle(mut list: Vec<f64>, digits: usize) -> (String, String) {
    list.sort_by(f64::total_cmp);
    let (least, most) = (list[0], list[list.len() - 1]);
    (format!("{:.digits$}", list[list.len() / 2]), format!("{least:.digits$} to {most:.digits$}"))
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("middle.gguf");
    Fixture::middle().write(&mut BufWriter::new(std::fs::File::create(&path).unwrap())).unwrap();
    let bytes = path.metadata().unwrap().len();
    let (mut whole, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mine = own(&path, None);
        whole.push(mine);
        ratios.extend(peer(&path).map(|peer| mine / peer));
    }
    let (value, spread) = middle(whole, 1);
    println!("figure\tA model of 400 MB, one thread, whole\t{value} tokens/s\t\t{spread}");
    if ratios.is_empty() {
        println!("engine: llama.cpp (the Python package xllamacpp) is not installed, so nothing stands beside it");
    } else {
        let (value, spread) = middle(ratios, 2);
        println!("figure\tThe same as a share of llama.cpp's tokens/s\t{value}\t≥ 0.95\t{spread}");
    }
    for percent in [40, 25] {
        let speeds = (0..3).map(|_| own(&path, Some(bytes * percent / 100))).collect();
        let (value, spread) = middle(speeds, 1);
        println!("figure\tThe same with memory for {percent} % of it\t{value} tokens/s\t\t{spread}");
    }
}
