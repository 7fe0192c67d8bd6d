//! A log file that is put aside when it is full; only the last few are kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes one log file may have before the next one begins.
pub const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Older log files that are kept.
pub const FILES_KEPT: u32 = 5;
/// The name of the newest log file.
pub const FILE_NAME: &str = "timmy.log";

/// A file that is put aside when it is full.
pub struct Rotating {
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
        Ok(Self { path, file, bytes, bytes_max })
    }

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
        if self.bytes >= self.bytes_max {
            self.rotate()?;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
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
