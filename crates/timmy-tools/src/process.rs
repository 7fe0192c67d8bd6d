//! One child process: an argument vector, a policy, a scrubbed environment, a limit on time and on bytes.
//!
//! Every child runs inside the fence of [`crate::sandbox`]; there is no other way to start one. The child leads its own
//! session, so that stopping it stops what it started as well.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Pid;
use timmy_domain::text;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::ToolError;
use crate::error::COMPLAINT_CHARS_MAX;
use crate::sandbox::Policy;
use crate::sandbox::order::Known;

pub mod live;
mod scratch;
pub(crate) mod start;

use start::kill_group;

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

/// A program with its arguments and what it may do. There is no shell anywhere: an argument is one argument.
#[derive(Clone, Debug)]
pub struct Run {
    program: OsString,
    program_known: Known,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    folder_known: Known,
    stdin: Vec<u8>,
    policy: Policy,
}

impl Run {
    /// `program`, looked for in [`PATH_STANDARD`] unless it is a path, within `policy`.
    pub fn new(program: impl Into<OsString>, policy: Policy) -> Self {
        Self {
            program: program.into(),
            program_known: Known::default(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            folder_known: Known::default(),
            stdin: Vec::new(),
            policy,
        }
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

    /// A variable of the child's environment, which otherwise holds only `PATH`, `LC_ALL`, and a `HOME` and `TMPDIR`
    /// that are its own and go with it. The policy must let the name in.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The folder the child starts in; otherwise the root.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// What the child reads from its standard input; otherwise nothing.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The program must hold exactly these bytes (SHA-256 in small hexadecimal), and be the file of this disk and
    /// number where that is given. It is checked on the open file, and this open file is what runs: another one put
    /// in its place meanwhile is not run, and the child is refused as `plan_changed`.
    #[must_use]
    pub fn verified(mut self, sha256: impl Into<String>, file: Option<(u64, u64)>) -> Self {
        self.program_known = start::known(file, Some(sha256.into()));
        self
    }

    /// The folder must be the one of this disk and number; otherwise the child is refused as `plan_changed`.
    #[must_use]
    pub fn folder_verified(mut self, disk: u64, inode: u64) -> Self {
        self.folder_known = start::known(Some((disk, inode)), None);
        self
    }

    /// Runs it to its end or to a bound. Dropping the future kills the child and everything it started.
    ///
    /// # Errors
    /// [`ToolError::NotInstalled`], [`ToolError::TimedOut`], [`ToolError::Io`], and [`ToolError::Refused`] for a policy
    /// that is not sound, a program or folder that is not the one verified, or where the machine cannot hold a program
    /// nobody vouches for. A failing status and too much output are no errors here; see [`Output::whole`].
    pub async fn run(&self, bounds: Bounds) -> Result<Output, ToolError> {
        let program = self.program.to_string_lossy().into_owned();
        let timed_out = || ToolError::TimedOut { what: program.clone(), limit: bounds.time };
        let work = async {
            let mut started = start::start(self).await?;
            let (stdin, stdout, stderr) = (started.stdin.take(), started.stdout.take(), started.stderr.take());
            let id = started.group.id();
            let (_, out, err, status) = tokio::join!(
                feed(stdin, &self.stdin),
                read_bounded(stdout, bounds.output_bytes, OnFull::Stop(id)),
                read_bounded(stderr, STDERR_BYTES_MAX, OnFull::Drain),
                started.group.wait(),
            );
            started.tidy().await;
            Ok::<_, ToolError>((out, err, status?))
        };
        let (out, err, status) = tokio::time::timeout(bounds.time, work).await.map_err(|_| timed_out())??;
        let failed = |source| ToolError::io(format!("running {program}"), source);
        let (stdout, truncated) = out.map_err(failed)?;
        let (stderr, _) = err.map_err(failed)?;
        Ok(Output { stdout, stderr, status, truncated, program, limit_bytes: bounds.output_bytes })
    }
}

/// Hands the child its input. One that does not want it is no fault.
async fn feed(pipe: Option<tokio::process::ChildStdin>, bytes: &[u8]) {
    if let Some(mut pipe) = pipe {
        pipe.write_all(bytes).await.ok();
    }
}

/// What a child left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// What it wrote, at most the bound.
    pub stdout: Vec<u8>,
    /// Its complaints, at most [`STDERR_BYTES_MAX`] bytes: of longer ones the beginning and the end.
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

/// What to do with a pipe that gave more than is kept.
enum OnFull {
    /// Kill the group that writes.
    Stop(Option<Pid>),
    /// Read on, so that the writer does not block, and forget the middle.
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
            // Of what goes on and on, the beginning and the end are kept: what failed is often said last.
            kept.extend_from_slice(&part[room..read]);
            kept.drain(bytes_max / 2..bytes_max / 2 + kept.len() - bytes_max);
        }
    }
}

#[cfg(test)]
mod tests;
