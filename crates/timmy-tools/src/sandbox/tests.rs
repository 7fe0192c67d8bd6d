//! The second tier on a machine that has the third: the same attempts, without namespaces.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::order::{Known, Order};
use super::{Policy, Tier};
use crate::process::start::trial;

/// The helper and the attacker, where the tests of the whole crate were built.
fn programs() -> Option<(PathBuf, PathBuf)> {
    let helper = super::built_beside()?;
    let attacker = helper.with_file_name("timmy-attacker");
    attacker.is_file().then_some((helper, attacker))
}

/// Tries something on the second tier; gives the exit code, 0 where it succeeded. `None` where it cannot be tried.
async fn second(policy: Policy, words: &[&str]) -> Option<i32> {
    let (helper, attacker) = programs()?;
    let order = Order {
        tier: Tier::T2,
        giver: std::process::id(),
        program: attacker.clone().into(),
        program_known: Known::default(),
        args: words.iter().map(Into::into).collect(),
        env: Vec::new(),
        folder: None,
        folder_known: Known::default(),
        policy: policy.runs(attacker),
    };
    match trial(&helper, &order).await {
        Ok((_, status)) => status.code(),
        Err(error) => {
            assert!(error.to_string().contains("landlock"), "only for want of Landlock: {error}");
            None
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn running(mark: &str) -> usize {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())).count()
}

#[tokio::test]
async fn the_second_tier_holds_files_sockets_and_daemons() {
    let outer = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(outer.path()).unwrap();
    let inside = root.join("inside");
    fs::create_dir_all(inside.join(".git")).unwrap();
    fs::create_dir(inside.join("src")).unwrap();
    fs::write(root.join("victim"), "secret").unwrap();
    let policy = || Policy::untrusted().writes(&inside);
    if second(policy(), &["say", "x"]).await.is_none() {
        println!("skipped: the second tier needs Landlock, and the programs that `cargo test -p timmy-tools` builds");
        return;
    }
    assert_eq!(second(policy(), &["write", &shown(&inside.join("src/a"))]).await, Some(0));
    for path in ["../victim", ".git/config", "src/../../victim"] {
        assert_eq!(second(policy(), &["write", &shown(&inside.join(path))]).await, Some(1), "{path}");
    }
    assert_eq!(second(policy(), &["cut-by-name", &shown(&root.join("victim"))]).await, Some(1));
    assert_eq!(second(policy(), &["read", &shown(&root.join("victim"))]).await, Some(1));
    assert_eq!(fs::read_to_string(root.join("victim")).unwrap(), "secret");
    // Landlock only adds: to keep one entry, no new one can be made beside it.
    assert_eq!(second(policy(), &["write", &shown(&inside.join("new"))]).await, Some(1));
    fs::remove_dir(inside.join(".git")).unwrap();
    assert_eq!(second(policy(), &["write", &shown(&inside.join("new"))]).await, Some(0));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    assert_eq!(second(policy(), &["tcp", &at]).await, Some(1));

    let mark = format!("second-{}", std::process::id());
    assert_eq!(second(policy(), &["daemon", &mark]).await, Some(0));
    let mut tries = 0;
    while running(&mark) > 0 {
        tries += 1;
        assert!(tries < 1_000, "{mark} still runs");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
