//! Attempts at other processes, and at staying when it is over.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use timmy_tools::ToolError;
use timmy_tools::process::{Bounds, Run};
use timmy_tools::sandbox::Tier;

use super::{ATTACKER, BOUNDS, Scene, at_least, shown, without};

/// A process of this user that means no harm.
struct Victim(Child);

impl Victim {
    fn new() -> Self {
        Self(Command::new(ATTACKER).args(["rest", "victim"]).stdin(Stdio::null()).spawn().expect("it runs"))
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("asked").is_none()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// How many processes have `mark` as an argument.
fn running(mark: &str) -> usize {
    let all = fs::read_dir("/proc").expect("listed").flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())).count()
}

async fn becomes(mark: &str, wanted: usize) -> bool {
    for _ in 0..1_000 {
        if running(mark) == wanted {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

// shows: hands: a tool cannot read, stop or end a process outside its fence
#[tokio::test]
async fn processes_outside() {
    if !at_least(Tier::T2, "processes outside").await {
        return;
    }
    let scene = Scene::new();
    let mut victim = Victim::new();
    let own = std::process::id().to_string();
    for pid in [own.as_str(), &victim.pid()] {
        assert!(scene.within(&["memory", pid]).await.is_err(), "its memory");
        let environment = format!("/proc/{pid}/environ");
        assert!(scene.within(&["read", &environment]).await.is_err(), "its environment");
        assert!(scene.within(&["list", &format!("/proc/{pid}/fd")]).await.is_err(), "its files");
    }
    let parent = scene.within(&["read", "/proc/1/environ"]).await;
    assert!(parent.is_err(), "the first process it can see: {parent:?}");
    assert!(without(&["memory", &victim.pid()]).is_ok(), "the control");
    assert!(without(&["list", &format!("/proc/{}/fd", victim.pid())]).is_ok(), "the control");
    let fence = timmy_tools::sandbox::fence().await;
    if fence.missing.iter().any(|what| what.contains("signals")) {
        println!("skipped: signals are not held back on this machine: {}", fence.line());
        return;
    }
    assert!(scene.within(&["kill", &victim.pid()]).await.is_err() && victim.lives());
    assert!(without(&["kill", &victim.pid()]).is_ok(), "the control");
}

// shows: hands: what a tool leaves running in the background ends with it, also when it became a daemon
#[tokio::test]
async fn a_daemon_in_the_background() {
    if !at_least(Tier::T2, "a daemon").await {
        return;
    }
    let scene = Scene::new();
    let mark = format!("inside-{}", std::process::id());
    assert_eq!(scene.within(&["daemon", &mark]).await.as_deref(), Ok("begun"));
    assert!(becomes(&mark, 0).await, "{mark} still runs");
    let mark = format!("outside-{}", std::process::id());
    assert!(without(&["daemon", &mark]).is_ok());
    assert!(becomes(&mark, 1).await, "the control: it stays");
    for entry in fs::read_dir("/proc").expect("listed").flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let pid =
            entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(rustix::process::Pid::from_raw);
        if let (true, Some(pid)) = (String::from_utf8_lossy(&line).contains(&mark), pid) {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
    }
}

// shows: hands: a tool that is given up, with its daemon, is gone at once
#[tokio::test]
async fn a_tool_that_hangs() {
    if !at_least(Tier::T2, "a tool that hangs").await {
        return;
    }
    let scene = Scene::new();
    let mark = format!("hangs-{}", std::process::id());
    let script = format!("'{ATTACKER}' daemon {mark}; sleep 600");
    let run = Run::new("sh", scene.policy()).args(["-c", &script]);
    let task = tokio::spawn(async move { run.run(BOUNDS).await });
    assert!(becomes(&mark, 1).await, "the daemon runs");
    task.abort();
    assert!(becomes(&mark, 0).await, "{mark} still runs");
}

// shows: hands: a tool that floods its output is stopped at its bound and said so
#[tokio::test]
async fn a_flood_of_output() {
    if !at_least(Tier::T2, "a flood").await {
        return;
    }
    let scene = Scene::new();
    let bounds = Bounds { output_bytes: 1 << 20, ..BOUNDS };
    let output = Run::new(ATTACKER, scene.policy()).arg("flood").run(bounds).await.expect("it runs");
    assert_eq!((output.truncated, output.stdout.len()), (true, 1 << 20));
    let error = output.whole().expect_err("too much");
    assert!(matches!(error, ToolError::TooMuchOutput { limit_bytes, .. } if limit_bytes == 1 << 20), "{error}");
}

// shows: hands: no open file and no variable of the house reaches a tool
#[tokio::test]
async fn what_is_inherited() {
    if !at_least(Tier::T2, "what is inherited").await {
        return;
    }
    let scene = Scene::new();
    let open = File::open(scene.secret("open")).expect("opened");
    // As if whoever started the house had left it open.
    fcntl_setfd(&open, FdFlags::empty()).expect("left open");
    assert!(open.as_raw_fd() > 2);
    assert_eq!(scene.within(&["handles"]).await.as_deref(), Ok(""));
    let outside = without(&["handles"]).expect("looked");
    assert!(outside.contains(&shown(&scene.outside.join("open"))), "the control: {outside}");
    fcntl_setfd(&open, FdFlags::CLOEXEC).expect("closed again");

    let mut names: Vec<String> =
        scene.within(&["environment"]).await.expect("told").split(' ').map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["HOME", "LC_ALL", "PATH", "TMPDIR"]);
    assert!(without(&["environment"]).expect("told").contains("CARGO_MANIFEST_DIR"), "the control");
}

#[tokio::test]
async fn the_order_of_the_fence_cannot_be_read() {
    if !at_least(Tier::T2, "the order").await {
        return;
    }
    let scene = Scene::new();
    let policy = scene.policy().reads("/a/path/nobody/has");
    let script = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; cat; echo end";
    let run = Run::new("sh", policy).args(["-c", script]).run(BOUNDS).await.expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(said.ends_with("end\n") && !said.contains("/a/path/nobody/has"), "{said}");
}
