use std::fs;
use std::time::Duration;

use super::*;

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(20), output_bytes: 64 * 1024 };

fn house(program: &str) -> Run {
    Run::new(program, Policy::vouched().lets(["GIVEN"]))
}

fn shell(script: &str) -> Run {
    house("sh").arg("-c").arg(script)
}

/// How many processes have `mark` among their arguments. Inside the fence their numbers are other ones.
fn running(mark: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())).count()
}

/// Waits until so many processes have `mark` among their arguments; gives up after many tries.
async fn becomes(mark: &str, wanted: usize) -> bool {
    for _ in 0..1_000 {
        if running(mark) == wanted {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn a_child_sees_only_the_environment_it_is_given() {
    let output = house("env").env("GIVEN", "yes").run(BOUNDS).await.unwrap().whole().unwrap();
    let mut lines: Vec<String> = String::from_utf8(output).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    let [given, home, language, path, passing] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((given.as_str(), language.as_str()), ("GIVEN=yes", "LC_ALL=C.UTF-8"));
    assert_eq!(*path, format!("PATH={PATH_STANDARD}"));
    let private = home.strip_prefix("HOME=").and_then(|home| home.strip_suffix("/home")).unwrap();
    assert_eq!(*passing, format!("TMPDIR={private}/tmp"));
    assert!(!Path::new(private).exists(), "{private} goes with the child");
    let refused = house("env").env("LD_PRELOAD", "x").run(BOUNDS).await.unwrap_err();
    assert!(matches!(refused, ToolError::Refused { code: "sandbox_policy", .. }), "{refused}");
}

#[tokio::test]
async fn an_argument_is_one_argument_and_no_shell_reads_it() {
    let run = house("printf").args(["%s|", "$(id)", "a b; *", "--help"]).run(BOUNDS).await.unwrap();
    assert_eq!(String::from_utf8(run.whole().unwrap()).unwrap(), "$(id)|a b; *|--help|");
}

#[tokio::test]
async fn a_child_has_nothing_to_read() {
    let output = house("cat").run(BOUNDS).await.unwrap();
    assert_eq!(output.whole().unwrap(), b"");
}

#[tokio::test]
async fn a_child_that_takes_too_long_dies_with_everything_it_started() {
    let mark = format!("600.1{}", std::process::id());
    let run = shell(&format!("sleep {mark} & sleep {mark} & wait"));
    let short = Bounds { time: Duration::from_secs(3), ..BOUNDS };
    let (ended, seen) = tokio::join!(run.run(short), becomes(&mark, 2));
    assert!(seen, "the grandchildren ran");
    assert!(matches!(ended, Err(ToolError::TimedOut { .. })), "{ended:?}");
    assert!(becomes(&mark, 0).await, "{mark} still runs");
}

#[tokio::test]
async fn a_run_that_is_dropped_dies_with_everything_it_started() {
    let mark = format!("600.2{}", std::process::id());
    let run = shell(&format!("sleep {mark} & sleep {mark} & wait"));
    let task = tokio::spawn(async move { run.run(BOUNDS).await });
    assert!(becomes(&mark, 2).await, "the grandchildren run");
    task.abort();
    assert!(becomes(&mark, 0).await, "{mark} still runs");
}

#[tokio::test]
async fn what_a_child_left_behind_ends_with_it() {
    let mark = format!("600.3{}", std::process::id());
    let output = shell(&format!("sleep {mark} & echo done")).run(BOUNDS).await.unwrap();
    assert_eq!(output.whole().unwrap(), b"done\n");
    assert!(becomes(&mark, 0).await, "{mark} still runs");
}

#[tokio::test]
async fn a_child_reads_what_it_is_given_and_then_the_end() {
    let long = vec![b'x'; 300_000];
    let output = house("cat").stdin(long.clone()).run(Bounds { output_bytes: 400_000, ..BOUNDS }).await.unwrap();
    assert_eq!(output.whole().unwrap(), long);
}

#[tokio::test]
async fn a_child_that_writes_too_much_is_stopped_and_said_so() {
    let output = house("yes").run(Bounds { output_bytes: 1_000, ..BOUNDS }).await.unwrap();
    assert!(output.truncated);
    assert_eq!(output.stdout.len(), 1_000);
    let error = output.whole().unwrap_err();
    assert!(matches!(error, ToolError::TooMuchOutput { limit_bytes: 1_000, .. }), "{error}");
    let exact = shell("printf 12345").run(Bounds { output_bytes: 5, ..BOUNDS }).await.unwrap();
    assert_eq!(exact.whole().unwrap(), b"12345", "the bound itself is within the bound");
}

#[tokio::test]
async fn failures_are_told_apart_and_safe_to_show() {
    let missing = house("timmy-no-such-program").run(BOUNDS).await.unwrap_err();
    assert!(matches!(&missing, ToolError::NotInstalled { program } if program == "timmy-no-such-program"));
    let nowhere = house("env").folder(Path::new("/nowhere/at/all")).run(BOUNDS).await.unwrap_err();
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
