//! Cut off after any number of moves, a restore that was begun is finished by the next start.

use timmy_store::{Options, Store};

use super::*;

fn file(at: &Path, text: &str) {
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, text).unwrap();
}

fn text(at: PathBuf) -> String {
    fs::read_to_string(at).unwrap_or_else(|_| "(nothing)".to_owned())
}

fn store(at: &Path, clock: i64) -> Store {
    let chance = std::sync::Arc::new(|out: &mut [u8]| out.fill(7));
    Store::open(at, std::sync::Arc::new(move || Timestamp::from_micros(clock)), chance, Options::default()).unwrap()
}

/// A home with an old state, and a new one that waits beside it.
fn home() -> (tempfile::TempDir, Plan) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    file(&home.join("timmy.db"), "old");
    file(&home.join("timmy.db-wal"), "old wal");
    file(&home.join("timmy.toml"), "old");
    file(&home.join("mind/persona.md"), "old");
    let staging = home.join(".work-restore-x");
    file(&staging.join("timmy.db"), "new");
    file(&staging.join("timmy.toml"), "new");
    file(&staging.join("mind/persona.md"), "new");
    file(&staging.join("blobs/b"), "new");
    let plan = Plan {
        id: "x".into(),
        staging: ".work-restore-x".into(),
        suffix: format!("{ASIDE}now"),
        file: "b.tar.gz".into(),
        made_at: Timestamp::EPOCH,
        last_seq: 7,
    };
    write(home, &plan).unwrap();
    (dir, plan)
}

// shows: backup: a restore that is cut off after any of its moves is finished by the next start, and the old home is kept
#[test]
fn cut_off_after_any_move_the_next_start_finishes() {
    let (_dir, plan) = home();
    let count = moves(_dir.path(), &plan).len();
    assert!(count >= 10, "{count}");
    for cut in 0..=count {
        let (dir, plan) = home();
        let home = dir.path();
        for (from, to) in moves(home, &plan).into_iter().take(cut) {
            rename(&from, &to).unwrap();
        }
        assert_eq!(finish(home).unwrap(), Some(plan.clone()), "cut after {cut}");
        // And once more, as a start does that was killed before it told.
        fs::write(home.join("timmy.db-wal"), "new wal").unwrap();
        assert_eq!(finish(home).unwrap(), Some(plan), "cut after {cut}");
        for item in ["timmy.db", "timmy.toml", "mind/persona.md", "blobs/b"] {
            assert_eq!(text(home.join(item)), "new", "cut after {cut}: {item}");
        }
        assert_eq!(text(home.join("timmy.db-wal")), "new wal", "the new one's log is not moved");
        for item in ["timmy.db", "timmy.toml"] {
            assert_eq!(text(home.join(format!("{item}{ASIDE}now"))), "old", "cut after {cut}: {item}");
        }
        assert_eq!(text(home.join(format!("timmy.db{ASIDE}now-wal"))), "old wal", "cut after {cut}");
        assert_eq!(text(home.join(format!("mind{ASIDE}now/persona.md"))), "old");
    }
}

#[test]
fn it_is_told_once_and_its_note_put_away() {
    let (dir, plan) = home();
    let home = dir.path();
    let store = store(&home.join("told.db"), 1);
    for _ in 0..2 {
        tell(&store, home, &plan).unwrap();
        assert!(pending(home).unwrap().is_none());
        // Killed before the note was gone: it comes again.
        write(home, &plan).unwrap();
    }
    let query = timmy_store::EventQuery { pattern: "restore.*".parse().unwrap(), ..Default::default() };
    let told = store.read_blocking(move |r| r.events(&query)).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].actor, "owner");
}

#[test]
fn a_note_that_leads_elsewhere_moves_nothing() {
    let (dir, plan) = home();
    for (staging, suffix) in [("../x", ".before-restore-x"), ("x", "/../../x"), ("", ".before-restore-"), ("x", "")] {
        let bad = Plan { staging: staging.into(), suffix: suffix.into(), ..plan.clone() };
        write(dir.path(), &bad).unwrap();
        assert!(finish(dir.path()).is_err(), "{staging} {suffix}");
    }
    fs::write(dir.path().join(JOURNAL), "{").unwrap();
    assert!(finish(dir.path()).is_err());
    assert_eq!(text(dir.path().join("timmy.db")), "old");
    fs::remove_file(dir.path().join(JOURNAL)).unwrap();
    assert_eq!(finish(dir.path()).unwrap(), None);
}
