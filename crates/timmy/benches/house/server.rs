//! The release binary as a process, and what the kernel says about it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::Http;

/// Seconds to wait for something that must happen.
const PATIENCE_SECONDS: u64 = 180;

/// The binary that is measured.
pub static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// A running server; it is killed when this is dropped.
pub struct Server {
    child: Child,
    pub address: String,
    token: String,
}

/// `timmy serve` on `home`, with nothing of this machine's environment.
pub fn command(home: &Path, port: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY.get().unwrap());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).env("TIMMY_HOME", home);
    command.args(["serve", "--port", port]).envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

impl Server {
    /// Starts one and waits until it listens.
    pub fn start(home: &Path, variables: &[(&str, &str)]) -> Self {
        super::fresh(home);
        let mut child = command(home, "0", variables).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let address = first.strip_prefix("listening on http://").unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let run = wait(|| std::fs::read_to_string(home.join("run.json")).ok());
        let run: Value = serde_json::from_str(&run).unwrap();
        Self { child, address, token: run["token"].as_str().unwrap().to_owned() }
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The header line of a program of the owner.
    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// JSON of `path`.
    pub fn get(&self, path: &str) -> Value {
        let answer = Http::to(&self.address).unwrap().ask("GET", path, &self.bearer(), "").unwrap();
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The header lines of a browser that is logged in, as the owner would be: by a code, with a cookie.
    pub fn browser(&self) -> String {
        let mut http = Http::to(&self.address).unwrap();
        let json = format!("{}Content-Type: application/json\r\n", self.bearer());
        let code = http.ask("POST", "/api/login/code", &json, "{}").unwrap();
        let code: Value = serde_json::from_slice(&code.body).unwrap();
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let entered = http.ask("POST", "/login", form, &format!("code={}", code["code"].as_str().unwrap())).unwrap();
        let cookie = entered.head.lines().find_map(|l| {
            let (name, value) = l.split_once(':')?;
            name.eq_ignore_ascii_case("set-cookie").then(|| value.trim().split(';').next().unwrap_or("").to_owned())
        });
        format!("Cookie: {}\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\n", cookie.unwrap())
    }

    /// Waits until the checks of the start are through, so that they are in no figure.
    pub fn settle(&self) {
        wait(|| {
            let done = self.get("/api/events?type=store.checked&limit=10");
            let recent = done["items"].as_array().map_or(0, Vec::len);
            (recent >= 2).then_some(())
        });
        std::thread::sleep(Duration::from_secs(2));
    }

    /// Processor time of the process so far: user and system together.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // The kernel counts in hundredths of a second, whatever the machine (proc(5), USER_HZ).
        Duration::from_millis(ticks * 10)
    }

    /// Proportional memory of the process and its children, in KiB.
    pub fn pss_kib(&self) -> u64 {
        let mut all = vec![self.pid()];
        let mut at = 0;
        while let Some(pid) = all.get(at).copied() {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
            at += 1;
        }
        let pss = |pid: &u32| {
            let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = rollup.lines().find_map(|l| l.strip_prefix("Pss:").map(str::to_owned));
            line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
        };
        all.iter().map(pss).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Repeats `look` until it gives something.
pub fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(PATIENCE_SECONDS), "waited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}
