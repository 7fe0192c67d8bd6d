//! What stays as it is below a folder that may be written: names that programs outside the fence obey, at any depth.

use std::path::{Path, PathBuf};

use super::policy::KEPT_NAMES;

/// Folders below a granted one that are looked into, one below the other.
const DEPTH_MAX: usize = 8;
/// Entries of one granted folder that are looked at.
const ENTRIES_MAX: usize = 50_000;
/// Kept names of one granted folder that are found.
const FOUND_MAX: usize = 24;

/// Whether `name` is one of those that are kept. Case counts for nothing on some disks.
#[must_use]
pub fn is_kept(name: &str) -> bool {
    KEPT_NAMES.iter().any(|kept| name.eq_ignore_ascii_case(kept))
}

/// What is kept below `folder`, nearest first; [`KEPT_NAMES`] directly in it are known without looking and not among
/// them. No link is followed, and nothing within what is kept is looked at. Looks at the disk; bounded.
#[must_use]
pub fn nested(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut level, mut left) = (Vec::new(), vec![folder.to_owned()], ENTRIES_MAX);
    for depth in 0..DEPTH_MAX {
        let mut below = Vec::new();
        for entry in level.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
            if left == 0 || found.len() >= FOUND_MAX {
                return found;
            }
            left -= 1;
            let kept = entry.file_name().to_str().is_some_and(is_kept);
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if kept && depth > 0 {
                found.push(entry.path());
            } else if !kept && is_folder {
                below.push(entry.path());
            }
        }
        level = below;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_names_are_found_below_other_folders_and_not_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in [".git/hooks", "a/.git/hooks", "a/b/c/.SSH", "plain/deep", "a/.git/x/.cargo"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("plain/.timmy"), "").unwrap();
        std::os::unix::fs::symlink(at("a"), at("plain/link")).unwrap();
        let mut found = nested(dir.path());
        found.sort();
        assert_eq!(found, [at("a/.git"), at("a/b/c/.SSH"), at("plain/.timmy")]);
    }
}
