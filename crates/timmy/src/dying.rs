//! Dying at a chosen moment, for the crash tests of a development build. A release build leaves this file out.
//!
//! `TIMMY_TEST_DIE` names a file. Once it exists, commits are counted; it says at which of them the process kills itself
//! with SIGKILL, as `before 12` or `after 12`: with the twelfth commit still undone, or done and told to nobody.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use timmy_store::moments::{Moment, watch};

static FILE: OnceLock<PathBuf> = OnceLock::new();
static COMMITS: AtomicU64 = AtomicU64::new(0);

/// Listens for the moment, where a test asks for one.
#[expect(clippy::disallowed_methods, reason = "this is the binary, and a setting would exist in a release build too")]
pub fn prepare() {
    if let Some(file) = std::env::var_os("TIMMY_TEST_DIE") {
        let _ = FILE.set(PathBuf::from(file));
        watch(reached);
    }
}

fn reached(moment: Moment) {
    let Some(order) = FILE.get().and_then(|file| std::fs::read_to_string(file).ok()) else { return };
    let count = match moment {
        Moment::BeforeCommit => COMMITS.fetch_add(1, Ordering::SeqCst) + 1,
        Moment::AfterCommit => COMMITS.load(Ordering::SeqCst),
    };
    let word = if moment == Moment::BeforeCommit { "before" } else { "after" };
    if order.trim() == format!("{word} {count}") {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
