//! What one child process may do. Everything that is not named is denied.

use std::path::{Component, Path, PathBuf};

use crate::ToolError;

/// Folders of the system whose programs may run. Nothing in them can be written by a child.
pub const SYSTEM_PROGRAMS: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt/homebrew", "/nix/store", "/run/current-system/sw"];

/// What ordinary programs read of the system. No password hashes, no keys, no settings of services.
pub const SYSTEM_READ: [&str; 28] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/alternatives",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/etc/protocols",
    "/etc/services",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/gitconfig",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/sys/devices/system/cpu",
    "/proc",
];

/// Names that stay as they are below every folder a child may write, because programs outside the fence obey them.
pub const KEPT_NAMES: [&str; 6] = [".git", ".cargo", ".husky", ".ssh", ".vscode", ".timmy"];

/// Folders no child may write, nor anything that holds them.
const NEVER_WRITTEN: [&str; 9] = ["/usr", "/bin", "/sbin", "/lib", "/etc", "/proc", "/sys", "/dev", "/boot"];

/// Paths a policy may name.
pub const PATHS_MAX: usize = 256;

/// Where a child may connect to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Net {
    /// Nowhere: no socket of any kind, and where namespaces work a network that is empty.
    #[default]
    None,
    /// Internet protocols. Sockets of this machine stay closed.
    Full,
}

/// How much of the machine a child and what it starts may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of its own that each process may hold, in bytes.
    pub memory_bytes: u64,
    /// Address space of each process, in bytes. Some runtimes reserve far more than they use.
    pub address_bytes: u64,
    /// Processes and threads at once, all together.
    pub processes: u64,
    /// The largest file it may write, in bytes.
    pub file_bytes: u64,
    /// Files each process may have open.
    pub open_files: u64,
    /// Processor time of each process, in seconds.
    pub cpu_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            address_bytes: 8 << 30,
            processes: 256,
            file_bytes: 1 << 30,
            open_files: 1_024,
            cpu_seconds: 600,
        }
    }
}

/// What one child process may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Files and folders it may read, with all below, beyond those of the system.
    pub ro: Vec<PathBuf>,
    /// Files and folders it may read and write, with all below. [`KEPT_NAMES`] directly in them stay as they are.
    pub rw: Vec<PathBuf>,
    /// Folders and files whose programs it may run, beyond those of the system.
    pub exec: Vec<PathBuf>,
    /// Files and folders below [`rw`](Self::rw) that it may read and not write.
    pub keep: Vec<PathBuf>,
    /// Where it may connect to.
    pub net: Net,
    /// How much of the machine it may take.
    pub limits: Limits,
    /// Variables that may be in its environment besides those every child gets.
    pub env_allow: Vec<String>,
    /// Whether it is a known program of the house with arguments made by the house. Everything else is code that
    /// nobody vouches for, and is refused where the kernel cannot hold it.
    vouched: bool,
}

impl Policy {
    /// For code nobody vouches for: it may read the system, and run its programs.
    #[must_use]
    pub fn untrusted() -> Self {
        Self::default()
    }

    /// For a known program whose arguments the house makes, such as the hardened git or the house itself: it runs
    /// within the same fence, yet also where the system offers a weaker one.
    #[must_use]
    pub fn vouched() -> Self {
        Self { vouched: true, ..Self::default() }
    }

    /// Whether it may run where the kernel enforces nothing.
    #[must_use]
    pub const fn is_vouched(&self) -> bool {
        self.vouched
    }

    /// Lets it read `path` and what is below.
    #[must_use]
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.ro.push(path.into());
        self
    }

    /// Lets it write `path` and what is below.
    #[must_use]
    pub fn writes(mut self, path: impl Into<PathBuf>) -> Self {
        self.rw.push(path.into());
        self
    }

    /// Lets it run programs at `path` or below.
    #[must_use]
    pub fn runs(mut self, path: impl Into<PathBuf>) -> Self {
        self.exec.push(path.into());
        self
    }

    /// Keeps `path`, below a folder it may write, from being written.
    #[must_use]
    pub fn keeps(mut self, path: impl Into<PathBuf>) -> Self {
        self.keep.push(path.into());
        self
    }

    /// Where it may connect to.
    #[must_use]
    pub fn net(mut self, net: Net) -> Self {
        self.net = net;
        self
    }

    /// How much it may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets these variables into its environment.
    #[must_use]
    pub fn lets<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.env_allow.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether the policy itself is sound: whole paths, not too many, nothing of the system to write.
    ///
    /// # Errors
    /// [`ToolError::Refused`] that names the path.
    pub fn check(&self) -> Result<(), ToolError> {
        let all = || self.ro.iter().chain(&self.rw).chain(&self.exec).chain(&self.keep);
        if all().count() > PATHS_MAX {
            return Err(refused(format!("A child may be given {PATHS_MAX} paths, and this one wants more.")));
        }
        if let Some(path) = all().find(|path| !whole(path)) {
            return Err(refused(format!("{} is not a whole path.", path.display())));
        }
        let forbidden = |path: &&PathBuf| {
            NEVER_WRITTEN.iter().any(|system| path.starts_with(system) || Path::new(system).starts_with(path))
        };
        if let Some(path) = self.rw.iter().find(forbidden) {
            return Err(refused(format!("{} belongs to the system; no child may write there.", path.display())));
        }
        Ok(())
    }
}

/// Whether a path begins at the root and takes no way back.
fn whole(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| !matches!(part, Component::ParentDir))
}

fn refused(message: String) -> ToolError {
    ToolError::refused("sandbox_policy", message, "Name a folder of your own, such as one project.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_would_open_the_system_is_refused() {
        for path in ["/", "/etc", "/etc/cron.d", "/usr/local", "/proc/self", "/dev", "relative", "/a/../etc"] {
            let error = Policy::untrusted().writes(path).check().expect_err(path);
            assert!(matches!(error, ToolError::Refused { code: "sandbox_policy", .. }), "{error}");
        }
        let ordinary = Policy::untrusted().reads("/etc/hostname").writes("/home/ana/kelp").runs("/home/ana/bin");
        assert!(ordinary.check().is_ok() && !ordinary.is_vouched());
        let many = (0..=PATHS_MAX).fold(Policy::untrusted(), |policy, i| policy.reads(format!("/x/{i}")));
        assert!(many.check().is_err());
    }

    #[test]
    fn nothing_is_reached_written_or_passed_on_unless_it_is_named() {
        let policy = Policy::untrusted();
        assert_eq!((policy.net, policy.rw.len(), policy.env_allow.len()), (Net::None, 0, 0));
    }
}
