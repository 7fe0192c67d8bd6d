//! Listing a folder without leaving it: every step opens one name below an open folder and refuses links.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, statat};

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path below the folder, with `/` between the parts.
    pub path: String,
    /// When its content last changed, in nanoseconds since the epoch.
    pub changed_ns: i64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The regular files of a folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// The files, sorted by path.
    pub files: Vec<Entry>,
    /// Whether nothing that should be listed is missing.
    pub complete: bool,
}

/// What is listed.
pub(crate) struct Rules {
    /// Files and folders listed at most.
    pub entries: usize,
    /// Levels below the folder.
    pub depth: usize,
    /// Whether a name (of a folder, if the second is true) is left out.
    pub leaves_out: fn(&str, bool) -> bool,
}

/// Opens a folder itself, not what a link of its name points at.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens the regular file at `path` below `root` for reading. No part of the way may be a link, and
/// pipes, sockets and devices are refused without waiting for them.
pub(super) fn open_file(root: &OwnedFd, path: &str) -> io::Result<File> {
    let file = File::from(open_below(root, path, OFlags::NONBLOCK)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn open_below(root: &OwnedFd, path: &str, last: OFlags) -> io::Result<OwnedFd> {
    let always = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = None;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if matches!(part, "" | "." | "..") {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = always | if parts.peek().is_some() { OFlags::DIRECTORY } else { last };
        at = Some(openat(at.as_ref().unwrap_or(root), part, flags, Mode::empty())?);
    }
    at.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Lists the regular files below `root`, level by level, so that a bound cuts the deep levels and
/// not whichever folder comes last. Names that are not UTF-8 are left out.
pub(crate) fn list(root: &OwnedFd, rules: &Rules, stopped: &dyn Fn() -> bool) -> Listing {
    let mut listing = Listing { files: Vec::new(), complete: true };
    let mut folders = VecDeque::from([(String::new(), 0)]);
    let mut left = rules.entries;
    while let Some((folder, level)) = folders.pop_front() {
        if stopped() || left == 0 {
            listing.complete = false;
            break;
        }
        match list_one(root, &folder, rules, &mut left, stopped) {
            Err(_) => listing.complete = false,
            Ok(found) => {
                listing.complete &= found.complete;
                listing.files.extend(found.files);
                if level < rules.depth {
                    folders.extend(found.folders.into_iter().map(|path| (path, level + 1)));
                }
            }
        }
    }
    listing.files.sort_by(|a, b| a.path.cmp(&b.path));
    listing
}

#[derive(Default)]
struct Found {
    files: Vec<Entry>,
    folders: Vec<String>,
    complete: bool,
}

fn list_one(
    root: &OwnedFd,
    folder: &str,
    rules: &Rules,
    left: &mut usize,
    stopped: &dyn Fn() -> bool,
) -> io::Result<Found> {
    let opened = if folder.is_empty() { None } else { Some(open_below(root, folder, OFlags::DIRECTORY)?) };
    let at = opened.as_ref().unwrap_or(root);
    let mut found = Found { complete: true, ..Found::default() };
    for entry in Dir::read_from(at)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if matches!(name, "." | "..") {
            continue;
        }
        if *left == 0 || stopped() {
            found.complete = false;
            break;
        }
        *left -= 1;
        // Gone between listing and asking: as if it had never been there.
        let Ok(stat) = statat(at, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if (rules.leaves_out)(name, kind.is_dir()) {
            continue;
        }
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if kind.is_dir() {
            found.folders.push(path);
        } else if kind.is_file() {
            let ns = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
            found.files.push(Entry {
                path,
                changed_ns: i64::try_from(ns).unwrap_or(0),
                bytes: u64::try_from(stat.st_size).unwrap_or(0),
            });
        }
    }
    found.folders.sort();
    Ok(found)
}
