//! A log file that is put aside when it is full; only the last few are kept. One that somebody moves or removes while it
//! is written is begun anew with the next line.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes one log file may have before the next one begins.
pub const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Older log files that are kept.
pub const FILES_KEPT: u32 = 5;
/// The name of the newest log file.
pub const FILE_NAME: &str = "timmy.log";
/// How many times its bytes a file may have while the next one cannot be begun; then lines are refused.
const OVERFULL_TIMES: u64 = 2;

/// A file that is put aside when it is full.
pub struct Rotating {
    path: PathBuf,
    file: File,
    /// Which file that is, by its device and number.
    seen: (u64, u64),
    bytes: u64,
    bytes_max: u64,
    opens: fn(&Path) -> io::Result<File>,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn which(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
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
        let meta = file.metadata()?;
        Ok(Self { path, seen: which(&meta), bytes: meta.len(), file, bytes_max, opens: open })
    }

    fn aside(&self, number: u32) -> PathBuf {
        self.path.with_file_name(format!("{FILE_NAME}.{number}"))
    }

    /// Whether the file that is written still has its name.
    fn is_there(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok_and(|meta| which(&meta) == self.seen)
    }

    /// Begins the file anew: somebody took it away.
    fn begin(&mut self) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let file = (self.opens)(&self.path)?;
        self.take(file)
    }

    fn take(&mut self, file: File) -> io::Result<()> {
        let meta = file.metadata()?;
        (self.seen, self.bytes, self.file) = (which(&meta), meta.len(), file);
        Ok(())
    }

    /// Puts the full file aside and begins the next one. That one is opened first: when it cannot be, nothing has moved.
    fn rotate(&mut self) -> io::Result<()> {
        let draft = self.path.with_file_name(format!("{FILE_NAME}.new"));
        // Left by a rotation that was cut off. Usually there is none.
        let _ = std::fs::remove_file(&draft);
        let file = (self.opens)(&draft)?;
        // Only up to the first number that is free: a try that is repeated shifts nothing away.
        let free = (1..FILES_KEPT).find(|number| !self.aside(*number).exists()).unwrap_or(FILES_KEPT);
        for number in (1..free).rev() {
            std::fs::rename(self.aside(number), self.aside(number + 1))?;
        }
        std::fs::rename(&self.path, self.aside(1))?;
        std::fs::rename(&draft, &self.path)?;
        self.take(file)
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.is_there() {
            self.begin()?;
        }
        if self.bytes >= self.bytes_max
            && let Err(error) = self.rotate()
            && self.bytes >= self.bytes_max.saturating_mul(OVERFULL_TIMES)
        {
            return Err(error);
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

    /// Everything in the folder: names with contents, sorted.
    fn all(dir: &Path) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(dir).expect("read").filter_map(Result::ok);
        let name = |e: &std::fs::DirEntry| e.file_name().to_string_lossy().into_owned();
        let mut all: Vec<_> = entries.map(|e| (name(&e), std::fs::read_to_string(e.path()).expect("read"))).collect();
        all.sort();
        all
    }

    // shows: process: a log file that was removed or moved while it is written is begun anew with the next line
    #[test]
    fn a_file_that_was_taken_away_is_begun_anew_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let logs = dir.path().join("logs");
        let mut log = Rotating::open(&logs, 20).expect("opened");
        for n in 0..7 {
            writeln!(log, "line {n} of the first").expect("written");
        }
        let older: Vec<_> = all(&logs).into_iter().filter(|(name, _)| name != FILE_NAME).collect();
        assert_eq!(older.len(), 5);
        std::fs::remove_file(logs.join(FILE_NAME)).expect("removed");
        writeln!(log, "again").expect("written");
        let now = all(&logs);
        assert_eq!(now[0], (FILE_NAME.to_owned(), "again\n".to_owned()));
        assert_eq!(now[1..], older, "no older file moved");
        // Moved away by somebody who keeps logs his own way.
        std::fs::rename(logs.join(FILE_NAME), dir.path().join("kept")).expect("moved");
        writeln!(log, "once more").expect("written");
        assert_eq!(std::fs::read_to_string(logs.join(FILE_NAME)).expect("read"), "once more\n");
        // The folder with all of it.
        std::fs::remove_dir_all(&logs).expect("removed");
        writeln!(log, "anew").expect("written");
        assert_eq!(all(&logs), [(FILE_NAME.to_owned(), "anew\n".to_owned())]);
    }

    // shows: process: a log file that cannot be begun, as when no file can be opened, costs none of the older ones
    #[test]
    fn a_file_that_cannot_be_opened_costs_no_older_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut log = Rotating::open(dir.path(), 10).expect("opened");
        for n in 0..9 {
            writeln!(log, "line {n:03} ").expect("written");
        }
        let before = all(dir.path());
        log.opens = |_| Err(rustix::io::Errno::MFILE.into());
        let mut refused = 0;
        for _ in 0..20 {
            refused += u32::from(writeln!(log, "more").is_err());
        }
        assert!(refused >= 15, "a file that cannot be put aside has its bound: {refused}");
        let now = all(dir.path());
        assert_eq!(now[1..], before[1..], "no older file moved");
        assert!(now[0].1.starts_with("line 008 \nmore\n") && now[0].1.len() < 30, "{now:?}");
        log.opens = open;
        writeln!(log, "again").expect("written");
        let after = all(dir.path());
        assert_eq!(after[0].1, "again\n");
        assert_eq!(after[1].1, now[0].1, "the full one is the first of the older ones");
        let contents = |all: &[(String, String)]| all.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
        assert_eq!(contents(&after[2..]), contents(&before[1..5]), "and only the oldest is gone");
    }
}
