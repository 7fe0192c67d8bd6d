use std::path::PathBuf;

use super::*;
use crate::testing::{folder, lay_traps, raw_git, write};

const DEFAULTS: [(&str, &str); 2] = [("persona.md", "I am Timmy.\n"), ("prompts/thought.md", "Think.\n")];

fn mind() -> (tempfile::TempDir, PathBuf) {
    let (outer, inner) = folder("home");
    (outer, inner.join("mind"))
}

#[tokio::test]
async fn the_first_time_makes_files_and_a_commit_and_the_second_nothing() {
    let (_outer, dir) = mind();
    let made = ensure(&dir, &DEFAULTS).await.unwrap();
    assert_eq!(made.written, ["persona.md", "prompts/thought.md"]);
    let log = raw_git(&dir, 0, &["log", "--format=%an <%ae> %s %H"]);
    let commit = made.first_commit.unwrap();
    assert_eq!(log.trim(), format!("Timmy <timmy@localhost> The mind begins {commit}"));
    assert_eq!(raw_git(&dir, 0, &["status", "--porcelain"]), "");
    assert_eq!(raw_git(&dir, 0, &["branch", "--show-current"]).trim(), "main");
    assert_eq!(ensure(&dir, &DEFAULTS).await.unwrap(), Ensured::default());
    assert_eq!(commit_edits(&dir, "nothing").await.unwrap(), None);
}

#[tokio::test]
async fn what_the_owner_wrote_is_never_overwritten() {
    let (_outer, dir) = mind();
    write(&dir, "persona.md", "I am somebody else.\n", 5);
    std::os::unix::fs::symlink("/nowhere/at/all", dir.join("linked.md")).unwrap();
    let made = ensure(&dir, &[DEFAULTS[0], DEFAULTS[1], ("linked.md", "x")]).await.unwrap();
    assert_eq!(made.written, ["prompts/thought.md"]);
    assert_eq!(fs::read_to_string(dir.join("persona.md")).unwrap(), "I am somebody else.\n");
    assert!(dir.join("linked.md").is_symlink());
    assert_eq!(raw_git(&dir, 0, &["show", "HEAD:persona.md"]), "I am somebody else.\n");
}

#[tokio::test]
async fn edits_are_committed_with_their_message() {
    let (_outer, dir) = mind();
    ensure(&dir, &DEFAULTS).await.unwrap();
    let before = fingerprint(&dir);
    assert_eq!(before, fingerprint(&dir));
    write(&dir, "persona.md", "I am Timmy, and brief.\n", 5);
    write(&dir, "new/rule.md", "Be kind.\n", 5);
    fs::remove_file(dir.join("prompts/thought.md")).unwrap();
    assert_ne!(before, fingerprint(&dir));
    let commit = commit_edits(&dir, "--amend is only a message\n\nof two parts").await.unwrap().unwrap();
    let log = raw_git(&dir, 0, &["log", "-1", "--format=%H %s", "--name-status", "--no-renames"]);
    let wanted =
        format!("{commit} --amend is only a message\n\nA\tnew/rule.md\nM\tpersona.md\nD\tprompts/thought.md\n");
    assert_eq!(log, wanted);
    assert_eq!(commit_edits(&dir, "again").await.unwrap(), None);
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_finished_by_the_next() {
    let (_outer, dir) = mind();
    write(&dir, "persona.md", "I am Timmy.\n", 5);
    raw_git(&dir, 0, &["init", "--quiet"]);
    let made = ensure(&dir, &DEFAULTS).await.unwrap();
    assert!(made.first_commit.is_some());
    assert_eq!(raw_git(&dir, 0, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_repository_around_the_mind_is_left_alone() {
    let (_outer, dir) = mind();
    let home = dir.parent().unwrap().to_owned();
    raw_git(&home, 0, &["init", "--quiet"]);
    ensure(&dir, &DEFAULTS).await.unwrap();
    assert!(dir.join(".git").is_dir());
    assert_eq!(raw_git(&home, 0, &["status", "--porcelain"]).trim(), "?? mind/");
}

#[tokio::test]
async fn without_git_the_files_are_there_and_the_error_says_why() {
    let (_outer, dir) = mind();
    let error = ensure_with("timmy-no-such-git", &dir, &DEFAULTS).await.unwrap_err();
    assert!(matches!(error, ToolError::NotInstalled { .. }), "{error}");
    assert_eq!(fs::read_to_string(dir.join("prompts/thought.md")).unwrap(), "Think.\n");
}

#[tokio::test]
async fn a_default_cannot_be_written_outside_the_mind() {
    let (_outer, dir) = mind();
    for path in ["../escape.md", "/tmp/escape.md", "a/../../escape.md"] {
        let error = ensure(&dir, &[(path, "x")]).await.unwrap_err();
        assert!(matches!(error, ToolError::Io { .. }), "{error}");
    }
    assert!(!dir.parent().unwrap().join("escape.md").exists());
}

#[tokio::test]
async fn nothing_named_in_the_configuration_runs_on_a_commit() {
    let (outer, dir) = mind();
    ensure(&dir, &DEFAULTS).await.unwrap();
    let marker = lay_traps(outer.path(), &dir);
    write(&dir, ".gitattributes", "*.md filter=evil\n* filter=worse\n", 5);
    write(&dir, "persona.md", "I am Timmy, and calm.\n", 5);
    raw_git(&dir, 0, &["status"]);
    assert!(fs::remove_file(&marker).is_ok(), "the traps work without the fence");
    assert!(commit_edits(&dir, "calm").await.unwrap().is_some());
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap_or_default());
    fs::write(dir.join(".git/config"), "[core]\n\tbare = false\n").unwrap();
    assert_eq!(raw_git(&dir, 0, &["show", "HEAD:persona.md"]), "I am Timmy, and calm.\n");
}

#[tokio::test]
async fn what_does_not_belong_into_a_mind_is_not_copied_into_git() {
    let (_outer, dir) = mind();
    ensure(&dir, &DEFAULTS).await.unwrap();
    let model = fs::File::create(dir.join("model.gguf")).unwrap();
    model.set_len(MIND_BYTES_MAX + 1).unwrap();
    let error = commit_edits(&dir, "a model").await.unwrap_err();
    assert!(matches!(error, ToolError::TooLarge { .. }), "{error}");
    fs::remove_file(dir.join("model.gguf")).unwrap();
    for i in 0..MIND_ENTRIES_MAX {
        write(&dir, &format!("many/{i}"), "", 5);
    }
    assert!(matches!(commit_edits(&dir, "many").await, Err(ToolError::TooLarge { .. })));
}
