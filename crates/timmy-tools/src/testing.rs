//! What the tests of this crate share: folders, repositories and a repository that means harm.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use std::sync::Arc;

use timmy_domain::Timestamp;
use timmy_domain::plan::Plan;

use crate::ToolError;
use crate::tool::outcome::Outcome;
use crate::tool::scope::{Grant, Grants};
use crate::tool::{Running, Scope, Toolbox};

/// The moment of every test, in seconds since the epoch.
pub(crate) const NOW_SECONDS: u64 = 2_000_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(NOW_SECONDS))
}

/// Writes a file that changed so many seconds before [`now`].
pub(crate) fn write(folder: &Path, path: &str, content: impl AsRef<[u8]>, seconds_ago: u64) {
    let at = folder.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(&at, content).unwrap();
    touch(&at, seconds_ago);
}

pub(crate) fn touch(at: &Path, seconds_ago: u64) {
    let file = File::options().write(true).open(at).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_SECONDS - seconds_ago)).unwrap();
}

/// A program without any fence.
#[expect(clippy::disallowed_methods, reason = "tests make what the fence is tested against")]
fn program(name: &str) -> Command {
    Command::new(name)
}

/// Makes a named pipe.
pub(crate) fn pipe(at: &Path) {
    assert!(program("mkfifo").arg(at).status().unwrap().success());
}

/// Runs git without any fence, as whoever made the repository would. Gives what it wrote.
pub(crate) fn raw_git(repo: &Path, seconds_ago: u64, args: &[&str]) -> String {
    let date = format!("@{} +0000", NOW_SECONDS - seconds_ago);
    let output = program("git")
        .current_dir(repo)
        .args(["-c", "user.name=Ana", "-c", "user.email=ana@localhost", "-c", "gc.auto=0"])
        .args(args)
        .stdin(std::process::Stdio::null())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_DATE", &date)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A folder named `name` in a folder that goes with the returned guard.
pub(crate) fn folder(name: &str) -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let inner = fs::canonicalize(outer.path()).unwrap().join(name);
    fs::create_dir(&inner).unwrap();
    (outer, inner)
}

/// A repository named `name` with one commit of two files, a day old.
pub(crate) fn repository(name: &str) -> (tempfile::TempDir, PathBuf) {
    let (outer, repo) = folder(name);
    raw_git(&repo, 0, &["init", "--quiet", "--initial-branch=main"]);
    write(&repo, "README.md", "# Kelp\n\nA small importer.\n", 86_400);
    write(&repo, "src/a.rs", "fn a() {}\nfn b() {}\nfn c() {}\n", 86_400);
    raw_git(&repo, 86_400, &["add", "."]);
    raw_git(&repo, 86_400, &["commit", "--quiet", "-m", "Begin the importer"]);
    (outer, repo)
}

/// Fills a repository with everything that makes git run a program, and gives the file that
/// appears when one ran.
pub(crate) fn lay_traps(outer: &Path, repo: &Path) -> PathBuf {
    let marker = outer.join("ran");
    let script = outer.join("trap.sh");
    fs::write(&script, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\nexit 0\n", marker.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let trap = script.display().to_string();
    let included = outer.join("included");
    fs::write(&included, format!("[core]\n\tfsmonitor = {trap}\n[filter \"more\"]\n\tclean = {trap}\n")).unwrap();
    let config = format!(
        "[core]\n\tfsmonitor = {trap}\n\tpager = {trap}\n\tsshCommand = {trap}\n\teditor = {trap}\n\tgitProxy = {trap}\n\
         \taskPass = {trap}\n\talternateRefsCommand = {trap}\n\thooksPath = {}\n[diff]\n\texternal = {trap}\n\
         [diff \"evil\"]\n\ttextconv = {trap}\n\tcommand = {trap}\n\
         [filter \"evil\"]\n\tclean = {trap}\n\tsmudge = {trap}\n\trequired = true\n\
         [filter \"worse\"]\n\tprocess = {trap}\n\trequired = true\n\
         [log]\n\tshowSignature = true\n[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgSign = true\n\
         [alias]\n\tlog = !{trap}\n\tls-files = !{trap}\n\tx = !{trap}\n[pager]\n\tlog = {trap}\n\
         [credential]\n\thelper = !{trap}\n[include]\n\tpath = {}\n\
         [protocol]\n\tallow = always\n[protocol \"ext\"]\n\tallow = always\n\
         [remote \"far\"]\n\turl = ext::{trap}\n\tpromisor = true\n\tvcs = evil\n\tuploadpack = {trap}\n\
         [extensions]\n\tpartialClone = far\n",
        outer.display(),
        included.display()
    );
    let mut whole = fs::read_to_string(repo.join(".git/config")).unwrap();
    whole = whole.replace("repositoryformatversion = 0", "repositoryformatversion = 1");
    fs::write(repo.join(".git/config"), whole + &config).unwrap();
    fs::write(repo.join(".git/info/attributes"), "*.rs filter=evil diff=evil\n*.md filter=worse diff=evil\n").unwrap();
    fs::create_dir_all(repo.join(".git/hooks")).unwrap();
    for hook in ["post-index-change", "pre-commit", "post-commit", "reference-transaction", "fsmonitor-watchman"] {
        for at in [outer.join(hook), repo.join(".git/hooks").join(hook)] {
            fs::copy(&script, at).unwrap();
        }
    }
    marker
}

/// Writes a file, with the folders it lies in.
pub(crate) fn lay(folder: &Path, path: &str, content: impl AsRef<[u8]>) {
    let at = folder.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, content).unwrap();
}

/// The tools of the house over granted folders.
pub(crate) struct Bench {
    pub tools: Toolbox,
    pub scope: Scope,
    pub running: Running,
}

impl Bench {
    /// Folders, and whether they may be written.
    pub fn new(folders: &[(&Path, bool)]) -> Self {
        Self::closed(folders, &[])
    }

    /// The same with folders that stay closed.
    pub fn closed(folders: &[(&Path, bool)], closed: &[&Path]) -> Self {
        let granted = folders.iter().map(|(path, write)| Grant::new(path, *write).unwrap()).collect();
        let grants = Arc::new(Grants::new(granted, closed));
        let scope = Scope {
            grants: Arc::clone(&grants),
            fetch: false,
            nonce: "nonce".to_owned(),
            expires_at: now().plus(Duration::from_secs(600)),
            session: None,
            task_id: None,
            taint: Vec::new(),
            policy_sha256: None,
        };
        let offsets = Arc::new(|_| time::UtcOffset::UTC);
        let running = Running { grants, fetch: false, now: now(), offsets, time: Duration::from_secs(60) };
        Self { tools: crate::tools::all(Arc::new(crate::tools::fetch::Internet)), scope, running }
    }

    pub async fn plan(&self, tool: &str, args: serde_json::Value) -> Result<Plan, ToolError> {
        self.tools.plan(tool, &args, &self.scope).await
    }

    pub async fn run(&self, plan: &Plan) -> Result<Outcome, ToolError> {
        self.tools.run(plan, &self.running).await
    }

    /// Plans, and does as planned.
    pub async fn call(&self, tool: &str, args: serde_json::Value) -> Result<Outcome, ToolError> {
        let plan = self.plan(tool, args).await?;
        self.run(&plan).await
    }
}
