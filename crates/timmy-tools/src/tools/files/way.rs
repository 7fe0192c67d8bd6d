//! The way to a file below a granted folder, walked with open folders: no link is followed, nothing is looked up twice
//! by its name, and what has more than one name or lies in a closed folder is left alone.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, mkdirat, openat, statat};
use rustix::io::Errno;
use timmy_domain::digest::Digest;
use timmy_domain::policy::path::sensitive;

use crate::ToolError;
use crate::folder::is_secret;
use crate::sandbox::kept::is_kept;
use crate::tool::scope::{Grants, Identity, Within, shown};

/// Bytes of a file that tools take in.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What tools want with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Look at it.
    Read,
    /// Change or make it.
    Write,
}

/// Where a file is, or would be: the open folder that holds it, and its name there.
#[derive(Debug)]
pub struct Spot {
    /// The open folder.
    pub folder: OwnedFd,
    /// The folders on the way, from the granted one to the one that holds it.
    pub way: Vec<Identity>,
    /// The name in it.
    pub name: String,
    /// The whole path, for people.
    pub path: String,
}

/// A file as it is at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// Which file it is.
    pub identity: Identity,
    /// All its bytes.
    pub bytes: Vec<u8>,
    /// The hash of its bytes.
    pub sha256: Digest,
    /// Its permissions.
    pub mode: u32,
}

/// Walks to the folder that `within` names.
///
/// # Errors
/// [`ToolError::Refused`] for links and closed folders, [`ToolError::Permanent`] for what is not there.
pub fn folder(grants: &Grants, within: &Within<'_>) -> Result<OwnedFd, ToolError> {
    walk(grants, within, within.parts.len(), false).map(|(folder, _)| folder)
}

/// Which folder `within` names.
///
/// # Errors
/// As [`folder`].
pub fn identity(grants: &Grants, within: &Within<'_>) -> Result<Identity, ToolError> {
    let stat = fstat(&folder(grants, within)?).map_err(|error| failed(within, error))?;
    Ok(Identity::of(&stat))
}

/// Walks to the folder that holds the file `within` names; with `make`, folders that are missing are made.
///
/// # Errors
/// As [`folder`], and [`ToolError::Refused`] for names that promise keys or passwords, for what lies in a folder of
/// git, and for writing where only reading is granted.
pub fn spot(grants: &Grants, within: &Within<'_>, want: Want, make: bool) -> Result<Spot, ToolError> {
    let Some((name, _)) = within.parts.split_last() else {
        return Err(ToolError::permanent(
            "not_a_file",
            format!("{} is a folder.", shown(&within.path())),
            "Name a file in it.",
        ));
    };
    if want == Want::Write {
        may_write(within)?;
    }
    if is_secret(name) {
        let message = format!("{} looks like it holds keys or passwords; tools do not open it.", shown(&within.path()));
        return Err(ToolError::refused(
            "secret_file",
            message,
            "Do this by hand, or give the file a name that promises no secrets.",
        ));
    }
    let (folder, way) = walk(grants, within, within.parts.len() - 1, make)?;
    Ok(Spot { folder, way, name: name.clone(), path: within.path() })
}

/// Whether a file may be written where `within` leads.
fn may_write(within: &Within<'_>) -> Result<(), ToolError> {
    if !within.grant.may_write() {
        let message = format!("{} is granted for reading only.", within.grant.path().display());
        return Err(ToolError::refused("read_only_grant", message, "The owner can add it to [tools] folders_write."));
    }
    // Case counts for nothing on some disks, and what lies here can make git run programs.
    if within.parts.iter().any(|part| part.to_lowercase() == ".git") {
        let message = format!("{} lies in a folder that git keeps for itself.", shown(&within.path()));
        return Err(ToolError::refused("git_folder", message, "Use the tools for git instead."));
    }
    // At any depth: what lies there is obeyed by programs outside the fence, or is a secret by its place.
    let below = format!("/granted/{}", within.parts.join("/"));
    if within.parts.iter().any(|part| is_kept(part)) || sensitive(&below, "/", "/home").is_some() {
        let message =
            format!("{} lies where programs keep settings or keys; tools do not write there.", shown(&within.path()));
        return Err(ToolError::refused("kept_folder", message, "Do this by hand, or write the file somewhere else."));
    }
    Ok(())
}

fn walk(grants: &Grants, within: &Within<'_>, count: usize, make: bool) -> Result<(OwnedFd, Vec<Identity>), ToolError> {
    let mut at = within.grant.open()?;
    let mut way = vec![check_open(grants, within, &at)?];
    for part in within.parts.iter().take(count) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = match openat(&at, part, flags, Mode::empty()) {
            Err(Errno::NOENT) if make => {
                match mkdirat(&at, part, Mode::from_raw_mode(0o755)) {
                    // Made by somebody else meanwhile is as good.
                    Ok(()) | Err(Errno::EXIST) => openat(&at, part, flags, Mode::empty()),
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        at = next.map_err(|error| way_failed(within, &at, part, error))?;
        way.push(check_open(grants, within, &at)?);
    }
    Ok((at, way))
}

fn check_open(grants: &Grants, within: &Within<'_>, folder: &OwnedFd) -> Result<Identity, ToolError> {
    let stat = fstat(folder).map_err(|error| failed(within, error))?;
    let identity = Identity::of(&stat);
    if grants.is_closed(identity) {
        let message = format!("{} lies where Timmy keeps what governs him.", shown(&within.path()));
        return Err(ToolError::refused(
            "closed_folder",
            message,
            "Change it by hand, or through the pages made for it.",
        ));
    }
    Ok(identity)
}

fn way_failed(within: &Within<'_>, at: &OwnedFd, part: &str, error: Errno) -> ToolError {
    let link = statat(at, part, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink());
    if link { through_link(&within.path()) } else { failed(within, error) }
}

fn failed(within: &Within<'_>, error: Errno) -> ToolError {
    unreachable(&within.path(), error.into())
}

fn through_link(path: &str) -> ToolError {
    let message = format!("{} leads through a link, and links are not followed.", shown(path));
    ToolError::refused("path_through_link", message, "Give the path of what the link leads to, if that is granted.")
}

/// What the system said about `path`, in words.
fn unreachable(path: &str, source: io::Error) -> ToolError {
    let path = shown(path);
    match source.kind() {
        io::ErrorKind::NotFound => ToolError::permanent(
            "no_such_file",
            format!("There is no {path}."),
            "List the folder to see what is there.",
        ),
        io::ErrorKind::NotADirectory => ToolError::permanent(
            "not_a_folder",
            format!("A part of {path} is not a folder."),
            "List the folder above it.",
        ),
        _ => ToolError::io(format!("opening {path}"), source),
    }
}

impl Spot {
    /// Whether something of this name is there.
    ///
    /// # Errors
    /// [`ToolError::Io`].
    pub fn exists(&self) -> Result<bool, ToolError> {
        match statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(unreachable(&self.path, error.into())),
        }
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// [`ToolError::Refused`] for a link and for a file of more than one name, since another may lie outside;
    /// [`ToolError::Permanent`] for what is no regular file.
    pub fn open(&self) -> Result<(File, rustix::fs::Stat), ToolError> {
        // Without waiting: a pipe would not be opened before somebody writes to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.folder, &self.name, flags, Mode::empty()).map_err(|error| match error {
            Errno::LOOP | Errno::MLINK => through_link(&self.path),
            Errno::NXIO => not_regular(&self.path),
            error => unreachable(&self.path, error.into()),
        })?;
        let stat = fstat(&opened).map_err(|error| unreachable(&self.path, error.into()))?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(not_regular(&self.path));
        }
        if stat.st_nlink != 1 {
            let message = format!("{} has more than one name, and another may lie outside.", shown(&self.path));
            return Err(ToolError::refused("many_names", message, "Make a copy of it and use that."));
        }
        Ok((File::from(opened), stat))
    }

    /// Takes in the whole file.
    ///
    /// # Errors
    /// As [`Spot::open`], and [`ToolError::Permanent`] for a file over [`FILE_BYTES_MAX`].
    #[expect(clippy::unnecessary_cast, reason = "the width of permissions is another one on other systems")]
    pub fn snapshot(&self) -> Result<Snapshot, ToolError> {
        let (file, stat) = self.open()?;
        let mut bytes = Vec::new();
        let read = file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|source| ToolError::io(format!("reading {}", shown(&self.path)), source))?;
        if bytes.len() > FILE_BYTES_MAX {
            let message = format!("{} is larger than {} MiB.", shown(&self.path), FILE_BYTES_MAX / (1024 * 1024));
            return Err(ToolError::permanent("file_too_large", message, "Use a program that is made for large files."));
        }
        let sha256 = Digest::of(&bytes);
        Ok(Snapshot { identity: Identity::of(&stat), bytes, sha256, mode: stat.st_mode as u32 & 0o777 })
    }
}

fn not_regular(path: &str) -> ToolError {
    let message = format!("{} is not a regular file.", shown(path));
    ToolError::permanent(
        "not_a_file",
        message,
        "Name a file; folders are listed, and devices and pipes are left alone.",
    )
}
