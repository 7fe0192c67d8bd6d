//! The binary: see the library for everything.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, before there is any thread: this process may be the fence around a child.
    timmy_tools::sandbox::helper(std::env::args_os()).unwrap_or_else(timmy::commands::main)
}
