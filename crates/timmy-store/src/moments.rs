//! Named moments in the life of the writer at which a development build can be made to die. A release build has none:
//! this file, and every call of it, is left out there.

use std::sync::OnceLock;

/// A moment around a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The batch stands in its transaction, and nothing of it is on the disk.
    BeforeCommit,
    /// The batch is on the disk, and nobody was told.
    AfterCommit,
}

static WATCHER: OnceLock<fn(Moment)> = OnceLock::new();

/// Has `watcher` called at every moment from now on, on the writer's thread. The first watcher stays.
pub fn watch(watcher: fn(Moment)) {
    let _ = WATCHER.set(watcher);
}

/// Says that `moment` has come.
pub(crate) fn reached(moment: Moment) {
    if let Some(watcher) = WATCHER.get() {
        watcher(moment);
    }
}
