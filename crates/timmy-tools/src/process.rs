//! One child process: an argument vector, a scrubbed environment, a limit on time and on bytes.
//!
//! The child leads its own process group, so that stopping it stops what it started as well.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use timmy_domain::text;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::ToolError;
use crate::error::COMPLAINT_CHARS_MAX;

/// Where programs are looked for, whatever the house itself was started with.
pub const PATH_STANDARD: &str = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/run/current-system/sw/bin";

/// Bytes of complaint kept of a child.
pub const STDERR_BYTES_MAX: usize = 16 * 1024;

/// Bytes read from a pipe at once.
const PIPE_READ_BYTES: usize = 16 * 1024;

/// What a child may use.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long it may run.
    pub time: Duration,
    /// Bytes it may write to its standard output.
    pub output_bytes: usize,
}

/// A program with its arguments. There is no shell anywhere: an argument is one argument.
#[derive(Clone, Debug)]
pub struct Run {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
}

impl Run {
    /// `program`, looked for in [`PATH_STANDARD`] unless it is a path.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), folder: None }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of the child's environment, which otherwise holds only `PATH` and `LC_ALL`.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The folder the child starts in.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Runs it to its end or to a bound. Dropping the future kills the child's whole group.
    ///
    /// # Errors
    /// [`ToolError::NotInstalled`], [`ToolError::TimedOut`] or [`ToolError::Io`]. A failing status
    /// and too much output are no errors here; see [`Output::whole`].
    pub async fn run(&self, bounds: Bounds) -> Result<Output, ToolError> {
        let program = self.program.to_string_lossy().into_owned();
        let mut group = Group::of(self.spawn(&program)?);
        let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
        let work = async {
            let (out, err) = tokio::join!(
                read_bounded(stdout, bounds.output_bytes, OnFull::Stop(group.id)),
                read_bounded(stderr, STDERR_BYTES_MAX, OnFull::Drain),
            );
            let status = group.child.wait().await;
            group.ended = true;
            (out, err, status)
        };
        let (out, err, status) = tokio::time::timeout(bounds.time, work)
            .await
            .map_err(|_| ToolError::TimedOut { what: program.clone(), limit: bounds.time })?;
        let failed = |source| ToolError::io(format!("running {program}"), source);
        let (stdout, truncated) = out.map_err(failed)?;
        let (stderr, _) = err.map_err(failed)?;
        let status = status.map_err(failed)?;
        Ok(Output { stdout, stderr, status, truncated, program, limit_bytes: bounds.output_bytes })
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where a process is started")]
    fn spawn(&self, program: &str) -> Result<Child, ToolError> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .env("PATH", PATH_STANDARD)
            .env("LC_ALL", "C.UTF-8")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.spawn().map_err(|source| {
            // A missing start folder gives the same error as a missing program.
            let folder_there = self.folder.as_deref().is_none_or(Path::is_dir);
            if source.kind() == io::ErrorKind::NotFound && folder_there {
                ToolError::NotInstalled { program: program.to_owned() }
            } else {
                ToolError::io(format!("starting {program}"), source)
            }
        })
    }
}

/// What a child left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// What it wrote, at most the bound.
    pub stdout: Vec<u8>,
    /// Its complaints, at most [`STDERR_BYTES_MAX`] bytes.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub status: ExitStatus,
    /// Whether it wrote more than the bound and was stopped for it.
    pub truncated: bool,
    program: String,
    limit_bytes: usize,
}

impl Output {
    /// The output, where the child ended well and within its bound.
    ///
    /// # Errors
    /// [`ToolError::TooMuchOutput`] or [`ToolError::Failed`].
    pub fn whole(self) -> Result<Vec<u8>, ToolError> {
        if self.truncated {
            return Err(ToolError::TooMuchOutput { program: self.program, limit_bytes: self.limit_bytes });
        }
        if self.status.success() { Ok(self.stdout) } else { Err(self.failure()) }
    }

    /// The failure this output stands for.
    #[must_use]
    pub fn failure(&self) -> ToolError {
        let complaint = String::from_utf8_lossy(&self.stderr);
        let line = complaint.lines().rev().map(text::one_line).find(|l| !l.is_empty());
        ToolError::Failed {
            program: self.program.clone(),
            status: self.status.code().unwrap_or(-1),
            stderr_line: text::cut(&line.unwrap_or_else(|| "it gave no reason".to_owned()), COMPLAINT_CHARS_MAX),
        }
    }
}

/// A running child that leads its group; the group dies with this value unless it has ended.
struct Group {
    child: Child,
    id: Option<Pid>,
    ended: bool,
}

impl Group {
    fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, id, ended: false }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            kill_group(self.id);
        }
    }
}

/// Kills every process of the group. A group that is already gone is what was wanted.
fn kill_group(id: Option<Pid>) {
    if let Some(id) = id {
        kill_process_group(id, Signal::KILL).ok();
    }
}

/// What to do with a pipe that gave more than is kept.
enum OnFull {
    /// Kill the group that writes.
    Stop(Option<Pid>),
    /// Read on and forget, so that the writer does not block.
    Drain,
}

/// Reads `pipe` to its end; keeps `bytes_max` and tells whether there was more.
async fn read_bounded(
    pipe: Option<impl AsyncRead + Unpin>,
    bytes_max: usize,
    on_full: OnFull,
) -> io::Result<(Vec<u8>, bool)> {
    let Some(mut pipe) = pipe else { return Ok((Vec::new(), false)) };
    let (mut kept, mut truncated) = (Vec::new(), false);
    let mut part = vec![0; PIPE_READ_BYTES];
    loop {
        let read = pipe.read(&mut part).await?;
        if read == 0 {
            return Ok((kept, truncated));
        }
        let room = read.min(bytes_max - kept.len());
        kept.extend_from_slice(&part[..room]);
        if room < read {
            truncated = true;
            if let OnFull::Stop(group) = on_full {
                kill_group(group);
                return Ok((kept, truncated));
            }
        }
    }
}

#[cfg(test)]
mod tests;
