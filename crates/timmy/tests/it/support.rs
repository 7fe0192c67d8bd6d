//! A real server process, a plain socket to talk to it, and the command line.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for something that should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test, with an environment that holds nothing of the machine's.
pub fn timmy(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_timmy"));
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home).arg("--home").arg(home);
    command
}

/// Runs a command and gives its exit code, standard output and standard error.
pub fn run(home: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        timmy(home).args(args).stdin(Stdio::null()).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Runs a command with `--json` and gives its answer.
pub fn json(home: &Path, args: &[&str]) -> Value {
    let (code, out, err) = run(home, &[args, &["--json"]].concat());
    assert_eq!(code, 0, "timmy {args:?}: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("timmy {args:?} answered {out:?}: {e}"))
}

/// A home of its own.
pub fn home() -> TempDir {
    TempDir::new().expect("a temporary home")
}

/// A server process; it is killed when this is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// Its home.
    pub home: PathBuf,
    /// The admin token of this start.
    pub token: String,
}

impl Server {
    /// Starts a server on `home` with the scripted provider and waits until it listens.
    pub fn start(home: &Path) -> Self {
        Self::start_with(home, &[("TIMMY__CASCADE__PROVIDERS", "scripted,reflex")])
    }

    /// Starts a server on `home` with these variables and waits until it listens.
    pub fn start_with(home: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_telling(home, variables, Stdio::inherit())
    }

    /// The same, with standard error where the test wants it.
    pub fn start_telling(home: &Path, variables: &[(&str, &str)], told: Stdio) -> Self {
        let mut command = timmy(home);
        command.args(["serve", "--port", "0"]).envs(variables.iter().copied());
        Self::of(command, told, |_| home.to_owned())
    }

    /// The server that `command` becomes; `seen` says where its home is seen from here, by its process.
    pub fn of(mut command: Command, told: Stdio, seen: impl FnOnce(u32) -> PathBuf) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(told).spawn().expect("the server starts");
        let home = seen(child.id());
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("a first line").expect("text");
        let address = first.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{first:?}")).to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let mut server = Self { child, address, home: home.clone(), token: String::new() };
        let run = server.wait_for(|| std::fs::read_to_string(home.join("run.json")).ok());
        let run: Value = serde_json::from_str(&run).expect("run.json is JSON");
        server.token = run["token"].as_str().expect("a token").to_owned();
        server
    }

    /// Repeats `look` until it gives something.
    pub fn wait_for<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the process as the kernel does when memory runs out.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Asks the process to end and gives its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
        self.child.wait().expect("ended").code()
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request as the owner's program makes it.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, text) = self.request(
            method,
            path,
            &[("Authorization", &format!("Bearer {}", self.token))],
            body.map(Value::to_string).as_deref(),
        );
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Asks for JSON that must be there.
    pub fn get(&self, path: &str) -> Value {
        let (status, value) = self.ask("GET", path, None);
        assert_eq!(status, 200, "GET {path}: {value}");
        value
    }

    /// Posts JSON that must be taken.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let (status, value) = self.ask("POST", path, Some(body));
        assert!((200..300).contains(&status), "POST {path}: {status} {value}");
        value
    }

    /// One request with exactly these headers.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> (u16, String) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                head.push_str("Content-Type: application/json\r\n");
            }
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.raw(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes())
    }

    /// The head of the answer to one GET with these headers: its lines, in lower case.
    pub fn head(&self, path: &str, headers: &[(&str, &str)]) -> Vec<String> {
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\nHost: {}\r\n{more}\r\n", self.address);
        let mut socket = TcpStream::connect(&self.address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        text.split("\r\n\r\n").next().unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Sends bytes and gives the status and body of whatever comes back.
    pub fn raw(&self, bytes: &[u8]) -> (u16, String) {
        let mut socket = TcpStream::connect(&self.address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        // A server that refuses early may close while we still write.
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        (status, if chunked { unchunk(body) } else { body.to_owned() })
    }
}

/// The body of a chunked answer.
fn unchunk(body: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), body.as_bytes());
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size =
            std::str::from_utf8(&rest[..end]).ok().and_then(|s| usize::from_str_radix(s.trim(), 16).ok()).unwrap_or(0);
        if size == 0 {
            break;
        }
        let from = end + 2;
        out.extend_from_slice(&rest[from..(from + size).min(rest.len())]);
        rest = rest.get(from + size + 2..).unwrap_or_default();
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
