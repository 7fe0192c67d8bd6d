//! Starts the helper, hands it its order, and hears whether everything is in place.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use timmy_domain::text;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::scratch::{self, Scratch};
use super::{PATH_STANDARD, Run};
use crate::ToolError;
use crate::sandbox::order::{FAILED, Known, ORDER_BYTES_MAX, Order, READY, REPLY_BYTES_MAX};
use crate::sandbox::{HELPER_WORD, Tier, fence, helper_program};

/// How long the helper may take for a trial, in seconds.
const TRIAL_SECONDS: u64 = 10;

/// A child that runs, with its pipes. It dies with this value, and everything it started with it.
pub(super) struct Started {
    pub(super) group: Group,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<BufReader<ChildStderr>>,
    pub(super) scratch: Option<Scratch>,
}

impl Started {
    /// Removes the private folder, which may take a while when the child filled it.
    pub(super) async fn tidy(&mut self) {
        if let Some(scratch) = self.scratch.take() {
            tokio::task::spawn_blocking(move || drop(scratch)).await.ok();
        }
    }
}

/// Starts `run` within the fence.
pub(super) async fn start(run: &Run) -> Result<Started, ToolError> {
    let program = run.program.to_string_lossy().into_owned();
    run.policy.check()?;
    allowed(run)?;
    let fence = fence().await;
    if fence.tier == Tier::T1 && !run.policy.is_vouched() {
        let message = format!("{program} was not started: this machine cannot hold a program that nobody vouches for.");
        return Err(ToolError::refused("sandbox_too_weak", message, fence.hint.clone()));
    }
    let scratch = Scratch::make().map_err(|source| ToolError::io("making a private folder", source))?;
    scratch::sweep_once(&scratch);
    let Some(helper) = helper_program() else { return bare(run, &program, scratch) };
    let order = Order {
        tier: fence.tier,
        giver: std::process::id(),
        program: run.program.clone(),
        program_known: run.program_known.clone(),
        args: run.args.clone(),
        env: environment(run, &scratch),
        folder: run.folder.clone(),
        folder_known: run.folder_known.clone(),
        policy: run.policy.clone().writes(scratch.path()),
    };
    let (mut started, _) = ordered(&helper, &order, &program).await?;
    started.scratch = Some(scratch);
    Ok(started)
}

/// Tries the fence with `order` to its end. Gives the helper's line, and how it ended.
pub(crate) async fn trial(helper: &Path, order: &Order) -> Result<(String, std::process::ExitStatus), ToolError> {
    let limit = Duration::from_secs(TRIAL_SECONDS);
    let tried = tokio::time::timeout(limit, ordered(helper, order, "the sandbox")).await;
    let (mut started, line) = tried.map_err(|_| ToolError::TimedOut { what: "the sandbox".to_owned(), limit })??;
    let ended = tokio::time::timeout(limit, started.group.wait()).await;
    let status = ended.map_err(|_| ToolError::TimedOut { what: "the sandbox".to_owned(), limit })??;
    Ok((line, status))
}

/// Starts the helper with an order, and hears that it is carried out.
async fn ordered(helper: &Path, order: &Order, program: &str) -> Result<(Started, String), ToolError> {
    let frames = order.frames();
    if frames.len() > ORDER_BYTES_MAX {
        let message = format!("{program} was not started: its arguments and environment are too long.");
        return Err(ToolError::permanent("arguments_too_long", message, "Hand it a file instead."));
    }
    let mut command = prepared(helper);
    command.arg(HELPER_WORD).stdin(Stdio::piped());
    let mut child = command.spawn().map_err(|source| ToolError::io("starting the sandbox", source))?;
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let group = Group::of(child, order.tier);
    if let Some(stdin) = &mut stdin {
        // A helper that ends early says why in its line.
        stdin.write_all(&frames).await.ok();
    }
    let mut stderr = stderr.map(|pipe| BufReader::with_capacity(REPLY_BYTES_MAX, pipe));
    let mut line = Vec::new();
    if let Some(stderr) = &mut stderr {
        let bytes_max = REPLY_BYTES_MAX as u64;
        let said = stderr.take(bytes_max).read_until(b'\n', &mut line).await;
        said.map_err(|source| ToolError::io("starting the sandbox", source))?;
    }
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    if !line.starts_with(READY) {
        return Err(failure(&line, program));
    }
    Ok((Started { group, stdin, stdout, stderr, scratch: None }, line))
}

/// What a helper's line stands for when it did not start anything.
fn failure(line: &str, program: &str) -> ToolError {
    let said = line.strip_prefix(FAILED).map(str::trim).unwrap_or_default();
    let (word, why) = said.split_once(' ').unwrap_or((said, ""));
    let why = text::cut(&text::one_line(why), crate::error::COMPLAINT_CHARS_MAX);
    match word {
        "not_installed" => ToolError::NotInstalled { program: program.to_owned() },
        "changed" => ToolError::refused(
            "plan_changed",
            format!("{program} was not started: {why}."),
            "Look at what changed, and ask for a new approval.",
        ),
        "folder" => ToolError::io(format!("starting {program}"), io::Error::other(why)),
        "" => ToolError::permanent(
            "sandbox_failed",
            format!("{program} was not started: the sandbox did not answer."),
            "Run `timmy doctor`.",
        ),
        word => ToolError::permanent(
            "sandbox_failed",
            format!("{program} was not started: {word} failed: {why}."),
            "Run `timmy doctor`; it says what this machine can hold.",
        ),
    }
}

/// Where no helper can be had, so only for programs of the house: a group of its own and a bare environment.
fn bare(run: &Run, program: &str, scratch: Scratch) -> Result<Started, ToolError> {
    let mut command = prepared(Path::new(&run.program));
    command.args(&run.args).envs(environment(run, &scratch)).stdin(Stdio::piped()).process_group(0);
    if let Some(folder) = &run.folder {
        command.current_dir(folder);
    }
    let mut child = command.spawn().map_err(|source| {
        // A missing start folder gives the same error as a missing program.
        let folder_there = run.folder.as_deref().is_none_or(Path::is_dir);
        if source.kind() == io::ErrorKind::NotFound && folder_there {
            ToolError::NotInstalled { program: program.to_owned() }
        } else {
            ToolError::io(format!("starting {program}"), source)
        }
    })?;
    let stderr = child.stderr.take().map(BufReader::new);
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    Ok(Started { group: Group::of(child, Tier::T1), stdin, stdout, stderr, scratch: Some(scratch) })
}

#[expect(clippy::disallowed_methods, reason = "the one place where a process is started")]
fn prepared(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH_STANDARD).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Refuses variables the policy does not let in, and what no system call can carry.
fn allowed(run: &Run) -> Result<(), ToolError> {
    let refused = |message: String| Err(ToolError::refused("sandbox_policy", message, "Leave it out."));
    for (name, _) in &run.env {
        if !run.policy.env_allow.iter().any(|allowed| name == allowed.as_str()) {
            return refused(format!("The variable {} is not let in.", text::one_line(&name.to_string_lossy())));
        }
    }
    let words = run.args.iter().chain([&run.program]).chain(run.env.iter().flat_map(|(name, value)| [name, value]));
    for word in words {
        if word.as_encoded_bytes().contains(&0) {
            return refused("An argument holds a zero byte.".to_owned());
        }
    }
    Ok(())
}

/// What every child has in its environment, and what this one was given.
fn environment(run: &Run, scratch: &Scratch) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let own = [
        ("PATH", PATH_STANDARD.into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("HOME", scratch.path().join("home").into_os_string()),
        ("TMPDIR", scratch.path().join("tmp").into_os_string()),
    ];
    let own = own.into_iter().filter(|(name, _)| !run.env.iter().any(|(given, _)| given == name));
    own.map(|(name, value)| (name.into(), value)).chain(run.env.iter().cloned()).collect()
}

/// A running child that leads its session; everything in it dies with this value.
pub(super) struct Group {
    child: Child,
    id: Option<Pid>,
    tier: Tier,
    ended: bool,
}

impl Group {
    fn of(child: Child, tier: Tier) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, id, tier, ended: false }
    }

    /// The group to kill.
    pub(super) fn id(&self) -> Option<Pid> {
        self.id
    }

    /// Waits for the end of the child, and ends what it left behind.
    pub(super) async fn wait(&mut self) -> Result<std::process::ExitStatus, ToolError> {
        let status = self.child.wait().await.map_err(|source| ToolError::io("waiting for a child", source))?;
        self.ended = true;
        if self.tier != Tier::T3 {
            kill_group(self.id);
        }
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            kill_group(self.id);
            // Before the helper leads a session there is no group yet.
            self.child.start_kill().ok();
        }
    }
}

/// Kills every process of the group. A group that is already gone is what was wanted.
pub(super) fn kill_group(id: Option<Pid>) {
    if let Some(id) = id {
        kill_process_group(id, Signal::KILL).ok();
    }
}

/// What is known of a file: see [`Known`].
pub(super) fn known(file: Option<(u64, u64)>, sha256: Option<String>) -> Known {
    Known { file, sha256 }
}
