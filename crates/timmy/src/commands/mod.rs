//! The command line: one file and one line of the table for each command.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::home::Home;
use crate::say;

pub mod approvals;
pub mod backup;
pub mod chat;
pub mod config;
pub mod docs;
pub mod doctor;
pub mod events;
pub mod login;
pub mod mcp;
pub mod model;
pub mod password;
pub mod restore;
pub mod router;
pub mod serve;
pub mod sessions;
pub mod show;
pub mod status;
pub mod task;
pub mod think;
pub mod thoughts;
pub mod token;
pub mod watch;

/// Threads that serve requests and run the engine. Two are enough for one owner and keep the idle memory small.
const WORKER_THREADS: usize = 2;

/// Timmy: a sovereign, always-on, local-first agent for one owner.
#[derive(Parser)]
#[command(
    name = "timmy",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Line {
    /// The directory with everything Timmy owns [default: TIMMY_HOME, else ~/.timmy]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run Timmy: the server, the dashboard and everything he does
    Serve(serve::Args),
    /// What Timmy is, does and waits for
    Status,
    /// Print a one-time code and a link that log a browser in
    Login,
    /// Set or remove the password that logs a browser in
    Password(password::Args),
    /// Make, list and revoke tokens for programs
    Token(token::Args),
    /// List the browsers that are logged in, and log them out
    Sessions(sessions::Args),
    /// Explain or check the configuration
    Config(config::Args),
    /// Make, list and check backups
    Backup(backup::Args),
    /// Put a backup in place of the home, or bring one area of it in
    Restore(restore::Args),
    /// Check everything and say what mends each fault
    Doctor,
    /// Follow, search and verify the event log
    Events(events::Args),
    /// Print a page of the dashboard as Markdown
    Show(show::Args),
    /// Talk with Timmy: one message, or a conversation
    Chat(chat::Args),
    /// Ask for one thought now
    Think(think::Args),
    /// Read and steer the thoughts
    Thoughts(thoughts::Args),
    /// Make a task, show one, and every act on it
    Task(task::Args),
    /// List the tasks, newest first
    Tasks(task::ListArgs),
    /// Read and decide what waits for your word, and keep your rules
    Approvals(approvals::Args),
    /// List, fetch, import, use and remove models
    Model(model::Args),
    /// Who answers and in which order, trying a provider out, and keeping everything here
    Router(router::Args),
    /// Point Timmy at a folder, list or remove folders
    Watch(watch::Args),
    /// Offer Timmy's tools to programs that speak the Model Context Protocol
    Mcp(mcp::Args),
    /// Print generated documentation
    #[command(hide = true)]
    Docs(docs::Args),
}

/// What every command gets handed.
pub struct Global {
    /// The home.
    pub home: Home,
    /// Whether to answer in JSON.
    pub json: bool,
}

impl Global {
    /// Prints `value` as JSON, or what `words` makes of it.
    pub fn show(&self, value: &serde_json::Value, words: impl FnOnce(&serde_json::Value) -> String) {
        let text = if self.json { value.to_string() } else { words(value) };
        if !text.is_empty() {
            say::line(&text);
        }
    }
}

/// The command was used in a way it does not know.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub &'static str);

/// Runs the command line. Exit codes: 0 done, 1 failed, 2 wrong usage.
#[must_use]
pub fn main() -> ExitCode {
    let line = Line::parse();
    let json = line.json;
    match run(line) {
        Ok(code) => code,
        Err(error) => {
            complain(&error, json);
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn complain(error: &anyhow::Error, json: bool) {
    let problem = error.downcast_ref::<crate::door::Refusal>();
    if json {
        let (code, hint) = problem.map_or(("failed", ""), |p| (p.code.as_str(), p.hint.as_str()));
        say::line(
            &serde_json::json!({"error": {"code": code, "message": format!("{error:#}"), "hint": hint}}).to_string(),
        );
        return;
    }
    say::aside(&format!("timmy: {error:#}"));
    if let Some(refusal) = problem.filter(|p| !p.hint.is_empty()) {
        say::aside(&format!("  {}", refusal.hint));
    }
}

fn run(line: Line) -> Result<ExitCode> {
    let global = Global { home: Home::find(line.home)?, json: line.json };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .thread_name("timmy")
        .build()?;
    let done = runtime.block_on(async {
        match line.command {
            Command::Serve(args) => Box::pin(serve::run(&global, args)).await,
            Command::Status => status::run(&global).await,
            Command::Login => login::run(&global).await,
            Command::Password(args) => password::run(&global, args).await,
            Command::Token(args) => token::run(&global, args).await,
            Command::Sessions(args) => sessions::run(&global, args).await,
            Command::Config(args) => config::run(&global, &args).await,
            Command::Backup(args) => backup::run(&global, args).await,
            Command::Restore(args) => Box::pin(restore::run(&global, args)).await,
            Command::Doctor => doctor::run(&global).await,
            Command::Events(args) => events::run(&global, args).await,
            Command::Show(args) => show::run(&global, &args).await,
            Command::Chat(args) => Box::pin(chat::run(&global, args)).await,
            Command::Think(args) => think::run(&global, &args).await,
            Command::Thoughts(args) => thoughts::run(&global, args).await,
            Command::Task(args) => task::run(&global, args).await,
            Command::Tasks(args) => task::list(&global, args).await,
            Command::Approvals(args) => approvals::run(&global, args).await,
            Command::Model(args) => model::run(&global, args).await,
            Command::Router(args) => router::run(&global, args).await,
            Command::Watch(args) => watch::run(&global, args).await,
            Command::Mcp(args) => mcp::run(&global, args).await,
            Command::Docs(args) => docs::run(&args),
        }
    });
    // A blocking read that hangs (a dead network folder) must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

/// A problem of the house as this command fails with it.
pub(crate) fn refused(problem: timmy_domain::Problem) -> anyhow::Error {
    crate::door::Refusal { code: problem.code.to_owned(), message: problem.message, hint: problem.hint }.into()
}

/// Reads a position of the log.
fn position(text: &str) -> Result<i64, &'static str> {
    let fits = text.parse::<i64>().ok().filter(|seq| *seq >= 0);
    fits.ok_or("a position is the number at the beginning of an event's line, such as 41")
}

/// Reads how many there should be at most.
fn limit(text: &str) -> Result<u16, &'static str> {
    let fits = text.parse::<u16>().ok().filter(|n| (1..=1_000).contains(n));
    fits.ok_or("how many is a whole number from 1 to 1000")
}

/// Reads how many there should be at most, where none is an answer too.
fn limit_or_none(text: &str) -> Result<u16, &'static str> {
    if text == "0" { Ok(0) } else { limit(text).map_err(|_| "how many is a whole number from 0 to 1000") }
}

/// Text of a field, or nothing.
pub(crate) fn text<'v>(value: &'v serde_json::Value, field: &str) -> &'v str {
    value.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// The elements of a list answer.
pub(crate) fn items(value: &serde_json::Value) -> &[serde_json::Value] {
    value.get("items").and_then(serde_json::Value::as_array).map_or(&[], Vec::as_slice)
}

/// The hour and minute of an RFC 3339 time in UTC, with its day.
pub(crate) fn when(rfc3339: &str) -> String {
    rfc3339.get(..16).map_or_else(String::new, |t| t.replace('T', " "))
}

/// Safe text for the terminal: no control characters, at most `chars_max`.
pub(crate) fn safe(text: &str, chars_max: usize) -> String {
    timmy_domain::text::cut(&timmy_domain::text::one_line(text), chars_max)
}
