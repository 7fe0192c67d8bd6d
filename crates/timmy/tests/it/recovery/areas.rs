//! One area of a backup brought into another home.

use super::{back_up, think, thoughts};
use crate::support::{home, json, run};

fn counts(done: &serde_json::Value) -> (i64, i64, i64) {
    let count = |name: &str| done[name].as_i64().expect("a number");
    (count("added"), count("same"), count("refused"))
}

// shows: backup: one area goes into another home, from its own file or a whole backup, twice without harm
#[test]
fn one_area_goes_into_another_home_and_twice_without_harm() {
    let from = home();
    let folder = from.path().join("kelp");
    std::fs::create_dir(&folder).expect("made");
    think(from.path(), "first");
    think(from.path(), "second");
    assert_eq!(run(from.path(), &["watch", "add", folder.to_str().expect("text")]).0, 0);
    std::fs::write(from.path().join("timmy.toml"), "[thinking]\ninterval_seconds = 600\n").expect("written");
    std::fs::write(from.path().join("mind/notes.md"), "mine").expect("written");
    let whole = back_up(from.path());
    let whole = whole.to_str().expect("text");
    let to = home();
    think(to.path(), "own");
    for (area, added) in [("thoughts", 2), ("talk", 0), ("watch", 1), ("mind", 1), ("settings", 1)] {
        let alone = json(from.path(), &["backup", "--only", area]);
        assert_eq!(alone["areas"][0], area);
        let alone = alone["path"].as_str().expect("a path");
        assert_eq!(json(from.path(), &["backup", "verify", alone])["ok"], true, "{area}");
        let first = json(to.path(), &["restore", alone, "--only", area]);
        assert_eq!(counts(&first).0, added, "{area}: {first}");
        for again in [alone, whole] {
            let again = json(to.path(), &["restore", again, "--only", area]);
            assert_eq!(counts(&again).0, 0, "{area}: {again}");
        }
    }
    assert_eq!(thoughts(to.path()), ["first", "second", "own"]);
    let told = json(to.path(), &["events", "query", "--type", "restore.imported", "--limit", "100"]);
    assert_eq!(told["items"].as_array().map(Vec::len), Some(15), "each is told");
    assert_eq!(run(to.path(), &["events", "verify"]).0, 0);
    // What is here and differs stays.
    std::fs::write(to.path().join("timmy.toml"), "[thinking]\ninterval_seconds = 1_200\n").expect("written");
    assert_eq!(counts(&json(to.path(), &["restore", whole, "--only", "settings"])), (0, 0, 1));
    let kept = std::fs::read_to_string(to.path().join("timmy.toml")).expect("read");
    assert!(kept.contains("1_200"));
    // The log is one chain: it can be read elsewhere, and not be mixed into another.
    let log = json(from.path(), &["backup", "--only", "events"]);
    let (code, _, err) = run(to.path(), &["restore", log["path"].as_str().expect("a path"), "--only", "events"]);
    assert!(code == 1 && err.contains("bound to the one before it"), "{err}");
    let (code, _, err) = run(to.path(), &["restore", log["path"].as_str().expect("a path"), "--only", "thoughts"]);
    assert!(code == 1 && err.contains("holds no thoughts"), "{err}");
}

// shows: backup: the mind is brought back with its history where it is gone, and only added to where it is not
#[test]
fn a_mind_that_lost_its_history_gets_it_back() {
    let home = home();
    let server = crate::support::Server::start(home.path());
    server.wait_for(|| {
        let log = std::process::Command::new("git")
            .arg("-C")
            .arg(home.path().join("mind"))
            .args(["log", "--oneline"])
            .output();
        log.ok().filter(|o| o.status.success() && !o.stdout.is_empty())
    });
    assert_eq!(server.terminate(), Some(0));
    let mind = home.path().join("mind");
    let file = back_up(home.path());
    let file = file.to_str().expect("text");
    let head = |mind: &std::path::Path| {
        let asked = std::process::Command::new("git")
            .arg("-C")
            .arg(mind)
            .args(["rev-parse", "HEAD"])
            .output()
            .expect("git runs");
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    };
    let commit = head(&mind);
    // An edit since stays, and a file that is gone comes back.
    std::fs::write(mind.join("persona.md"), "You are Timmy the second.").expect("written");
    std::fs::remove_file(mind.join("seeds/creative.md")).expect("removed");
    let done = json(home.path(), &["restore", file, "--only", "mind"]);
    let (added, same, refused) = counts(&done);
    assert!(added == 1 && same >= 5 && refused == 1, "{done}");
    assert_eq!(std::fs::read_to_string(mind.join("persona.md")).expect("read"), "You are Timmy the second.");
    // Damaged beyond reading: the doctor names the step, and it brings all of it back.
    let objects = mind.join(".git/objects");
    for entry in std::fs::read_dir(&objects).expect("objects").filter_map(Result::ok) {
        if entry.file_name().len() == 2 {
            std::fs::remove_dir_all(entry.path()).expect("removed");
        }
    }
    let found = super::faults(home.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == "mind" && found[0].2.ends_with("--only mind"), "{found:?}");
    super::follow(home.path(), &found[0].2);
    assert_eq!(head(&mind), commit);
    assert!(super::faults(home.path()).is_empty());
    let names = std::fs::read_dir(home.path()).expect("a home").filter_map(Result::ok);
    let aside =
        names.map(|e| e.path()).find(|p| p.display().to_string().contains("mind.before-restore-")).expect("kept");
    assert_eq!(std::fs::read_to_string(aside.join("persona.md")).expect("read"), "You are Timmy the second.");
}
