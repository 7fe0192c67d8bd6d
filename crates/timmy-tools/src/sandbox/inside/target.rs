//! The program and the folder it starts in: found, and still those that were looked at.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{FdFlags, fcntl_setfd};
use sha2::{Digest, Sha256};

use super::{Done, Failure};
use crate::process::PATH_STANDARD;
use crate::sandbox::order::{Known, Order};

/// Bytes of a file read at once for its hash.
const PART_BYTES: usize = 64 * 1024;

/// The program, as it will be started.
pub(super) struct Target {
    path: PathBuf,
    /// The file that was checked; it is this one that runs, whatever its path leads to by then.
    checked: Option<File>,
}

impl Target {
    /// What starts it.
    pub(super) fn command(&self, order: &Order) -> Command {
        let path = match &self.checked {
            Some(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            None => self.path.clone(),
        };
        #[expect(clippy::disallowed_methods, reason = "the inside of the one place that starts processes")]
        let mut command = Command::new(path);
        command.arg0(&self.path).args(&order.args).env_clear();
        command.envs(order.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Finds the program in the standard places, or at its path, and checks it against what is known.
pub(super) fn find(order: &Order) -> Done<Target> {
    let path = look_up(&order.program).ok_or_else(|| Failure::new("not_installed", order.program.to_string_lossy()))?;
    if order.program_known == Known::default() {
        return Ok(Target { path, checked: None });
    }
    let changed = |why: String| Failure::new("changed", format!("{} {why}", path.display()));
    let mut file = File::open(&path).map_err(|error| changed(format!("cannot be read: {error}")))?;
    let before = file.metadata().map_err(|error| changed(error.to_string()))?;
    if order.program_known.file.is_some_and(|known| known != (before.dev(), before.ino())) {
        return Err(changed("is another file than the one that was approved".to_owned()));
    }
    let (sha256, script) = hash(&mut file).map_err(|error| changed(format!("cannot be read: {error}")))?;
    let after = file.metadata().map_err(|error| changed(error.to_string()))?;
    let same = (before.len(), before.ctime(), before.ctime_nsec()) == (after.len(), after.ctime(), after.ctime_nsec());
    if !same || order.program_known.sha256.as_ref().is_some_and(|known| *known != sha256) {
        return Err(changed("does not hold what was approved".to_owned()));
    }
    if script {
        // Its interpreter opens it anew through this handle.
        fcntl_setfd(&file, FdFlags::empty()).map_err(|error| changed(error.to_string()))?;
    }
    Ok(Target { path, checked: Some(file) })
}

/// Goes into the folder of the order, if it is still the one that was looked at.
pub(super) fn enter_folder(order: &Order) -> Done<()> {
    let Some(path) = &order.folder else { return go("/") };
    let failed = |error: io::Error| Failure::new("folder", format!("{}: {error}", path.display()));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = File::from(open(path, flags, Mode::empty()).map_err(|error| failed(error.into()))?);
    let found = folder.metadata().map_err(failed)?;
    if order.folder_known.file.is_some_and(|known| known != (found.dev(), found.ino())) {
        return Err(Failure::new(
            "changed",
            format!("{} is another folder than the one that was approved", path.display()),
        ));
    }
    rustix::process::fchdir(&folder).map_err(|error| failed(error.into()))
}

fn go(path: &str) -> Done<()> {
    rustix::process::chdir(path).map_err(|error| Failure::new("folder", error))
}

fn look_up(program: &OsString) -> Option<PathBuf> {
    let runs = |path: &PathBuf| fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    if program.to_string_lossy().contains('/') {
        let path = PathBuf::from(program);
        return path.is_file().then_some(path);
    }
    PATH_STANDARD.split(':').map(|folder| Path::new(folder).join(program)).find(runs)
}

/// The hash of a file, and whether it begins as a script does.
fn hash(file: &mut File) -> io::Result<(String, bool)> {
    let mut hash = Sha256::new();
    let (mut part, mut script, mut first) = (vec![0; PART_BYTES], false, true);
    loop {
        let count = file.read(&mut part)?;
        if count == 0 {
            return Ok((hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), script));
        }
        script |= first && part[..count].starts_with(b"#!");
        first = false;
        hash.update(&part[..count]);
    }
}
