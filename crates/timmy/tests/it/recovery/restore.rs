//! Restoring: refused while a server runs, cut off anywhere, and never losing what was there.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{back_up, everything, faults, think, thoughts};
use crate::support::{Server, home, json, run, timmy};

// shows: backup: a restore is refused while a server runs, says which, and changes nothing
#[test]
fn a_restore_is_refused_while_a_server_runs() {
    let home = home();
    think(home.path(), "before");
    let file = back_up(home.path());
    let server = Server::start(home.path());
    let (code, _, err) = run(home.path(), &["restore", file.to_str().expect("text"), "--yes"]);
    assert_eq!(code, 1);
    assert!(err.contains(&server.address) && err.contains(&server.pid().to_string()), "{err}");
    let (code, _, _) = run(home.path(), &["restore", file.to_str().expect("text"), "--only", "thoughts"]);
    assert_eq!(code, 1);
    assert!(!home.path().join("restore.json").exists());
    assert_eq!(server.get("/api/events/verify")["ok"], true);
    assert_eq!(server.terminate(), Some(0));
}

// shows: backup: what does not fit, is damaged, or holds only one area is refused before anything is touched
#[test]
fn what_cannot_be_restored_is_refused_before_anything_is_touched() {
    let home = home();
    think(home.path(), "own");
    let file = back_up(home.path());
    let area = json(home.path(), &["backup", "--only", "thoughts"]);
    let hurt = home.path().join("hurt.tar.gz");
    let mut bytes = std::fs::read(&file).expect("read");
    bytes.truncate(bytes.len() * 2 / 3);
    std::fs::write(&hurt, bytes).expect("written");
    std::fs::write(home.path().join("letter.tar.gz"), "Dear Timmy").expect("written");
    let before = everything(home.path());
    let hurt = hurt.to_str().expect("text");
    let letter = home.path().join("letter.tar.gz");
    for (args, code, word) in [
        (vec!["restore", hurt, "--yes"], 1, "cannot be used"),
        (vec!["restore", letter.to_str().expect("text"), "--yes"], 1, "no backup"),
        (vec!["restore", area["path"].as_str().expect("a path"), "--yes"], 1, "holds only thoughts"),
        (vec!["restore", "/nowhere", "--yes"], 1, "no file"),
        (vec!["restore", file.to_str().expect("text")], 2, "--yes"),
        (vec!["restore", file.to_str().expect("text"), "--only", "lunch"], 2, "no area"),
    ] {
        let (got, _, err) = run(home.path(), &args);
        assert!(got == code && err.contains(word), "{args:?}: {got} {err}");
        assert!(everything(home.path()) == before, "{args:?} changed something");
    }
}

// shows: backup: a restore puts the home back to the event, keeps what was there, and tells it in the log
#[test]
fn a_restore_keeps_what_was_there_and_tells_it() {
    let home = home();
    think(home.path(), "first");
    let file = back_up(home.path());
    think(home.path(), "second");
    let name = file.file_name().expect("a name").to_str().expect("text");
    let done = json(home.path(), &["restore", name, "--yes"]);
    assert_eq!(thoughts(home.path()), ["first"]);
    let told = json(home.path(), &["events", "query", "--type", "restore.done"]);
    assert_eq!((&told["items"][0]["actor"], &told["items"][0]["data"]["file"]), (&"owner".into(), &name.into()));
    let suffix = done["kept_as"].as_str().expect("text");
    // The old home is the moved files under their old names.
    let old = crate::support::home();
    std::fs::copy(home.path().join(format!("timmy.db{suffix}")), old.path().join("timmy.db")).expect("kept");
    assert_eq!(thoughts(old.path()), ["first", "second"]);
    assert_eq!(run(home.path(), &["events", "verify"]).0, 0);
    // And once more, forward to a backup made since.
    think(home.path(), "third");
    let later = back_up(home.path());
    json(home.path(), &["restore", later.to_str().expect("text"), "--yes"]);
    assert_eq!(thoughts(home.path()), ["first", "third"]);
    assert!(faults(home.path()).is_empty());
}

// shows: backup: after a restore the password is the one of that time, and the command says so
#[test]
fn the_password_is_the_one_of_that_time() {
    let home = home();
    let mut setting = timmy(home.path()).args(["password", "set"]).stdin(Stdio::piped()).spawn().expect("runs");
    let mut typed = setting.stdin.take().expect("an input");
    std::io::Write::write_all(&mut typed, b"a password of that time\n").expect("typed");
    drop(typed);
    assert!(setting.wait().expect("ended").success());
    let file = back_up(home.path());
    assert_eq!(run(home.path(), &["password", "remove"]).0, 0);
    let set = json(home.path(), &["password", "status"])["set"].clone();
    assert_eq!(set, false);
    let (code, out, err) = run(home.path(), &["restore", file.to_str().expect("text"), "--yes"]);
    assert!(code == 0 && out.contains("The password is the one of that time"), "{out}{err}");
    assert_eq!(json(home.path(), &["password", "status"])["set"], true);
}

/// What the home is: the old one, or the new one. Anything else fails.
fn which(home: &Path) -> &'static str {
    let (code, out, err) = run(home, &["events", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    let persona = std::fs::read_to_string(home.join("mind/persona.md")).expect("a persona");
    let all = thoughts(home);
    match (all.as_slice(), persona.as_str()) {
        ([a], "old") if a == "old" => "old",
        ([a], "new") if a == "new" => "new",
        other => panic!("neither the old home nor the new one: {other:?}"),
    }
}

/// Copies a home, with the modes of its files.
pub fn copy(from: &Path, to: &Path) {
    for (path, _) in everything(from) {
        let at = to.join(path.strip_prefix(from).expect("below"));
        if path.is_dir() {
            std::fs::create_dir_all(&at).expect("made");
        } else {
            std::fs::create_dir_all(at.parent().expect("a folder")).expect("made");
            std::fs::copy(&path, &at).expect("written");
        }
    }
}

// shows: backup: kill -9 at any moment of a restore leaves the old home or the new one, and nothing in between
#[test]
fn a_restore_that_is_killed_leaves_the_old_home_or_the_new_one() {
    let new = home();
    think(new.path(), "new");
    std::fs::write(new.path().join("mind/persona.md"), "new").expect("written");
    let file = back_up(new.path());
    let old = home();
    think(old.path(), "old");
    std::fs::write(old.path().join("mind/persona.md"), "old").expect("written");
    let whole = {
        let trial = home();
        copy(old.path(), trial.path());
        let began = std::time::Instant::now();
        json(trial.path(), &["restore", file.to_str().expect("text"), "--yes"]);
        assert_eq!(which(trial.path()), "new");
        began.elapsed()
    };
    let rounds = 24;
    let round = |round: u32| {
        let trial = home();
        copy(old.path(), trial.path());
        let mut child = timmy(trial.path())
            .args(["restore", file.to_str().expect("text"), "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("runs");
        std::thread::sleep(whole * round / (rounds - 2));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let found = which(trial.path());
        // Whatever it was, the same restore goes through afterwards.
        json(trial.path(), &["restore", file.to_str().expect("text"), "--yes"]);
        assert_eq!(which(trial.path()), "new");
        let left: Vec<_> = std::fs::read_dir(trial.path()).expect("a folder").filter_map(Result::ok).collect();
        assert!(!left.iter().any(|e| e.file_name().to_string_lossy().starts_with(".work-")), "{left:?}");
        found
    };
    // In two strands: most of a round is waiting for a process.
    let seen: Vec<&str> = std::thread::scope(|scope| {
        let strands = [0, 1].map(|strand| {
            let round = &round;
            scope.spawn(move || (strand..rounds).step_by(2).map(round).collect::<Vec<_>>())
        });
        strands.into_iter().flat_map(|s| s.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).collect()
    });
    assert!(seen.contains(&"old"), "never killed early enough: {seen:?}");
}

// shows: backup: a restore that was begun and cut off is finished by the next start, and the doctor names that step
#[test]
fn a_restore_that_was_begun_is_finished_by_the_next_start() {
    let new = home();
    think(new.path(), "new");
    std::fs::write(new.path().join("mind/persona.md"), "new").expect("written");
    let file = back_up(new.path());
    let home = home();
    think(home.path(), "old");
    // As a kill right after the beginning leaves it: everything lies ready, and the note is written.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let go_on: timmy_store::OnProgress = std::sync::Arc::new(|_, _| true);
    let prepared = runtime.block_on(timmy_core::restore::prepare(home.path(), &file, "test", go_on)).expect("whole");
    let now = timmy_domain::Timestamp::from_micros(1_795_248_000_000_000);
    timmy_core::restore::begin(home.path(), prepared, now).expect("begun");
    let found = faults(home.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("cut off") && found[0].2.starts_with("timmy serve"), "{found:?}");
    let server = Server::start(home.path());
    let told = server.get("/api/events?type=restore.*");
    assert_eq!(told["items"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(which(home.path()), "new");
    assert!(faults(home.path()).is_empty());
}

// shows: backup: Ctrl-C where a restore asks whether to go on ends it, and nothing is changed
#[test]
fn an_interrupt_at_the_question_ends_the_restore() {
    let home = home();
    think(home.path(), "kelp");
    let file = back_up(home.path());
    let before = std::fs::metadata(home.path().join("timmy.db")).expect("it is there").modified().expect("a time");
    let command = format!(
        "exec {} --home {} restore {}",
        timmy(home.path()).get_program().display(),
        home.path().display(),
        file.display()
    );
    let mut terminal = Command::new("script");
    // One shell whatever the environment names: some stay in front of what they start and end by the key themselves.
    terminal.env("SHELL", "/bin/sh").args(["-qec", &command, "/dev/null"]);
    terminal.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut terminal) = terminal.spawn() else {
        let _ =
            writeln!(std::io::stdout(), "skipped, not shown: the program `script`, which makes a terminal, is missing");
        return;
    };
    let mut said = String::new();
    let mut out = terminal.stdout.take().expect("piped");
    let mut piece = [0; 512];
    while !said.contains("[y/N]") {
        let read = out.read(&mut piece).expect("its words");
        assert!(read > 0, "it ended before it asked: {said}");
        said.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    terminal.stdin.as_mut().expect("piped").write_all(b"\x03").expect("the key is pressed");
    out.read_to_string(&mut said).expect("its words");
    assert_eq!(terminal.wait().expect("it ends").code(), Some(1), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    let after = std::fs::metadata(home.path().join("timmy.db")).expect("it is there").modified().expect("a time");
    assert_eq!(after, before);
}
