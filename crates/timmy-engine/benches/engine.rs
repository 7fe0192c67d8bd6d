//! What the engine says in a second: a model of 400 MB on one thread, whole and under a limit of memory, beside llama.cpp
//! where that is installed. Run with `cargo bench -p timmy-engine --bench engine`. Lines that begin with `figure` go into
//! docs/performance.md.
//!
//! The peer is the package `xllamacpp` of the Python that `PEER_PYTHON` names (`python3` otherwise). Both take turns,
//! because on a shared machine only figures of one minute can be held against each other; each turn is a process of its
//! own. The limit is a memory control group, which counts the pages of the file that the system keeps as well; the file
//! is put out of those first.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::unwrap_used, reason = "a failed measurement should stop")]
#![expect(clippy::disallowed_methods, reason = "each turn is a process of its own")]

#[path = "../tests/capped/group.rs"]
mod group;

use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use group::Group;
use timmy_engine::fixture::Fixture;
use timmy_engine::{LoadOptions, load};

/// Tokens that are said in each turn.
const TOKENS: usize = 32;
/// Tokens that are said in a turn under a limit.
const CAPPED_TOKENS: usize = 8;
/// Turns of each.
const ROUNDS: usize = 5;
/// Turns of each under a limit.
const CAPPED_ROUNDS: usize = 3;
/// Limits in hundredths of the file, and what the share of the peer's speed is to be.
const LIMITS: [(u64, &str); 2] = [(40, "≥ 0.9"), (25, "≥ 1.3")];
/// What a process takes besides the model: its code, its libraries, the pages of its tables.
const PROCESS_BYTES: u64 = 16 << 20;
/// Tokens to look back on.
const CONTEXT_TOKENS: usize = 256;
/// Tokens of the prompt.
const PROMPT: [u32; 9] = [312, 265, 508, 302, 286, 445, 279, 674, 358];
const PEER: &str = include_str!("peer.py");
/// The first argument of a turn of this engine; the file, the budget or 0, and the tokens follow.
const TURN: &str = "turn";

/// One turn of this engine, within the process that was started for it.
fn turn(path: &str, budget_bytes: u64, tokens: usize) {
    let memory_budget_bytes = (budget_bytes > 0).then_some(budget_bytes);
    let path = path.into();
    let options = LoadOptions { path, memory_budget_bytes, threads: 1, context_length: Some(CONTEXT_TOKENS) };
    let mut model = load(&options).unwrap();
    let mut logits = model.forward(&PROMPT, 0).unwrap();
    let start = Instant::now();
    for _ in 0..tokens {
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        logits = model.forward(&[u32::try_from(best).unwrap()], model.length()).unwrap();
    }
    println!("\nspeed {}", tokens as f64 / start.elapsed().as_secs_f64());
}

/// Tokens a second that a process says, within a group when there is one.
fn speed(command: &mut Command, group: Option<&Group>) -> Option<f64> {
    let joins = group.map_or_else(|| "/dev/null".into(), Group::members);
    let mut shell = Command::new("sh");
    // It joins the group itself, before it becomes the process, so that nothing it takes is counted elsewhere.
    shell.args(["-c", "echo $$ > \"$1\" && shift && exec \"$@\"", "sh"]).arg(joins);
    let said = shell.arg(command.get_program()).args(command.get_args()).output().ok()?;
    String::from_utf8_lossy(&said.stdout).lines().find_map(|line| line.strip_prefix("speed ")?.parse().ok())
}

/// A turn of this engine.
fn own(path: &Path, budget_bytes: u64, tokens: usize, group: Option<&Group>) -> f64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(TURN).arg(path).args([budget_bytes.to_string(), tokens.to_string()]);
    speed(&mut command, group).unwrap()
}

/// A turn of the peer; `None` when it is not installed, or dies.
fn peer(path: &Path, tokens: usize, group: Option<&Group>) -> Option<f64> {
    let mut command = Command::new(std::env::var("PEER_PYTHON").unwrap_or_else(|_| "python3".to_owned()));
    command.args(["-c", PEER]).arg(path).arg(tokens.to_string()).arg(CONTEXT_TOKENS.to_string());
    speed(command.args(PROMPT.map(|token| token.to_string())), group)
}

/// The middle one, and the least and the most as text.
fn middle(mut list: Vec<f64>, digits: usize) -> (String, String) {
    list.sort_by(f64::total_cmp);
    let (least, most) = (list[0], list[list.len() - 1]);
    (format!("{:.digits$}", list[list.len() / 2]), format!("{least:.digits$} to {most:.digits$}"))
}

/// Writes the figures of some turns.
fn tell(what: &str, mine: Vec<f64>, shares: Vec<f64>, bound: &str) {
    let (value, spread) = middle(mine, 1);
    println!("figure\t{what}\t{value} tokens/s\t\t{spread}");
    if shares.is_empty() {
        println!("engine: llama.cpp (the Python package xllamacpp) is not installed, so nothing stands beside it");
    } else {
        let (value, spread) = middle(shares, 2);
        println!("figure\tThe same as a share of llama.cpp's tokens/s\t{value}\t{bound}\t{spread}");
    }
}

/// Turns under a limit, with the file put out of the page cache before each.
fn capped(path: &Path, percent: u64, bound: &str) -> Result<(), String> {
    let cap_bytes = path.metadata().unwrap().len() * percent / 100;
    let evict = || {
        let file = std::fs::File::open(path).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    };
    let (mut mine, mut shares) = (Vec::new(), Vec::new());
    for _ in 0..CAPPED_ROUNDS {
        evict();
        let group = Group::new(cap_bytes)?;
        mine.push(own(path, cap_bytes - PROCESS_BYTES, CAPPED_TOKENS, Some(&group)));
        assert!(group.peak_bytes().is_none_or(|peak| peak <= cap_bytes), "{:?}", group.peak_bytes());
        drop(group);
        evict();
        let group = Group::new(cap_bytes)?;
        shares.extend(peer(path, CAPPED_TOKENS, Some(&group)).map(|peer| mine[mine.len() - 1] / peer));
    }
    tell(&format!("The same within a limit of {percent} % of it"), mine, shares, bound);
    Ok(())
}

fn main() {
    let asked: Vec<String> = std::env::args().collect();
    if let [_, what, path, budget_bytes, tokens] = &asked[..]
        && what == TURN
    {
        turn(path, budget_bytes.parse().unwrap(), tokens.parse().unwrap());
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("middle.gguf");
    let file = std::fs::File::create(&path).unwrap();
    Fixture::middle().write(&mut BufWriter::new(&file)).unwrap();
    // What is not on the disk yet cannot be put out of the page cache.
    file.sync_all().unwrap();
    let (mut whole, mut shares) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mine = own(&path, 0, TOKENS, None);
        whole.push(mine);
        shares.extend(peer(&path, TOKENS, None).map(|peer| mine / peer));
    }
    tell("A model of 400 MB, one thread, whole", whole, shares, "≥ 0.95");
    for (percent, bound) in LIMITS {
        if let Err(why) = capped(&path, percent, bound) {
            println!("engine: nothing is measured under a limit of memory: {why}");
        }
    }
}
