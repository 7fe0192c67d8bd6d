//! The private folder of one child, and what is done about those that outlived their house.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, test_kill_process};

/// Where private folders are made.
const SCRATCH_ROOT: &str = "/tmp";
/// How the name of each begins; the number of the process and a count follow.
const PREFIX: &str = "timmy-";
/// How long nobody must have changed a folder before it may be taken for left behind. A process of another container
/// that shares the place cannot be seen from here.
const ABANDONED_SECONDS: u64 = 3_600;
/// Folders that one start takes away; the next one goes on.
const SWEPT_MAX: usize = 1_000;

/// A private folder with a home and a place for passing files; it goes with this value.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make() -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let root = fs::canonicalize(SCRATCH_ROOT)?;
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = root.join(format!("{PREFIX}{}-{number}", std::process::id()));
            let mut folder = DirBuilder::new();
            folder.mode(0o700);
            // Never one that is there already: somebody else may have put it in the way.
            match folder.create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made?;
                    let made = Self(path);
                    folder.create(made.0.join("home"))?;
                    folder.create(made.0.join("tmp"))?;
                    return Ok(made);
                }
            }
        }
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a child made unreadable stays; it lies in a folder only this user may enter.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Takes away, once in the life of this process and beside everything else, the folders of houses that were killed.
/// What time it is, in the clock of the file system, is told by `young`, which was made just now.
pub(super) fn sweep_once(young: &Scratch) {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        let Ok(now) = fs::metadata(young.path()).and_then(|made| made.modified()) else { return };
        tokio::task::spawn_blocking(move || sweep(Path::new(SCRATCH_ROOT), now));
    });
}

/// Takes away the private folders in `root` that outlived their process; how many there were.
fn sweep(root: &Path, now: SystemTime) -> usize {
    let own = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir(root) else { return 0 };
    let abandoned = entries.flatten().filter(|entry| {
        let Some(pid) = entry.file_name().to_str().and_then(maker) else { return false };
        // A link is none of ours, whatever it leads to.
        let Ok(found) = fs::symlink_metadata(entry.path()) else { return false };
        let age = found.modified().ok().and_then(|changed| now.duration_since(changed).ok());
        found.is_dir()
            && found.uid() == own
            && age.is_some_and(|age| age >= Duration::from_secs(ABANDONED_SECONDS))
            && test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
    });
    abandoned.take(SWEPT_MAX).filter(|entry| fs::remove_dir_all(entry.path()).is_ok()).count()
}

/// The process that made a folder of this name.
fn maker(name: &str) -> Option<Pid> {
    let (pid, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u64>().ok()?;
    pid.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that has ended, so that its number belongs to nobody.
    #[expect(clippy::disallowed_methods, reason = "a process without a fence, which only ends")]
    fn ended() -> u32 {
        let mut child = std::process::Command::new("true").spawn().expect("starts");
        let id = child.id();
        child.wait().expect("ends");
        id
    }

    // shows: process: private folders of a house that was killed are taken away by a later one, and no others
    #[test]
    fn a_killed_process_left_its_private_folders_for_ever() {
        let root = tempfile::tempdir().expect("a folder");
        let (dead, alive) = (ended(), std::process::id());
        let left = format!("timmy-{dead}-0");
        let stay =
            [format!("timmy-{alive}-0"), "timmy-shot-x".into(), format!("other-{dead}-0"), format!("timmy-{dead}")];
        for name in stay.iter().chain([&left]) {
            fs::create_dir_all(root.path().join(name).join("home")).expect("made");
        }
        let target = tempfile::tempdir().expect("a folder");
        fs::write(target.path().join("kept"), "x").expect("written");
        std::os::unix::fs::symlink(target.path(), root.path().join(format!("timmy-{dead}-1"))).expect("a link");
        let now = fs::metadata(root.path()).and_then(|made| made.modified()).expect("a time");
        assert_eq!(sweep(root.path(), now), 0, "what is young may be of a house that cannot be seen");
        assert_eq!(sweep(root.path(), now + Duration::from_secs(ABANDONED_SECONDS + 60)), 1);
        assert!(!root.path().join(left).exists());
        assert!(stay.iter().all(|name| root.path().join(name).join("home").exists()));
        assert!(target.path().join("kept").exists() && root.path().join(format!("timmy-{dead}-1")).exists());
    }
}
