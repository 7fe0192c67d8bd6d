//! Attempts of code that runs because something is built or committed: hooks, wrappers, build scripts.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use timmy_tools::process::Run;
use timmy_tools::sandbox::{Limits, Policy, Tier};

use super::{Scene, at_least, run, shown};

fn git(repo: &Path, args: &[&str]) -> bool {
    let mut git = Command::new("git");
    git.current_dir(repo).args(["-c", "user.name=Ana", "-c", "user.email=ana@localhost"]).args(args);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    git.output().is_ok_and(|output| output.status.success())
}

// shows: hands: a hook of somebody's repository runs within the fence and reaches nothing outside
#[tokio::test]
async fn a_hook_of_a_repository() {
    if !at_least(Tier::T2, "hooks").await {
        return;
    }
    let scene = Scene::new();
    let repo = scene.inside.join("repo");
    fs::create_dir(&repo).expect("made");
    assert!(git(&repo, &["init", "--quiet"]));
    let (marker, own) = (scene.outside.join("marker"), scene.inside.join("ran"));
    let hook = repo.join(".git/hooks/pre-commit");
    let words = format!("#!/bin/sh\necho out > '{}'\necho in > '{}'\nexit 0\n", shown(&marker), shown(&own));
    fs::create_dir_all(repo.join(".git/hooks")).expect("made");
    fs::write(&hook, words).expect("written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("set");
    let commit = ["-c", "user.name=Ana", "-c", "user.email=ana@localhost", "commit", "--allow-empty", "-m", "x"];
    // Even where the hook may run, because somebody granted the whole repository.
    let policy = scene.policy().writes(repo.join(".git")).runs(repo.join(".git/hooks"));
    let output = run(Run::new("git", policy).args(commit).folder(&repo)).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(own.exists(), "the hook did run");
    assert!(!marker.exists(), "and came no further");
    fs::remove_file(&own).expect("removed");
    let output = run(Run::new("git", scene.policy().writes(repo.join(".git"))).args(commit).folder(&repo)).await;
    assert!(output.status.success() && !own.exists(), "where it may not run, it does not");
    assert!(git(&repo, &["commit", "--allow-empty", "-m", "x"]) && marker.exists(), "the control");
}

/// The tool chain these tests were built with.
fn tool_chain() -> Option<(PathBuf, PathBuf)> {
    let cargo = fs::canonicalize(env!("CARGO")).ok()?;
    let root = cargo.parent()?.parent()?.to_owned();
    root.join("bin/rustc").is_file().then_some((cargo, root))
}

// shows: hands: a build script, and a wrapper of the compiler that a project names, reach neither network nor files outside
#[tokio::test]
async fn a_build_script_and_a_wrapper() {
    if !at_least(Tier::T2, "builds").await {
        return;
    }
    let Some((cargo, root)) = tool_chain() else {
        println!("skipped: the compiler stands in no folder of its own");
        return;
    };
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    listener.set_nonblocking(true).expect("set");
    let at = listener.local_addr().expect("an address").to_string();
    let project = scene.inside.join("project");
    fs::create_dir_all(project.join("src")).expect("made");
    let manifest = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(project.join("Cargo.toml"), manifest).expect("written");
    fs::write(project.join("src/lib.rs"), "").expect("written");
    let (out, own) = (scene.outside.join("marker"), scene.inside.join("ran"));
    let script = format!(
        "fn main() {{ let _ = std::fs::write({out:?}, \"out\"); let sent = std::net::TcpStream::connect({at:?}).is_ok(); \
         std::fs::write({own:?}, format!(\"{{sent}}\")).unwrap(); }}"
    );
    fs::write(project.join("build.rs"), script).expect("written");
    let wrapper = project.join("wrapper.sh");
    fs::write(&wrapper, format!("#!/bin/sh\necho out > '{}'\nexec \"$@\"\n", shown(&out))).expect("written");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("set");
    fs::create_dir(project.join(".cargo")).expect("made");
    let config = format!("[build]\nrustc-wrapper = {:?}\n", shown(&wrapper));
    fs::write(project.join(".cargo/config.toml"), config).expect("written");
    let target = scene.inside.join("target");
    fs::create_dir(&target).expect("made");
    let limits = Limits { memory_bytes: 4 << 30, address_bytes: 16 << 30, ..Limits::default() };
    let build = || {
        let names = ["RUSTC", "CARGO_TARGET_DIR"];
        let policy = Policy::untrusted().writes(&project).writes(&target).runs(&target).runs(&project).runs(&root);
        let policy = policy.writes(&own).limits(limits).lets(names);
        let args = ["build", "--offline", "--quiet"];
        let run = Run::new(&cargo, policy).args(args).folder(&project).env("CARGO_TARGET_DIR", &target);
        run.env("RUSTC", root.join("bin/rustc"))
    };
    fs::write(&own, "").expect("made");
    let output = run(build()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(&own).expect("the script ran"), "false");
    assert!(!out.exists() && listener.accept().is_err());

    // The control: the same script by itself.
    let found = fs::read_dir(target.join("debug/build")).expect("built").flatten();
    let mut scripts = found.map(|entry| entry.path().join("build-script-build")).filter(|path| path.is_file());
    let script = scripts.next().expect("the script");
    assert!(Command::new(script).current_dir(&project).status().expect("it runs").success());
    assert_eq!(fs::read_to_string(&own).expect("the script ran"), "true");
    assert!(out.exists() && listener.accept().is_ok());
}
