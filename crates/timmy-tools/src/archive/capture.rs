//! Taking a small folder into memory as it is at one moment, so that what is packed fits together.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{Body, ENTRIES_MAX, Source, is_plain};
use crate::ToolError;

/// How often a folder that changes under our eyes is read anew.
const TRIES_MAX: usize = 20;

/// Things left out that are named.
const LEFT_OUT_MAX: usize = 100;

/// Folders inside folders that are followed.
const DEPTH_MAX: usize = 32;

/// A folder in memory.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Its files.
    pub files: Vec<Source>,
    /// Its folders, itself included.
    pub folders: Vec<String>,
    /// What could not be taken: links, sockets, names too long; at most 100.
    pub left_out: Vec<String>,
    /// What it looked like: path, size and time of each file.
    look: Vec<(String, u64, i64)>,
}

/// Reads the folder at `dir` as `name`. When something in it changes meanwhile it is read again, so that
/// a repository and its objects belong together. Links are never followed. `in_memory` says whether the
/// contents are taken in at once (small folders that change), or read when they are packed.
///
/// # Errors
/// [`ToolError::TooLarge`] over `bytes_max`; [`ToolError::Io`] when it cannot be read or never rests.
pub fn capture(dir: &Path, name: &str, bytes_max: u64, in_memory: bool) -> Result<Tree, ToolError> {
    let reading = |source| ToolError::io(format!("reading {}", dir.display()), source);
    for _ in 0..TRIES_MAX {
        let mut tree = Tree::default();
        match take(dir, name, 0, bytes_max, in_memory, &mut tree) {
            Ok(()) => {}
            // A file went between the look and the opening: look again.
            Err(Trouble::Io(error)) if error.kind() == io::ErrorKind::NotFound && dir.exists() => continue,
            Err(Trouble::Io(error)) => return Err(reading(error)),
            Err(Trouble::TooLarge(limit)) => return Err(ToolError::TooLarge { path: dir.to_owned(), limit }),
        }
        let mut again = Tree::default();
        // Only the look, without contents: the same means that nothing changed while we read.
        let same = take(dir, name, 0, u64::MAX, false, &mut again).is_ok() && again.look == tree.look;
        if same || !in_memory {
            return Ok(tree);
        }
    }
    Err(reading(io::Error::other("it changes all the time")))
}

enum Trouble {
    Io(io::Error),
    TooLarge(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn take(dir: &Path, name: &str, depth: usize, bytes_max: u64, in_memory: bool, tree: &mut Tree) -> Result<(), Trouble> {
    tree.folders.push(name.to_owned());
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let own = entry.file_name();
        let path = own.to_str().map(|own| format!("{name}/{own}")).filter(|path| is_plain(path));
        let kind = entry.file_type()?;
        let Some(path) = path.filter(|_| kind.is_file() || (kind.is_dir() && depth < DEPTH_MAX)) else {
            if tree.left_out.len() < LEFT_OUT_MAX {
                tree.left_out.push(format!("{name}/{}", own.to_string_lossy()));
            }
            continue;
        };
        if tree.files.len() + tree.folders.len() >= ENTRIES_MAX {
            return Err(Trouble::TooLarge(format!("{ENTRIES_MAX} files")));
        }
        if kind.is_dir() {
            take(&entry.path(), &path, depth + 1, bytes_max, in_memory, tree)?;
        } else {
            file(&entry.path(), path, bytes_max, in_memory, tree)?;
        }
    }
    Ok(())
}

fn file(at: &Path, path: String, bytes_max: u64, in_memory: bool, tree: &mut Tree) -> Result<(), Trouble> {
    let (mut opened, meta) = open_plain(at)?;
    let sum = tree.look.iter().fold(meta.len(), |sum, (_, bytes, _)| sum.saturating_add(*bytes));
    if sum > bytes_max {
        return Err(Trouble::TooLarge(format!("{} MiB", bytes_max >> 20)));
    }
    let changed = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
    tree.look.push((path.clone(), meta.len(), changed));
    let body = if in_memory {
        let mut bytes = Vec::new();
        opened.by_ref().take(meta.len().saturating_add(1)).read_to_end(&mut bytes)?;
        Body::Bytes(bytes)
    } else {
        Body::File(at.to_owned())
    };
    tree.files.push(Source { path, executable: meta.permissions().mode() & 0o100 != 0, body });
    Ok(())
}

/// Opens a file that is no link and no pipe, without waiting.
pub(super) fn open_plain(at: &Path) -> io::Result<(File, fs::Metadata)> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(at)?;
    let meta = opened.metadata()?;
    if meta.is_file() { Ok((opened, meta)) } else { Err(io::Error::other("it is no plain file")) }
}
