//! What can go wrong with a home, and that Timmy does about it what docs/recovery.md says: real files, real
//! processes, real kills, a real full disk.

mod areas;
mod backup;
mod clock;
mod damage;
pub mod disk;
mod doctor;
mod full_start;
mod mind;
mod nightly;
mod restore;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{json, run};

/// Every file below `dir` with its content, links and folders by name alone.
pub fn everything(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path.clone());
            }
            let content = if path.is_file() { std::fs::read(&path).expect("read") } else { Vec::new() };
            all.push((path, content));
        }
    }
    all.sort();
    all
}

/// The findings of `timmy doctor` that are faults: check, what, step.
pub fn faults(home: &Path) -> Vec<(String, String, String)> {
    let (code, out, err) = run(home, &["doctor", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    let text = |item: &Value, name: &str| item[name].as_str().expect("text").to_owned();
    let all = told["items"].as_array().expect("items").clone();
    let faults: Vec<_> = all
        .iter()
        .filter(|i| i["verdict"] == "fault")
        .map(|i| (text(i, "check"), text(i, "what"), text(i, "step")))
        .collect();
    assert_eq!(code, i32::from(!faults.is_empty()), "{told}");
    assert_eq!(told["ok"], faults.is_empty());
    assert!(faults.iter().all(|f| !f.2.is_empty()), "each fault names a step: {faults:?}");
    faults
}

/// Does what a step says, when it is a command of Timmy's.
pub fn follow(home: &Path, step: &str) {
    let words: Vec<&str> =
        step.strip_prefix("timmy ").unwrap_or_else(|| panic!("no command: {step}")).split(' ').collect();
    let yes: &[&str] = if words[0] == "restore" { &["--yes"] } else { &[] };
    let (code, out, err) = run(home, &[&words[..], yes].concat());
    assert_eq!(code, 0, "{step}: {out}{err}");
}

/// A backup of the home: its path.
pub fn back_up(home: &Path) -> PathBuf {
    PathBuf::from(json(home, &["backup"])["path"].as_str().expect("a path"))
}

/// Puts a thought in, without a server.
pub fn think(home: &Path, words: &str) {
    assert_eq!(run(home, &["thoughts", "inject", words]).0, 0);
}

/// The contents of the thoughts, oldest first.
pub fn thoughts(home: &Path) -> Vec<String> {
    let list = json(home, &["thoughts", "--limit", "1000"]);
    let mut all: Vec<String> = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|t| t["content"].as_str().expect("text").to_owned())
        .collect();
    all.reverse();
    all
}

/// Whether this machine lets a test mount something for itself. Says why not, and fails where all must be shown.
#[expect(clippy::print_stderr, reason = "a check that is not made says so")]
pub fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "true"]).output();
    let may = tried.as_ref().is_ok_and(|o| o.status.success());
    if !may {
        eprintln!("not shown: this machine allows no mount namespace (unshare -rm): {tried:?}");
        assert!(std::env::var_os("CI").is_none(), "with CI=true every check must be made");
    }
    may
}
