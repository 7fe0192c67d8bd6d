//! The helper: takes from itself what the order does not grant, then becomes the program.
//!
//! It runs before any thread exists, in a process of its own. Everything here is one way: nothing it gives up can be
//! had back, neither by it nor by what it becomes. Where a step of its tier fails, it says so and starts nothing.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::stdio::{stderr, stdin};

use super::order::{EXIT_CANNOT_RUN, EXIT_HELPER_FAILED, FAILED, ORDER_BYTES_MAX, Order, READY, REPLY_BYTES_MAX};
use super::{HELPER_WORD, INNER_WORD, Tier};

mod calls;
mod files;
mod limits;
mod namespaces;
mod target;

/// Why nothing was started: a word for the house, and what the system said.
pub(super) struct Failure {
    word: &'static str,
    text: String,
}

impl Failure {
    fn new(word: &'static str, text: impl std::fmt::Display) -> Self {
        Self { word, text: format!("{text}") }
    }
}

type Done<T> = Result<T, Failure>;

/// The helper, from its start to the end of the program where it has to stay, or until it becomes the program.
pub(super) fn run(inner: bool) -> ExitCode {
    let done = if inner { within() } else { outer() };
    done.unwrap_or_else(|failure| {
        say(&format!("{FAILED} {} {}", failure.word, failure.text));
        ExitCode::from(EXIT_HELPER_FAILED)
    })
}

/// The first stage: lets go of the terminal, of open files and of the house, and makes the namespaces.
fn outer() -> Done<ExitCode> {
    let order = next_order()?;
    die_with_parent()?;
    if rustix::process::getppid().map(Pid::as_raw_pid) != i32::try_from(order.giver).ok() {
        return Err(Failure::new("order", "its giver is gone"));
    }
    rustix::process::setsid().map_err(|error| Failure::new("session", error))?;
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    close_inherited()?;
    if order.tier != Tier::T3 {
        return become_it(&next_order()?, String::new());
    }
    namespaces::enter(order.policy.net)?;
    // A process namespace begins with the next child.
    #[expect(clippy::disallowed_methods, reason = "the helper is the inside of the one place that starts processes")]
    let spawned = Command::new("/proc/self/exe").args([HELPER_WORD, INNER_WORD]).env_clear().spawn();
    let inner = spawned.map_err(|error| Failure::new("namespaces", error))?;
    let pid = i32::try_from(inner.id()).ok().and_then(Pid::from_raw);
    Ok(wait_for(pid))
}

/// The second stage, first process of its namespace: when it ends, the kernel ends everything in there.
fn within() -> Done<ExitCode> {
    die_with_parent()?;
    // Whoever reads this pipe may have died before the signal was asked for; then nobody would end this process.
    let mut reader = [PollFd::from_borrowed_fd(stderr(), PollFlags::empty())];
    let polled = poll(&mut reader, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    if polled.is_ok() && reader[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
        return Err(Failure::new("order", "its giver is gone"));
    }
    let order = next_order()?;
    let notes = namespaces::furnish(&order.policy)?;
    become_it(&order, notes)
}

/// Takes away what is not granted, and becomes the program, or stays as the first process beside it.
fn become_it(order: &Order, mut notes: String) -> Done<ExitCode> {
    let target = if order.program.is_empty() { None } else { Some(target::find(order)?) };
    target::enter_folder(order)?;
    limits::apply(order)?;
    limits::drop_capabilities()?;
    rustix::thread::set_no_new_privs(true).map_err(|error| Failure::new("privileges", error))?;
    if order.tier != Tier::T1 {
        let abi = files::restrict(order)?;
        calls::restrict(order, abi)?;
        notes.push_str(&format!(" abi={abi}"));
    }
    say(&format!("{READY}{notes}"));
    let Some(target) = target else { return Ok(ExitCode::SUCCESS) };
    let mut command = target.command(order);
    let failed = if order.tier == Tier::T3 {
        // Not to be looked into by its own children, whose own copies become visible again when they begin.
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
        match command.spawn() {
            Ok(child) => return Ok(wait_for(i32::try_from(child.id()).ok().and_then(Pid::from_raw))),
            Err(error) => error,
        }
    } else {
        command.exec()
    };
    say(&format!("cannot run {}: {failed}", order.program.to_string_lossy()));
    Ok(ExitCode::from(EXIT_CANNOT_RUN))
}

/// Waits for `main` and for every orphan before it; a signal that ended it becomes 128 and its number.
fn wait_for(main: Option<Pid>) -> ExitCode {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == main => {
                let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
                return ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(EXIT_HELPER_FAILED));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return ExitCode::from(EXIT_HELPER_FAILED),
        }
    }
}

fn die_with_parent() -> Done<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| Failure::new("session", error))
}

/// Closes what the house was itself started with; its own files close by themselves.
fn close_inherited() -> Done<()> {
    let open = fs::read_dir("/proc/self/fd").map_err(|error| Failure::new("files", error))?;
    let numbers: Vec<i32> = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The one this list was read from is closed already.
        nix::unistd::close(number).ok();
    }
    Ok(())
}

/// Reads one part of the order from standard input, and not a byte more: the rest belongs to the program.
fn next_order() -> Done<Order> {
    let mut length = [0; 4];
    read_whole(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > ORDER_BYTES_MAX {
        return Err(Failure::new("order", "it is too long"));
    }
    let mut bytes = vec![0; length];
    read_whole(&mut bytes)?;
    Order::read(&bytes).map_err(|why| Failure::new("order", why))
}

fn read_whole(mut into: &mut [u8]) -> Done<()> {
    while !into.is_empty() {
        match read(stdin(), &mut *into) {
            Ok(0) => return Err(Failure::new("order", "it breaks off")),
            Ok(count) => into = &mut into[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::new("order", error)),
        }
    }
    Ok(())
}

/// One line on standard error, before the program can write there.
fn say(line: &str) {
    let mut line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    timmy_domain::text::cut(&line, REPLY_BYTES_MAX / 8).clone_into(&mut line);
    line.push('\n');
    // Nobody is left to tell when this fails.
    std::io::stderr().write_all(line.as_bytes()).ok();
}
