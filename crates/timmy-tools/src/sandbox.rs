//! The fence around every child process: what it may read, write, run and reach, enforced by the kernel.
//!
//! A child is never started directly. This program starts itself again as a helper, which takes everything from
//! itself that the [`Policy`] does not name, for good, and only then becomes the program that was asked for. There is
//! no argument to run without it; where the system cannot enforce enough, code that nobody vouches for is refused.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

pub mod kept;
pub(crate) mod order;
pub mod policy;
pub mod tier;

#[cfg(target_os = "linux")]
mod inside;

pub use policy::{Limits, Net, Policy};
pub use tier::{Fence, Tier, fence};

/// The hidden word after the program's name that makes it the helper.
pub const HELPER_WORD: &str = "sandbox-exec";

/// The program that [`helper`] was called from, or a stand-in named by [`use_helper`].
static HELPER: OnceLock<PathBuf> = OnceLock::new();

/// Begins the fence: call this first thing in `main`, before any thread exists. Gives the exit code when this process
/// was started as the helper and could not become the program it was to become; `None` when it goes on as itself.
///
/// `arguments` are those of the process, its own name first.
pub fn helper(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut words = arguments.into_iter().skip(1);
    if words.next().is_some_and(|word| word == HELPER_WORD) {
        return Some(run_helper(words.next().is_some_and(|word| word == INNER_WORD)));
    }
    // The running program itself, also after the file was replaced or removed: helper and house are always one.
    HELPER.set(PathBuf::from("/proc/self/exe")).ok();
    None
}

/// Names another program that begins with [`helper`], for tests and benchmarks that cannot begin with it themselves.
/// Only the first call of either counts.
pub fn use_helper(program: impl Into<PathBuf>) {
    HELPER.set(program.into()).ok();
}

/// The second word of the helper within its own namespaces.
pub(crate) const INNER_WORD: &str = "inside";

#[cfg(target_os = "linux")]
fn run_helper(inner: bool) -> ExitCode {
    inside::run(inner)
}

#[cfg(not(target_os = "linux"))]
fn run_helper(_inner: bool) -> ExitCode {
    ExitCode::from(order::EXIT_HELPER_FAILED)
}

/// The program that can be started as the helper.
pub(crate) fn helper_program() -> Option<PathBuf> {
    HELPER.get().cloned().or_else(built_beside)
}

/// In a development build, the helper that stands beside the tests of other crates.
fn built_beside() -> Option<PathBuf> {
    if !cfg!(debug_assertions) {
        return None;
    }
    let own = std::fs::read_link("/proc/self/exe").ok()?;
    let folder = own.parent()?;
    let near = [Some(folder), folder.parent()].into_iter().flatten().map(|at| at.join("timmy-sandbox"));
    near.into_iter().find(|at| at.is_file())
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
