//! How strong the fence is on this machine: measured once by trying it, never assumed.

use std::fmt;

use tokio::sync::OnceCell;

use super::order::{Known, Order};
use super::policy::Policy;
use super::{helper_program, order};
use crate::ToolError;
use crate::process::start::trial;

/// How strong the fence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Limits on resources at most. Code that nobody vouches for does not run.
    T1,
    /// Landlock and seccomp.
    T2,
    /// Landlock, seccomp and own namespaces for users, processes, mounts and the network.
    T3,
}

impl Tier {
    /// Its short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::T3 => "T3",
        }
    }

    /// The tier of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::T1, Self::T2, Self::T3].into_iter().find(|tier| tier.name() == name)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::T1 => 1,
            Self::T2 => 2,
            Self::T3 => 3,
        }
    }

    /// What it is made of.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::T1 => "limits on resources only",
            Self::T2 => "Landlock and seccomp",
            Self::T3 => "namespaces, Landlock and seccomp",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The fence of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// How strong it is.
    pub tier: Tier,
    /// What it does not hold, one sentence each; empty where nothing is missing.
    pub missing: Vec<String>,
    /// What can be done about it; empty where nothing is missing.
    pub hint: String,
}

impl Fence {
    /// The fence in one line: its tier, what it is made of, and how much is missing.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { tier, missing, .. } = self;
        if missing.is_empty() {
            return format!("{tier}: {}", tier.words());
        }
        format!("{tier}: {}. {}", tier.words(), missing.join(" "))
    }
}

/// The fence of this machine, measured at the first call and known from then on. Takes some milliseconds then.
pub async fn fence() -> &'static Fence {
    static FENCE: OnceCell<Fence> = OnceCell::const_new();
    FENCE.get_or_init(measure).await
}

async fn measure() -> Fence {
    let mut whys = Vec::new();
    for tier in [Tier::T3, Tier::T2] {
        match tried(tier).await {
            Ok(facts) => return judge(tier, facts, &whys),
            Err(error) => whys.push(error.to_string()),
        }
    }
    judge(Tier::T1, Facts::default(), &whys)
}

/// Runs the helper with everything a tier has and no program.
async fn tried(tier: Tier) -> Result<Facts, ToolError> {
    let helper = helper_program().ok_or_else(|| {
        ToolError::permanent("sandbox_no_helper", "This program was not made to fence its children.", "")
    })?;
    let order = Order {
        tier,
        giver: std::process::id(),
        program: Default::default(),
        program_known: Known::default(),
        args: Vec::new(),
        env: Vec::new(),
        folder: None,
        folder_known: Known::default(),
        policy: Policy::untrusted(),
    };
    trial(&helper, &order).await.map(|(line, _)| Facts::read(&line))
}

/// What the helper told besides that all went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Facts {
    /// The form of Landlock; zero without it.
    abi: u32,
    /// Whether nothing bounds the number of processes.
    unbounded: bool,
}

impl Facts {
    fn read(line: &str) -> Self {
        let words = || line.strip_prefix(order::READY).unwrap_or_default().split(' ');
        let abi = words().find_map(|word| word.strip_prefix("abi=")?.parse().ok());
        Self { abi: abi.unwrap_or(0), unbounded: words().any(|word| word == "missing=processes") }
    }
}

/// From Landlock's sixth form on, signals to processes outside are held back.
const ABI_WITH_SIGNALS: u32 = 6;

fn judge(tier: Tier, facts: Facts, whys: &[String]) -> Fence {
    let mut missing: Vec<String> = Vec::new();
    if tier < Tier::T3 {
        let why = whys.first().map_or(String::new(), |why| format!(" ({why})"));
        missing.push(format!("Namespaces cannot be used{why}."));
    }
    if tier == Tier::T2 {
        missing.push("A child sees the names of other processes.".to_owned());
        missing.push("What a child started outlives Timmy when he is killed.".to_owned());
        missing.push("What a child wrote can be run through the system's loader.".to_owned());
        if facts.abi < ABI_WITH_SIGNALS {
            missing.push("A child can send signals to other processes of this user.".to_owned());
        }
    }
    if tier == Tier::T1 {
        let why = whys.last().map_or(String::new(), |why| format!(" ({why})"));
        missing
            .push(format!("Files and calls cannot be held back{why}, so code that nobody vouches for does not run."));
    }
    if facts.unbounded {
        missing.push("The number of processes is not bounded, because Timmy runs as root.".to_owned());
    }
    let hint = match tier {
        Tier::T3 if missing.is_empty() => "",
        Tier::T3 => "Run Timmy as an ordinary user.",
        Tier::T2 => "Allow unprivileged user namespaces for this program, or run it outside the container.",
        Tier::T1 => "Use Linux 5.13 or newer with Landlock switched on.",
    };
    Fence { tier, missing, hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_for_each_tier() {
        let facts = Facts::read("timmy-sandbox ready abi=6");
        assert_eq!(facts, Facts { abi: 6, unbounded: false });
        let whole = judge(Tier::T3, facts, &[]);
        assert_eq!((whole.missing.len(), whole.hint.as_str()), (0, ""));
        assert_eq!(whole.line(), "T3: namespaces, Landlock and seccomp");
        let root = judge(Tier::T3, Facts::read("timmy-sandbox ready missing=processes abi=6"), &[]);
        assert!(root.line().contains("root") && !root.hint.is_empty());
        let second = judge(Tier::T2, Facts { abi: 3, unbounded: false }, &["not permitted".into()]);
        assert!(second.line().contains("(not permitted)") && second.line().contains("signals"), "{}", second.line());
        assert!(!judge(Tier::T2, facts, &["x".into()]).line().contains("signals"));
        let first = judge(Tier::T1, Facts::default(), &["a".into(), "b".into()]);
        assert!(first.line().contains("(b)") && first.line().contains("does not run") && !first.hint.is_empty());
    }

    #[test]
    fn names_and_tiers_go_both_ways() {
        for tier in [Tier::T1, Tier::T2, Tier::T3] {
            assert_eq!(Tier::of_name(tier.name()), Some(tier));
        }
        assert_eq!(Tier::of_name("T4"), None);
        assert!(Tier::T1 < Tier::T3);
    }
}
