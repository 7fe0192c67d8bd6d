//! What the owner lets tools do: which folders they may work in, and whether anything may leave this machine.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use timmy_domain::{Problem, settings};

use super::scope::{GRANTS_MAX, Grant, Grants, shown};
use crate::folder::resolve;

settings! {
    /// The tools Timmy works with, and where. No folder is granted and nothing leaves this machine unless you say so.
    pub struct ToolsSettings in "tools" {
        /// Folders whose files tools may read, as full paths such as "~/notes".
        folders: Vec<String> = Vec::new(), Free;
        /// Folders whose files tools may read and change, as full paths. Programs that are run may write there too.
        folders_write: Vec<String> = Vec::new(), Free;
        /// Folders whose programs may be run besides those of the system, as full paths such as "~/bin". They must be
        /// yours, and no tool may write there.
        folders_exec: Vec<String> = Vec::new(), Free;
        /// Whether public pages of the web may be fetched. What is asked for leaves this machine.
        fetch: bool = false, Free;
    }
}

impl ToolsSettings {
    /// The granted folders as they are on the disk now, and what is wrong with those that cannot be granted: they are
    /// left out where somebody else could profit, and else said all the same. `user_home` is what `~` stands for; the `closed` folders are never touched.
    ///
    /// Looks at the disk; call it where waiting is allowed.
    #[must_use]
    pub fn grants(&self, user_home: Option<&Path>, closed: &[&Path]) -> (Grants, Vec<Problem>) {
        let (mut granted, mut problems): (Vec<Grant>, Vec<Problem>) = (Vec::new(), Vec::new());
        let writable = self.folders_write.iter().map(|path| (path, true));
        for (path, write) in writable.chain(self.folders.iter().map(|path| (path, false))) {
            if granted.len() >= GRANTS_MAX {
                let message = format!("More than {GRANTS_MAX} folders are granted to tools.");
                let hint = "Grant the folder that holds them instead; the first ones count.";
                problems.push(Problem::invalid("too_many_grants", message, hint));
                break;
            }
            let grant =
                resolve(path, user_home).and_then(|path| Grant::new(&path, write).map_err(|error| error.problem()));
            match grant {
                // A folder in both lists may be changed.
                Ok(grant) if granted.iter().any(|known| known.path() == grant.path()) => {}
                Ok(grant) => {
                    problems.extend(doubts(path, user_home, grant.path()));
                    granted.push(grant);
                }
                Err(problem) => problems.push(problem),
            }
        }
        let programs = self.programs(user_home, closed, &granted, &mut problems);
        let grants = Grants::new(granted, closed).with_programs(programs);
        for grant in grants.folders().iter().filter(|grant| grants.holds_closed(grant)) {
            let message = format!(
                "{} holds, or lies in, the folder where Timmy keeps what governs him; while it is granted no program is run.",
                grant.path().display()
            );
            problems.push(Problem::invalid("closed_folder", message, "Grant a folder of your own work instead."));
        }
        (grants, problems)
    }

    /// The folders of programs that can be let: the owner's own, or the system's, where neither a tool nor anybody else
    /// can put a program.
    fn programs(
        &self,
        user_home: Option<&Path>,
        closed: &[&Path],
        granted: &[Grant],
        problems: &mut Vec<Problem>,
    ) -> Vec<PathBuf> {
        let mut programs: Vec<PathBuf> = Vec::new();
        for typed in self.folders_exec.iter().take(GRANTS_MAX) {
            let path = match resolve(typed, user_home) {
                Ok(path) => path,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let meets = |other: &Path| path.starts_with(other) || other.starts_with(&path);
            let why = if granted.iter().any(|grant| grant.may_write() && meets(grant.path())) {
                "a tool may write there, and would run what it wrote"
            } else if closed.iter().any(|closed| closed.canonicalize().is_ok_and(|closed| meets(&closed))) {
                "it holds, or lies in, the folder where Timmy keeps what governs him"
            } else if !is_trusted(&path) {
                "it is not yours alone: others own it, or may write there"
            } else {
                programs.push(path);
                continue;
            };
            let message = format!("Programs of {} are not run: {why}.", path.display());
            let hint = "Keep them in a folder of your own that only you can write, such as ~/bin.";
            problems.push(Problem::invalid("programs_not_granted", message, hint));
        }
        programs
    }
}

/// Whether only the owner, or the system, puts files there.
fn is_trusted(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    path.metadata().is_ok_and(|meta| (meta.uid() == own || meta.uid() == 0) && meta.mode() & 0o022 == 0)
}

/// What about a folder that is granted may not be what its owner thinks.
fn doubts(typed: &str, user_home: Option<&Path>, path: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let typed = typed.trim().trim_end_matches('/');
    let named = match (typed.strip_prefix("~/"), user_home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(typed),
    };
    if named.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
        let message = format!("{} is a link; granted is {}, where it leads.", shown(typed), path.display());
        found.push(Problem::invalid(
            "grant_is_link",
            message,
            "Name the folder itself, so that the link decides nothing.",
        ));
    }
    if path.metadata().is_ok_and(|meta| meta.mode() & 0o002 != 0) {
        let message = format!("Everybody on this machine may write in {}.", path.display());
        let hint = "Take that right away with chmod o-w: what others put there, Timmy reads and runs into.";
        found.push(Problem::invalid("grant_open_to_all", message, hint));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder;

    // shows: hands: No folder is granted and no page is fetched unless the owner says so in the settings
    #[test]
    fn folders_are_granted_by_the_owner_alone() {
        let none = ToolsSettings::default();
        assert!(!none.fetch && none.grants(None, &[]).0.folders().is_empty());
        let (_outer, notes) = folder("notes");
        let home = notes.parent().unwrap();
        std::fs::create_dir(home.join("work")).unwrap();
        let work = home.join("work").display().to_string();
        let settings = ToolsSettings {
            folders: vec!["~/notes".to_owned(), work.clone(), "/proc".to_owned(), "nowhere".to_owned(), "/".to_owned()],
            folders_write: vec![work],
            ..ToolsSettings::default()
        };
        let (grants, problems) = settings.grants(Some(home), &[]);
        let granted: Vec<(&Path, bool)> = grants.folders().iter().map(|g| (g.path(), g.may_write())).collect();
        assert_eq!(granted, [(home.join("work").as_path(), true), (notes.as_path(), false)]);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    // shows: hands: A granted folder that is missing, a link, open to everybody or Timmy's own is said with what helps
    #[test]
    fn what_is_wrong_with_a_grant_is_said() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let (_outer, notes) = folder("notes");
        let home = notes.parent().unwrap();
        for name in ["open", "timmy", "bin", "shared", "timmy/mind"] {
            std::fs::create_dir(home.join(name)).unwrap();
        }
        let mode = |name: &str, mode| {
            std::fs::set_permissions(home.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode("open", 0o777);
        mode("shared", 0o775);
        mode("bin", 0o755);
        mode("timmy", 0o755);
        symlink(&notes, home.join("link")).unwrap();
        let path = |name: &str| home.join(name).display().to_string();
        let codes = |folders: &[&str], exec: &[&str]| {
            let settings = ToolsSettings {
                folders_write: folders.iter().map(|name| path(name)).collect(),
                folders_exec: exec.iter().map(|name| path(name)).collect(),
                ..ToolsSettings::default()
            };
            let (grants, problems) = settings.grants(Some(home), &[&home.join("timmy")]);
            assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems:?}");
            let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
            (codes.join(" "), grants.folders().len(), grants.programs().len())
        };
        for (folders, exec, wanted) in [
            (&["notes"][..], &["bin"][..], ("", 1, 1)),
            (&["nowhere"], &["nowhere"], ("no_such_folder no_such_folder", 0, 0)),
            (&["link"], &[], ("grant_is_link", 1, 0)),
            (&["open"], &[], ("grant_open_to_all", 1, 0)),
            (&["timmy"], &[], ("closed_folder", 1, 0)),
            (&["timmy/mind"], &[], ("closed_folder", 1, 0)),
            (&["bin"], &["bin"], ("programs_not_granted", 1, 0)),
            (
                &[],
                &["open", "shared", "timmy"],
                ("programs_not_granted programs_not_granted programs_not_granted", 0, 0),
            ),
        ] {
            let (codes, granted, programs) = codes(folders, exec);
            assert_eq!((codes.as_str(), granted, programs), wanted, "{folders:?} {exec:?}");
        }
    }
}
