//! A model that does not fit: a file of 400 MB under a limit of the system of 40 % of it. Takes a minute and 400 MB of
//! the disk, so it runs with the long tests only: `cargo test -p timmy-engine --test capped -- --ignored --nocapture`.
//!
//! The limit is a memory control group, which counts the pages of the file that the system keeps as well.

#![expect(clippy::unwrap_used, reason = "a step that fails should stop the test")]
#![expect(clippy::disallowed_methods, reason = "it starts itself again as a process that may be killed")]

mod group;

use std::io::BufWriter;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use group::Group;
use timmy_engine::fixture::Fixture;
use timmy_engine::{LoadOptions, load};

/// Tokens that are said.
const TOKENS: usize = 8;
/// Tokens to look back on.
const CONTEXT_TOKENS: usize = 64;
/// What a process takes besides the model: its code, its libraries, the pages of its tables.
const PROCESS_BYTES: u64 = 16 << 20;
/// What tells a child which file to load, and within which budget in bytes.
const FILE: &str = "CAPPED_FILE";
const BUDGET: &str = "CAPPED_BUDGET";

/// Runs in a process of its own; does nothing when it is started as a test like any other.
#[test]
#[ignore = "is started by the test beside it"]
fn child() {
    let Ok(path) = std::env::var(FILE) else { return };
    let memory_budget_bytes = std::env::var(BUDGET).ok().map(|bytes| bytes.parse().unwrap());
    let options =
        LoadOptions { path: path.into(), memory_budget_bytes, threads: 1, context_length: Some(CONTEXT_TOKENS) };
    let mut model = load(&options).unwrap();
    let before = disk_bytes();
    let mut logits = model.forward(&[5, 300, 17, 400], 0).unwrap();
    let mut said = Vec::new();
    for _ in 0..TOKENS {
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        said.push(best.to_string());
        logits = model.forward(&[best as u32], model.length()).unwrap();
    }
    println!("\nsaid {}", said.join(" "));
    println!("planned {}", model.memory().bytes_read_per_pass);
    println!("read {}", disk_bytes() - before);
}

/// Bytes that the system read from the disk for this process.
fn disk_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("read_bytes: ")).unwrap().parse().unwrap()
}

/// Starts the child, within a group when there is one, with the file out of the page cache.
fn start(file: &Path, group: Option<&Group>, budget: Option<u64>) -> Output {
    let open = std::fs::File::open(file).unwrap();
    rustix::fs::fadvise(&open, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let me = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    // It joins the group itself, before it becomes the child, so that nothing it takes is counted elsewhere.
    let joins = group.map_or_else(|| "/dev/null".into(), Group::members);
    command.args(["-c", "echo $$ > \"$1\" && exec \"$2\" child --exact --ignored --nocapture", "sh"]);
    command.arg(joins).arg(me).env(FILE, file);
    match budget {
        Some(budget) => command.env(BUDGET, budget.to_string()),
        None => command.env_remove(BUDGET),
    };
    command.output().unwrap()
}

/// How many processes the system killed in a group for want of memory. The first version of groups tells it under one
/// name, the second under another.
fn kills(group: &Group) -> u64 {
    let told = ["memory.oom_control", "memory.events"].map(|name| group.members().with_file_name(name));
    let told = told.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    told.filter_map(|text| text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok()))
        .sum()
}

fn line<'a>(output: &'a str, name: &str) -> Option<&'a str> {
    output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

// shows: engine: a model of 400 MB runs under a limit of 40 % of it and says the same, and without streaming it dies
#[test]
#[ignore = "takes a minute and 400 MB of the disk"]
fn a_model_runs_under_a_limit_below_its_size_and_says_the_same() {
    // Beside the target and not in the folder for temporary files, which may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("middle.gguf");
    let open = std::fs::File::create(&file).unwrap();
    Fixture::middle().write(&mut BufWriter::new(&open)).unwrap();
    // What is not on the disk yet cannot be put out of the page cache, and would not be read from the disk.
    open.sync_all().unwrap();
    drop(open);
    let file_bytes = file.metadata().unwrap().len();
    let cap_bytes = file_bytes * 2 / 5;
    let group = match Group::new(cap_bytes) {
        Ok(group) => group,
        Err(why) => {
            println!("SKIPPED, so nothing is shown about a limit of memory: {why}");
            return;
        }
    };
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let free = start(&file, None, None);
    assert!(free.status.success(), "{free:?}");
    let wanted = text(&free);
    let wanted = line(&wanted, "said").unwrap();

    let budget_bytes = cap_bytes - PROCESS_BYTES;
    let capped = start(&file, Some(&group), Some(budget_bytes));
    let peak_bytes = group.peak_bytes();
    assert!(capped.status.success(), "{capped:?}");
    let capped = text(&capped);
    assert_eq!(line(&capped, "said"), Some(wanted));
    assert!(peak_bytes.is_none_or(|peak| peak <= cap_bytes), "{peak_bytes:?} of {cap_bytes}");
    // One pass for the prompt and one for each token; what does not fit was read in each.
    let [planned, read] = ["planned", "read"].map(|name| line(&capped, name).unwrap().parse::<u64>().unwrap());
    assert!(planned >= file_bytes - cap_bytes, "{planned} a pass");
    assert!(read >= planned * (TOKENS as u64 + 1) * 4 / 5, "{read} read, {planned} a pass");

    let whole = start(&file, Some(&group), None);
    assert!(line(&text(&whole), "said").is_none(), "it fits without streaming: {whole:?}");
    // Not for any reason, but killed by the system for want of memory.
    assert_eq!(whole.status.signal(), Some(9), "{whole:?}");
    assert!(kills(&group) >= 1, "nobody was killed within the limit");
    println!("cap {cap_bytes}, peak {peak_bytes:?}, {planned} read a pass, {read} together");
}
