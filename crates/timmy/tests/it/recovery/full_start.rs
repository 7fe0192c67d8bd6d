//! A start on a disk that is full already.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::may_mount;
use crate::support::{Server, home, timmy};

/// A server on a disk of its own that holds what lies in `from` and not one byte more.
fn on_a_full_disk(from: &Path, at: &Path) -> Server {
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=24m,mode=700 none \"$2\" && cp -a \"$1\"/. \"$2\" && \
        { cat /dev/zero > \"$2/filler\" 2> /dev/null; shift 2; exec \"$@\"; }";
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", at);
    command.env("TIMMY__CASCADE__PROVIDERS", "reflex").env("TIMMY__THINKING__ENABLED", "false");
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(from).arg(at).arg(timmy(at).get_program());
    command.arg("--home").arg(at).args(["serve", "--port", "0"]);
    let below = at.strip_prefix("/").expect("absolute").to_owned();
    Server::of(command, Stdio::null(), move |pid| PathBuf::from(format!("/proc/{pid}/root")).join(below))
}

// shows: process: started on a full disk Timmy serves what he has, and writes down his start as soon as there is room
#[test]
fn a_start_on_a_full_disk_serves_and_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let (from, at) = (home(), home());
    let before = Server::start(from.path());
    before.post("/thinking/api/inject", &json!({"content": "kept from before"}));
    // Killed, so that he leaves what a power failure leaves.
    before.kill();
    // The command line finds him: what he leaves for it takes the room of what was left before.
    let server = on_a_full_disk(from.path(), at.path());
    let inject = || server.ask("POST", "/thinking/api/inject", Some(&json!({"content": "new"})));
    let (status, told) = inject();
    assert_eq!((status, told["error"]["code"].as_str()), (503, Some("disk_full")), "{told}");
    assert!(server.get("/thinking/api").to_string().contains("kept from before"), "reading goes on");
    let started = || server.get("/api/events?type=system.started")["items"].as_array().map_or(0, Vec::len);
    let earlier = started();
    std::fs::remove_file(server.home.join("filler")).expect("removed");
    server.wait_for(|| (started() > earlier).then_some(()));
    assert!(inject().0 < 300);
    assert_eq!(server.get("/api/events?type=system.crashed")["items"].as_array().map_or(0, Vec::len), 1);
}
