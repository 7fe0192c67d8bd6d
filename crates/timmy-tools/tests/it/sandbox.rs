//! What is tried against the fence: each attempt really is made, within and, where that is safe, without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use timmy_tools::ToolError;
use timmy_tools::process::{Bounds, Output, Run};
use timmy_tools::sandbox::{Policy, Tier, fence, use_helper};

mod builds;
mod calls;
mod files;
mod machine;
mod network;
mod others;
mod plans;

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(60), output_bytes: 1 << 20 };
const ATTACKER: &str = env!("CARGO_BIN_EXE_timmy-attacker");

/// A house to break out of: a folder that may be written, and one that may not even be read.
struct Scene {
    _outer: tempfile::TempDir,
    /// May be written.
    inside: PathBuf,
    /// May not be reached.
    outside: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let outer = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(outer.path()).expect("its name");
        let (inside, outside) = (root.join("inside"), root.join("outside"));
        fs::create_dir(&inside).expect("made");
        fs::create_dir(&outside).expect("made");
        Self { _outer: outer, inside, outside }
    }

    /// A file outside, with this content.
    fn secret(&self, name: &str) -> String {
        let path = self.outside.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, "secret").expect("written");
        shown(&path)
    }

    fn policy(&self) -> Policy {
        Policy::untrusted().writes(&self.inside).runs(ATTACKER)
    }

    /// The attempt within the fence.
    async fn within(&self, words: &[&str]) -> Result<String, String> {
        self.with(self.policy(), words).await
    }

    async fn with(&self, policy: Policy, words: &[&str]) -> Result<String, String> {
        let output = run(Run::new(ATTACKER, policy).args(words.iter().copied()).folder(&self.inside)).await;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() { Ok(said) } else { Err(format!("{said} ({:?})", output.status.code())) }
    }
}

async fn run(run: Run) -> Output {
    use_helper(env!("CARGO_BIN_EXE_timmy-sandbox"));
    run.run(BOUNDS).await.expect("it runs")
}

/// The same attempt outside, as the control.
fn without(words: &[&str]) -> Result<String, String> {
    let output = Command::new(ATTACKER).args(words).stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Whether this machine has the tier; says so where not, and the test shows nothing then.
async fn at_least(tier: Tier, test: &str) -> bool {
    use_helper(env!("CARGO_BIN_EXE_timmy-sandbox"));
    let fence = fence().await;
    if fence.tier < tier {
        println!("skipped: {test} needs {tier}, and this machine has {}", fence.line());
    }
    fence.tier >= tier
}

/// The machine these tests are meant for has every tier; elsewhere the line says what is missing.
#[tokio::test]
async fn the_fence_is_measured_and_says_what_it_is() {
    use_helper(env!("CARGO_BIN_EXE_timmy-sandbox"));
    let fence = fence().await;
    println!("{}", fence.line());
    assert!(fence.line().starts_with(fence.tier.name()));
    assert_eq!(fence.missing.is_empty(), fence.hint.is_empty());
    let attempt = Run::new(ATTACKER, Policy::untrusted().runs(ATTACKER)).args(["say", "here"]).run(BOUNDS).await;
    match (fence.tier, attempt) {
        (Tier::T1, Err(ToolError::Refused { code, .. })) => assert_eq!(code, "sandbox_too_weak"),
        (_, Ok(output)) => assert_eq!(output.whole().expect("it ran"), b"here\n"),
        (tier, other) => panic!("{tier}: {other:?}"),
    }
}
