//! What lies below a folder, level by level, within bounds.

use std::collections::VecDeque;

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::way;
use crate::ToolError;
use crate::tool::scope::{Grants, Within, shown};

/// Files and folders one look may list.
pub const ENTRIES_MAX: usize = 20_000;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file, with its size in bytes.
    File(u64),
    /// A link, which is not followed.
    Link,
    /// A pipe, a socket or a device.
    Other,
}

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The names from the folder that was asked about.
    pub parts: Vec<String>,
    /// What it is.
    pub kind: Kind,
}

impl Entry {
    /// The path from the folder that was asked about.
    #[must_use]
    pub fn path(&self) -> String {
        self.parts.join("/")
    }
}

/// What lies below a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// What was found, by folder and name.
    pub entries: Vec<Entry>,
    /// Whether that is all of it.
    pub complete: bool,
}

/// What is listed.
pub struct Rules<'a> {
    /// Levels below the folder.
    pub levels: usize,
    /// Entries at most.
    pub entries: usize,
    /// Whether a name (of a folder, if the second is true) is left out.
    pub leaves_out: fn(&str, bool) -> bool,
    /// Whether to give up.
    pub stopped: &'a dyn Fn() -> bool,
}

/// Lists what lies below the folder that `within` names. Names that are not UTF-8 and folders that cannot be entered
/// make the list incomplete, and nothing else.
///
/// # Errors
/// As [`way::folder`], for the folder itself.
pub fn list(grants: &Grants, within: &Within<'_>, rules: &Rules<'_>) -> Result<Tree, ToolError> {
    let mut tree = Tree { entries: Vec::new(), complete: true };
    let mut folders: VecDeque<Vec<String>> = VecDeque::from([Vec::new()]);
    while let Some(parts) = folders.pop_front() {
        if (rules.stopped)() {
            tree.complete = false;
            break;
        }
        let mut here = within.clone();
        here.parts.extend(parts.iter().cloned());
        let opened = match way::folder(grants, &here) {
            Ok(opened) => opened,
            Err(error) if parts.is_empty() => return Err(error),
            Err(_) => {
                tree.complete = false;
                continue;
            }
        };
        let read = Dir::read_from(&opened)
            .map_err(|error| ToolError::io(format!("listing {}", shown(&here.path())), error.into()))?;
        let mut found = Vec::new();
        for entry in read {
            let Ok(entry) = entry else { break };
            let Ok(name) = entry.file_name().to_str() else {
                tree.complete = false;
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            if tree.entries.len() + found.len() >= rules.entries {
                tree.complete = false;
                break;
            }
            // Gone between listing and asking: as if it had never been there.
            let Ok(stat) = statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Kind::Folder,
                FileType::RegularFile => Kind::File(u64::try_from(stat.st_size).unwrap_or(0)),
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            };
            if !(rules.leaves_out)(name, kind == Kind::Folder) {
                found.push(Entry { parts: [parts.as_slice(), &[name.to_owned()]].concat(), kind });
            }
        }
        found.sort_by(|a, b| a.parts.cmp(&b.parts));
        if parts.len() + 1 < rules.levels {
            folders.extend(found.iter().filter(|entry| entry.kind == Kind::Folder).map(|entry| entry.parts.clone()));
        }
        tree.entries.extend(found);
    }
    Ok(tree)
}
