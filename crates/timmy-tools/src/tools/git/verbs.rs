//! From what is asked of a repository to the exact arguments of git. Pure: nothing is run here.
//!
//! Nothing of a call becomes an option: names are checked against what git allows in names, paths stand behind `--`,
//! and text is joined to the option it belongs to.

use serde::Deserialize;
use timmy_domain::text;

/// Commits one log tells.
const COMMITS_MAX: u64 = 100;

/// Characters of the name of a branch or a revision.
const NAME_CHARS_MAX: usize = 200;

/// What is asked of a repository.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    /// The verb.
    pub act: String,
    /// A commit, a branch, or two of them with `..` between.
    #[serde(default)]
    pub revision: String,
    /// Files and folders below the repository.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The name of a branch.
    #[serde(default)]
    pub name: String,
    /// The message of a commit.
    #[serde(default)]
    pub message: String,
    /// Whether what is staged is meant, and not what lies in the folder.
    #[serde(default)]
    pub staged: bool,
    /// Commits at most.
    #[serde(default)]
    pub count: u64,
}

/// The argument that is wrong, and what is wrong with it.
pub type Wrong = (&'static str, String);

/// The arguments for looking at a repository.
///
/// # Errors
/// The argument that is wrong.
pub fn look(asked: &Asked) -> Result<Vec<String>, Wrong> {
    let quiet = ["--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all", "--stat", "--patch"];
    let mut argv = match asked.act.as_str() {
        "status" => list(&["status", "--short", "--branch", "--no-renames", "--ignore-submodules=all"]),
        "log" => {
            let count = asked.count.clamp(1, COMMITS_MAX);
            let format = "--format=%h %ad %an: %s";
            let fixed = [
                "log",
                "--no-show-signature",
                "--no-mailmap",
                "--no-notes",
                "--no-color",
                "--no-decorate",
                "--date=iso-strict",
            ];
            [list(&fixed), vec![format!("--max-count={count}"), format.to_owned()]].concat()
        }
        "diff" => [list(&["diff"]), list(&quiet), if asked.staged { list(&["--cached"]) } else { Vec::new() }].concat(),
        "show" => [list(&["show", "--no-show-signature", "--no-mailmap", "--no-notes", "--no-decorate"]), list(&quiet)]
            .concat(),
        "branches" => {
            list(&["branch", "--list", "--no-color", "--format=%(refname:short) %(objectname:short) %(subject)"])
        }
        "worktrees" => list(&["worktree", "list", "--porcelain"]),
        _ => return Err(("act", "is not known".to_owned())),
    };
    if matches!(asked.act.as_str(), "log" | "diff" | "show") {
        if !asked.revision.is_empty() {
            argv.extend(["--end-of-options".to_owned(), revision(&asked.revision)?]);
        }
        argv.push("--".to_owned());
        argv.extend(paths(&asked.paths)?);
    } else if asked.act == "status" {
        argv.push("--".to_owned());
        argv.extend(paths(&asked.paths)?);
    }
    Ok(argv)
}

/// The arguments for a change that git can undo.
///
/// # Errors
/// The argument that is wrong.
pub fn change(asked: &Asked) -> Result<Vec<String>, Wrong> {
    match asked.act.as_str() {
        "add" => Ok([list(&["add", "--"]), some_paths(asked)?].concat()),
        "unstage" => Ok([list(&["reset", "--quiet", "--"]), some_paths(asked)?].concat()),
        "commit" => {
            let message = text::clean(asked.message.trim());
            if message.is_empty() {
                return Err(("message", "is missing; a commit says what it does".to_owned()));
            }
            let fixed = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=whitespace"];
            Ok([list(&fixed), vec![format!("--message={message}")]].concat())
        }
        "branch" => {
            let mut argv = [list(&["branch", "--no-track", "--end-of-options"]), vec![branch(&asked.name)?]].concat();
            if !asked.revision.is_empty() {
                argv.push(revision(&asked.revision)?);
            }
            Ok(argv)
        }
        "switch" => {
            Ok([list(&["switch", "--quiet", "--no-guess", "--end-of-options"]), vec![branch(&asked.name)?]].concat())
        }
        "worktree" => {
            let path = some_paths(asked)?;
            let [path] = path.as_slice() else {
                return Err(("paths", "must be one path, of the new folder".to_owned()));
            };
            Ok([list(&["worktree", "add", "--quiet", "-b"]), vec![branch(&asked.name)?, "--".to_owned(), path.clone()]]
                .concat())
        }
        _ => Err(("act", "is not known".to_owned())),
    }
}

/// The arguments for throwing something away for good.
///
/// # Errors
/// The argument that is wrong.
pub fn discard(asked: &Asked) -> Result<Vec<String>, Wrong> {
    match asked.act.as_str() {
        "restore" => Ok([list(&["restore", "--quiet", "--"]), some_paths(asked)?].concat()),
        "reset" => {
            Ok([list(&["reset", "--quiet", "--hard", "--end-of-options"]), vec![revision(&asked.revision)?]].concat())
        }
        "clean" => Ok([list(&["clean", "--quiet", "--force", "-d", "--"]), some_paths(asked)?].concat()),
        "delete_branch" => {
            Ok([list(&["branch", "--quiet", "-D", "--end-of-options"]), vec![branch(&asked.name)?]].concat())
        }
        _ => Err(("act", "is not known".to_owned())),
    }
}

fn list(fixed: &[&str]) -> Vec<String> {
    fixed.iter().map(|part| (*part).to_owned()).collect()
}

fn some_paths(asked: &Asked) -> Result<Vec<String>, Wrong> {
    if asked.paths.is_empty() {
        Err(("paths", "is missing; `.` is all of the folder".to_owned()))
    } else {
        paths(&asked.paths)
    }
}

/// Paths below the repository. Git itself takes them literally, and they stand behind `--`.
fn paths(paths: &[String]) -> Result<Vec<String>, Wrong> {
    let wrong = |path: &&String| {
        path.is_empty()
            || path.starts_with('/')
            || path.split('/').any(|part| part == ".." || part.eq_ignore_ascii_case(".git"))
    };
    match paths.iter().find(wrong) {
        Some(path) => {
            Err(("paths", format!("holds {:?}; a path lies below the repository, without `..`", text::cut(path, 60))))
        }
        None => Ok(paths.to_vec()),
    }
}

/// The name of a branch, by the rules of `git check-ref-format` and a little stricter.
fn branch(name: &str) -> Result<String, Wrong> {
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !part.ends_with(".lock");
    let fits = name.chars().all(|c| c.is_alphanumeric() || "._-/+#".contains(c))
        && name.len() <= NAME_CHARS_MAX
        && !name.starts_with(['-', '+', '#'])
        && !name.contains("..")
        && name.split('/').all(is_part)
        && !name.eq_ignore_ascii_case("head");
    if fits {
        Ok(name.to_owned())
    } else {
        Err(("name", "is no name for a branch; an example is tidy/readme".to_owned()))
    }
}

/// A commit by its number, its name, or counted from one of them, and ranges of two.
fn revision(name: &str) -> Result<String, Wrong> {
    let fits = !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(|c| c.is_alphanumeric() || "._-/~^@{}".contains(c))
        && !name.starts_with(['-', '.', '/'])
        && !name.contains("....");
    if fits {
        Ok(name.to_owned())
    } else {
        Err(("revision", "is no commit; examples are main, HEAD~2 and main..work".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(act: &str) -> Asked {
        Asked {
            act: act.to_owned(),
            name: "work".to_owned(),
            revision: "HEAD~1".to_owned(),
            message: "Say why".to_owned(),
            paths: vec!["a b".to_owned()],
            ..Asked::default()
        }
    }

    #[test]
    fn nothing_of_a_call_becomes_an_option() {
        let evil = [
            "--upload-pack=x",
            "-c",
            "--output=/etc/passwd",
            "--exec=x",
            "-O/tmp/x",
            "--ext-diff",
            "--textconv",
            "-Dx",
            "--compress-prog",
            "--open-files-in-pager=x",
            "../x",
            "/etc/passwd",
            "a/../../b",
            ".git/config",
            ".GIT/hooks/x",
            "",
        ];
        for act in [
            "status",
            "log",
            "diff",
            "show",
            "branches",
            "worktrees",
            "add",
            "unstage",
            "commit",
            "branch",
            "switch",
            "worktree",
            "restore",
            "reset",
            "clean",
            "delete_branch",
        ] {
            let argv = |asked: &Asked| look(asked).or_else(|_| change(asked)).or_else(|_| discard(asked));
            let fine = argv(&asked(act)).unwrap();
            let options = |argv: &[String]| {
                argv.iter()
                    .take_while(|part| !matches!(part.as_str(), "--" | "--end-of-options"))
                    .filter(|part| part.starts_with('-'))
                    .count()
            };
            for word in evil {
                for with in [
                    Asked { name: word.to_owned(), ..asked(act) },
                    Asked { revision: word.to_owned(), ..asked(act) },
                    Asked { paths: vec![word.to_owned()], ..asked(act) },
                    Asked { message: word.to_owned(), ..asked(act) },
                ] {
                    if let Ok(argv) = argv(&with) {
                        assert!(options(&argv) <= options(&fine), "{act} {word}: {argv:?}");
                        assert!(
                            !argv[1..]
                                .iter()
                                .any(|part| part == word && !argv.contains(&"--".to_owned()) && word.starts_with('-')),
                            "{act} {word}: {argv:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn names_that_git_would_read_otherwise_are_refused() {
        for bad in [
            "", "-x", "a..b", "a.lock", "a/.b", "/a", "a/", "a//b", "HEAD", "head", "a b", "a~1", "a:b", "@{1}",
            "a\\b", "a^",
        ] {
            assert!(branch(bad).is_err(), "{bad:?}");
        }
        for fine in ["main", "tidy/readme", "fix-1.2", "café"] {
            assert!(branch(fine).is_ok(), "{fine}");
        }
        for bad in ["", "-x", "--all", ":/text", "a b", "HEAD:x", "/x", "a\nb", "a....b", "*"] {
            assert!(revision(bad).is_err(), "{bad:?}");
        }
        for fine in ["HEAD", "main~3", "v1.2^", "a..b", "a...b", "@{1}", "0123abcd"] {
            assert!(revision(fine).is_ok(), "{fine}");
        }
        assert!(change(&Asked { message: " ".to_owned(), ..asked("commit") }).is_err());
        assert!(look(&asked("push")).is_err() && change(&asked("push")).is_err() && discard(&asked("push")).is_err());
    }
}
