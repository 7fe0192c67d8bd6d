//! The binary: see the library for everything.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, before there is any thread: this process may be the fence around a child, or the engine's worker.
    let helper = timmy_tools::sandbox::helper(std::env::args_os());
    let child = helper.or_else(|| timmy_engine::worker::entry(std::env::args_os()));
    child.unwrap_or_else(timmy::commands::main)
}
