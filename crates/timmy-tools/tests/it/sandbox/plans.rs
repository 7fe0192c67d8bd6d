//! What was approved is what runs: the very file and the very folder, or nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use timmy_tools::ToolError;
use timmy_tools::process::Run;
use timmy_tools::sandbox::{Policy, Tier};

use super::{ATTACKER, BOUNDS, Scene, at_least};

fn sha256(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(fs::read(path).expect("read")).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|it| (it.dev(), it.ino()))
}

fn script(path: &Path, says: &str) {
    fs::write(path, format!("#!/bin/sh\necho {says}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
}

async fn refused(run: Run, why: &str) {
    match run.run(BOUNDS).await {
        Err(ToolError::Refused { code, message, .. }) => assert_eq!(code, "plan_changed", "{why}: {message}"),
        other => panic!("{why}: {other:?}"),
    }
}

// shows: approvals: a program exchanged between approval and start does not run, whether by link, by name or in place
#[tokio::test]
async fn a_program_that_was_exchanged() {
    if !at_least(Tier::T2, "an exchanged program").await {
        return;
    }
    let scene = Scene::new();
    let folder = scene.outside.clone();
    let (tool, evil) = (folder.join("tool"), folder.join("evil"));
    script(&tool, "good");
    script(&evil, "evil");
    let (known, number) = (sha256(&tool), file(&tool));
    let policy = || Policy::untrusted().runs(&folder);
    let planned = || Run::new(&tool, policy()).verified(known.clone(), number);
    let said = planned().run(BOUNDS).await.expect("it runs").whole().expect("it ended well");
    assert_eq!(said, b"good\n", "what was approved runs, a script too");

    let native = Path::new(ATTACKER);
    let own = Run::new(ATTACKER, Policy::untrusted().runs(ATTACKER)).args(["say", "native"]);
    let said = own.verified(sha256(native), file(native)).run(BOUNDS).await.expect("it runs").whole().expect("well");
    assert_eq!(said, b"native\n");

    fs::rename(&tool, folder.join("kept")).expect("moved");
    symlink(&evil, &tool).expect("linked");
    refused(planned(), "a link in its place").await;
    fs::remove_file(&tool).expect("removed");
    fs::copy(folder.join("kept"), &tool).expect("copied");
    refused(planned(), "the same bytes in another file").await;
    let bytes_only = Run::new(&tool, policy()).verified(known.clone(), None);
    assert!(bytes_only.run(BOUNDS).await.is_ok(), "where only the bytes were approved, they are enough");
    fs::remove_file(&tool).expect("removed");
    fs::rename(folder.join("kept"), &tool).expect("moved back");
    script(&tool, "evil");
    refused(planned(), "other bytes in the same file").await;
    fs::remove_file(&tool).expect("removed");
    assert!(matches!(planned().run(BOUNDS).await, Err(ToolError::NotInstalled { .. })));
}

// shows: approvals: a folder exchanged between approval and start is not entered
#[tokio::test]
async fn a_folder_that_was_exchanged() {
    if !at_least(Tier::T2, "an exchanged folder").await {
        return;
    }
    let scene = Scene::new();
    let place = scene.inside.join("place");
    fs::create_dir(&place).expect("made");
    let (disk, number) = file(&place).expect("there");
    let planned = || Run::new("pwd", scene.policy()).folder(&place).folder_verified(disk, number);
    assert!(planned().run(BOUNDS).await.expect("it runs").status.success());
    fs::rename(&place, scene.inside.join("aside")).expect("moved");
    symlink(&scene.outside, &place).expect("linked");
    refused(planned(), "a link in its place").await;
}

#[tokio::test]
async fn a_variable_or_a_zero_byte_nobody_let_in_starts_nothing() {
    let scene = Scene::new();
    for name in ["LD_PRELOAD", "LD_LIBRARY_PATH", "RUSTC_WRAPPER", "GIT_SSH_COMMAND", "BASH_ENV", "PYTHONSTARTUP"] {
        let error = Run::new("env", scene.policy()).env(name, "x").run(BOUNDS).await.expect_err(name);
        assert_eq!(error.problem().code, "sandbox_policy");
    }
    let error = Run::new("env", scene.policy()).arg("a\0b").run(BOUNDS).await.expect_err("a zero byte");
    assert_eq!(error.problem().code, "sandbox_policy");
}
