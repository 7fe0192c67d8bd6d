//! Tries to break out: one attempt for each name. Ends with 0 and says so where it succeeded, with 1 and the reason where
//! it was held back. The same program outside the fence is the control that the attempt itself works.

#![expect(clippy::print_stdout, reason = "what it says is its result")]
#![expect(clippy::disallowed_methods, reason = "an attacker starts programs and reads the environment")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// Bytes of the flood, and of what is too large.
const GIB: u64 = 1 << 30;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match attempt(&words) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("held back: {error}");
            ExitCode::FAILURE
        }
    }
}

fn attempt(words: &[&str]) -> io::Result<String> {
    match words {
        ["write", path] => fs::write(path, "mine").map(|()| "written".to_owned()),
        ["append", path] => OpenOptions::new().append(true).open(path)?.write_all(b"mine").map(|()| "written".into()),
        ["truncate", path] => OpenOptions::new().write(true).open(path)?.set_len(0).map(|()| "cut".into()),
        ["cut-by-name", path] => rustix_truncate(path),
        ["remove", path] => fs::remove_file(path).map(|()| "removed".into()),
        ["read", path] => fs::read_to_string(path),
        ["list", path] => Ok(fs::read_dir(path)?.flatten().count().to_string()),
        ["symlink", target, link] => {
            symlink(target, link).and_then(|()| fs::write(link, "mine")).map(|()| "written".into())
        }
        ["hardlink", target, link] => {
            fs::hard_link(target, link)?;
            fs::write(link, "mine").map(|()| "written".into())
        }
        ["rename", from, to] => fs::rename(from, to).map(|()| "moved".into()),
        ["memory", pid] => memory(pid),
        ["tcp", address] => TcpStream::connect(address)?.write_all(b"mine").map(|()| "sent".into()),
        ["udp", address] => UdpSocket::bind("127.0.0.1:0")?.send_to(b"mine", address).map(|_| "sent".into()),
        ["unix", path] => UnixStream::connect(path)?.write_all(b"mine").map(|()| "sent".into()),
        ["abstract", name] => in_the_abstract(name),
        ["kill", pid] => kill(pid),
        ["bomb", count] => bomb(count),
        ["memory-hunger"] => hunger(),
        ["long-file", path] => File::create(path)?.set_len(10 * GIB).map(|()| "made".into()),
        ["handles"] => handles(),
        ["user"] => Ok(rustix::process::geteuid().as_raw().to_string()),
        ["mount", path] => {
            rustix::mount::mount("tmpfs", *path, "tmpfs", rustix::mount::MountFlags::empty(), None)?;
            Ok("mounted".into())
        }
        ["copy", to, word] => {
            fs::copy("/proc/self/exe", to)?;
            run(to, &["say", word])
        }
        ["loader", loader, to, word] => {
            fs::copy("/proc/self/exe", to)?;
            run(loader, &[to, "say", word])
        }
        ["say", word] => Ok((*word).to_owned()),
        ["run", program, rest @ ..] => run(program, rest),
        ["open", path] => OpenOptions::new().read(true).write(true).open(path).map(|_| "open".into()),
        ["environment"] => Ok(std::env::vars().map(|(name, _)| name).collect::<Vec<_>>().join(" ")),
        ["session"] => Ok(format!("{:?}", rustix::process::setsid().is_ok())),
        ["daemon", mark] => daemon(mark),
        ["detach", mark] => {
            rustix::process::setsid().ok();
            spawn(&["rest", mark])
        }
        ["rest", _] => {
            std::thread::sleep(Duration::from_secs(120));
            Ok(String::new())
        }
        ["flood"] => flood(),
        other => Err(io::Error::other(format!("no such attempt: {other:?}"))),
    }
}

fn rustix_truncate(path: &str) -> io::Result<String> {
    // Opened to read only, and yet cut short where nothing looks at that.
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::TRUNC;
    rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    Ok("cut".into())
}

fn memory(pid: &str) -> io::Result<String> {
    let mut maps = File::open(format!("/proc/{pid}/mem"))?;
    maps.read_exact(&mut [0; 0])?;
    Ok("open".into())
}

fn in_the_abstract(name: &str) -> io::Result<String> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    UnixStream::connect_addr(&address)?.write_all(b"mine").map(|()| "sent".into())
}

fn kill(pid: &str) -> io::Result<String> {
    let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    Ok("killed".into())
}

/// Starts that many at once, and says how many there were before it was held back. They go with it.
fn bomb(count: &str) -> io::Result<String> {
    let count: usize = count.parse().map_err(io::Error::other)?;
    let mut all = Vec::new();
    for _ in 0..count {
        match Command::new("/proc/self/exe").args(["rest", "bomb"]).stdin(Stdio::null()).spawn() {
            Ok(child) => all.push(child),
            Err(_) => break,
        }
    }
    let started = all.len();
    for mut child in all {
        child.kill().ok();
        child.wait().ok();
    }
    Ok(started.to_string())
}

fn hunger() -> io::Result<String> {
    let mut much: Vec<u8> = Vec::new();
    much.try_reserve_exact((10 * GIB) as usize).map_err(io::Error::other)?;
    much.push(1);
    Ok("had".into())
}

/// The handles that are open besides the three and the one it looks through.
fn handles() -> io::Result<String> {
    let all = fs::read_dir("/proc/self/fd")?.flatten();
    let targets = all.filter_map(|entry| fs::read_link(entry.path()).ok());
    let files = targets.filter(|target| target.starts_with("/") && *target != Path::new("/dev/null"));
    let files = files.filter(|target| !target.starts_with("/proc"));
    Ok(files.map(|target| target.display().to_string()).collect::<Vec<_>>().join(" "))
}

fn run(program: &str, args: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn spawn(args: &[&str]) -> io::Result<String> {
    let mut command = Command::new("/proc/self/exe");
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().or_else(|_| {
        let mut plain = Command::new("/proc/self/exe");
        plain.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    })?;
    Ok("started".into())
}

/// Twice removed, in a session of its own, with no pipe of its parent: as a daemon begins.
fn daemon(mark: &str) -> io::Result<String> {
    spawn(&["detach", mark])?;
    // Long enough for the second to begin, so that it is there to be ended.
    std::thread::sleep(Duration::from_millis(300));
    Ok("begun".into())
}

fn flood() -> io::Result<String> {
    let part = vec![b'x'; 1 << 20];
    let mut out = io::stdout().lock();
    for _ in 0..GIB >> 20 {
        out.write_all(&part)?;
    }
    Ok("flooded".into())
}
