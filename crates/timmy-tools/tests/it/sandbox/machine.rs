//! Attempts at the machine: to take all of it, or to become somebody else on it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use timmy_tools::sandbox::{Limits, Tier};

use super::{ATTACKER, Scene, at_least, shown, without};

/// Processes a bomb starts where nothing holds it back.
const BOMB: usize = 700;

// shows: hands: a tool cannot fill the machine with processes
#[tokio::test]
async fn a_fork_bomb() {
    if !at_least(Tier::T2, "a fork bomb").await {
        return;
    }
    let fence = timmy_tools::sandbox::fence().await;
    if fence.missing.iter().any(|what| what.contains("not bounded")) {
        println!("skipped: {}", fence.line());
        return;
    }
    let scene = Scene::new();
    let policy = scene.policy().limits(Limits { processes: 20, ..Limits::default() });
    let said = scene.with(policy, &["bomb", &BOMB.to_string()]).await;
    // Less than 301 numbers cannot be set, where it is the numbers that are bounded.
    let most = if rustix::process::geteuid().is_root() { 301 } else { BOMB - 1 };
    assert!(said.as_ref().is_ok_and(|count| count.parse::<usize>().is_ok_and(|count| count <= most)), "{said:?}");
    assert_eq!(without(&["bomb", &BOMB.to_string()]), Ok(BOMB.to_string()), "the control");
}

// shows: hands: a tool cannot take the memory or the disk of the machine
#[tokio::test]
async fn too_much_memory_and_a_file_too_long() {
    if !at_least(Tier::T2, "too much").await {
        return;
    }
    let scene = Scene::new();
    let held = scene.within(&["memory-hunger"]).await;
    assert!(held.is_err(), "{held:?}");
    assert_eq!(without(&["memory-hunger"]).as_deref(), Ok("had"), "the control");
    let path = scene.inside.join("long");
    let held = scene.within(&["long-file", &shown(&path)]).await;
    assert!(held.is_err(), "{held:?}");
    let bytes = path.metadata().map_or(0, |it| it.len());
    assert!(bytes <= Limits::default().file_bytes, "{bytes}");
    assert_eq!(without(&["long-file", &shown(&path)]).as_deref(), Ok("made"), "the control");
}

// shows: hands: a program that would make a tool somebody else does not
#[tokio::test]
async fn becoming_somebody_else() {
    if !at_least(Tier::T2, "becoming somebody else").await {
        return;
    }
    let scene = Scene::new();
    let own = rustix::process::geteuid().as_raw();
    let copy = scene.inside.join("set-user");
    fs::copy(ATTACKER, &copy).expect("copied");
    // Only root can give a file away; others try it with the system's own.
    let given = chown(&copy, Some(65_533), None).is_ok();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).expect("set");
    let policy = scene.policy().runs(&copy);
    let within = scene.with(policy, &["run", &shown(&copy), "user"]).await.expect("told");
    assert_eq!(within, own.to_string());
    let reachable = fs::metadata(&scene.inside).is_ok_and(|it| it.uid() == own);
    if given && reachable {
        let output = Command::new(&copy).arg("user").output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "65533", "the control");
    } else {
        println!("skipped: the control of this attempt needs root");
    }
}

// shows: hands: a tool cannot mount anything
#[tokio::test]
async fn mounting() {
    if !at_least(Tier::T2, "mounting").await {
        return;
    }
    let scene = Scene::new();
    let place = scene.inside.join("place");
    fs::create_dir(&place).expect("made");
    let held = scene.within(&["mount", &shown(&place)]).await;
    assert!(held.is_err(), "{held:?}");
    let words = ["-rm", ATTACKER, "mount", &shown(&place)];
    match Command::new("unshare").args(words).output() {
        Ok(output) => assert!(output.status.success(), "the control, in a namespace of its own"),
        Err(_) => println!("skipped: the control of mounting needs unshare"),
    }
}

#[tokio::test]
async fn a_terminal_is_let_go() {
    if !at_least(Tier::T2, "a terminal").await {
        return;
    }
    let scene = Scene::new();
    let said = scene.with(scene.policy(), &["read", "/proc/self/stat"]).await.expect("read");
    // After the name: state, parent, group, session, terminal.
    let fields: Vec<&str> = said.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(fields[4], "0", "{said}");
}
