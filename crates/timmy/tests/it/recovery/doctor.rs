//! The doctor on homes of every kind: he changes nothing, and names one step for each fault.

use std::process::Stdio;

use serde_json::Value;

use super::{back_up, everything, faults, may_mount, think};
use crate::support::{Server, home, json, run, timmy};

fn items(home: &std::path::Path) -> Vec<Value> {
    let (_, out, _) = run(home, &["doctor", "--json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    told["items"].as_array().expect("items").clone()
}

// The first commit follows the folder by a moment; a backup made in that moment was told not to be whole.
#[test]
fn a_home_whose_mind_is_being_begun_is_whole() {
    let home = home();
    think(home.path(), "kelp");
    let mind = home.path().join("mind");
    let git = |args: &[&str]| {
        let done =
            std::process::Command::new("git").arg("-C").arg(&mind).args(args).status().expect("git is installed");
        assert!(done.success(), "git {args:?}");
    };
    let _ = std::fs::remove_dir_all(&mind);
    std::fs::create_dir(&mind).expect("made");
    git(&["init", "--quiet", "--template=", "--initial-branch=main"]);
    assert_eq!(faults(home.path()), []);
    let file = back_up(home.path());
    assert_eq!(run(home.path(), &["restore", file.to_str().expect("text"), "--yes"]).0, 0);
    // Where something was committed, a lost branch is damage.
    std::fs::write(mind.join("persona.md"), "I am Timmy.").expect("written");
    git(&["add", "."]);
    git(&["-c", "user.name=T", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "Begin"]);
    std::fs::remove_file(mind.join(".git/refs/heads/main")).expect("removed");
    assert_eq!(faults(home.path()).len(), 1);
}

/// What lies in a home whose server was killed, once the git that it had begun has ended by itself.
fn settled(home: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut before = everything(home);
    loop {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let now = everything(home);
        if now == before {
            return now;
        }
        before = now;
    }
}

// shows: cli: doctor changes no file, with or without a home, a server, or a write-ahead log of a kill
#[test]
fn the_doctor_changes_no_file() {
    let nowhere = home();
    let absent = nowhere.path().join("absent");
    assert_eq!(run(&absent, &["doctor"]).0, 0, "nothing is broken where nothing is");
    assert!(!absent.exists());
    let empty = home();
    assert_eq!(faults(empty.path()), []);
    assert!(everything(empty.path()).is_empty(), "an empty home stays empty");
    let home = home();
    let server = Server::start(home.path());
    server.post("/thinking/api/inject", &serde_json::json!({"content": "kelp"}));
    server.wait_for(|| home.path().join("mind/.git/refs/heads/main").exists().then_some(()));
    assert_eq!(faults(home.path()), []);
    // Killed: the last thoughts lie in the write-ahead log, which the doctor reads and leaves.
    server.kill();
    assert!(std::fs::metadata(home.path().join("timmy.db-wal")).is_ok_and(|m| m.len() > 0));
    let before = settled(home.path());
    assert_eq!(faults(home.path()), []);
    assert!(everything(home.path()) == before, "the doctor changed something");
    let (code, out, _) = run(home.path(), &["doctor"]);
    assert!(code == 0 && out.contains("chain whole"), "{out}");
}

// shows: cli: doctor names the newest backup that proved good, and says so where none did
#[test]
fn the_backup_that_is_named_proved_good() {
    let home = home();
    think(home.path(), "kelp");
    let good = back_up(home.path());
    let good = good.file_name().expect("a name").to_str().expect("text");
    let of_backup = || items(home.path()).into_iter().find(|i| i["check"] == "backup").expect("a finding");
    let told = of_backup();
    assert!(told["verdict"] == "ok" && told["what"].as_str().is_some_and(|w| w.contains(good)), "{told}");
    // Two newer ones, of which one failed and one was never checked.
    let (failed, unchecked) = ("timmy-nightly-2098-01-01T0330Z.tar.gz", "timmy-nightly-2099-01-01T0330Z.tar.gz");
    let backups = home.path().join("backups");
    for name in [failed, unchecked] {
        std::fs::write(backups.join(name), "half").expect("written");
    }
    let note = backups.join(timmy_core::backup::proof::NOTE);
    let known: Value = serde_json::from_slice(&std::fs::read(&note).expect("a note")).expect("JSON");
    let mut more = known.clone();
    more[failed] = serde_json::json!({"bytes": 4, "whole": false});
    std::fs::write(&note, more.to_string()).expect("written");
    let told = of_backup();
    let what = told["what"].as_str().expect("text");
    assert!(told["verdict"] == "note" && what.contains(good) && what.contains(failed), "{told}");
    let mut bytes = std::fs::read(home.path().join("timmy.db")).expect("read");
    bytes[3] ^= 0x55;
    std::fs::write(home.path().join("timmy.db"), bytes).expect("written");
    let step = |home: &std::path::Path| {
        let found = faults(home).into_iter().find(|f| f.0 == "database").expect("a fault");
        (found.1, found.2)
    };
    let (what, named) = step(home.path());
    assert_eq!(named, format!("timmy restore {good}"));
    assert!(!what.contains("proved good"), "{what}");
    // With none that proved good the newest that was not checked is named, with what is to be known of it.
    std::fs::remove_file(backups.join(good)).expect("removed");
    let (what, named) = step(home.path());
    assert_eq!(named, format!("timmy restore {unchecked}"));
    assert!(what.contains("no backup here proved good"), "{what}");
    std::fs::remove_file(backups.join(unchecked)).expect("removed");
    let (what, named) = step(home.path());
    assert!(named.ends_with(failed) && what.contains("failed its check"), "{what}: {named}");
}

// shows: cli: doctor tells a missing model once, with one step
#[test]
fn a_missing_model_is_told_once() {
    let home = home();
    think(home.path(), "kelp");
    let models = |home: &std::path::Path| items(home).into_iter().filter(|i| i["check"] == "model").collect::<Vec<_>>();
    std::fs::write(home.path().join("timmy.toml"), "[ollama]\nurl = \"http://127.0.0.1:9\"\n").expect("written");
    let alone = models(home.path());
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert_eq!(alone[0]["verdict"], "note");
    assert!(alone[0]["step"].as_str().is_some_and(|s| s.contains("Ollama")), "{alone:?}");
    let server = Server::start_with(home.path(), &[("TIMMY__OLLAMA__URL", "http://127.0.0.1:9")]);
    let served = models(home.path());
    assert_eq!(served.len(), 1, "{served:?}");
    assert_eq!(server.terminate(), Some(0));
}

// shows: models: a provider that is paid for and has no price is told by the doctor and on the Router page, with the line that mends it
#[test]
fn a_missing_price_is_told_with_its_line() {
    let home = home();
    let far = [("TIMMY__CASCADE__PROVIDERS", "far,reflex")];
    let written = |prices: &str| {
        let text = format!(
            "[cascade]\nproviders = [\"far\", \"reflex\"]\nprices = [{prices}]\n[thinking]\nenabled = false\n\
             [provider.far]\nurl = \"http://127.0.0.1:9/v1\"\nplace = \"remote\"\nmodel = \"m1\"\n"
        );
        std::fs::write(home.path().join("timmy.toml"), text).expect("written");
    };
    written("");
    let secrets = home.path().join("secrets.toml");
    std::fs::write(&secrets, "[provider.far]\napi_key = \"sk-of-a-test\"\n").expect("written");
    std::fs::set_permissions(&secrets, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let told = || items(home.path()).into_iter().filter(|i| i["check"] == "price").collect::<Vec<_>>();
    let page = |server: &Server| {
        let bearer = format!("Bearer {}", server.token);
        server.request("GET", "/router/status.md", &[("Authorization", &bearer)], None).1
    };
    let server = Server::start_with(home.path(), &far);
    let served = told();
    assert_eq!(served.len(), 1, "{served:?}");
    assert!(served[0]["step"].as_str().is_some_and(|step| step.contains("far/m1 0.15 0.60")), "{served:?}");
    let shown = page(&server);
    assert!(shown.contains("Has no price") && shown.contains("far/m1 0.15 0.60"), "{shown}");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(told(), served, "without a server as well");
    written("\"far/m1 1 2\"");
    assert!(told().is_empty());
    let server = Server::start_with(home.path(), &far);
    assert!(!page(&server).contains("Has no price"));
}

// shows: cli: doctor names the step for a held home, a broken setting, open secrets, a lost folder and an open home
#[test]
fn each_fault_of_a_home_has_its_step() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    };
    let home = home();
    think(home.path(), "kelp");
    std::fs::write(home.path().join("timmy.toml"), "[thinkng]\nenabled = true\n").expect("written");
    let found = faults(home.path());
    assert!(found.len() == 1 && found[0].0 == "configuration" && found[0].2.contains("config check"), "{found:?}");
    std::fs::remove_file(home.path().join("timmy.toml")).expect("removed");
    std::fs::write(home.path().join("secrets.toml"), "").expect("written");
    mode(&home.path().join("secrets.toml"), 0o644);
    let found = faults(home.path());
    assert!(found.len() == 1 && found[0].1.contains("chmod 600"), "{found:?}");
    std::fs::remove_file(home.path().join("secrets.toml")).expect("removed");
    let folder = home.path().join("kelp");
    std::fs::create_dir(&folder).expect("made");
    assert_eq!(run(home.path(), &["watch", "add", folder.to_str().expect("text")]).0, 0);
    assert_eq!(faults(home.path()), []);
    std::fs::remove_dir(&folder).expect("removed");
    let found = faults(home.path());
    assert!(found.len() == 1 && found[0].0 == "folder" && found[0].2.contains("timmy watch remove"), "{found:?}");
    super::follow(home.path(), found[0].2.split(": ").nth(1).expect("a command"));
    mode(home.path(), 0o755);
    let open = items(home.path());
    assert!(
        open.iter().any(|i| i["check"] == "home" && i["step"].as_str().is_some_and(|s| s.starts_with("chmod 700")))
    );
    mode(home.path(), 0o700);
    // Somebody holds the home and does not listen.
    let lock = std::fs::File::open(home.path().join("lock")).expect("a lock");
    lock.lock().expect("held");
    let found = faults(home.path());
    assert!(found.len() == 1 && found[0].0 == "server" && found[0].2.contains("stop that process"), "{found:?}");
    drop(lock);
    assert_eq!(faults(home.path()), []);
    assert!(items(home.path()).iter().any(|i| i["check"] == "backup" && i["step"] == "timmy backup"));
}

/// A command in a mount namespace of its own in which the home can only be read.
fn reading_only(home: &std::path::Path) -> std::process::Command {
    let mut command = std::process::Command::new("unshare");
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
    let timmy = timmy(home);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", home);
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(home).arg(timmy.get_program()).arg("--home").arg(home);
    command
}

// shows: process: a home that cannot be written is said so plainly at the start, and the doctor still reads all of it
#[test]
fn a_home_that_cannot_be_written_is_said_so_plainly() {
    if !may_mount() {
        return;
    }
    let home = home();
    think(home.path(), "kelp");
    let before = everything(home.path());
    for args in [&["serve", "--port", "0"][..], &["thoughts"], &["backup"]] {
        let out = reading_only(home.path()).args(args).stdin(Stdio::null()).output().expect("runs");
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{args:?}: {err}");
        assert!(err.contains("cannot be written") && err.contains("--home DIR"), "{args:?}: {err}");
        assert!(err.contains("reading only"), "{args:?}: {err}");
    }
    let out = reading_only(home.path()).args(["doctor", "--json"]).stdin(Stdio::null()).output().expect("runs");
    assert_eq!(out.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let found: Vec<&Value> =
        told["items"].as_array().expect("items").iter().filter(|i| i["verdict"] == "fault").collect();
    assert_eq!(found.len(), 1, "{told}");
    assert_eq!(found[0]["check"], "home");
    assert!(
        told["items"].as_array().expect("items").iter().any(|i| i["check"] == "database" && i["verdict"] == "ok"),
        "{told}"
    );
    assert!(everything(home.path()) == before);
    assert!(faults(home.path()).is_empty(), "writable again, all is well");
}

// shows: cli: a home that is not there is told, and wrong numbers are answered in plain words
#[test]
fn small_questions_get_plain_answers() {
    let home = home();
    let absent = home.path().join("absent");
    let (code, _, err) = run(&absent, &["status"]);
    assert!(code == 1 && err.contains("there is no home at"), "{err}");
    let (code, out, _) = run(&absent, &["status", "--json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, told["error"]["code"].as_str()), (1, Some("no_home")));
    assert_eq!(json(home.path(), &["status"])["running"], false);
    for (args, words) in [
        (&["events", "show", "abc"][..], "a position is the number at the beginning"),
        (&["events", "query", "--after", "x"], "a position is"),
        (&["events", "query", "--limit", "0"], "from 1 to 1000"),
        (&["events", "tail", "--last", "5000"], "from 0 to 1000"),
        (&["thoughts", "--limit", "x"], "from 1 to 1000"),
    ] {
        let (code, _, err) = run(home.path(), args);
        assert!(code == 2 && err.contains(words), "{args:?}: {err}");
        assert!(!err.contains("digit"), "{args:?}: {err}");
    }
}

// shows: cli: doctor, Health, /metrics and the log of the start say how strong the sandbox is, and what is wrong with a granted folder
#[test]
fn the_sandbox_and_the_granted_folders_are_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, place) = (home(), home());
    let open = place.path().join("open");
    std::fs::create_dir(&open).expect("made");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).expect("set");
    let lines = format!("[tools]\nfolders = [\"/nowhere/at/all\"]\nfolders_write = [{:?}, {:?}]\n", open, home.path());
    std::fs::write(home.path().join("timmy.toml"), lines).expect("written");
    let wanted = ["no folder /nowhere/at/all", "Everybody on this machine may write", "what governs him"];
    let look = || {
        let told: Vec<Value> = items(home.path()).into_iter().filter(|item| item["check"] == "tools").collect();
        assert_eq!(told.len(), wanted.len(), "{told:?}");
        for words in wanted {
            let found = told.iter().find(|item| item["what"].as_str().is_some_and(|what| what.contains(words)));
            assert!(found.is_some_and(|item| item["verdict"] == "note" && item["step"] != ""), "{words}: {told:?}");
        }
    };
    look();
    let server = Server::start(home.path());
    look();
    let health = server.get("/api/health");
    let tier = health["sandbox"]["tier"].as_str().expect("a tier").to_owned();
    assert!(["T1", "T2", "T3"].contains(&tier.as_str()), "{tier}");
    assert_eq!(health["tool_folders"].as_array().expect("a list").len(), wanted.len(), "{health}");
    let bearer = format!("Bearer {}", server.token);
    let (_, metrics) = server.request("GET", "/metrics", &[("Authorization", &bearer)], None);
    assert!(metrics.contains(&format!("timmy_sandbox_tier {}", &tier[1..])), "{metrics}");
    let (_, page) = server.request("GET", "/health/page", &[("Authorization", &bearer), ("Accept", "text/html")], None);
    for words in wanted {
        assert!(page.contains(words), "{words}");
    }
    let started = server.get("/api/events?type=system.started");
    assert_eq!(started["items"][0]["data"]["sandbox"], tier, "{started}");
    assert_eq!(server.terminate(), Some(0));
}
