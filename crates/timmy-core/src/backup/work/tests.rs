//! What is in use stays, what was left goes, and nothing is left behind.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn what_was_left_is_cleared_away_and_what_is_in_use_stays() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backups");
    let one = WorkFolder::make(&folder, "drill-1").unwrap();
    assert_eq!(fs::metadata(one.path()).unwrap().permissions().mode() & 0o777, 0o700);
    fs::write(one.path().join("timmy.db"), "much").unwrap();
    for left in [".work-drill-2", ".work-doctor-3", ".work-abcdef", ".work-restore-4", "mine"] {
        fs::create_dir(folder.join(left)).unwrap();
        fs::write(folder.join(left).join("timmy.db"), "much").unwrap();
    }
    let names = || {
        let entries = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let another = WorkFolder::make(&folder, "doctor-5").unwrap();
    assert_eq!(names(), [".work-abcdef", ".work-doctor-5", ".work-drill-1", ".work-restore-4", "mine"]);
    // Whoever makes a backup clears away more, and still nothing that is in use or belongs to a restore.
    clear(&folder, |name| !name.starts_with("restore-"));
    assert_eq!(names(), [".work-doctor-5", ".work-drill-1", ".work-restore-4", "mine"]);
    assert!(one.path().join("timmy.db").exists());
    drop((one, another));
    assert_eq!(names(), [".work-restore-4", "mine"]);
    // A folder that was made for it alone goes with it.
    let fresh = tempfile::tempdir().unwrap();
    drop(WorkFolder::make(&fresh.path().join("backups"), "drill-1").unwrap());
    assert_eq!(fs::read_dir(fresh.path()).unwrap().count(), 0);
}
