//! The worker: this program started again as a child, in which the model lives.
//!
//! An abort, a hang or an end for want of memory costs the child and the answer it was making, never Timmy. It runs in
//! the fence of the house: it may read the one model file, reaches no network, and may take only so much memory.

use std::ffi::OsString;
use std::process::ExitCode;

mod child;
pub mod frame;
mod inside;
mod keeper;
mod state;
pub mod threads;
pub mod words;

pub use child::CallWorker;
pub use inside::TEXTS_MAX;
pub use keeper::{Keeper, QUEUE_MAX, Told};
pub(crate) use keeper::{Wanted, Work};
pub use state::{WorkerPhase, WorkerState};

/// The hidden word after the program's name that makes it the worker.
pub const WORKER_WORD: &str = "engine-worker";

/// The gentlest niceness there is.
const NICENESS_MAX: i32 = 19;

/// Becomes the worker when the arguments say so: call this first in `main`. Gives the exit code when this process was
/// the worker; `None` when it goes on as itself. `arguments` are those of the process, its own name first.
pub fn entry(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut words = arguments.into_iter().skip(1);
    if words.next().is_none_or(|word| word != WORKER_WORD) {
        return None;
    }
    let niceness = words.next().and_then(|word| word.to_str()?.parse::<i32>().ok()).unwrap_or(0);
    // Only asked for: a system that refuses runs it as it is.
    rustix::process::nice(niceness.clamp(0, NICENESS_MAX)).ok();
    Some(inside::run())
}
