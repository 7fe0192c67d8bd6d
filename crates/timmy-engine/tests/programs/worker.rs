//! The worker alone, and the fence it runs in, for tests that cannot begin with them themselves.

use std::process::ExitCode;

fn main() -> ExitCode {
    let helper = timmy_tools::sandbox::helper(std::env::args_os());
    helper.or_else(|| timmy_engine::worker::entry(std::env::args_os())).unwrap_or(ExitCode::from(2))
}
