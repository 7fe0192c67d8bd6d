//! The home itself: whether it can be used, and what lies in it beside the database.

use std::path::Path;

use timmy_core::backup::drill::{commit_of, is_beginning};
use timmy_core::backup::{self, FOLDER, Lying, Proof};
use timmy_core::restore;
use timmy_domain::text::plural;
use timmy_tools::machine;

use super::Finding;
use crate::clock::now;
use crate::config::Config;
use crate::home::{Home, open_to_others};

/// Free bytes below which nothing new can be stored: 2 MiB.
const FULL_BYTES: u64 = 2 * 1024 * 1024;
/// Free bytes below which it is worth a note: 256 MiB.
const LOW_BYTES: u64 = 256 * 1024 * 1024;
/// Days after which the newest backup is old.
const OLD_DAYS: u64 = 3;

/// Looks at the folder. `false` when there is none, and nothing further to look at.
pub(super) fn look(home: &Home, findings: &mut Vec<Finding>) -> bool {
    let shown = home.path.display();
    let meta = match std::fs::metadata(&home.path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let what = format!("there is no home at {shown} yet");
            findings.push(Finding::note("home", what, "timmy serve"));
            return false;
        }
        Err(error) => {
            let what = format!("{shown} cannot be looked into: {error}");
            findings.push(Finding::fault("home", what, "Check that the disk is there and that this user may read it."));
            return false;
        }
    };
    if !meta.is_dir() {
        let what = format!("{shown} is a file and no folder");
        findings.push(Finding::fault("home", what, "Choose another folder with --home DIR."));
        return false;
    }
    findings.push(match open_to_others(&home.path) {
        _ if is_read_only(&home.path) => Finding::fault(
            "home",
            format!("{shown} cannot be written"),
            "Mount its disk for writing, or give this user the right to write there.",
        ),
        Ok(true) => {
            Finding::note("home", format!("others on this machine can look into {shown}"), format!("chmod 700 {shown}"))
        }
        _ => Finding::well("home", shown.to_string()),
    });
    match restore::pending(&home.path) {
        Ok(None) => {}
        Ok(Some(plan)) => findings.push(Finding::fault(
            "restore",
            format!("a restore from {} was begun and cut off", plan.file),
            "timmy serve (the next start finishes it)",
        )),
        Err(problem) => findings.push(Finding::fault("restore", problem.message, problem.hint)),
    }
    true
}

/// Asks the system whether this user may write there, without writing.
fn is_read_only(path: &Path) -> bool {
    use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
    let mounted = statvfs(path).is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::RDONLY));
    mounted || access(path, Access::WRITE_OK).is_err()
}

/// What lies in the home beside the database.
pub(super) async fn content(home: &Home, config: Option<&Config>, findings: &mut Vec<Finding>) {
    disk(home, findings);
    mind(home, findings).await;
    backups(home, config, findings);
    aside(home, findings);
}

fn disk(home: &Home, findings: &mut Vec<Finding>) {
    let Some(free) = machine::disk_free_bytes(&home.path) else { return };
    findings.push(match free {
        0..FULL_BYTES => Finding::fault(
            "disk",
            "the disk is full: nothing new is stored",
            "Make room on the disk; Timmy goes on by himself.",
        ),
        FULL_BYTES..LOW_BYTES => {
            Finding::note("disk", format!("only {} MiB are free", free >> 20), "Make room on the disk.")
        }
        _ => Finding::well("disk", format!("{} GiB are free", free >> 30)),
    });
}

/// A backup that a step names.
pub(super) struct Named {
    /// Its file name.
    pub file: String,
    proof: Proof,
}

impl Named {
    /// What is to be known about it before it is restored; nothing of one that proved good.
    pub(super) fn caution(&self) -> String {
        let file = &self.file;
        match self.proof {
            Proof::Proven => String::new(),
            Proof::Unproven => format!("; no backup here proved good, and {file}, the newest, is not checked"),
            Proof::Failed => format!("; no backup here proved good, and {file} failed its check"),
        }
    }
}

/// The backup of the whole home to restore: the newest that proved good, and another only where there is none.
pub(super) fn newest(home: &Home) -> Option<Named> {
    let list = backup::list(&home.path.join(FOLDER)).unwrap_or_default();
    backup::best(&list).map(|lying| Named { file: lying.file.clone(), proof: lying.proof })
}

async fn mind(home: &Home, findings: &mut Vec<Finding>) {
    let dir = home.mind();
    let step = match newest(home) {
        Some(named) => format!("timmy restore {} --only mind", named.file),
        None => "timmy serve (Timmy begins a new one; there is no backup to restore it from)".to_owned(),
    };
    let known = dir.join(".git").is_dir();
    let finding = match (dir.is_dir(), known) {
        // A home in which nothing happened yet has none.
        _ if !home.exists() => return,
        (false, _) => Finding::note("mind", "mind/ is gone; the next start begins a new one", step),
        (true, false) => Finding::note("mind", "mind/ has no history; the next start begins a new one", step),
        (true, true) if is_beginning(&dir) => {
            Finding::note("mind", "the history of mind/ is begun and holds nothing yet", "timmy serve (finishes it)")
        }
        (true, true) => match commit_of(&dir).await {
            Ok(commit) => Finding::well("mind", format!("last commit {}", commit.get(..10).unwrap_or(&commit))),
            Err(problem) if problem.code == "tool_not_installed" => {
                Finding::note("mind", "git is not installed, so the mind keeps no history", "Install git.")
            }
            Err(problem) => Finding::fault("mind", problem.message, step),
        },
    };
    findings.push(finding);
}

fn backups(home: &Home, config: Option<&Config>, findings: &mut Vec<Finding>) {
    if !home.exists() {
        return;
    }
    let list = match backup::list(&home.path.join(FOLDER)) {
        Ok(list) => list,
        Err(problem) => return findings.push(Finding::fault("backup", problem.message, problem.hint)),
    };
    let nightly = config.is_none_or(|c| c.backup.enabled);
    let Some(best) = backup::best(&list) else {
        let what = if nightly { "there is no backup yet; the first night makes one" } else { "there is no backup" };
        return findings.push(Finding::note("backup", what, "timmy backup"));
    };
    findings.push(of_backup(&list, best, now().since(best.created_at).as_secs() / 86_400));
    left_out(home, findings);
}

/// What is said of the backups when `best`, made `days` days ago, is the one to restore.
fn of_backup(list: &[Lying], best: &Lying, days: u64) -> Finding {
    let (file, age) = (&best.file, plural(days, "day", "days"));
    let newer = list.iter().find(|l| l.area == "home" && l.proof == Proof::Failed && l.created_at > best.created_at);
    match (best.proof, newer) {
        (Proof::Failed, _) => {
            Finding::fault("backup", format!("no backup would restore; the newest is {file}"), "timmy backup")
        }
        (Proof::Unproven, _) => {
            let what = format!("no backup proved good yet; {file}, the newest, is {age} old and not checked");
            Finding::note("backup", what, "timmy backup")
        }
        (Proof::Proven, Some(newer)) => {
            let what = format!("{} would not restore; the newest that proved good is {age} old: {file}", newer.file);
            Finding::note("backup", what, "timmy backup")
        }
        (Proof::Proven, None) if days >= OLD_DAYS => {
            Finding::note("backup", format!("the newest backup that proved good is {age} old: {file}"), "timmy backup")
        }
        (Proof::Proven, None) => {
            let count = plural(list.len() as u64, "backup", "backups");
            Finding::well("backup", format!("{count}, the newest that proved good {file}"))
        }
    }
}

/// What backups leave out because it is a link.
fn left_out(home: &Home, findings: &mut Vec<Finding>) {
    for name in ["timmy.toml", "mind", "blobs"] {
        if home.path.join(name).is_symlink() {
            findings.push(Finding::note(
                "backup",
                format!("{name} is a link, which no backup follows: what it leads to is in none"),
                format!("Put {name} itself into the home, or copy what it leads to yourself."),
            ));
        }
    }
}

/// What restores moved aside stays until the owner removes it.
fn aside(home: &Home, findings: &mut Vec<Finding>) {
    let entries = std::fs::read_dir(&home.path).into_iter().flatten().filter_map(Result::ok);
    let names: Vec<String> = entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(restore::ASIDE))
        .collect();
    if let Some(one) = names.iter().min() {
        findings.push(Finding::note(
            "restore",
            format!("{} that restores moved aside, such as {one}", plural(names.len() as u64, "thing", "things")),
            "Remove them when the restored home is as you want it.",
        ));
    }
}
