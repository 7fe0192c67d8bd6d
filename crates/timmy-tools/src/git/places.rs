//! Where a repository has its parts besides its own folder: a linked work tree, and objects it borrows.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

/// Places that are followed.
const PLACES_MAX: usize = 8;

/// Bytes of a file that names places.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The places a git command reads besides `repo`. They are named by the repository, so only what has the shape of a
/// part of a repository counts: a repository cannot have its reader opened to any other folder.
pub(super) fn of(repo: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let dot = repo.join(".git");
    let mut own = dot.clone();
    if let Some(named) = read(&dot).and_then(|text| text.strip_prefix("gitdir:").map(|path| path.trim().to_owned())) {
        own = repo.join(named);
        if own.join("HEAD").is_file() {
            places.push(own.clone());
        }
        if let Some(common) = read(&own.join("commondir")) {
            own = own.join(common.trim());
            if own.join("HEAD").is_file() && own.join("objects").is_dir() {
                places.push(own.clone());
            }
        }
    }
    let objects = own.join("objects");
    let borrowed = read(&objects.join("info/alternates")).unwrap_or_default();
    for line in borrowed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let place = objects.join(line);
        if place.file_name().is_some_and(|name| name == "objects") && place.is_dir() {
            places.push(place);
        }
    }
    places.extend(included(&own));
    let whole = places.into_iter().filter_map(|place| place.canonicalize().ok());
    whole.take(PLACES_MAX).collect()
}

/// Files that the repository's configuration includes. Git ends where it cannot read one, and what it reads there it
/// takes for configuration only, which the command line outranks.
fn included(own: &Path) -> Vec<PathBuf> {
    let text = read(&own.join("config")).unwrap_or_default();
    let (mut within, mut files) = (false, Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            within = section.to_ascii_lowercase().starts_with("include");
        }
        let named = line.split_once('=').filter(|(name, _)| within && name.trim().eq_ignore_ascii_case("path"));
        // What begins with the home folder leads into the child's own, which is empty.
        let path = named.map(|(_, path)| own.join(path.trim().trim_matches('"'))).filter(|path| path.is_file());
        files.extend(path);
    }
    files
}

/// A small text file; a folder, a pipe or anything unreadable is none.
fn read(path: &Path) -> Option<String> {
    // A pipe that somebody laid there must not be waited for.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}
