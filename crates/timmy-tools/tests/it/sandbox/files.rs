//! Attempts at files: to write, move, link and read what was not granted.

use std::fs;
use std::os::unix::fs::symlink;

use timmy_tools::sandbox::{Policy, Tier};

use super::{ATTACKER, Scene, at_least, shown, without};

/// What stands in a file that was to be left alone.
fn content(path: &str) -> String {
    fs::read_to_string(path).expect("still there")
}

// shows: hands: a tool cannot write, cut short or remove a file outside its folders
#[tokio::test]
async fn writing_outside() {
    if !at_least(Tier::T2, "writing outside").await {
        return;
    }
    let scene = Scene::new();
    let victim = scene.secret("victim");
    for how in ["write", "append", "truncate", "cut-by-name", "remove"] {
        let held = scene.within(&[how, &victim]).await;
        assert!(held.is_err(), "{how}: {held:?}");
        assert_eq!(content(&victim), "secret", "{how}");
    }
    let fresh = shown(&scene.outside.join("fresh"));
    assert!(scene.within(&["write", &fresh]).await.is_err() && !scene.outside.join("fresh").exists());
    for how in ["append", "truncate", "cut-by-name", "write", "remove"] {
        assert!(without(&[how, &victim]).is_ok(), "the control: {how}");
    }
    let own = shown(&scene.inside.join("own"));
    assert_eq!(scene.within(&["write", &own]).await.as_deref(), Ok("written"), "its own folder it may write");
}

// shows: hands: links and moves lead a tool no further than its folders
#[tokio::test]
async fn links_and_moves() {
    if !at_least(Tier::T2, "links and moves").await {
        return;
    }
    let scene = Scene::new();
    let victim = scene.secret("victim");
    let inside = |name: &str| shown(&scene.inside.join(name));
    assert!(scene.within(&["symlink", &victim, &inside("soft")]).await.is_err());
    assert!(scene.within(&["hardlink", &victim, &inside("hard")]).await.is_err());
    assert!(scene.within(&["rename", &victim, &inside("moved")]).await.is_err());
    fs::write(scene.inside.join("mine"), "mine").expect("written");
    assert!(scene.within(&["rename", &inside("mine"), &victim]).await.is_err());
    assert_eq!(content(&victim), "secret");
    // A link somebody left lying there leads nowhere either.
    symlink(&scene.outside, scene.inside.join("door")).expect("linked");
    assert!(scene.within(&["write", &inside("door/victim")]).await.is_err());
    assert!(scene.within(&["read", &inside("door/victim")]).await.is_err());
    assert_eq!(content(&victim), "secret");
    assert!(without(&["symlink", &victim, &inside("soft2")]).is_ok(), "the control");
    assert!(without(&["hardlink", &victim, &inside("hard2")]).is_ok(), "the control");
    assert!(without(&["rename", &victim, &inside("moved2")]).is_ok(), "the control");
}

// shows: hands: the process folder is no way around the fence
#[tokio::test]
async fn the_process_folder_as_a_way_out() {
    if !at_least(Tier::T2, "the process folder").await {
        return;
    }
    let scene = Scene::new();
    let victim = scene.secret("victim");
    for root in ["/proc/self/root", "/proc/1/root", "/proc/thread-self/root"] {
        let path = format!("{root}{victim}");
        assert!(scene.within(&["read", &path]).await.is_err(), "{path}");
        assert!(scene.within(&["write", &path]).await.is_err(), "{path}");
    }
    assert_eq!(content(&victim), "secret");
    assert_eq!(without(&["read", &format!("/proc/self/root{victim}")]).as_deref(), Ok("secret"), "the control");
    let core = "/proc/sys/kernel/core_pattern";
    let before = content(core);
    assert!(scene.within(&["write", core]).await.is_err());
    assert_eq!(content(core), before);
}

// shows: hands: keys of the owner, the database of the house and other work stay unread
#[tokio::test]
async fn reading_what_is_private() {
    if !at_least(Tier::T2, "reading what is private").await {
        return;
    }
    let scene = Scene::new();
    let private =
        ["home/.ssh/id_ed25519", "home/.timmy/timmy.db", "home/.timmy/secrets.toml", "worktrees/other/src.rs"];
    for name in private {
        let path = scene.secret(name);
        let held = scene.within(&["read", &path]).await;
        assert!(held.is_err(), "{name}: {held:?}");
        assert_eq!(without(&["read", &path]).as_deref(), Ok("secret"), "the control");
    }
    assert!(scene.within(&["list", &shown(&scene.outside)]).await.is_err());
    for path in ["/etc/shadow", "/root", "/home", "/var/log", "/run", "/boot"] {
        assert!(scene.within(&["list", path]).await.is_err(), "{path}");
        assert!(scene.within(&["read", path]).await.is_err(), "{path}");
    }
    let granted = scene.secret("notes/today.md");
    let policy = scene.policy().reads(scene.outside.join("notes"));
    assert_eq!(scene.with(policy.clone(), &["read", &granted]).await.as_deref(), Ok("secret"));
    assert!(scene.with(policy, &["write", &granted]).await.is_err(), "what may be read may not be written");
}

// shows: hands: what a tool wrote cannot be run, neither directly nor through the system's loader
#[tokio::test]
async fn running_what_was_written() {
    if !at_least(Tier::T2, "running what was written").await {
        return;
    }
    let scene = Scene::new();
    let copy = shown(&scene.inside.join("copy"));
    assert!(scene.within(&["copy", &copy, "ran"]).await.is_err());
    assert_eq!(without(&["copy", &copy, "ran"]).as_deref(), Ok("ran"), "the control");
    let script = scene.inside.join("script");
    fs::write(&script, "#!/bin/sh\necho ran\n").expect("written");
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made runnable");
    assert!(scene.within(&["run", &shown(&script)]).await.is_err());
    assert_eq!(without(&["run", &shown(&script)]).as_deref(), Ok("ran"), "the control");
    let policy = scene.policy().runs(&scene.inside);
    assert_eq!(scene.with(policy, &["copy", &copy, "ran"]).await.as_deref(), Ok("ran"), "where it may, it may");
    if !at_least(Tier::T3, "the loader").await {
        return;
    }
    let loaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let Some(loader) = loaders.into_iter().find(|path| fs::exists(path).is_ok_and(|there| there)) else {
        println!("skipped: the loader of this system stands somewhere else");
        return;
    };
    let held = scene.within(&["loader", loader, &copy, "ran"]).await;
    assert!(held.is_err(), "{held:?}");
    assert_eq!(without(&["loader", loader, &copy, "ran"]).as_deref(), Ok("ran"), "the control");
    // A folder to run below the one to write gets its programs back, and only that one.
    let bin = scene.inside.join("bin");
    fs::create_dir(&bin).expect("made");
    let policy = scene.policy().runs(&bin);
    assert_eq!(scene.with(policy.clone(), &["copy", &shown(&bin.join("copy")), "ran"]).await.as_deref(), Ok("ran"));
    assert!(scene.with(policy, &["copy", &copy, "ran"]).await.is_err());
}

// shows: hands: files that programs outside obey stay as they are, also in a folder a tool may write
#[tokio::test]
async fn what_others_obey() {
    if !at_least(Tier::T2, "what others obey").await {
        return;
    }
    let scene = Scene::new();
    fs::create_dir_all(scene.inside.join(".git/hooks")).expect("made");
    fs::create_dir_all(scene.inside.join(".cargo")).expect("made");
    for name in [".git/hooks/pre-commit", ".git/config", ".cargo/config.toml"] {
        let path = shown(&scene.inside.join(name));
        assert!(scene.within(&["write", &path]).await.is_err(), "{name}");
        assert!(!scene.inside.join(name).exists(), "{name}");
        assert!(without(&["write", &path]).is_ok(), "the control: {name}");
        assert_eq!(scene.within(&["read", &path]).await.as_deref(), Ok("mine"), "it may be read");
    }
    let (from, to) = (shown(&scene.inside.join(".git")), shown(&scene.inside.join("gone")));
    assert!(scene.within(&["rename", &from, &to]).await.is_err() && scene.inside.join(".git").is_dir());
    fs::create_dir(scene.inside.join("src")).expect("made");
    fs::create_dir(scene.inside.join("locked")).expect("made");
    let policy = scene.policy().keeps(scene.inside.join("locked"));
    assert!(scene.with(policy.clone(), &["write", &shown(&scene.inside.join("locked/a"))]).await.is_err());
    assert!(scene.with(policy, &["write", &shown(&scene.inside.join("src/a"))]).await.is_ok());
}

#[tokio::test]
async fn devices() {
    if !at_least(Tier::T2, "devices").await {
        return;
    }
    let scene = Scene::new();
    for device in ["/dev/ptmx", "/dev/tty", "/dev/kmsg", "/dev/mem", "/dev/fuse", "/dev/vda"] {
        assert!(scene.within(&["open", device]).await.is_err(), "{device}");
    }
    let shared = format!("/dev/shm/timmy-test-{}", std::process::id());
    assert!(scene.within(&["write", &shared]).await.is_err());
    assert!(without(&["write", &shared]).is_ok(), "the control");
    fs::remove_file(&shared).expect("removed");
    assert_eq!(without(&["open", "/dev/ptmx"]).as_deref(), Ok("open"), "the control");
    assert_eq!(scene.within(&["open", "/dev/null"]).await.as_deref(), Ok("open"), "what gives nothing away is there");
}

#[tokio::test]
async fn a_policy_that_opens_the_system_starts_nothing() {
    let scene = Scene::new();
    for path in ["/", "/etc", "/usr/local/bin", "/proc"] {
        let run = timmy_tools::process::Run::new(ATTACKER, Policy::untrusted().runs(ATTACKER).writes(path));
        let error = run.args(["write", &shown(&scene.inside.join("x"))]).run(super::BOUNDS).await.expect_err(path);
        assert_eq!(error.problem().code, "sandbox_policy");
    }
    assert!(!scene.inside.join("x").exists());
}
