//! Tools that start programs: commands and git, within the fence, on real files and real repositories.

mod kept;
mod programs;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::Timestamp;
use timmy_domain::plan::Plan;
use timmy_domain::risk::RiskClass;
use timmy_tools::ToolError;
use timmy_tools::error::Failing;
use timmy_tools::tool::outcome::{Outcome, TEXT_BYTES_MAX};
use timmy_tools::tool::scope::{Grant, Grants};
use timmy_tools::tool::{Running, Scope, Toolbox};
use timmy_tools::tools::{all, fetch::Internet};

struct Bench {
    _outer: tempfile::TempDir,
    folder: PathBuf,
    tools: Toolbox,
    scope: Scope,
    running: Running,
}

impl Bench {
    fn new(write: bool) -> Self {
        timmy_tools::sandbox::use_helper(env!("CARGO_BIN_EXE_timmy-sandbox"));
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().canonicalize().unwrap().join("work");
        fs::create_dir(&folder).unwrap();
        let grants = Arc::new(Grants::new(vec![Grant::new(&folder, write).unwrap()], &[]));
        let now = Timestamp::from_micros(2_000_000_000_000_000);
        let scope = Scope {
            grants: Arc::clone(&grants),
            fetch: false,
            nonce: "nonce".to_owned(),
            expires_at: now.plus(Duration::from_secs(600)),
            session: None,
            task_id: None,
            taint: Vec::new(),
            policy_sha256: None,
        };
        let offsets = Arc::new(|_| time::UtcOffset::UTC);
        let running = Running { grants, fetch: false, now, offsets, time: Duration::from_secs(120) };
        Self { _outer: outer, folder, tools: all(Arc::new(Internet)), scope, running }
    }

    /// A repository with one commit of two files.
    fn repository() -> Self {
        let bench = Self::new(true);
        bench.raw(&["init", "--quiet", "--initial-branch=main"]);
        bench.write("README.md", "# Kelp\n");
        bench.write("src/a.rs", "fn a() {}\n");
        bench.raw(&["add", "."]);
        bench.raw(&["commit", "--quiet", "-m", "Begin"]);
        bench
    }

    fn write(&self, path: &str, content: &str) {
        let at = self.folder.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, content).unwrap();
    }

    /// Git as whoever owns the repository runs it, outside the fence.
    fn raw(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(&self.folder)
            .args(["-c", "user.name=Ana", "-c", "user.email=ana@localhost"])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn plan(&self, tool: &str, args: Value) -> Result<Plan, ToolError> {
        self.tools.plan(tool, &args, &self.scope).await
    }

    async fn run(&self, plan: &Plan) -> Result<Outcome, ToolError> {
        self.tools.run(plan, &self.running).await
    }

    async fn call(&self, tool: &str, args: Value) -> Result<Outcome, ToolError> {
        let plan = self.plan(tool, args).await?;
        self.run(&plan).await
    }

    async fn command(&self, argv: &[&str]) -> Result<Outcome, ToolError> {
        self.call("run_command", json!({"argv": argv})).await
    }
}

/// Whether a process with this word among its arguments runs.
fn runs(mark: &str) -> bool {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes()))
}

async fn ends(mark: &str) -> bool {
    for _ in 0..1_000 {
        if !runs(mark) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

// shows: hands: A command runs with its exact arguments in a granted folder, and what it wrote and how it ended is told
#[tokio::test]
async fn a_command_gets_its_words_as_they_stand() {
    let bench = Bench::new(true);
    bench.write("a.txt", "kelp\n");
    let told = bench.command(&["printf", "%s|", "$HOME", "*", "; id", "`id`", "a b"]).await.unwrap();
    assert_eq!(told.text, "printf: status 0\nOutput:\n$HOME|*|; id|`id`|a b|\n");
    let failed = bench.command(&["ls", "none.txt"]).await.unwrap();
    assert_eq!(failed.evidence, ["status 2"]);
    assert!(failed.text.contains("Complaints:\n") && failed.text.contains("none.txt"), "{}", failed.text);
    let piped = bench.call("run_command", json!({"argv": ["tr", "a-z", "A-Z"], "input": "kelp"})).await.unwrap();
    assert!(piped.text.ends_with("KELP\n"), "{}", piped.text);
    let read = bench.plan("run_command", json!({"argv": ["cat", "a.txt"]})).await.unwrap();
    assert_eq!((read.class, read.files.len(), read.hosts.len()), (RiskClass::Execute, 1, 0));
    assert!(read.exe.as_ref().unwrap().path.starts_with('/') && read.cwd.is_some() && read.env_sha256.is_some());
    assert!(bench.run(&read).await.unwrap().text.ends_with("kelp\n"));
    bench.command(&["touch", "made"]).await.unwrap();
    assert!(bench.folder.join("made").exists());
    let marked = bench.command(&["printf", "\\033[31mred\\342\\200\\256x"]).await.unwrap();
    assert!(marked.text.ends_with("[31mredx\n"), "{:?}", marked.text);
}

// shows: hands: A command that prints a gigabyte, hangs, forks or hides in the background is contained and told plainly
#[tokio::test]
async fn commands_without_end_are_contained() {
    let bench = Bench::new(true);
    let flood = bench.command(&["head", "-c", "1000000000", "/dev/zero"]).await;
    let flood = flood.or(bench.command(&["yes"]).await).unwrap();
    assert!(flood.truncated && flood.text.len() <= TEXT_BYTES_MAX, "{}", flood.text.len());
    assert!(flood.evidence[0].starts_with("stopped after it wrote more than"), "{:?}", flood.evidence);
    let script = "seq 1 100000 >&2; echo the last word >&2";
    let loud = bench.command(&["sh", "-c", script]).await.unwrap();
    assert!(
        loud.truncated && loud.text.contains("\n1\n2\n3\n") && loud.text.ends_with("the last word\n"),
        "{}",
        loud.text
    );
    let hang = bench.call("run_command", json!({"argv": ["sleep", "98761"], "seconds": 1})).await.unwrap_err();
    assert_eq!(hang.failing(), Failing::Transient);
    assert!(ends("98761").await, "what hung still runs");
    let script = "setsid nohup sleep 98762 >/dev/null 2>&1 & (trap '' HUP TERM; sleep 98762) & exit 0";
    let hidden = bench.call("run_command", json!({"argv": ["sh", "-c", script], "seconds": 20})).await;
    assert!(ends("98762").await, "what hid in the background still runs: {hidden:?}");
    // Whoever waits gives up.
    let asked = bench.call("run_command", json!({"argv": ["sleep", "98763"]}));
    let _ = tokio::time::timeout(Duration::from_millis(700), asked).await;
    assert!(ends("98763").await, "what nobody waits for still runs");
}

#[tokio::test]
async fn a_command_is_held_to_the_granted_folder_and_the_programs_of_the_system() {
    let bench = Bench::new(true);
    let outside = bench.folder.with_file_name("outside.txt");
    fs::write(&outside, "SECRET").unwrap();
    let outside = outside.to_str().unwrap();
    for argv in
        [vec!["cat", outside], vec!["cp", "/etc/hostname", outside], vec!["rm", outside], vec!["ln", outside, "x"]]
    {
        let told = bench.command(&argv).await.unwrap();
        assert_ne!(told.evidence, ["status 0"], "{argv:?}");
        assert!(!told.text.contains("SECRET"), "{argv:?}");
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "SECRET");
    bench.write("mine.sh", "#!/bin/sh\necho ran\n");
    fs::set_permissions(bench.folder.join("mine.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let whole = bench.folder.join("mine.sh").display().to_string();
    for (name, failing) in [
        ("./mine.sh", Failing::Refused),
        (whole.as_str(), Failing::Refused),
        ("../../bin/ls", Failing::Refused),
        ("mine.sh", Failing::Permanent),
        ("no-such-program", Failing::Permanent),
        ("", Failing::Permanent),
    ] {
        let error = bench.command(&[name]).await.unwrap_err();
        assert_eq!(error.failing(), failing, "{name}: {error}");
    }
    for words in [
        json!(["ls", "a\u{202e}b"]),
        json!(["ls", "\u{1b}[2J"]),
        json!(["ls\u{200b}"]),
        json!([]),
        json!("ls -l"),
        json!(["ls", 1]),
    ] {
        let error = bench.call("run_command", json!({"argv": words})).await.unwrap_err();
        assert!(matches!(error, ToolError::BadArgument { .. }), "{words}: {error}");
    }
    let error = bench.call("run_command", json!({"argv": ["ls"], "sandbox": false})).await.unwrap_err();
    assert!(error.to_string().starts_with("sandbox of run_command is unknown"), "{error}");
    for folder in ["..", "/", "/etc", "/proc/self/root"] {
        let error = bench.call("run_command", json!({"argv": ["ls"], "folder": folder})).await.unwrap_err();
        assert_eq!(error.failing(), Failing::Refused, "{folder}");
    }
    let reader = Bench::new(false);
    assert_ne!(reader.command(&["touch", "x"]).await.unwrap().evidence, ["status 0"]);
}

// shows: hands: A script, folder, program or argument that changed after the plan is not run
#[tokio::test]
async fn what_changed_after_the_plan_is_not_run() {
    let bench = Bench::new(true);
    bench.write("s.sh", "echo planned\n");
    let plan = bench.plan("run_command", json!({"argv": ["sh", "s.sh"]})).await.unwrap();
    assert!(bench.run(&plan).await.unwrap().text.contains("planned"));
    bench.write("s.sh", "touch swapped\n");
    assert_eq!(bench.run(&plan).await.unwrap_err().problem().code, "plan_changed");
    let plan = bench.plan("run_command", json!({"argv": ["sh", "s.sh"]})).await.unwrap();
    let forgeries: [&dyn Fn(&mut Plan); 6] = [
        &|plan| plan.argv.push("x".to_owned()),
        &|plan| plan.args["argv"][1] = "-c".into(),
        &|plan| plan.args["input"] = "other".into(),
        &|plan| plan.exe.as_mut().unwrap().path = "/usr/bin/env".to_owned(),
        &|plan| plan.cwd.as_mut().unwrap().inode += 1,
        &|plan| plan.env_sha256 = None,
    ];
    for (n, forge) in forgeries.iter().enumerate() {
        let mut forged = plan.clone();
        forge(&mut forged);
        assert_eq!(bench.run(&forged).await.unwrap_err().failing(), Failing::Refused, "forgery {n}");
    }
    let mut late = plan.clone();
    late.expires_at = bench.running.now;
    assert_eq!(bench.run(&late).await.unwrap_err().problem().code, "plan_expired");
    assert!(!bench.folder.join("swapped").exists());
}

// shows: hands: A real repository is looked at, changed, committed to and branched, and what is thrown away is named first
#[tokio::test]
async fn a_repository_is_looked_at_and_changed() {
    let bench = Bench::repository();
    let look = async |args: Value| bench.call("git_look", args).await.map(|told| told.text);
    bench.write("README.md", "# Kelp\n\nMore.\n");
    bench.write("new.txt", "new\n");
    let status = look(json!({"act": "status"})).await.unwrap();
    assert_eq!(status, "## main\n M README.md\n?? new.txt\n");
    assert!(look(json!({"act": "diff"})).await.unwrap().contains("+More."));
    assert!(look(json!({"act": "log"})).await.unwrap().contains("Ana: Begin"));
    bench.call("git_change", json!({"act": "add", "paths": ["README.md", "new.txt"]})).await.unwrap();
    assert!(look(json!({"act": "diff", "staged": true})).await.unwrap().contains("+new"));
    let made = bench.call("git_change", json!({"act": "commit", "message": "Say more\n\nWhy: kelp."})).await.unwrap();
    let head = bench.raw(&["rev-parse", "HEAD"]);
    assert_eq!(made.evidence[1], format!("commit {}", head.trim()));
    assert_eq!(bench.raw(&["log", "-1", "--format=%an %s"]).trim(), "Timmy Say more");
    let again = bench.call("git_change", json!({"act": "commit", "message": "Nothing"})).await.unwrap_err();
    assert!(again.failing() == Failing::Permanent && again.to_string().contains("nothing to commit"), "{again}");
    bench.call("git_change", json!({"act": "branch", "name": "tidy/readme"})).await.unwrap();
    bench.call("git_change", json!({"act": "switch", "name": "tidy/readme"})).await.unwrap();
    assert_eq!(bench.raw(&["symbolic-ref", "--short", "HEAD"]).trim(), "tidy/readme");
    bench.call("git_change", json!({"act": "worktree", "name": "side", "paths": ["side"]})).await.unwrap();
    assert!(bench.folder.join("side/README.md").exists());
    let side = bench.call("git_look", json!({"act": "log", "repository": "side", "count": 1})).await.unwrap();
    assert!(side.text.contains("Say more"), "{}", side.text);

    bench.write("README.md", "edited\n");
    bench.write("lost.txt", "x\n");
    let clean = bench.plan("git_discard", json!({"act": "clean", "paths": ["lost.txt"]})).await.unwrap();
    assert_eq!((clean.class, clean.undo.is_none()), (RiskClass::Governance, true));
    assert_eq!(clean.args["loses"], json!(["Would remove lost.txt"]));
    bench.run(&clean).await.unwrap();
    let restore = bench.plan("git_discard", json!({"act": "restore", "paths": ["."]})).await.unwrap();
    assert_eq!(restore.args["loses"], json!(["README.md"]));
    bench.run(&restore).await.unwrap();
    assert_eq!(look(json!({"act": "status"})).await.unwrap(), "## tidy/readme\n?? side/\n");
}

#[tokio::test]
async fn a_repository_that_moved_on_after_the_plan_is_left_alone() {
    let bench = Bench::repository();
    bench.write("a.txt", "planned\n");
    let add = bench.plan("git_change", json!({"act": "add", "paths": ["a.txt"]})).await.unwrap();
    bench.write("a.txt", "swapped\n");
    assert_eq!(bench.run(&add).await.unwrap_err().problem().code, "plan_changed");
    bench.raw(&["add", "a.txt"]);
    let commit = bench.plan("git_change", json!({"act": "commit", "message": "As planned"})).await.unwrap();
    bench.write("b.txt", "slipped in\n");
    bench.raw(&["add", "b.txt"]);
    assert_eq!(bench.run(&commit).await.unwrap_err().problem().code, "plan_changed");
    let commit = bench.plan("git_change", json!({"act": "commit", "message": "As planned"})).await.unwrap();
    bench.run(&commit).await.unwrap();
    assert!(bench.run(&commit).await.is_err(), "the same plan twice");
    assert_eq!(bench.raw(&["rev-list", "--count", "HEAD"]).trim(), "2");
    let reader = Bench::new(false);
    assert_eq!(reader.call("git_look", json!({"act": "status"})).await.unwrap_err().problem().code, "not_a_repository");
}

// shows: hands: A repository full of hooks, filters and configured programs runs none of them when it is looked at or changed
#[tokio::test]
async fn nothing_that_a_repository_names_is_run() {
    let bench = Bench::repository();
    let (marker, trap) = (bench.folder.join("ran"), bench.folder.join("trap.sh"));
    fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\n", marker.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let shell = format!("sh {}", trap.display());
    for (key, value) in [
        ("core.fsmonitor", shell.as_str()),
        ("core.pager", &shell),
        ("core.editor", &shell),
        ("diff.external", &shell),
        ("diff.evil.textconv", &shell),
        ("diff.evil.command", &shell),
        ("filter.evil.clean", &shell),
        ("filter.evil.smudge", &shell),
        ("filter.evil.process", &shell),
        ("filter.evil.required", "true"),
        ("gpg.program", &shell),
        ("commit.gpgSign", "true"),
        ("core.sshCommand", &shell),
        ("alias.status", &shell),
    ] {
        bench.raw(&["config", key, value]);
    }
    for hook in [
        "pre-commit",
        "post-commit",
        "commit-msg",
        "prepare-commit-msg",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
    ] {
        let at = bench.folder.join(".git/hooks").join(hook);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::copy(&trap, at).unwrap();
    }
    let info = bench.folder.join(".git/info/attributes");
    fs::create_dir_all(info.parent().unwrap()).unwrap();
    fs::write(&info, "*.md filter=evil diff=evil\n").unwrap();
    bench.write("README.md", "changed\n");
    for act in ["status", "log", "diff", "show", "branches", "worktrees"] {
        let told = bench.call("git_look", json!({"act": act})).await.unwrap();
        // A filter that ran, even in vain, would have given other content.
        assert!(act != "diff" || told.text.contains("-# Kelp\n+changed\n"), "{}", told.text);
        assert!(!marker.exists(), "{act} ran {}", fs::read_to_string(&marker).unwrap_or_default());
    }
    let refused = bench.call("git_change", json!({"act": "add", "paths": ["README.md"]})).await.unwrap_err();
    assert_eq!(refused.problem().code, "git_filters");
    fs::remove_file(&info).unwrap();
    for args in [
        json!({"act": "add", "paths": ["README.md"]}),
        json!({"act": "commit", "message": "Quietly"}),
        json!({"act": "branch", "name": "b"}),
        json!({"act": "switch", "name": "b"}),
        json!({"act": "worktree", "name": "c", "paths": ["c"]}),
    ] {
        bench.call("git_change", args.clone()).await.unwrap_or_else(|error| panic!("{args}: {error}"));
        assert!(!marker.exists(), "{args} ran {}", fs::read_to_string(&marker).unwrap_or_default());
    }
    assert!(Path::new(&bench.folder).join("c/README.md").exists());
    bench.raw(&["status"]);
    assert!(marker.exists(), "the traps work where git is not hardened");
}
