//! The figures of the whole house, measured from outside on the release binary. Run all with
//! `cargo bench --package timmy --bench house`, or some: `… -- start memory pages feed spawn tasks gateway`. `home=DIR` keeps the
//! furnished home there and uses it again; `binary=FILE` measures another binary.
//!
//! Each figure is printed as one line that begins with `figure`, which `cargo xtask bench` gathers into
//! docs/performance.md.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed measurement should stop")]
#![expect(clippy::panic, reason = "a failed measurement should stop")]
#![expect(clippy::disallowed_methods, reason = "it measures real time and real processes")]

mod feed;
mod figure;
mod furnish;
mod gateway;
mod http;
mod memory;
mod pages;
mod server;
mod spawn;
mod start;
mod tasks;

use std::path::Path;

/// Events of the full home.
const EVENTS: usize = 1_000_000;
/// Thoughts of the full home.
const THOUGHTS: usize = 10_000;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |name: &str| asked.iter().all(|a| a.contains('=')) || asked.iter().any(|a| a == name);
    let said = |name: &str| asked.iter().find_map(|a| a.strip_prefix(name)).map(std::path::PathBuf::from);
    server::BINARY.set(said("binary=").unwrap_or_else(|| env!("CARGO_BIN_EXE_timmy").into())).unwrap();
    let room = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let full = said("home=").unwrap_or_else(|| room.path().join("full"));
    if (wanted("start") || wanted("memory") || wanted("pages")) && !full.join("timmy.db").exists() {
        furnish::furnish(&full, EVENTS, THOUGHTS);
    }
    if wanted("start") {
        start::measure(room.path(), &full);
    }
    if wanted("spawn") {
        spawn::measure();
    }
    if wanted("pages") {
        pages::measure(&full);
    }
    if wanted("feed") {
        feed::measure(&room.path().join("feed"));
    }
    if wanted("tasks") {
        let tasks = room.path().join("tasks");
        fresh(&tasks);
        tasks::measure(&tasks);
    }
    if wanted("gateway") {
        gateway::measure(room.path());
    }
    if wanted("memory") {
        memory::measure(&room.path().join("empty"), &full);
    }
}

/// A home of its own at `path`.
fn fresh(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
}
