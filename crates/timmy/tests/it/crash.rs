//! SIGKILL at random moments: nothing acknowledged is lost, and the chain verifies after each.

// A release build cannot be told when to die.
#[cfg(debug_assertions)]
mod agent;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::support::{Server, home};

// shows: store: SIGKILL at 20 random moments loses nothing acknowledged and the chain verifies after each
#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    kill_again_and_again(20);
}

#[test]
#[ignore = "long: 200 kills; make test-long runs it"]
fn nothing_acknowledged_is_lost_in_two_hundred_kills() {
    kill_again_and_again(200);
}

fn kill_again_and_again(rounds: u64) {
    let home = home();
    let acknowledged: Arc<Mutex<HashSet<String>>> = Arc::default();
    // A plain generator: the moments differ from round to round and repeat from run to run.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..rounds {
        let server = Arc::new(Server::start_with(
            home.path(),
            &[("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__INTERVAL_SECONDS", "1")],
        ));
        let dying = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (server, dying, acknowledged) =
                    (Arc::clone(&server), Arc::clone(&dying), Arc::clone(&acknowledged));
                std::thread::spawn(move || {
                    for n in 0.. {
                        if dying.load(Ordering::SeqCst) {
                            return;
                        }
                        let content = format!("round {round} writer {writer} thought {n}");
                        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            server.ask("POST", "/thinking/api/inject", Some(&json!({"content": content})))
                        }));
                        match asked {
                            Ok((201, _)) => {
                                acknowledged.lock().expect("whole").insert(content);
                            }
                            _ => return,
                        }
                    }
                })
            })
            .collect();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_millis(30 + random % 170));
        dying.store(true, Ordering::SeqCst);
        let pid =
            rustix::process::Pid::from_raw(i32::try_from(server.pid()).expect("a process id")).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
        writers.into_iter().for_each(|w| w.join().expect("the writer ends"));
        drop(server);
        check(home.path(), &acknowledged.lock().expect("whole"));
    }
    assert!(acknowledged.lock().expect("whole").len() as u64 >= rounds, "the rounds wrote something");
}

/// Opens the home as the next start does and looks for everything that was acknowledged.
fn check(home: &std::path::Path, acknowledged: &HashSet<String>) {
    let server =
        Server::start_with(home, &[("TIMMY__CASCADE__PROVIDERS", "reflex"), ("TIMMY__THINKING__ENABLED", "false")]);
    let report = server.get("/api/events/verify");
    assert_eq!(report["ok"], true, "{report}");
    let mut stored = HashSet::new();
    let mut next = None;
    loop {
        let before = next.map_or_else(String::new, |n: i64| format!("&before={n}"));
        let page = server.get(&format!("/thinking/api?limit=1000{before}"));
        let items = page["items"].as_array().expect("items");
        stored.extend(items.iter().filter_map(|t| t["content"].as_str().map(str::to_owned)));
        next = page["next"].as_i64();
        if next.is_none() {
            break;
        }
    }
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}
