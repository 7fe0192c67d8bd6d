//! Git, read only, on repositories nobody vouches for.
//!
//! A repository's own configuration can name programs to run. Three things keep that from
//! happening: the command line and the environment outrank the repository's configuration, the
//! arguments are limited to a list of commands that only read the object store and the index, and
//! no command that compares file contents of the work tree is on that list, because such a
//! comparison runs the repository's clean filters, which no option turns off.

use std::path::Path;
use std::time::Duration;

use crate::ToolError;
use crate::process::{Bounds, Output, Run};
use crate::sandbox::Policy;

mod places;

/// What one git command may use: enough for the index of the largest folder that is listed.
pub const GIT_BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), output_bytes: 8 * 1024 * 1024 };

/// The program's name.
pub(crate) const GIT: &str = "git";

/// Configuration that outranks the repository's own. Each line turns off something that runs a
/// program, reaches the network or reads a file elsewhere.
const CONFIG: [&str; 17] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.sshCommand=false",
    "core.askPass=",
    "credential.helper=",
    "diff.ignoreSubmodules=all",
    "submodule.recurse=false",
    "log.showSignature=false",
    "commit.gpgSign=false",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "color.ui=false",
];

/// The environment of every git command. `GIT_ALLOW_PROTOCOL` is there because a repository's
/// `protocol.<name>.allow` outranks `protocol.allow`, yet not the environment.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_PAGER", "cat"),
];

/// One command of the read-only set.
struct Command {
    name: &'static str,
    /// Options in full; one that ends in `=` takes a value. Abbreviations are not accepted.
    options: &'static [&'static str],
    /// Options without which the command would do more than read.
    required: &'static [&'static str],
    /// Arguments that are not options.
    others_max: usize,
}

const COMMANDS: [Command; 9] = [
    Command { name: "rev-parse", options: &["--verify", "--quiet"], required: &["--verify"], others_max: 1 },
    // With a second argument this one would write.
    Command { name: "symbolic-ref", options: &["--quiet", "--short"], required: &["--quiet"], others_max: 1 },
    Command { name: "rev-list", options: &["--count", "--max-age="], required: &["--count"], others_max: 1 },
    Command { name: "merge-base", options: &["--is-ancestor"], required: &["--is-ancestor"], others_max: 2 },
    Command {
        name: "log",
        options: &[
            "-z",
            "--no-color",
            "--no-decorate",
            "--no-mailmap",
            "--no-notes",
            "--no-patch",
            "--no-show-signature",
            "--encoding=UTF-8",
            "--format=",
            "--max-count=",
        ],
        required: &["--no-show-signature", "--no-patch", "--no-mailmap"],
        others_max: 1,
    },
    Command {
        name: "ls-files",
        options: &["-z", "-s", "-t", "--debug", "--others", "--exclude-standard"],
        required: &["-z"],
        others_max: 0,
    },
    // Without `--cached` this one would read the work tree through the clean filters.
    Command {
        name: "diff-index",
        options: &["-z", "--cached", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv"],
        required: &["--cached", "--raw", "--no-ext-diff", "--no-textconv"],
        others_max: 1,
    },
    // Names only: a patch would be made by the repository's own external diff.
    Command {
        name: "diff-tree",
        options: &["-z", "-r", "--root", "--no-commit-id", "--name-only"],
        required: &["--name-only"],
        others_max: 2,
    },
    Command { name: "cat-file", options: &[], required: &[], others_max: 2 },
];

/// Runs a command of the read-only set on the repository whose `.git` lies directly in `repo`.
///
/// # Errors
/// [`ToolError::NotAllowed`] for anything outside the set, and everything [`Run::run`] gives. A
/// failing status is no error here; see [`Output::whole`].
pub async fn git(repo: &Path, args: &[&str], bounds: Bounds) -> Result<Output, ToolError> {
    check(args).map_err(|argument| ToolError::NotAllowed { argument: argument.to_owned() })?;
    hardened(GIT, repo, Policy::vouched()).args(args.iter().copied()).run(bounds).await
}

/// Whether `.git` lies directly in `folder`: a folder, or the file that a linked work tree has. A
/// symbolic link is not accepted, because it leads out of the folder.
#[must_use]
pub fn is_repository(folder: &Path) -> bool {
    folder.join(".git").symlink_metadata().is_ok_and(|it| it.is_dir() || it.is_file())
}

/// Where the repository at `repo` has its parts besides its own folder.
pub(crate) fn places(repo: &Path) -> Vec<std::path::PathBuf> {
    places::of(repo)
}

/// Git with everything switched off that runs a program or leaves the folder.
///
/// The repository and its work tree are named in the environment, so nothing is searched for in
/// the folders above, `core.worktree` of the repository counts for nothing, and git does not refuse
/// folders of another user (which it does because of what its configuration could run).
///
/// It reads the repository, and the other places where a repository of its kind has its objects; `policy` says what
/// it may do besides.
pub(crate) fn hardened(program: &str, repo: &Path, policy: Policy) -> Run {
    let names = ENVIRONMENT.iter().map(|(name, _)| *name).chain(["GIT_DIR", "GIT_WORK_TREE"]);
    let policy = places::of(repo).into_iter().fold(policy.lets(names).reads(repo), Policy::reads);
    let mut run = Run::new(program, policy)
        .env("GIT_DIR", repo.join(".git"))
        .env("GIT_WORK_TREE", repo)
        .folder(repo)
        .args(["--no-pager", "--no-optional-locks", "--literal-pathspecs"]);
    for (name, value) in ENVIRONMENT {
        run = run.env(name, value);
    }
    for setting in CONFIG {
        run = run.arg("-c").arg(setting);
    }
    run
}

/// The first argument that is outside the read-only set, if one is.
fn check<'a>(args: &[&'a str]) -> Result<(), &'a str> {
    let (&name, rest) = args.split_first().ok_or("")?;
    let command = COMMANDS.iter().find(|c| c.name == name).ok_or(name)?;
    if !command.required.iter().all(|wanted| rest.contains(wanted)) {
        return Err(name);
    }
    let mut others = 0;
    for &arg in rest {
        if matches!(arg, "--" | "--end-of-options") {
            continue;
        }
        if arg.starts_with('-') {
            let known = |o: &&str| if o.ends_with('=') { arg.starts_with(*o) } else { arg == *o };
            if !command.options.iter().any(known) {
                return Err(arg);
            }
        } else {
            others += 1;
            if others > command.others_max {
                return Err(arg);
            }
        }
    }
    // `cat-file` filters and converts on demand; only the raw blob is read.
    if name == "cat-file" && rest.first() != Some(&"blob") { Err(name) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
