//! One worker as a child process: started within the fence, talked to in frames, its end put into words.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use timmy_domain::text;
use timmy_llm::Failure;
use timmy_tools::process::Run;
use timmy_tools::process::live::Live;
use timmy_tools::sandbox::{Limits, Policy};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::WORKER_WORD;
use super::frame::{self, FrameError};
use super::words::{Order, Word};

/// Memory a worker takes beside its model: the program, stacks, the prompt and the arithmetic of one layer, in bytes.
pub const OVERHEAD_BYTES: u64 = 512 * 1024 * 1024;
/// Words of the worker that may wait to be read.
const WORDS_MAX: usize = 64;
/// Bytes of its last complaint that are kept.
const COMPLAINT_BYTES_MAX: u64 = 4_096;
/// Characters of it that are told.
const COMPLAINT_CHARS_MAX: usize = 200;
/// How long the system may take to tell how a child ended, in milliseconds.
const END_MS: u64 = 2_000;
/// How long a worker may take to read an order, in milliseconds.
const SEND_MS: u64 = 10_000;
/// The variables by which the arithmetic is told how many threads it may start. They are read once, when a process
/// first computes, so they have to be there before it begins; without them it takes every core.
const THREAD_VARIABLES: [&str; 2] = ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"];
/// Files it may have open.
const FILES_MAX: u64 = 64;
/// Processor time it may take, in seconds: as good as none, ten years.
const CPU_SECONDS: u64 = 315_360_000;
/// Address space, in bytes: mapping a file takes address space, not memory.
const ADDRESS_BYTES: u64 = 1 << 46;

/// How workers are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallWorker {
    /// The program: this one.
    pub program: PathBuf,
    /// Bytes of memory for the model.
    pub memory_bytes: u64,
    /// How much the worker steps back behind everything else, 0 to 19.
    pub niceness: u64,
}

/// A running worker. It dies with this value.
pub struct Child {
    words: mpsc::Receiver<Result<Word, FrameError>>,
    live: Live,
    complaint: Arc<Mutex<String>>,
    readers: [JoinHandle<()>; 2],
}

impl Drop for Child {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

impl Child {
    /// Starts a worker that may read `model` and computes with so many threads.
    ///
    /// # Errors
    /// [`Failure::ServerFault`] with the reason.
    pub async fn start(how: &CallWorker, model: &Path, threads: usize) -> Result<Self, Failure> {
        let failed = |why: String| Failure::ServerFault { detail: format!("its worker could not be started: {why}") };
        let limits = Limits {
            memory_bytes: how.memory_bytes.saturating_add(OVERHEAD_BYTES),
            address_bytes: ADDRESS_BYTES,
            open_files: FILES_MAX,
            cpu_seconds: CPU_SECONDS,
            file_bytes: 0,
            ..Limits::default()
        };
        let policy = Policy::vouched().reads(model).reads(&how.program).runs(&how.program).limits(limits);
        // The model stands there for whoever looks at the list of processes.
        let run = Run::new(&how.program, policy.lets(THREAD_VARIABLES));
        let run = run.arg(WORKER_WORD).arg(how.niceness.to_string()).arg(model);
        let run = THREAD_VARIABLES.into_iter().fold(run, |run, name| run.env(name, threads.to_string()));
        let mut live = run.live().await.map_err(|error| failed(error.to_string()))?;
        let (true, Some(mut stdout), Some(mut stderr)) = (live.stdin.is_some(), live.stdout.take(), live.stderr.take())
        else {
            return Err(failed("it has no pipes".to_owned()));
        };
        let (sender, words) = mpsc::channel(WORDS_MAX);
        let read = tokio::spawn(async move {
            loop {
                let word = frame::receive(&mut stdout).await;
                let over = word.is_err();
                if sender.send(word).await.is_err() || over {
                    return;
                }
            }
        });
        let complaint = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&complaint);
        let listen = tokio::spawn(async move {
            let mut line = Vec::new();
            loop {
                line.clear();
                match (&mut stderr).take(COMPLAINT_BYTES_MAX).read_until(b'\n', &mut line).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {
                        let said = text::one_line(&String::from_utf8_lossy(&line));
                        // Of a panic, the line with the place stands before the one with advice.
                        if !said.is_empty() && !said.starts_with("note:") {
                            *kept.lock().unwrap_or_else(PoisonError::into_inner) =
                                text::cut(&said, COMPLAINT_CHARS_MAX);
                        }
                    }
                }
            }
        });
        Ok(Self { words, live, complaint, readers: [read, listen] })
    }

    /// Gives it an order.
    ///
    /// # Errors
    /// How the worker ended, when it does not take it.
    pub async fn order(&mut self, order: &Order) -> Result<(), Failure> {
        let bytes = frame::encode(order).map_err(|error| match error {
            FrameError::TooLong(_) => Failure::ContextLength,
            other => Failure::ServerFault { detail: other.to_string() },
        })?;
        let Some(stdin) = &mut self.live.stdin else { return Err(self.ended().await) };
        let sent = tokio::time::timeout(Duration::from_millis(SEND_MS), stdin.write_all(&bytes)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.ended().await),
            Err(_) => Err(Failure::ServerFault { detail: "its worker takes no orders".to_owned() }),
        }
    }

    /// The next word of the worker. May be given up in the middle.
    ///
    /// # Errors
    /// How the worker ended, or what it said that could not be understood. It is of no use afterwards.
    pub async fn word(&mut self) -> Result<Word, Failure> {
        match self.words.recv().await {
            Some(Ok(word)) => Ok(word),
            Some(Err(FrameError::Ended)) | None => Err(self.ended().await),
            Some(Err(error)) => Err(Failure::Malformed { what: format!("its worker sent what is no answer: {error}") }),
        }
    }

    /// How it ended, in words.
    async fn ended(&mut self) -> Failure {
        let waited = tokio::time::timeout(Duration::from_millis(END_MS), self.live.wait()).await;
        let code = waited.ok().and_then(Result::ok).and_then(|status| {
            use std::os::unix::process::ExitStatusExt;
            status.code().or_else(|| status.signal().map(|signal| 128 + signal))
        });
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Failure::ServerFault { detail: end_in_words(code, &complaint) }
    }
}

/// What an exit code, with 128 and the number of a signal, means to the owner.
fn end_in_words(code: Option<i32>, complaint: &str) -> String {
    let how = match code {
        Some(137) => "its worker was killed, by hand or for want of memory".to_owned(),
        Some(134) => "its worker gave up, most likely for want of the memory it may take".to_owned(),
        Some(code) if code > 128 => format!("its worker was ended by signal {}", code - 128),
        Some(code) => format!("its worker ended with status {code}"),
        None => "its worker ended".to_owned(),
    };
    if complaint.is_empty() { how } else { format!("{how} ({complaint})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let rows = [
            (Some(137), "", "its worker was killed, by hand or for want of memory"),
            (Some(134), "no room", "its worker gave up, most likely for want of the memory it may take (no room)"),
            (Some(139), "", "its worker was ended by signal 11"),
            (Some(101), "a panic", "its worker ended with status 101 (a panic)"),
            (None, "", "its worker ended"),
        ];
        for (code, complaint, expected) in rows {
            assert_eq!(end_in_words(code, complaint), expected);
        }
    }
}
