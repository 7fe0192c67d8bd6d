//! Log lines: to standard error for whoever watches, and warnings and errors to a small rotating file in the home.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use timmy_domain::settings;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Bytes one log file may have before the next one begins.
pub const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Older log files that are kept.
pub const FILES_KEPT: u32 = 5;
/// The name of the newest log file.
pub const FILE_NAME: &str = "timmy.log";

settings! {
    /// The file that warnings and errors are written to.
    pub struct ErrorLogSettings in "error_log" {
        /// Whether warnings and errors are written to a file, 5 MiB each, the last five kept.
        enabled: bool = true, Free;
        /// The directory of the file; empty for logs in the home.
        dir: String = String::new(), BytesMax(4_096);
    }
}

/// A file that is put aside when it is full. Cheap to clone.
#[derive(Clone)]
pub struct Rotating(Arc<Mutex<Open>>);

struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

impl Rotating {
    /// Opens the newest file in `dir`, closed to everybody but the owner.
    ///
    /// # Errors
    /// When the directory or the file cannot be made.
    pub fn open(dir: &Path, bytes_max: u64) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join(FILE_NAME);
        let file = open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self(Arc::new(Mutex::new(Open { path, file, bytes, bytes_max }))))
    }
}

impl Open {
    fn aside(&self, number: u32) -> PathBuf {
        self.path.with_file_name(format!("{FILE_NAME}.{number}"))
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..FILES_KEPT).rev() {
            // A file that is not there yet cannot be moved, which is fine.
            let _ = std::fs::rename(self.aside(number), self.aside(number + 1));
        }
        std::fs::rename(&self.path, self.aside(1))?;
        self.file = open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes >= open.bytes_max {
            open.rotate()?;
        }
        let written = open.file.write(line)?;
        open.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).file.flush()
    }
}

impl MakeWriter<'_> for Rotating {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Begins to log. `TIMMY_LOG` says how much goes to standard error, in the words of `tracing`; warnings by default.
/// Gives the reason when the file cannot be used; Timmy runs without it.
pub fn begin(settings: &ErrorLogSettings, home: &Path) -> Option<String> {
    let filter = EnvFilter::try_from_env("TIMMY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let terminal = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_filter(filter);
    let dir = if settings.dir.is_empty() { home.join("logs") } else { home.join(&settings.dir) };
    let opened = settings.enabled.then(|| Rotating::open(&dir, FILE_BYTES_MAX)).transpose();
    let trouble = opened.as_ref().err().map(|error| format!("no log file in {}: {error}", dir.display()));
    let file = opened.ok().flatten();
    let file =
        file.map(|f| tracing_subscriber::fmt::layer().with_writer(f).with_ansi(false).with_filter(LevelFilter::WARN));
    // A second subscriber is refused; the first one stays, which is what is wanted.
    let _ = tracing_subscriber::registry().with(terminal).with(file).try_init();
    trouble
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_only_five_are_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut log = Rotating::open(dir.path(), 10).expect("opened");
        for n in 0..9 {
            writeln!(log, "line {n:03} ").expect("written");
        }
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .expect("read")
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        assert_eq!(names.len(), 6, "the newest and five older: {names:?}");
        let newest = std::fs::read_to_string(dir.path().join(FILE_NAME)).expect("read");
        assert_eq!(newest, "line 008 \n");
    }
}
