use std::fs;
use std::time::Duration;

use super::*;

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(20), output_bytes: 64 * 1024 };

fn shell(script: &str) -> Run {
    Run::new("sh").arg("-c").arg(script)
}

/// Whether a process still runs; one that is dead and waits to be reaped does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

/// Waits until the process no longer runs; gives up after many tries.
async fn ends(pid: &str) -> bool {
    for _ in 0..500 {
        if !runs(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn a_child_sees_only_the_environment_it_is_given() {
    let output = Run::new("env").env("GIVEN", "yes").run(BOUNDS).await.unwrap().whole().unwrap();
    let mut lines: Vec<String> = String::from_utf8(output).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["GIVEN=yes", "LC_ALL=C.UTF-8", &format!("PATH={PATH_STANDARD}")]);
}

#[tokio::test]
async fn an_argument_is_one_argument_and_no_shell_reads_it() {
    let run = Run::new("printf").args(["%s|", "$(id)", "a b; *", "--help"]).run(BOUNDS).await.unwrap();
    assert_eq!(String::from_utf8(run.whole().unwrap()).unwrap(), "$(id)|a b; *|--help|");
}

#[tokio::test]
async fn a_child_has_nothing_to_read() {
    let output = Run::new("cat").run(BOUNDS).await.unwrap();
    assert_eq!(output.whole().unwrap(), b"");
}

#[tokio::test]
async fn a_child_that_takes_too_long_dies_with_everything_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let run = shell("sleep 600 & echo $! > grandchild; echo $$ > child; wait").folder(folder.path());
    let error = run.run(Bounds { time: Duration::from_millis(700), ..BOUNDS }).await.unwrap_err();
    assert!(matches!(error, ToolError::TimedOut { .. }), "{error}");
    for name in ["child", "grandchild"] {
        let pid = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(ends(&pid).await, "{name} {pid} still runs");
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_dies_with_everything_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let run = shell("sleep 600 & echo $! > draft; mv draft grandchild; wait").folder(folder.path());
    let task = tokio::spawn(async move { run.run(BOUNDS).await });
    let file = folder.path().join("grandchild");
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    task.abort();
    let pid = fs::read_to_string(&file).unwrap();
    assert!(ends(&pid).await, "{pid} still runs");
}

#[tokio::test]
async fn a_child_that_writes_too_much_is_stopped_and_said_so() {
    let output = Run::new("yes").run(Bounds { output_bytes: 1_000, ..BOUNDS }).await.unwrap();
    assert!(output.truncated);
    assert_eq!(output.stdout.len(), 1_000);
    let error = output.whole().unwrap_err();
    assert!(matches!(error, ToolError::TooMuchOutput { limit_bytes: 1_000, .. }), "{error}");
    let exact = shell("printf 12345").run(Bounds { output_bytes: 5, ..BOUNDS }).await.unwrap();
    assert_eq!(exact.whole().unwrap(), b"12345", "the bound itself is within the bound");
}

#[tokio::test]
async fn failures_are_told_apart_and_safe_to_show() {
    let missing = Run::new("timmy-no-such-program").run(BOUNDS).await.unwrap_err();
    assert!(matches!(&missing, ToolError::NotInstalled { program } if program == "timmy-no-such-program"));
    let nowhere = Run::new("env").folder(Path::new("/nowhere/at/all")).run(BOUNDS).await.unwrap_err();
    assert!(matches!(nowhere, ToolError::Io { .. }), "{nowhere}");
    let output = shell("echo first >&2; printf 'fatal: \\033[31mred\\n\\n' >&2; exit 3").run(BOUNDS).await.unwrap();
    let failed = output.whole().unwrap_err();
    assert_eq!(failed.to_string(), "sh failed with status 3: fatal: [31mred");
    for error in [missing, nowhere, failed] {
        let problem = error.problem();
        assert!(!problem.message.is_empty() && !problem.hint.is_empty() && !problem.message.contains('\u{1b}'));
    }
}

#[tokio::test]
async fn complaints_without_end_do_not_block_the_child() {
    let output = shell("head -c 1000000 /dev/zero >&2; echo done").run(BOUNDS).await.unwrap();
    assert_eq!(output.stderr.len(), STDERR_BYTES_MAX);
    assert_eq!(output.whole().unwrap(), b"done\n");
}
