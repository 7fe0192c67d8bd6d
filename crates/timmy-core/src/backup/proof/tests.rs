//! What is noted is known again, of the same file alone; and the best backup is the newest that proved good.

use super::super::list;
use super::*;

fn lay(folder: &Path, day: u32, content: &str) -> String {
    let name = format!("timmy-nightly-2026-06-{day:02}T0130Z.tar.gz");
    fs::write(folder.join(&name), content).unwrap();
    name
}

#[test]
fn what_was_noted_is_known_again_of_the_same_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (lay(dir.path(), 1, "good"), lay(dir.path(), 2, "bad"));
    lay(dir.path(), 3, "new");
    note(dir.path(), &good, true).unwrap();
    note(dir.path(), &bad, false).unwrap();
    let known = |folder: &Path| list(folder).unwrap().into_iter().map(|l| l.proof).collect::<Vec<_>>();
    assert_eq!(known(dir.path()), [Proof::Unproven, Proof::Failed, Proof::Proven]);
    // Another file under the name of one that proved good has proved nothing.
    lay(dir.path(), 1, "another");
    assert_eq!(known(dir.path())[2], Proof::Unproven);
    // What no longer lies there is forgotten.
    fs::remove_file(dir.path().join(&bad)).unwrap();
    note(dir.path(), &good, true).unwrap();
    assert!(!fs::read_to_string(dir.path().join(NOTE)).unwrap().contains(&bad));
    // A note that cannot be read proves nothing, and is written anew.
    fs::write(dir.path().join(NOTE), "{\"timmy").unwrap();
    assert_eq!(known(dir.path()), [Proof::Unproven; 2]);
    note(dir.path(), &good, true).unwrap();
    assert_eq!(known(dir.path()), [Proof::Unproven, Proof::Proven]);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(dir.path().join(NOTE)).unwrap().permissions().mode() & 0o777, 0o600);
}

// shows: backup: the backup that is named for a restore is the newest that proved good, whatever is newer
#[test]
fn the_best_backup_is_the_newest_that_proved_good() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (1..=4).map(|day| lay(dir.path(), day, "x")).collect();
    let named = || best(&list(dir.path()).unwrap()).map(|l| l.file.clone());
    assert_eq!(named().as_ref(), Some(&names[3]), "none is checked: the newest");
    note(dir.path(), &names[3], false).unwrap();
    assert_eq!(named().as_ref(), Some(&names[2]), "not the one that failed");
    note(dir.path(), &names[0], true).unwrap();
    assert_eq!(named().as_ref(), Some(&names[0]), "the one that proved good, though it is the oldest");
    note(dir.path(), &names[1], true).unwrap();
    assert_eq!(named().as_ref(), Some(&names[1]));
    fs::remove_file(dir.path().join(&names[0])).unwrap();
    fs::remove_file(dir.path().join(&names[1])).unwrap();
    fs::remove_file(dir.path().join(&names[2])).unwrap();
    assert_eq!(named().as_ref(), Some(&names[3]), "one that failed is better named than none");
}
