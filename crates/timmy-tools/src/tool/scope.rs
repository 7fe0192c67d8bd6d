//! Where tools may work: the folders the owner granted, as the folders they are and not as the names they have.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Stat, fstat};
use timmy_domain::text;

use crate::ToolError;
use crate::folder::open_root;

/// Folders that can be granted.
pub const GRANTS_MAX: usize = 32;

/// Bytes a path may hold, as Linux bounds it.
pub const PATH_BYTES_MAX: usize = 4_096;

/// Names one path may have.
const PARTS_MAX: usize = 64;

/// Which file or folder something is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The device.
    pub dev: u64,
    /// The number on the device.
    pub inode: u64,
}

impl Identity {
    /// Of what `stat` tells about.
    #[must_use]
    #[expect(clippy::unnecessary_cast, reason = "the width of these numbers is another one on other systems")]
    pub const fn of(stat: &Stat) -> Self {
        Self { dev: stat.st_dev as u64, inode: stat.st_ino as u64 }
    }
}

/// A folder the owner granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    path: PathBuf,
    identity: Identity,
    write: bool,
}

impl Grant {
    /// The folder at `path`, which must be absolute and free of links; [`resolve`](crate::folder::resolve) makes it
    /// so. `write` says whether it may be changed too.
    ///
    /// # Errors
    /// [`ToolError::NotAFolder`].
    pub fn new(path: &Path, write: bool) -> Result<Self, ToolError> {
        let unusable = |source| ToolError::NotAFolder { path: path.to_owned(), source };
        if path.components().any(|part| !matches!(part, Component::RootDir | Component::Normal(_)))
            || !path.is_absolute()
        {
            return Err(unusable(io::ErrorKind::InvalidInput.into()));
        }
        let folder = open_root(path).map_err(unusable)?;
        let identity = Identity::of(&fstat(&folder).map_err(|error| unusable(error.into()))?);
        Ok(Self { path: path.to_owned(), identity, write })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may be changed.
    #[must_use]
    pub const fn may_write(&self) -> bool {
        self.write
    }

    /// Opens the folder, if it is still the one that was granted.
    ///
    /// # Errors
    /// [`ToolError::Refused`] when another folder has its name now, [`ToolError::NotAFolder`] when none has.
    pub fn open(&self) -> Result<OwnedFd, ToolError> {
        let unusable = |source| ToolError::NotAFolder { path: self.path.clone(), source };
        let folder = open_root(&self.path).map_err(unusable)?;
        let identity = Identity::of(&fstat(&folder).map_err(|error| unusable(error.into()))?);
        if identity == self.identity {
            return Ok(folder);
        }
        let message = format!("{} is not the folder that was granted any more.", self.path.display());
        Err(ToolError::refused(
            "grant_changed",
            message,
            "Look what happened to it, and restart Timmy to grant it anew.",
        ))
    }
}

/// Where tools may work and what they may reach.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    grants: Vec<Grant>,
    closed: Vec<(PathBuf, Identity)>,
    programs: Vec<PathBuf>,
}

/// A path within a granted folder, as names below it.
#[derive(Clone, Debug)]
pub struct Within<'a> {
    /// The folder.
    pub grant: &'a Grant,
    /// The names on the way; none for the folder itself. None of them is empty, `.` or `..`.
    pub parts: Vec<String>,
}

impl Within<'_> {
    /// The whole path, for people and for plans.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = self.grant.path.clone();
        path.extend(&self.parts);
        path.to_string_lossy().into_owned()
    }
}

impl Grants {
    /// The folders `grants`, at most [`GRANTS_MAX`] of which count. What lies in one of the `closed` folders is never
    /// touched, even where a granted folder holds it: that is where Timmy keeps what governs him. A closed folder that
    /// does not exist closes nothing.
    #[must_use]
    pub fn new(mut grants: Vec<Grant>, closed: &[&Path]) -> Self {
        grants.truncate(GRANTS_MAX);
        let known = |path: &&Path| {
            let whole = path.canonicalize().ok()?;
            let identity = Identity::of(&rustix::fs::stat(&whole).ok()?);
            Some((whole, identity))
        };
        Self { grants, closed: closed.iter().filter_map(known).collect(), programs: Vec::new() }
    }

    /// The same, with folders whose programs may be run besides those of the system.
    #[must_use]
    pub fn with_programs(mut self, programs: Vec<PathBuf>) -> Self {
        self.programs = programs;
        self
    }

    /// The folders whose programs may be run besides those of the system.
    #[must_use]
    pub fn programs(&self) -> &[PathBuf] {
        &self.programs
    }

    /// The granted folders.
    #[must_use]
    pub fn folders(&self) -> &[Grant] {
        &self.grants
    }

    /// Whether a folder is one of those never touched.
    #[must_use]
    pub fn is_closed(&self, identity: Identity) -> bool {
        self.closed.iter().any(|(_, closed)| *closed == identity)
    }

    /// Whether a program let loose in `grant` would find itself in a closed folder, or above one.
    #[must_use]
    pub fn holds_closed(&self, grant: &Grant) -> bool {
        self.closed.iter().any(|(path, _)| path.starts_with(&grant.path) || grant.path.starts_with(path))
    }

    /// The granted folder that `path` lies in, and the names below it. A path that does not begin with `/` lies below
    /// the first granted folder. Nothing is looked up; links are judged where the way is walked.
    ///
    /// # Errors
    /// [`ToolError::Refused`] for a path outside, and for one with `..` in it.
    pub fn within(&self, path: &str) -> Result<Within<'_>, ToolError> {
        let Some(first) = self.grants.first() else {
            let hint = "Name a folder in [tools] folders of timmy.toml.";
            return Err(ToolError::refused("no_folder_granted", "No folder is granted to tools.", hint));
        };
        if path.len() > PATH_BYTES_MAX || path.chars().any(text::is_harmful) {
            let message = "The path is too long, or holds control characters or invisible ones.";
            return Err(ToolError::refused("not_a_path", message, "Give the path as a person would write it."));
        }
        let (absolute, rest) = path.strip_prefix('/').map_or((false, path), |rest| (true, rest));
        let mut parts: Vec<String> =
            rest.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect();
        if parts.len() > PARTS_MAX || parts.iter().any(|part| part == "..") {
            let message = format!("{} leads upwards or too deep; such paths are not walked.", shown(path));
            return Err(ToolError::refused("path_leads_out", message, "Give the path without `..`."));
        }
        if !absolute {
            return Ok(Within { grant: first, parts });
        }
        // The longest grant that fits, so that a folder inside another can have its own right.
        let fits = |grant: &&Grant| {
            let names: Vec<String> = names(&grant.path);
            parts.len() >= names.len() && parts.iter().zip(&names).all(|(part, name)| part == name)
        };
        let grant = self.grants.iter().filter(fits).max_by_key(|grant| grant.path.as_os_str().len());
        let Some(grant) = grant else {
            let message = format!("{} lies in no granted folder.", shown(path));
            return Err(ToolError::refused("path_outside", message, self.hint()));
        };
        Ok(Within { grant, parts: parts.split_off(names(&grant.path).len()) })
    }

    fn hint(&self) -> String {
        let all: Vec<String> = self.grants.iter().map(|grant| grant.path.display().to_string()).collect();
        format!("Granted are {}; the owner can grant more in [tools] folders.", all.join(", "))
    }
}

/// A path for people: one line, cut.
#[must_use]
pub fn shown(path: &str) -> String {
    text::cut(&text::one_line(path), 200)
}

fn names(path: &Path) -> Vec<String> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder;

    // shows: hands: A path in any spelling that leads out of the granted folders is refused
    #[test]
    fn paths_lie_in_the_granted_folder_they_name_and_nowhere_else() {
        let (_outer, notes) = folder("notes");
        std::fs::create_dir(notes.join("inner")).unwrap();
        let grants =
            Grants::new(vec![Grant::new(&notes, false).unwrap(), Grant::new(&notes.join("inner"), true).unwrap()], &[]);
        let base = notes.display();
        let of = |path: &str| grants.within(path).map(|within| (within.grant.may_write(), within.parts.join("/")));
        for (path, write, below) in [
            ("a.txt".to_owned(), false, "a.txt"),
            (String::new(), false, ""),
            (".".to_owned(), false, ""),
            ("./a//b/.".to_owned(), false, "a/b"),
            (format!("{base}"), false, ""),
            (format!("{base}/"), false, ""),
            (format!("//{base}///a/./b"), false, "a/b"),
            (format!("{base}/inner/x"), true, "x"),
            (format!("{base}/innermost"), false, "innermost"),
            ("...".to_owned(), false, "..."),
            ("..a".to_owned(), false, "..a"),
            ("~/x".to_owned(), false, "~/x"),
        ] {
            assert_eq!(of(&path).unwrap(), (write, below.to_owned()), "{path}");
        }
        for path in [
            "..".to_owned(),
            "../x".to_owned(),
            "a/../../x".to_owned(),
            "a/..".to_owned(),
            "/".to_owned(),
            "/etc/passwd".to_owned(),
            "/proc/self/root/etc/passwd".to_owned(),
            format!("{base}/../x"),
            format!("{base}x"),
            format!("{base}-other/x"),
            format!("/proc/self/root{base}/a"),
            format!("{base}/a\0b"),
            format!("{base}/a\u{202e}b"),
            format!("{base}/a\nb"),
            "a\u{200b}".to_owned(),
            "x/".repeat(100),
            "y".repeat(5_000),
        ] {
            assert!(matches!(of(&path), Err(ToolError::Refused { .. })), "{path:?} gave {:?}", of(&path));
        }
        assert!(matches!(Grants::default().within("a"), Err(ToolError::Refused { code: "no_folder_granted", .. })));
    }

    #[test]
    fn a_folder_is_granted_as_what_it_is_and_not_as_its_name() {
        let (_outer, notes) = folder("notes");
        let grant = Grant::new(&notes, true).unwrap();
        assert!(grant.open().is_ok());
        let away = notes.with_file_name("away");
        std::fs::rename(&notes, &away).unwrap();
        assert!(matches!(grant.open(), Err(ToolError::NotAFolder { .. })));
        std::os::unix::fs::symlink(&away, &notes).unwrap();
        assert!(matches!(grant.open(), Err(ToolError::NotAFolder { .. })), "a link of its name");
        std::fs::remove_file(&notes).unwrap();
        std::fs::create_dir(&notes).unwrap();
        assert!(matches!(grant.open(), Err(ToolError::Refused { .. })), "another folder of its name");
        for bad in ["notes", "", "/nowhere/at/all", "/proc/self/../self"] {
            assert!(Grant::new(Path::new(bad), false).is_err(), "{bad:?}");
        }
    }
}
