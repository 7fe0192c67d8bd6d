//! SIGKILL at every step of a run: a real server, real files, a real repository, a model behind a real socket. What was
//! done is done once and has its receipt; what may have been done is said to be unknown.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::peer::{Peer, Say, told};
use crate::support::{Server, home};

/// Steps a run may have before the test calls it endless.
const COMMITS_MAX: u64 = 400;

// shows: tasks: a real process killed at steps of a run, before and after a commit, leaves each effect done once, with a receipt or said to be unknown
#[test]
fn a_killed_process_does_everything_once() {
    let died = kill_at_each(11);
    assert!(died >= 6, "{died} deaths");
}

#[test]
#[ignore = "long: a kill at every step; make test-long runs it"]
fn a_process_killed_at_every_step_does_everything_once() {
    let died = kill_at_each(1);
    assert!(died >= 60, "{died} deaths");
}

/// Kills at every `stride`th commit of a run, each time before and after it; how often that was.
fn kill_at_each(stride: usize) -> u32 {
    let mut died = 0;
    for at in (1..COMMITS_MAX).step_by(stride) {
        // Both at once: most of a round is waiting for two starts of a process.
        let ends = std::thread::scope(|scope| {
            let rounds = ["before", "after"].map(|word| scope.spawn(move || round(&format!("{word} {at}"))));
            rounds.map(|round| round.join().unwrap_or_else(|why| std::panic::resume_unwind(why)))
        });
        let here = ends.into_iter().filter(|end| *end).count();
        let finished = ends.len() - here;
        died += u32::try_from(here).expect("two");
        // The run was over before its moment came, so every later moment is none.
        if finished == 2 {
            return died;
        }
    }
    panic!("{COMMITS_MAX} commits, and the run is not over");
}

/// One run, killed at `moment` and begun again; whether that moment came.
fn round(moment: &str) -> bool {
    let round = Round::new();
    let died = round.dies(moment);
    round.checks(moment);
    died
}

struct Round {
    home: tempfile::TempDir,
    _outer: tempfile::TempDir,
    work: PathBuf,
    _peer: Peer,
    die: PathBuf,
}

fn git(work: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(work)
        .args(["-c", "user.name=Ana", "-c", "user.email=ana@localhost"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the model does next. It looks before it does again what may have been done.
fn answer(request: &Value) -> Say {
    let said = told(request);
    let call = |tool: &'static str, args: Value| Say::Calls(vec![(tool, args)]);
    let goals: [(&str, Value, (&str, Value), &str); 4] = [
        (
            "write_file",
            json!({"path": "report.md", "how": "create", "content": "All is well.\n"}),
            ("read_file", json!({"path": "report.md"})),
            "All is well.",
        ),
        (
            "run_command",
            json!({"argv": ["tee", "-a", "ran.txt"], "input": "it ran\n"}),
            ("run_command", json!({"argv": ["grep", "-c", "it ran", "ran.txt"]})),
            "Output:\n1",
        ),
        ("git_change", json!({"act": "add", "paths": ["report.md"]}), ("git_look", json!({"act": "status"})), "A "),
        (
            "git_change",
            json!({"act": "commit", "message": "Keep the report"}),
            ("git_look", json!({"act": "log"})),
            "Keep the report",
        ),
    ];
    for (tool, args, (look, look_args), shown) in goals {
        let of = |tool: &str, args: &Value| {
            said.iter().rfind(|told| told.tool == tool && told.args == *args).map(|told| told.words.clone())
        };
        let Some(words) = of(tool, &args) else { return call(tool, args) };
        if !words.contains("is not known") {
            continue;
        }
        match of(look, &look_args) {
            None => return call(look, look_args),
            Some(seen) if seen.contains("is not known") => return call(look, look_args),
            Some(seen) if seen.contains(shown) => {}
            // It was not done: the same again, as the first time.
            Some(_) => return call(tool, args),
        }
    }
    Say::Words("The report is written and kept.".to_owned())
}

impl Round {
    fn new() -> Self {
        let (home, outer) = (home(), home());
        let work = outer.path().canonicalize().expect("there").join("work");
        std::fs::create_dir(&work).expect("made");
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "-m", "Begin"]);
        let peer = Peer::start(answer);
        peer.furnish(home.path(), &work, "");
        let die = outer.path().join("die");
        Self { home, _outer: outer, work, _peer: peer, die }
    }

    /// Starts a server, has it killed at `moment` of a run, and says whether that came.
    fn dies(&self, moment: &str) -> bool {
        let die = self.die.display().to_string();
        let server = Server::start_with(self.home.path(), &[("TIMMY_TEST_DIE", &die)]);
        let task = server.post("/api/tasks", &json!({"title": "Write the report", "requires_approval": true}));
        assert_eq!(task["status"], "pending_approval", "{task}");
        std::fs::write(&self.die, moment).expect("written");
        !lives(&server)
    }

    /// Starts the server again, has it finish, and looks at what was done and told.
    fn checks(&self, moment: &str) {
        let server = Server::start_with(self.home.path(), &[]);
        assert!(lives(&server), "{moment}");
        let report = server.get("/api/events/verify");
        assert_eq!(report["ok"], true, "{moment}: {report}");
        let read = |name: &str| std::fs::read_to_string(self.work.join(name)).unwrap_or_default();
        let events = server.get("/api/events?type=tool.*&limit=500");
        let events = events["items"].as_array().expect("items").clone();
        let tell = || events.iter().map(|e| format!("{} {}\n", e["event"], e["data"])).collect::<String>();
        assert_eq!(read("report.md"), "All is well.\n", "{moment}: {}", tell());
        assert_eq!(read("ran.txt"), "it ran\n", "{moment}: {}", tell());
        let log = git(&self.work, &["log", "--format=%s"]);
        assert_eq!(log, "Keep the report\nBegin\n", "{moment}: {}", tell());
        receipts(&events, moment);
        assert_eq!(server.terminate(), Some(0), "{moment}");
    }
}

/// Every call that was begun has its end, and everything that was done has exactly one receipt or one plain word that
/// it is not known.
fn receipts(events: &[Value], moment: &str) {
    let name = |event: &Value| event["event"].as_str().unwrap_or_default().to_owned();
    let of = |wanted: &str, hash: &Value| {
        events.iter().filter(|event| name(event) == wanted && event["data"]["plan_hash"] == *hash).count()
    };
    assert!(events.iter().any(|event| name(event) == "tool.completed"), "{moment}: {events:?}");
    for event in events.iter().filter(|event| name(event) == "tool.called") {
        let hash = &event["data"]["plan_hash"];
        assert_eq!(of("tool.completed", hash) + of("tool.failed", hash), 1, "{moment}: {event} in {events:#?}");
    }
    for event in events.iter().filter(|event| name(event) == "tool.completed") {
        assert!(of("tool.called", &event["data"]["plan_hash"]) >= 1, "{moment}: a receipt of nothing: {event}");
    }
}

/// Says yes to everything until the one task is done; false when the server died meanwhile.
fn lives(server: &Server) -> bool {
    let ask = |verb: &str, path: &str, body: Option<&Value>| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.ask(verb, path, body))).ok()
    };
    server.wait_for(|| {
        let Some((200, tasks)) = ask("GET", "/api/tasks", None) else { return Some(false) };
        if tasks["items"][0]["status"] == "completed" {
            return Some(true);
        }
        assert!(
            ["pending_approval", "approved", "running"]
                .contains(&tasks["items"][0]["status"].as_str().unwrap_or_default()),
            "{}",
            tasks["items"][0]
        );
        let Some((200, waiting)) = ask("GET", "/api/approvals?status=pending", None) else { return Some(false) };
        for one in waiting["items"].as_array().expect("items") {
            let path = format!("/api/approvals/{}/approve", one["id"].as_str().expect("an id"));
            // It may be about to be parked; then the yes is given at the next look.
            ask("POST", &path, Some(&json!({})));
        }
        None
    })
}

// shows: tasks: a process killed while a tool runs takes the tool along, says that the end is not known, and does nothing a second time
#[test]
fn a_process_killed_in_the_middle_of_a_tool_does_not_do_it_again() {
    let (home, outer) = (home(), home());
    let work = outer.path().canonicalize().expect("there").join("work");
    std::fs::create_dir(&work).expect("made");
    std::fs::write(work.join("slow.sh"), "echo begun >> begun.txt\nsleep 20\necho late >> late.txt\n")
        .expect("written");
    let args = json!({"argv": ["sh", "slow.sh"], "seconds": 600});
    let peer = Peer::start(move |request| match told(request).last() {
        None => Say::Calls(vec![("run_command", args.clone())]),
        Some(last) if last.words.contains("is not known") => {
            Say::Calls(vec![("read_file", json!({"path": "begun.txt"}))])
        }
        Some(_) => Say::Words("It was begun; how it ended is not known.".to_owned()),
    });
    peer.furnish(home.path(), &work, "");
    let server = Server::start_with(home.path(), &[]);
    server.post("/api/tasks", &json!({"title": "Run the slow one"}));
    server.wait_for(|| {
        for one in server.get("/api/approvals?status=pending")["items"].as_array().expect("items") {
            server.ask(
                "POST",
                &format!("/api/approvals/{}/approve", one["id"].as_str().expect("an id")),
                Some(&json!({})),
            );
        }
        work.join("begun.txt").exists().then_some(())
    });
    server.kill();
    let server = Server::start_with(home.path(), &[]);
    assert!(lives(&server));
    assert_eq!(std::fs::read_to_string(work.join("begun.txt")).expect("there"), "begun\n", "once");
    let failed = server.get("/api/events?type=tool.failed");
    assert_eq!(failed["items"][0]["data"]["reason"], "cut off", "{failed}");
    let fence = server.get("/api/health");
    if fence["sandbox"]["tier"] == "T3" {
        assert!(!work.join("late.txt").exists(), "the tool ended with the process");
    }
    assert_eq!(server.terminate(), Some(0));
}
