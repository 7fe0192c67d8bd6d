use std::fs;

use super::*;
use crate::testing::{lay_traps, raw_git, repository, write};

#[test]
fn only_reading_commands_with_whole_options_are_accepted() {
    let accepted: [&[&str]; 5] = [
        &["rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD"],
        &["log", "-z", "--no-patch", "--no-mailmap", "--no-show-signature", "--format=%H", "--max-count=5", "a..b"],
        &["ls-files", "-z", "--others", "--exclude-standard"],
        &["cat-file", "blob", "abc"],
        &["diff-tree", "--no-commit-id", "--name-only", "-r", "--root", "abc"],
    ];
    for args in accepted {
        assert_eq!(check(args), Ok(()), "{args:?}");
    }
    let refused: [(&[&str], &str); 18] = [
        (&[], ""),
        (&["status"], "status"),
        (&["fetch"], "fetch"),
        (&["-c", "core.pager=x", "log"], "-c"),
        (&["--exec-path=/tmp", "log"], "--exec-path=/tmp"),
        (&["log", "--no-patch", "--no-mailmap"], "log"),
        (&["log", "--no-patch", "--no-mailmap", "--no-show-signature", "--output=x"], "--output=x"),
        (&["log", "--no-patch", "--no-mailmap", "--no-show-signature", "--outp=x"], "--outp=x"),
        (&["log", "--no-patch", "--no-mailmap", "--no-show-signature", "--show-sig"], "--show-sig"),
        (&["log", "--no-patch", "--no-mailmap", "--no-show-signature", "--", "--output=x"], "--output=x"),
        (&["symbolic-ref", "--quiet", "HEAD", "refs/heads/x"], "refs/heads/x"),
        (&["symbolic-ref", "--quiet", "--delete", "HEAD"], "--delete"),
        (&["diff-index", "-z", "HEAD"], "diff-index"),
        (&["diff-index", "--cached", "--raw", "--no-ext-diff", "--no-textconv", "-p", "HEAD"], "-p"),
        (&["cat-file", "--filters", "HEAD:a"], "--filters"),
        (&["diff-tree", "--name-only", "-p", "abc"], "-p"),
        (&["cat-file", "tree", "HEAD"], "cat-file"),
        (&["rev-list", "--count", "HEAD", "--disk-usage"], "--disk-usage"),
    ];
    for (args, culprit) in refused {
        assert_eq!(check(args), Err(culprit), "{args:?}");
    }
}

#[tokio::test]
async fn a_refused_command_does_not_run() {
    let (_outer, repo) = repository("kelp");
    let error = git(&repo, &["log", "--output=stolen"], GIT_BOUNDS).await.unwrap_err();
    assert!(matches!(error, ToolError::NotAllowed { .. }), "{error}");
    assert!(!repo.join("stolen").exists());
}

/// The traps of [`lay_traps`] do work on a git that is not hardened; otherwise the tests that find
/// no marker would show nothing.
#[tokio::test]
async fn the_traps_snap_without_the_fence_and_not_within_it() {
    let (outer, repo) = repository("kelp");
    let signed = raw_git(&repo, 10, &["rev-parse", "HEAD^{tree}"]);
    let commit = format!(
        "tree {}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\nsigned\n",
        signed.trim()
    );
    write(outer.path(), "commit", commit, 10);
    let path = outer.path().join("commit").display().to_string();
    let hash = raw_git(&repo, 10, &["hash-object", "-t", "commit", "-w", &path]);
    raw_git(&repo, 10, &["reset", "--quiet", "--soft", hash.trim()]);
    let blob = raw_git(&repo, 10, &["rev-parse", "HEAD:src/a.rs"]);
    let marker = lay_traps(outer.path(), &repo);
    write(&repo, "src/a.rs", "fn other() {}\n", 5);
    let (dir, file) = blob.trim().split_at(2);
    fs::remove_file(repo.join(".git/objects").join(dir).join(file)).unwrap();

    for args in [&["status"][..], &["log"], &["diff"], &["cat-file", "blob", blob.trim()]] {
        raw_git(&repo, 5, args);
        assert!(fs::remove_file(&marker).is_ok(), "no trap snapped on a plain {args:?}");
    }
    let log = ["log", "-z", "--no-patch", "--no-mailmap", "--no-show-signature", "--format=%H%x00%s", "HEAD"];
    let output = git(&repo, &log, GIT_BOUNDS).await.unwrap().whole().unwrap();
    assert!(output.ends_with(b"signed\0"), "{}", String::from_utf8_lossy(&output));
    let index = ["diff-index", "-z", "--cached", "--raw", "--no-ext-diff", "--no-textconv", "HEAD"];
    git(&repo, &index, GIT_BOUNDS).await.unwrap().whole().unwrap();
    let tree = ["diff-tree", "--name-only", "-r", "--root", hash.trim()];
    git(&repo, &tree, GIT_BOUNDS).await.unwrap().whole().unwrap();
    git(&repo, &["ls-files", "-z", "-s", "-t", "--debug"], GIT_BOUNDS).await.unwrap().whole().unwrap();
    git(&repo, &["ls-files", "-z", "--others", "--exclude-standard"], GIT_BOUNDS).await.unwrap().whole().unwrap();
    git(&repo, &["symbolic-ref", "--quiet", "--short", "HEAD"], GIT_BOUNDS).await.unwrap().whole().unwrap();
    let lost = git(&repo, &["cat-file", "blob", blob.trim()], GIT_BOUNDS).await.unwrap();
    assert!(!lost.status.success(), "a lost object is not fetched");
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap_or_default());
}

#[tokio::test]
async fn the_work_tree_is_the_folder_whatever_the_repository_says() {
    let (outer, repo) = repository("kelp");
    write(outer.path(), "elsewhere/private.txt", "x", 10);
    let elsewhere = outer.path().join("elsewhere").display().to_string();
    raw_git(&repo, 0, &["config", "core.worktree", &elsewhere]);
    write(&repo, "mine.txt", "x", 10);
    let output = git(&repo, &["ls-files", "-z", "--others"], GIT_BOUNDS).await.unwrap().whole().unwrap();
    assert_eq!(output, b"mine.txt\0");
}

#[test]
fn a_link_is_no_repository() {
    let (outer, repo) = repository("kelp");
    assert!(is_repository(&repo) && !is_repository(outer.path()));
    std::os::unix::fs::symlink(repo.join(".git"), outer.path().join(".git")).unwrap();
    assert!(!is_repository(outer.path()));
}
