//! The home: one directory with everything Timmy owns, held by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::door::Refusal;

/// Bytes of `run.json` that are read.
const RUN_BYTES_MAX: u64 = 16 * 1024;
/// How long to wait for a process that holds the home, in milliseconds.
pub const LOCK_MS_MAX: u64 = 300;
/// How often to look, in milliseconds.
const LOCK_LOOK_MS: u64 = 20;

/// The home directory.
#[derive(Clone, Debug)]
pub struct Home {
    /// Its path.
    pub path: PathBuf,
}

/// What a running server leaves for commands, readable by the owner of the files only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Run {
    /// Where it listens, such as `127.0.0.1:8000`.
    pub address: String,
    /// The admin token of this start.
    pub token: String,
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
}

/// The lock on a home. It is let go when this is dropped, also by a kill.
pub struct Lock {
    _file: File,
}

impl Home {
    /// The home that flag, environment or custom (`~/.timmy`) name, in this order.
    ///
    /// # Errors
    /// When none of the three says where.
    pub fn find(flag: Option<PathBuf>) -> Result<Self> {
        let path = flag.or_else(|| env_path("TIMMY_HOME")).or_else(|| user_home().map(|h| h.join(".timmy")));
        let path = path.context("where is home? Neither --home, TIMMY_HOME nor HOME is set; pass --home DIR")?;
        let path = std::path::absolute(&path).with_context(|| format!("{} is not a usable path", path.display()))?;
        Ok(Self { path })
    }

    /// Makes the directories that are missing, closed to everybody but the owner.
    ///
    /// # Errors
    /// When a directory cannot be made.
    pub fn create(&self) -> Result<()> {
        for dir in [self.path.clone(), self.mind()] {
            match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir) {
                Err(error) if unwritable(&error) => return Err(self.read_only(&error).into()),
                made => made.with_context(|| {
                    format!("cannot make {}; check that the place exists and is writable", dir.display())
                })?,
            }
        }
        Ok(())
    }

    /// Whether there is a home at all.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.database().exists()
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("timmy.db")
    }

    /// The folder of the version-controlled self.
    #[must_use]
    pub fn mind(&self) -> PathBuf {
        self.path.join("mind")
    }

    /// The folder for model files of the engine.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.path.join("models")
    }

    /// The configuration file; it need not exist.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path.join("timmy.toml")
    }

    /// The file of secrets; it need not exist.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.path.join("secrets.toml")
    }

    fn run_file(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// Takes the home for this process; `None` when another process has it and does not let go within
    /// [`LOCK_MS_MAX`], as a command does that only looks. What a killed server left behind goes.
    ///
    /// # Errors
    /// When the lock file cannot be used at all.
    pub fn lock(&self) -> Result<Option<Lock>> {
        let path = self.path.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = match file {
            Err(error) if unwritable(&error) => return Err(self.read_only(&error).into()),
            file => file.with_context(|| format!("cannot open {}; is the home writable?", path.display()))?,
        };
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => {
                    self.clear_run();
                    return Ok(Some(Lock { _file: file }));
                }
                Err(TryLockError::WouldBlock) if began.elapsed() >= Duration::from_millis(LOCK_MS_MAX) => {
                    return Ok(None);
                }
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a command that waits for another has nothing else to do"
                )]
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(LOCK_LOOK_MS)),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
            }
        }
    }

    /// The refusal when the home cannot be written.
    fn read_only(&self, error: &std::io::Error) -> Refusal {
        let why = match error.kind() {
            std::io::ErrorKind::ReadOnlyFilesystem => "its disk is mounted for reading only",
            _ => "this user may not write there",
        };
        Refusal {
            code: "home_read_only".to_owned(),
            message: format!(
                "the home {} cannot be written: {why}. Nothing was started or changed",
                self.path.display()
            ),
            hint: "Make it writable for this user, or choose another with --home DIR.".to_owned(),
        }
    }

    /// Whether a process holds this home. Looking does not keep anybody else from looking.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub fn is_held(&self) -> Result<bool> {
        let path = self.path.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Leaves `run.json` for commands.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn leave_run(&self, run: &Run) -> Result<()> {
        let path = self.run_file();
        let fresh = self.path.join("run.json.new");
        // Left over by a crash, perhaps with other permissions.
        let _ = std::fs::remove_file(&fresh);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh)?;
        file.write_all(serde_json::to_string(run)?.as_bytes())?;
        std::fs::rename(&fresh, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Takes `run.json` away again.
    pub fn clear_run(&self) {
        // A file that is gone already is what is wanted.
        let _ = std::fs::remove_file(self.run_file());
    }

    /// What a running server left; `None` when none runs (a file left by a crash counts as none).
    ///
    /// # Errors
    /// When the home is held by a process that left no usable `run.json`.
    pub fn running(&self) -> Result<Option<Run>> {
        if !self.is_held()? {
            return Ok(None);
        }
        let path = self.run_file();
        let mut text = String::new();
        let read = File::open(&path).and_then(|f| f.take(RUN_BYTES_MAX).read_to_string(&mut text));
        match read.map(|_| serde_json::from_str(&text)) {
            Ok(Ok(run)) => Ok(Some(run)),
            _ => bail!(
                "another timmy holds {} but is not listening (yet). Wait a moment and try again; if it stays so, stop that process",
                self.path.display()
            ),
        }
    }
}

/// Whether nothing can be written because of where it lies.
fn unwritable(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied)
}

/// The directory of the person, as the environment says.
#[must_use]
pub fn user_home() -> Option<PathBuf> {
    env_path("HOME")
}

/// Where Ollama keeps its models: where its own variable says, in the user's home, or where its service has them.
#[must_use]
pub fn ollama_folders() -> Vec<PathBuf> {
    let own = user_home().map(|home| home.join(".ollama/models"));
    let service = ["/usr/share/ollama/.ollama/models", "/var/lib/ollama/.ollama/models"].map(PathBuf::from);
    env_path("OLLAMA_MODELS").into_iter().chain(own).chain(service).collect()
}

#[expect(clippy::disallowed_methods, reason = "the binary is the one place that reads the environment")]
fn env_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// The variables of the environment that are meant for the configuration: `TIMMY__SECTION__KEY`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the binary is the one place that reads the environment")]
pub fn config_variables() -> Vec<(String, String)> {
    let text = |(k, v): (std::ffi::OsString, std::ffi::OsString)| Some((k.into_string().ok()?, v.into_string().ok()?));
    let mut found: Vec<_> = std::env::vars_os().filter_map(text).filter(|(k, _)| k.starts_with("TIMMY__")).collect();
    found.sort();
    found
}

/// The variable `name` of the environment that Timmy was started with, for a server of tools the owner gives it to.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the binary is the one place that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether others than the owner of the file may read it.
///
/// # Errors
/// When the file cannot be looked at.
pub fn open_to_others(path: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}
