//! A server of tools as the owner wrote it down, and what exactly it is on this machine right now.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde_json::json;
use timmy_domain::Secret;
use timmy_domain::digest::Digest;
use timmy_domain::risk::RiskClass;

use crate::ToolError;
use crate::process::{PATH_STANDARD, Run};
use crate::sandbox::Policy;
use crate::sandbox::policy::{Net, SYSTEM_PROGRAMS};
use crate::tool::scope::shown;

/// Servers one house may have.
pub const SERVERS_MAX: usize = 16;
/// Characters of the name of a server.
pub const NAME_CHARS_MAX: usize = 20;
/// Words of the command of a server.
pub const WORDS_MAX: usize = 64;
/// Variables one server may be given.
pub const VARIABLES_MAX: usize = 16;
/// Characters of the name of a variable.
pub const VARIABLE_CHARS_MAX: usize = 64;
/// Characters from which on a secret is looked for in what its server says; shorter ones are in many words.
const HIDDEN_CHARS_MIN: usize = 4;
/// Bytes of a program, or of a file named on its command line, that are hashed.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A program that is started in the fence and spoken to through its pipes.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Whether it may reach the internet.
        network: bool,
        /// Folders it may read.
        folders: Vec<PathBuf>,
        /// Folders it may read and change.
        folders_write: Vec<PathBuf>,
        /// Variables of its environment by name. A value that is empty was not found; then it is not started.
        env: BTreeMap<String, Secret>,
    },
    /// An address that speaks streamable HTTP.
    Url {
        /// The address.
        url: String,
        /// Its bearer key; empty for none.
        key: Secret,
    },
}

/// A server of tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name: small letters, digits and underscores.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// Tools that, as the owner says, only look. All others count as sending something away.
    pub read_only: Vec<String>,
}

/// What a server is: the program that was found, with what it is made of, or the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What names it: another program, other arguments, another file among them, or another address is another server.
    pub sha256: Digest,
    /// The program with its hash; `None` for an address.
    program: Option<(PathBuf, Digest)>,
}

impl Server {
    /// The kind of act its tool `name` is. A server's own words about that are not asked: they are its words.
    #[must_use]
    pub fn class(&self, name: &str) -> RiskClass {
        match (&self.way, self.read_only.iter().any(|known| known == name)) {
            (_, false) => RiskClass::NetworkWrite,
            (Way::Command { network: false, .. }, true) => RiskClass::Read,
            (_, true) => RiskClass::NetworkRead,
        }
    }

    /// The hosts that are spoken to, as far as they are known.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        match &self.way {
            Way::Command { .. } => Vec::new(),
            Way::Url { url, .. } => {
                Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).into_iter().collect()
            }
        }
    }

    /// In words, for people: the program or the host.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.way {
            Way::Command { argv, .. } => argv.first().map(|word| shown(word)).unwrap_or_default(),
            Way::Url { .. } => self.hosts().pop().map(|host| shown(&host)).unwrap_or_default(),
        }
    }

    /// What it is right now. Looks at the disk; call it where waiting is allowed.
    ///
    /// # Errors
    /// [`ToolError::NotInstalled`], and [`ToolError::Io`] when the program cannot be read.
    pub fn identify(&self) -> Result<Identity, ToolError> {
        match &self.way {
            Way::Url { url, .. } => Ok(Identity { sha256: Digest::of_json(&json!({"url": url})), program: None }),
            Way::Command { argv, network, folders, folders_write, env } => {
                let program = find(argv.first().map(String::as_str).unwrap_or_default())?;
                let sha256 = hash(&program)?;
                // A script is what runs, whatever runs it.
                let files: Vec<Digest> = argv
                    .iter()
                    .skip(1)
                    .filter_map(|word| named(word))
                    .map(|path| hash(&path))
                    .collect::<Result<_, _>>()?;
                let whole = json!({
                    "argv": argv, "program": program, "program_sha256": sha256, "files": files, "network": network,
                    "folders": folders, "folders_write": folders_write,
                    // Another key is still the same server, and a hash of it would be something to guess at.
                    "env": env.keys().collect::<Vec<_>>(),
                });
                Ok(Identity { sha256: Digest::of_json(&whole), program: Some((program, sha256)) })
            }
        }
    }

    /// How it is started, when it is a program.
    pub(super) fn run(&self, identity: &Identity) -> Option<Run> {
        let (Way::Command { argv, network, folders, folders_write, env }, Some((program, sha256))) =
            (&self.way, &identity.program)
        else {
            return None;
        };
        let mut policy = Policy::untrusted().net(if *network { Net::Full } else { Net::None });
        let of_system = |folder: &str| Path::new(folder).canonicalize().is_ok_and(|folder| program.starts_with(folder));
        if !SYSTEM_PROGRAMS.iter().any(|folder| of_system(folder)) {
            policy = policy.reads(program).runs(program);
        }
        policy = folders.iter().fold(policy, |policy, folder| policy.reads(folder).runs(folder));
        policy = folders_write.iter().fold(policy, |policy, folder| policy.writes(folder));
        // Files named on the command line are what the owner asked for.
        policy = argv.iter().skip(1).filter_map(|word| named(word)).fold(policy, Policy::reads);
        // Run as it was named: an interpreter finds its own folder by the name it is called by.
        let called =
            argv.first().filter(|word| word.starts_with('/')).map_or(program.as_path(), |word| Path::new(word));
        let run = Run::new(called, policy.lets(env.keys())).args(argv.iter().skip(1));
        let run = env.iter().fold(run, |run, (name, value)| run.env(name, value.expose()));
        Some(run.verified(sha256.to_string(), None))
    }

    /// The first variable that it is to be given and that has no value.
    pub(super) fn lacks(&self) -> Option<&str> {
        match &self.way {
            Way::Command { env, .. } => env.iter().find(|(_, value)| value.is_empty()).map(|(name, _)| name.as_str()),
            Way::Url { .. } => None,
        }
    }

    /// What it was given in confidence, which is not told on when it says it.
    pub(super) fn hidden(&self) -> Vec<Secret> {
        let all = match &self.way {
            Way::Command { env, .. } => env.values().cloned().collect(),
            Way::Url { key, .. } => vec![key.clone()],
        };
        all.into_iter().filter(|secret: &Secret| secret.expose().chars().count() >= HIDDEN_CHARS_MIN).collect()
    }
}

/// Whether a variable of this name may be given to a server: in the usual form, and none that changes what is loaded
/// into programs or where they are looked for.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    let form = |at: usize, c: char| c.is_ascii_uppercase() || c == '_' || at > 0 && c.is_ascii_digit();
    let fits =
        !name.is_empty() && name.len() <= VARIABLE_CHARS_MAX && name.chars().enumerate().all(|(at, c)| form(at, c));
    let governs = ["LD_", "DYLD_", "TIMMY_", "GCONV_"].iter().any(|beginning| name.starts_with(beginning));
    fits && !governs && !["PATH", "HOME", "TMPDIR", "LC_ALL", "IFS", "ENV", "BASH_ENV"].contains(&name)
}

/// The regular file that a word of a command line names by its whole path.
fn named(word: &str) -> Option<PathBuf> {
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    [word, value].into_iter().filter(|word| word.starts_with('/')).map(PathBuf::from).find(|path| path.is_file())
}

/// The program `name`: in one of the standard places, or by its whole path anywhere, since the owner wrote it.
fn find(name: &str) -> Result<PathBuf, ToolError> {
    let found = if name.starts_with('/') {
        Some(PathBuf::from(name))
    } else if name.contains('/') || name.is_empty() {
        None
    } else {
        PATH_STANDARD.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
    };
    let found = found.and_then(|path| path.canonicalize().ok()).filter(|path| path.is_file());
    found.ok_or_else(|| ToolError::NotInstalled { program: shown(name) })
}

fn hash(path: &Path) -> Result<Digest, ToolError> {
    use sha2::Digest as _;
    let failed = |source| ToolError::io(format!("reading {}", path.display()), source);
    let file = fs::File::open(path).map_err(failed)?;
    let mut hasher = sha2::Sha256::new();
    let read = std::io::copy(&mut file.take(FILE_BYTES_MAX + 1), &mut hasher).map_err(failed)?;
    if read > FILE_BYTES_MAX {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(argv: &[&str], network: bool) -> Server {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let way = Way::Command { argv, network, folders: Vec::new(), folders_write: Vec::new(), env: BTreeMap::new() };
        Server { name: "notes".to_owned(), way, read_only: vec!["look".to_owned()] }
    }

    // shows: hands: A tool of a server counts as sending something away unless the owner says that it only looks
    #[test]
    fn the_owner_says_what_only_looks_and_nobody_else() {
        assert_eq!(of(&["sh"], false).class("look"), RiskClass::Read);
        assert_eq!(of(&["sh"], true).class("look"), RiskClass::NetworkRead);
        assert_eq!(of(&["sh"], false).class("Look"), RiskClass::NetworkWrite);
        let way = Way::Url { url: "http://127.0.0.1:9/mcp".to_owned(), key: Secret::default() };
        let far = Server { way, ..of(&[], false) };
        assert_eq!((far.class("look"), far.class("send")), (RiskClass::NetworkRead, RiskClass::NetworkWrite));
        assert_eq!(far.hosts(), ["127.0.0.1"]);
    }

    #[test]
    fn another_script_or_another_word_is_another_server() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("server.py");
        let word = script.display().to_string();
        fs::write(&script, "one").unwrap();
        let first = of(&["sh", &word], false).identify().unwrap();
        assert_eq!(of(&["sh", &word], false).identify().unwrap(), first);
        assert_ne!(of(&["sh", &word], true).identify().unwrap(), first);
        assert_ne!(of(&["sh", &word, "-v"], false).identify().unwrap(), first);
        fs::write(&script, "two").unwrap();
        assert_ne!(of(&["sh", &word], false).identify().unwrap(), first);
        for none in ["", "no-such-program-here", "./sh", "/no/such"] {
            assert!(matches!(of(&[none], false).identify(), Err(ToolError::NotInstalled { .. })), "{none}");
        }
    }
}
