//! Finding the program and the folder a plan names, and finding them again before it is carried out.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use timmy_domain::digest::Digest;
use timmy_domain::plan::{Exe, FileTouch, How, Place};

use super::files::way::{self, Want};
use crate::ToolError;
use crate::process::PATH_STANDARD;
use crate::sandbox::policy::SYSTEM_PROGRAMS;
use crate::tool::scope::{Grants, Identity, Within, shown};

/// Bytes of a program that are hashed.
const PROGRAM_BYTES_MAX: u64 = 1 << 30;

/// Files named on a command line that are pinned.
const FILES_MAX: usize = 64;

/// The program `name`: one of the standard places, or a whole path of a program of the system or of the folders `more`.
///
/// # Errors
/// [`ToolError::NotInstalled`], and [`ToolError::Refused`] for what is no such program.
pub fn find(name: &str, more: &[PathBuf]) -> Result<Exe, ToolError> {
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(|path| path.is_absolute())
    } else {
        PATH_STANDARD.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
    };
    let missing = || ToolError::NotInstalled { program: shown(name) };
    let path = found.and_then(|path| path.canonicalize().ok()).filter(|path| path.is_file());
    let Some(path) = path else {
        let outside = name.contains('/') && !name.starts_with('/');
        return Err(if outside { foreign(name) } else { missing() });
    };
    let system = |folder: &str| Path::new(folder).canonicalize().is_ok_and(|folder| path.starts_with(folder));
    let may_run =
        || SYSTEM_PROGRAMS.iter().any(|folder| system(folder)) || more.iter().any(|own| path.starts_with(own));
    let Some(text) = path.to_str().filter(|_| may_run()) else {
        return Err(foreign(name));
    };
    let failed = |source| ToolError::io(format!("reading {}", shown(name)), source);
    Ok(Exe { path: text.to_owned(), sha256: hash(&path).map_err(failed)? })
}

fn foreign(name: &str) -> ToolError {
    let message = format!("{} is no program of this system.", shown(name));
    ToolError::refused(
        "foreign_program",
        message,
        "Run it with a program of the system, such as python3 with the file as argument.",
    )
}

fn hash(path: &Path) -> io::Result<Digest> {
    let file = File::open(path)?;
    if file.metadata()?.len() > PROGRAM_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut hasher = Sha256::new();
    io::copy(&mut io::BufReader::with_capacity(256 * 1024, file), &mut hasher)?;
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

/// The folder `within` names, as a plan pins it.
///
/// # Errors
/// What the way to it gives.
pub fn place(grants: &Grants, within: &Within<'_>) -> Result<Place, ToolError> {
    let Identity { dev, inode } = way::identity(grants, within)?;
    Ok(Place { path: within.path(), dev, inode })
}

/// The regular files in granted folders that `words` name, from the folder `within`: a script that is swapped after it
/// was approved is another script.
///
/// # Errors
/// [`ToolError::Refused`] when there are more than can be pinned.
pub fn named_files(grants: &Grants, within: &Within<'_>, words: &[String]) -> Result<Vec<FileTouch>, ToolError> {
    let base = within.path();
    let mut files: Vec<FileTouch> = Vec::new();
    for word in words {
        // Also the value of an option, as in --file=x.
        let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
        for name in [word.as_str(), value] {
            let whole = if name.starts_with('/') { name.to_owned() } else { format!("{base}/{name}") };
            if name.is_empty() || fs::symlink_metadata(&whole).is_err() {
                continue;
            }
            let Ok(there) = grants.within(&whole) else { continue };
            let Ok(snapshot) = way::spot(grants, &there, Want::Read, false).and_then(|spot| spot.snapshot()) else {
                continue;
            };
            let Identity { dev, inode } = snapshot.identity;
            let touch =
                FileTouch { path: there.path(), dev, inode, how: How::Read, before_sha256: Some(snapshot.sha256) };
            if !files.contains(&touch) {
                files.push(touch);
            }
        }
        if files.len() > FILES_MAX {
            let message = format!("More than {FILES_MAX} files are named.");
            return Err(ToolError::refused("too_many_files", message, "Name the folder, or do it in parts."));
        }
    }
    Ok(files)
}
