//! The helper alone, for tests that cannot begin with it themselves.

use std::process::ExitCode;

fn main() -> ExitCode {
    timmy_tools::sandbox::helper(std::env::args_os()).unwrap_or(ExitCode::from(2))
}
