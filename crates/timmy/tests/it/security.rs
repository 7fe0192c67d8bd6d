//! The door under attack. The numbers are those of the list in `docs/security.md`, which says for each what is tried.

pub mod raw;

mod backups;
mod doors;
mod floods;
mod guesses;
mod invoke;
mod keys;
mod listening;
mod passwords;
mod poison;
mod scripts;
mod sessions;
mod strangers;
mod words;

use crate::support::Server;

/// A server that thinks nothing by itself and answers at once.
pub const QUIET: [(&str, &str); 2] = [("TIMMY__CASCADE__PROVIDERS", "scripted"), ("TIMMY__THINKING__ENABLED", "false")];

/// What a form is sent as.
pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Every call of the table of routes, with names in the place of braces: who may, verb, path.
pub fn calls() -> Vec<(timmy_web::routes::Door, &'static str, String)> {
    let call = |route: &'static timmy_web::routes::Route| {
        let filled: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let path = filled.join("/");
        route.verbs.split(", ").map(move |verb| (route.who, verb, path.clone()))
    };
    timmy_web::routes::TABLE.iter().flat_map(call).collect()
}

/// Bytes of memory of the server's own, as the kernel counts them.
pub fn memory_bytes(server: &Server) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid())).expect("readable");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a line");
    let kib: u64 = line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number");
    kib * 1024
}

/// Waits until the memory is back within `left_bytes_max` of `level`.
pub fn settles(server: &Server, level: u64, left_bytes_max: u64) {
    server.wait_for(|| (memory_bytes(server) <= level + left_bytes_max).then_some(()));
}
