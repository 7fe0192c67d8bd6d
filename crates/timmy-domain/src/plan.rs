//! A plan: what exactly will be done. It is approved by its hash, and only what has this hash is done.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;
use crate::digest::{Digest, canonical};
use crate::risk::RiskClass;

/// Bytes the canonical JSON of one plan may hold; more is refused before anybody is asked.
pub const PLAN_BYTES_MAX: usize = 256 * 1024;

/// What names a plan: the SHA-256 of its canonical JSON.
pub type PlanHash = Digest;

/// A program that will be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exe {
    /// Its path after every link was followed.
    pub path: String,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

/// A folder something happens in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its path after every link was followed.
    pub path: String,
    /// Number of the device it lies on.
    pub dev: u64,
    /// Its inode on that device.
    pub inode: u64,
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its content is read.
    Read,
    /// Its content is replaced.
    Write,
    /// It is made; nothing may be there before.
    Create,
    /// It is removed.
    Delete,
}

impl How {
    /// The wire word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }

    /// Whether the file is another one afterwards.
    #[must_use]
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Read)
    }
}

/// A file that will be touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTouch {
    /// Its path after every link was followed.
    pub path: String,
    /// Number of the device it lies on; for a file that will be made, that of its folder.
    pub dev: u64,
    /// Its inode; for a file that will be made, that of its folder.
    pub inode: u64,
    /// What is done to it.
    pub how: How,
    /// SHA-256 of what it holds before, where it is changed.
    #[serde(default)]
    pub before_sha256: Option<Digest>,
}

/// Where something the plan was made from came from. Text of these origins can inform and never instruct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taint {
    /// The owner said it.
    Owner,
    /// Timmy made it up himself.
    Own,
    /// A skill said it.
    Skill,
    /// It stood in a file.
    File,
    /// It stood on a web page.
    Web,
    /// Somebody other than the owner said it.
    Peer,
    /// A tool or an error message said it.
    Tool,
    /// An origin of another version; the most careful reading.
    #[serde(other)]
    Unknown,
}

impl Taint {
    /// Whether it came from outside.
    #[must_use]
    pub const fn is_outside(self) -> bool {
        !matches!(self, Self::Owner | Self::Own)
    }
}

/// What exactly will be done, in values that can be checked again right before it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The tool that does it.
    pub tool: String,
    /// What kind of act this is.
    pub class: RiskClass,
    /// The program that is run.
    #[serde(default)]
    pub exe: Option<Exe>,
    /// Its arguments, the program's own name first. They are handed over as they are; no shell reads them.
    #[serde(default)]
    pub argv: Vec<String>,
    /// The folder it is run in.
    #[serde(default)]
    pub cwd: Option<Place>,
    /// SHA-256 of its environment.
    #[serde(default)]
    pub env_sha256: Option<Digest>,
    /// SHA-256 of what it is given to read.
    #[serde(default)]
    pub stdin_sha256: Option<Digest>,
    /// Files that are touched, as far as the tool knows beforehand.
    #[serde(default)]
    pub files: Vec<FileTouch>,
    /// Hosts that are spoken to.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// SHA-256 of how a tool of others describes itself: with another description it is another tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described_sha256: Option<Digest>,
    /// The tool's own arguments.
    #[serde(default)]
    pub args: Value,
    /// How it can be undone, in one sentence; `None` when it cannot.
    #[serde(default)]
    pub undo: Option<String>,
    /// The run of the agent it belongs to.
    #[serde(default)]
    pub session: Option<String>,
    /// The task it belongs to.
    #[serde(default)]
    pub task_id: Option<String>,
    /// Where what it was made from came from; each origin once.
    #[serde(default)]
    pub taint: Vec<Taint>,
    /// SHA-256 of the policy under which it was judged.
    #[serde(default)]
    pub policy_sha256: Option<Digest>,
    /// Random text that no other plan has, so that a yes cannot be used for a second one that looks alike.
    pub nonce: String,
    /// When it is no longer good.
    pub expires_at: Timestamp,
}

impl Plan {
    /// A plan of `tool` that touches nothing yet; its maker fills in the rest.
    #[must_use]
    pub fn new(
        tool: impl Into<String>,
        class: RiskClass,
        args: Value,
        nonce: impl Into<String>,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            tool: tool.into(),
            class,
            exe: None,
            argv: Vec::new(),
            cwd: None,
            env_sha256: None,
            stdin_sha256: None,
            files: Vec::new(),
            hosts: Vec::new(),
            described_sha256: None,
            args,
            undo: None,
            session: None,
            task_id: None,
            taint: Vec::new(),
            policy_sha256: None,
            nonce: nonce.into(),
            expires_at,
        }
    }

    /// Its canonical JSON: what is stored, shown as the exact plan, and hashed.
    #[must_use]
    pub fn canonical(&self) -> String {
        // Plain data with text keys always encodes; the empty text names no plan and matches none.
        serde_json::to_value(self).map(|value| canonical(&value)).unwrap_or_default()
    }

    /// Its name: the SHA-256 of [`Plan::canonical`].
    #[must_use]
    pub fn hash(&self) -> PlanHash {
        Digest::of(self.canonical().as_bytes())
    }

    /// Whether something from outside had a part in it.
    #[must_use]
    pub fn is_tainted(&self) -> bool {
        self.taint.iter().any(|taint| taint.is_outside())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let mut plan = Plan::new(
            "shell",
            RiskClass::Execute,
            serde_json::json!({"z": 1, "a": 2}),
            "n",
            Timestamp::from_micros(1_000_000),
        );
        plan.argv = vec!["ls".into(), "-l".into()];
        plan.cwd = Some(Place { path: "/w".into(), dev: 1, inode: 2 });
        plan.exe = Some(Exe { path: "/usr/bin/ls".into(), sha256: Digest::of(b"ls") });
        plan
    }

    #[test]
    fn the_hash_survives_storing_and_changes_with_every_field() {
        let first = plan();
        let read: Plan = serde_json::from_str(&first.canonical()).expect("reads back");
        assert_eq!(read.hash(), first.hash());
        let changes: [fn(&mut Plan); 13] = [
            |p| p.tool.push('x'),
            |p| p.class = RiskClass::Read,
            |p| p.argv[1] = "-la".into(),
            |p| p.argv = vec!["ls -l".into()],
            |p| p.cwd.as_mut().expect("set").inode = 3,
            |p| p.exe.as_mut().expect("set").sha256 = Digest::of(b"other"),
            |p| p.env_sha256 = Some(Digest::of(b"PATH=/tmp")),
            |p| p.stdin_sha256 = Some(Digest::of(b"in")),
            |p| p.hosts.push("example.org".into()),
            |p| p.described_sha256 = Some(Digest::of(b"another description")),
            |p| p.taint.push(Taint::Web),
            |p| p.nonce.push('x'),
            |p| p.expires_at = Timestamp::from_micros(2_000_000),
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut other = plan();
            change(&mut other);
            assert_ne!(other.hash(), first.hash(), "change {i}");
        }
    }

    #[test]
    fn an_origin_of_another_version_counts_as_outside() {
        let read: Taint = serde_json::from_str("\"telepathy\"").expect("reads");
        assert!(read.is_outside() && !Taint::Own.is_outside());
    }
}
