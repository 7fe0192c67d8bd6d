//! A child that stays and is talked to through its pipes, such as a server of tools.

use std::process::ExitStatus;

use tokio::io::BufReader;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::Run;
use super::start::{Group, start};
use crate::ToolError;

/// A running child. It dies with this value, and everything it started with it.
pub struct Live {
    /// What it reads; dropping it tells the child that nothing more comes.
    pub stdin: Option<ChildStdin>,
    /// What it writes. Whoever reads it bounds it.
    pub stdout: Option<ChildStdout>,
    /// Its complaints. Somebody has to read them, or the child blocks when the pipe is full.
    pub stderr: Option<BufReader<ChildStderr>>,
    group: Group,
    // Its private folder goes when it does, so this stands last.
    _scratch: Option<super::scratch::Scratch>,
}

impl Live {
    /// Waits for its end.
    ///
    /// # Errors
    /// [`ToolError::Io`].
    pub async fn wait(&mut self) -> Result<ExitStatus, ToolError> {
        self.group.wait().await
    }
}

impl Run {
    /// Starts it and leaves it running. Start it from a thread that lasts: the kernel ends the child with that thread.
    ///
    /// # Errors
    /// As [`Run::run`] where it cannot be started.
    pub async fn live(&self) -> Result<Live, ToolError> {
        let started = start(self).await?;
        Ok(Live {
            stdin: started.stdin,
            stdout: started.stdout,
            stderr: started.stderr,
            group: started.group,
            _scratch: started.scratch,
        })
    }
}
