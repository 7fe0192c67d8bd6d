//! A memory control group of this test's own, in either version of the interface.

use std::fs;
use std::path::{Path, PathBuf};

/// A group with a limit. Removed at the end.
pub struct Group {
    folder: PathBuf,
    peak: &'static str,
}

impl Group {
    /// Makes a group that may hold `cap_bytes`, page cache included.
    ///
    /// # Errors
    /// Why this machine gives none, in words.
    pub fn new(cap_bytes: u64) -> Result<Self, String> {
        let root = Path::new("/sys/fs/cgroup");
        let first = root.join("memory");
        let (parent, limit, peak) = if first.join("memory.limit_in_bytes").exists() {
            (first, "memory.limit_in_bytes", "memory.max_usage_in_bytes")
        } else if fs::read_to_string(root.join("cgroup.subtree_control")).is_ok_and(|list| list.contains("memory")) {
            (root.to_owned(), "memory.max", "memory.peak")
        } else {
            return Err("there are no memory control groups here".to_owned());
        };
        let folder = parent.join(format!("timmy-capped-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        let group = Self { folder, peak };
        let set = |name: &str, value: &str| fs::write(group.folder.join(name), value);
        set(limit, &cap_bytes.to_string()).map_err(|error| format!("{limit} cannot be set: {error}"))?;
        // What goes out to swap would hide what does not fit. Where this cannot be set there is no swap to be had.
        let _ = set("memory.swap.max", "0");
        let _ = set("memory.memsw.limit_in_bytes", &cap_bytes.to_string());
        Ok(group)
    }

    /// Where a process writes its number to join.
    pub fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// The most that was held so far; `None` on systems before Linux 5.19 with the second version.
    pub fn peak_bytes(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join(self.peak)).ok()?.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last process may still be going.
        for _ in 0..50 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
