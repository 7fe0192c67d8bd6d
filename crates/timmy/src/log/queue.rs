//! Lines on their way out: whoever logs only leaves a line, and a thread of its own writes it. A terminal that does
//! not read or a disk that hangs costs lines, which are counted, and never holds anybody up.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use timmy_domain::tally::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written; more are dropped and counted.
pub const LINES_QUEUED_MAX: usize = 1_024;
/// How long the lines that wait may take at the end, in milliseconds.
const END_MS: u64 = 500;

enum Item {
    Line(Vec<u8>),
    /// Everything before it is written: say so.
    End(SyncSender<()>),
}

/// Where lines are left. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    to: SyncSender<Item>,
    dropped: Arc<Counter>,
}

impl Queue {
    /// A queue whose lines a new thread writes to `out`.
    ///
    /// # Errors
    /// When the thread does not start.
    pub fn to(out: impl Write + Send + 'static, dropped: Arc<Counter>) -> io::Result<Self> {
        let (to, from) = sync_channel(LINES_QUEUED_MAX);
        let failed = Arc::clone(&dropped);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || serve(out, &from, &failed))?;
        Ok(Self { to, dropped })
    }

    /// Waits until the lines that were left are written, though not for long.
    pub fn end(&self) {
        let (done, ended) = sync_channel(1);
        if self.to.try_send(Item::End(done)).is_ok() {
            // A writer that hangs must not keep the process.
            let _ = ended.recv_timeout(Duration::from_millis(END_MS));
        }
    }
}

fn serve(mut out: impl Write, from: &Receiver<Item>, dropped: &Counter) {
    while let Ok(item) = from.recv() {
        match item {
            Item::Line(line) => {
                if out.write_all(&line).is_err() {
                    dropped.one();
                }
            }
            Item::End(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.to.try_send(Item::Line(line.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.dropped.one(),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Takes nothing until it is told to.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_and_are_there_at_the_end() {
        let (out, dropped) = (Shared::default(), Arc::new(Counter::default()));
        let mut queue = Queue::to(out.clone(), Arc::clone(&dropped)).expect("a thread");
        for n in 0..100 {
            queue.write_all(format!("{n}\n").as_bytes()).expect("taken");
        }
        queue.end();
        let expected: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&out.0.lock().expect("not poisoned")), expected);
        assert_eq!(dropped.get(), 0);
    }

    // shows: process: a log that cannot be written costs lines, which are counted, and holds nobody up
    #[test]
    fn a_terminal_that_does_not_read_costs_lines_and_never_blocks() {
        let (release, held) = channel();
        let dropped = Arc::new(Counter::default());
        let mut queue = Queue::to(Stuck(held), Arc::clone(&dropped)).expect("a thread");
        // Were a write to wait, this would never end.
        for _ in 0..LINES_QUEUED_MAX * 2 {
            queue.write_all(b"line\n").expect("taken");
        }
        assert!(dropped.get() >= (LINES_QUEUED_MAX - 1) as u64, "{}", dropped.get());
        drop(release);
    }
}
