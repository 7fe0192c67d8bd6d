//! What the world looks like right before a plan is judged: where its paths lead, and what must not be touched.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use timmy_domain::plan::Plan;
use timmy_domain::policy::Resolved;
use timmy_tools::sandbox::fence;
use timmy_tools::tool::scope::Grants;

use crate::trust::policy::Surroundings;

/// Paths of one plan that are looked up.
const PATHS_MAX: usize = 200;
/// Files of the data folder that are guarded under any name.
const GUARDED_MAX: usize = 2_000;

/// Looks the world up for `plan`. `home` is Timmy's data folder.
pub(super) async fn look(plan: &Plan, home: &Path, user_home: Option<&Path>, grants: &Arc<Grants>) -> Surroundings {
    let tier = fence().await.tier.number();
    let mut written = paths(plan);
    written.truncate(PATHS_MAX);
    let cwd = plan.cwd.as_ref().map(|place| PathBuf::from(&place.path));
    let (home, user_home) = (home.to_owned(), user_home.map(Path::to_owned));
    let granted = grants.folders().iter().map(|grant| grant.path().display().to_string()).collect();
    let looked = tokio::task::spawn_blocking(move || {
        let resolved = written.into_iter().filter_map(|path| resolve(&path, cwd.as_deref(), user_home.as_deref()));
        Surroundings {
            tier,
            resolved: resolved.collect(),
            guarded: guarded(&home),
            home: real(&home),
            user_home: user_home.as_deref().map(real).unwrap_or_default(),
            ..Surroundings::default()
        }
    });
    let looked = looked.await.unwrap_or_default();
    Surroundings { granted, ..looked }
}

fn real(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// The words of a plan that may be paths: arguments, also behind a `=`, and every text among the tool's own arguments.
fn paths(plan: &Plan) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for arg in plan.argv.iter().skip(1) {
        out.push(arg.clone());
        out.extend(arg.split_once('=').map(|(_, value)| value.to_owned()));
    }
    texts(&plan.args, &mut out);
    out.extend(plan.files.iter().map(|file| file.path.clone()));
    out.retain(|word| !word.is_empty() && word.len() <= 4_096 && !word.contains('\0'));
    out.sort();
    out.dedup();
    out
}

fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(many) => many.iter().for_each(|one| texts(one, out)),
        Value::Object(many) => many.values().for_each(|one| texts(one, out)),
        _ => {}
    }
}

/// Where `written` leads, when it leads anywhere.
fn resolve(written: &str, cwd: Option<&Path>, user_home: Option<&Path>) -> Option<Resolved> {
    let path = match (written.strip_prefix("~/"), user_home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => cwd.map_or_else(|| PathBuf::from(written), |cwd| cwd.join(written)),
    };
    if !path.is_absolute() {
        return None;
    }
    let path = path.canonicalize().ok()?;
    let meta = path.metadata().ok()?;
    Some(Resolved { written: written.to_owned(), path: path.display().to_string(), dev: meta.dev(), inode: meta.ino() })
}

/// Device and inode of the data folder and of what lies directly in it and in its folders.
fn guarded(home: &Path) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    let mut folders = vec![(home.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if let Ok(meta) = folder.metadata() {
            out.push((meta.dev(), meta.ino()));
        }
        let Ok(entries) = folder.read_dir() else { continue };
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            out.push((meta.dev(), meta.ino()));
            if meta.is_dir() && depth < 2 {
                folders.push((entry.path(), depth + 1));
            }
            if out.len() >= GUARDED_MAX {
                return out;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timmy_domain::Timestamp;
    use timmy_domain::risk::RiskClass;

    use super::*;

    // shows: approvals: a path is judged by where it leads, and Timmy's own files are known under any name
    #[test]
    fn paths_are_followed_to_where_they_lead() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = dir.path().join("home");
        std::fs::create_dir_all(home.join("mind")).expect("home");
        std::fs::write(home.join("timmy.db"), "x").expect("file");
        std::os::unix::fs::symlink(home.join("timmy.db"), dir.path().join("notes.txt")).expect("link");
        std::fs::hard_link(home.join("timmy.db"), dir.path().join("second.txt")).expect("link");
        let mut plan =
            Plan::new("run_command", RiskClass::Execute, json!({"a": ["x"]}), "n", Timestamp::from_micros(1));
        plan.argv = vec!["cat".into(), "notes.txt".into(), "--in=second.txt".into(), "nowhere".into()];
        let cwd = dir.path();
        let found: Vec<Resolved> = paths(&plan).iter().filter_map(|path| resolve(path, Some(cwd), None)).collect();
        let guarded = guarded(&home);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|one| guarded.contains(&(one.dev, one.inode))));
        assert!(found.iter().any(|one| one.path.ends_with("home/timmy.db")), "the link was followed");
    }
}
