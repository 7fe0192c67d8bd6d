//! `timmy password`: the owner's password. It is typed or piped in, and never stands on a command line, where other
//! users of the machine and the history of the shell would keep it.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Subcommand;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;
use timmy_core::trust::password::PASSWORD_BYTES_MAX;
use timmy_domain::Secret;
use timmy_domain::text::plural;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::Global;
use crate::door::Door;
use crate::say;

/// Bytes of a line that are read: a password, its line break, and one more so that a longer one is noticed.
const LINE_BYTES_MAX: u64 = PASSWORD_BYTES_MAX as u64 + 3;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Set the password, or another one; it is asked for, or read from standard input. Every browser is logged out
    Set,
    /// Take the password away. Every browser is logged out
    Remove,
    /// Whether a password is set
    Status,
}

/// Runs the command.
///
/// # Errors
/// When nothing usable was typed, or the door refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    const ROUTE: &str = "/api/login/password";
    // Asked before the home is opened: nobody should wait for somebody who types.
    let typed = if matches!(args.act, Act::Set) { Some(ask().await?) } else { None };
    let door = Door::open(global).await?;
    let done = match (args.act, typed) {
        (Act::Set, typed) => {
            let password = typed.unwrap_or_default();
            door.put(ROUTE, json!({"password": password.expose()})).await
        }
        (Act::Remove, _) => door.delete(ROUTE).await,
        (Act::Status, _) => door.get(ROUTE).await,
    };
    door.close().await;
    global.show(&done?, |done| {
        let set = done["set"].as_bool().unwrap_or_default();
        let Some(ended) = done["sessions_ended"].as_u64() else {
            return if set { "A password is set." } else { "No password is set. Browsers log in with `timmy login`." }
                .to_owned();
        };
        let ended = plural(ended, "browser was", "browsers were");
        format!("The password is {}; {ended} logged out.", if set { "set" } else { "gone" })
    });
    Ok(ExitCode::SUCCESS)
}

/// The new password: typed twice at a terminal, else one line of standard input.
async fn ask() -> Result<Secret> {
    if !std::io::stdin().is_terminal() {
        return line().await;
    }
    let quiet = Quiet::begin()?;
    say::prompt("New password (it is not shown): ");
    let first = typed().await;
    say::prompt("\nThe same once more: ");
    let again = if first.is_ok() { typed().await } else { Ok(Secret::default()) };
    say::aside("");
    drop(quiet);
    let (first, again) = (first?, again?);
    ensure!(first == again, "the two differ; nothing was changed");
    Ok(first)
}

/// The password that holds: typed once at a terminal, else one line of standard input.
pub(super) async fn current() -> Result<Secret> {
    if !std::io::stdin().is_terminal() {
        return line().await;
    }
    let quiet = Quiet::begin()?;
    say::prompt("Password (it is not shown): ");
    let typed = typed().await;
    say::aside("");
    drop(quiet);
    typed
}

/// One line, unless the owner thinks better of it.
async fn typed() -> Result<Secret> {
    tokio::select! {
        line = line() => line,
        _ = tokio::signal::ctrl_c() => bail!("nothing was changed"),
    }
}

async fn line() -> Result<Secret> {
    let mut text = String::new();
    BufReader::with_capacity(1, tokio::io::stdin()).take(LINE_BYTES_MAX).read_line(&mut text).await?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet(rustix::termios::Termios);

impl Quiet {
    fn begin() -> Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing better can be done about a terminal that is gone.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
