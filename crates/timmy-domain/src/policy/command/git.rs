//! What git does, by its verb and the options before and after it.

use super::{Reach, Seen, is_long, is_short};
use crate::risk::Reason;

/// Looks at the arguments of git.
#[expect(clippy::too_many_lines, reason = "one table of verbs")]
pub(super) fn read(args: &[String], seen: &mut Seen) {
    let mut at = 0;
    while let Some(arg) = args.get(at).filter(|arg| arg.starts_with('-')) {
        let takes = matches!(
            arg.as_str(),
            "-C" | "--git-dir" | "--work-tree" | "--namespace" | "-c" | "--exec-path" | "--config-env"
        );
        if arg.starts_with("-c") || is_long(arg, "config-env") || is_long(arg, "exec-path") && arg.contains('=') {
            seen.opaque("git -c changes which programs git runs");
            seen.signal(Reason::Disguised, "git is given settings of its own");
        }
        if arg == "-C" || is_long(arg, "git-dir") || is_long(arg, "work-tree") {
            seen.changes
                .extend(arg.split_once('=').map(|(_, path)| path.to_owned()).or_else(|| args.get(at + 1).cloned()));
        }
        at += if takes && !arg.contains('=') { 2 } else { 1 };
    }
    let (verb, rest) = match args.get(at..).unwrap_or_default() {
        [verb, rest @ ..] => (verb.as_str(), rest),
        [] => return seen.reaches(Reach::Looks, "git looks"),
    };
    let has = |options: &[&str], letters: &str| {
        rest.iter().any(|arg| {
            options.iter().any(|o| is_long(arg, o) && arg.len() > 4) || letters.chars().any(|c| is_short(arg, c))
        })
    };
    if has(
        &["upload-pack", "receive-pack", "exec", "ext-diff", "open-files-in-pager", "textconv", "template", "extcmd"],
        "O",
    ) {
        seen.opaque(format!("git {verb} runs another program"));
    }
    let named = rest.iter().filter(|arg| arg.starts_with(['/', '~', '$']) || arg.contains("../"));
    seen.changes.extend(named.cloned().chain(super::known::paths_in(rest)));
    let words = rest.iter().filter(|arg| !arg.starts_with('-')).count();
    match verb {
        "status" | "log" | "diff" | "show" | "blame" | "ls-files" | "ls-tree" | "rev-parse" | "describe"
        | "shortlog" | "grep" | "cat-file" | "rev-list" | "name-rev" | "merge-base" | "check-ignore"
        | "count-objects" | "for-each-ref" | "whatchanged" | "help" | "version" | "--version" => {
            seen.reaches(Reach::Looks, format!("git {verb} looks"));
            if has(&["output"], "") {
                seen.reaches(Reach::Files, format!("git {verb} writes a file"));
            }
        }
        "branch" | "tag" | "remote" | "stash" | "config" | "worktree" | "reflog" | "notes"
            if words == 0 && !has(&["delete", "force", "edit"], "dDmMfe")
                || rest
                    .first()
                    .is_some_and(|word| matches!(word.as_str(), "list" | "show" | "--list" | "--get" | "-l")) =>
        {
            seen.reaches(Reach::Looks, format!("git {verb} looks"));
        }
        "push" | "send-email" | "request-pull" | "svn" | "p4" | "daemon" | "http-push" | "send-pack" => {
            seen.signal(Reason::Outside, format!("git {verb} publishes"));
            seen.signal(Reason::Irreversible, "others may have seen it");
            seen.reaches(Reach::Outside, format!("git {verb} publishes"));
            seen.floor(format!("git {verb}"));
        }
        "fetch" | "pull" | "clone" | "ls-remote" | "submodule" | "archive"
            if verb != "archive" || has(&["remote"], "") =>
        {
            seen.signal(Reason::NewHost, format!("git {verb} speaks to another machine"));
            seen.reaches(Reach::Outside, format!("git {verb} speaks to another machine"));
        }
        "filter-branch" | "filter-repo" | "replace" | "update-ref" | "gc" | "prune" | "reflog" | "fast-import" => {
            seen.signal(Reason::Irreversible, format!("git {verb} removes history"));
            seen.reaches(Reach::Files, format!("git {verb} removes history"));
            seen.floor("removing the history of a repository");
        }
        "config" | "remote" | "hook" | "credential" | "bisect" | "rebase" | "difftool" | "mergetool"
        | "maintenance" => {
            seen.signal(Reason::Governance, format!("git {verb} changes which programs git runs"));
            seen.reaches(Reach::Unknown, format!("git {verb} may run programs"));
            seen.opaque(format!("git {verb} may run programs"));
        }
        "add" | "commit" | "checkout" | "switch" | "restore" | "stash" | "merge" | "branch" | "tag" | "mv" | "rm"
        | "reset" | "clean" | "revert" | "cherry-pick" | "apply" | "am" | "init" | "archive" | "worktree" | "notes"
        | "format-patch" => {
            seen.reaches(Reach::Files, format!("git {verb} changes the repository"));
            if has(&["force", "hard", "delete", "prune"], "fD") || verb == "clean" {
                seen.signal(Reason::Irreversible, format!("git {verb} throws work away"));
                seen.floor("throwing work in a repository away by force");
            }
        }
        _ => {
            // An alias can be any command.
            seen.opaque(format!("git {verb} may be an alias"));
            seen.reaches(Reach::Unknown, format!("git {verb}"));
        }
    }
}
