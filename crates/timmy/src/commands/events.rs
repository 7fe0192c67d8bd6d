//! `timmy events`: following, searching and verifying the log.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;
use timmy_domain::Event;
use timmy_domain::bus::Pattern;

use super::{Global, items, text};
use crate::door::{Door, encode};
use crate::say;

/// How often the log is asked for news while following, in milliseconds.
const FOLLOW_MS: u64 = 500;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Print the last events and follow what comes
    Tail {
        /// Which events: a name, a prefix such as task.*, or *
        #[arg(long = "type", default_value = "*")]
        pattern: Pattern,
        /// How many past events to begin with
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=1000))]
        last: u16,
    },
    /// Print events after a position, oldest first
    Query {
        /// Which events: a name, a prefix such as task.*, or *
        #[arg(long = "type", default_value = "*")]
        pattern: Pattern,
        /// The position after which to begin
        #[arg(long, default_value_t = 0)]
        after: i64,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Print one event, and with --chain what led to it and what came of it
    Show {
        /// Its position
        seq: i64,
        /// Its causes and effects too
        #[arg(long)]
        chain: bool,
    },
    /// Check the hash chain and name the first event that does not match
    Verify,
}

/// Runs the command.
///
/// # Errors
/// When the door refuses, or the chain does not match.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    let done = match args.act {
        Act::Query { pattern, after, limit } => {
            let path = format!("/api/events?after={after}&limit={limit}&type={}", encode(&pattern.to_string()));
            let found = door.get(&path).await?;
            global.show(&found, |f| items(f).iter().map(row).collect::<Vec<_>>().join("\n"));
            Ok(ExitCode::SUCCESS)
        }
        Act::Show { seq, chain } => {
            let event = door.get(&format!("/api/events/{seq}{}", if chain { "?chain=true" } else { "" })).await?;
            global.show(&event, shown);
            Ok(ExitCode::SUCCESS)
        }
        Act::Tail { pattern, last } => follow(global, &door, &pattern, last).await,
        Act::Verify => verify(global, &door).await,
    };
    door.close().await;
    done
}

async fn follow(global: &Global, door: &Door, pattern: &Pattern, last: u16) -> Result<ExitCode> {
    let kind = encode(&pattern.to_string());
    // The end of the log is asked for first, so that an event that comes in between is followed and not lost.
    let mut after = end_of_log(door).await?;
    let past = door.get(&format!("/api/events?newest=true&limit={}&type={kind}", last.max(1))).await?;
    let known: Vec<&Value> = items(&past).iter().filter(|e| seq(e) <= after).take(usize::from(last)).collect();
    for event in known.into_iter().rev() {
        print(global, event);
    }
    if !door.is_server() {
        say::aside("Timmy is not running, so nothing more will come.");
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let end = end_of_log(door).await?;
        let fresh = door.get(&format!("/api/events?after={after}&limit=1000&type={kind}")).await?;
        for event in items(&fresh) {
            after = after.max(seq(event));
            if !print(global, event) {
                return Ok(ExitCode::SUCCESS);
            }
        }
        if items(&fresh).len() < 1_000 {
            // Nothing of this kind lies before the end that was asked for first.
            after = after.max(end);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(FOLLOW_MS)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// One event with its body, below what led to it and above what came of it.
fn shown(event: &Value) -> String {
    let list = |field: &str| event.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines: Vec<String> = list("causes").iter().map(row).collect();
    lines.push(row(event));
    let body = event.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    lines.extend(body.iter().map(|(key, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("           {key}: {}", super::safe(&text, 500))
    }));
    lines.extend(list("effects").iter().map(|effect| format!("  └ {}", row(effect).trim_start())));
    lines.join("\n")
}

/// The position of an event.
fn seq(event: &Value) -> i64 {
    event.get("seq").and_then(Value::as_i64).unwrap_or(0)
}

/// The position of the newest event.
async fn end_of_log(door: &Door) -> Result<i64> {
    let head = door.get("/api/events?newest=true&limit=1").await?;
    Ok(items(&head).first().map_or(0, seq))
}

async fn verify(global: &Global, door: &Door) -> Result<ExitCode> {
    let report = door.get("/api/events/verify").await?;
    let whole = report.get("ok").and_then(Value::as_bool).unwrap_or(false);
    global.show(&report, |r| {
        let count = r.get("rows").and_then(Value::as_i64).unwrap_or(0);
        if whole {
            format!("The chain is whole: {count} events verified.")
        } else {
            let bad = r.get("first_bad").unwrap_or(&Value::Null);
            let seq = bad.get("seq").and_then(Value::as_i64).unwrap_or(0);
            format!("The chain is broken at event {seq}: {}\n{count} events before it are whole.", text(bad, "why"))
        }
    });
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(global: &Global, event: &Value) -> bool {
    say::line(&if global.json { event.to_string() } else { row(event) })
}

/// One event in one safe line.
fn row(event: &Value) -> String {
    let data = event.get("data").map(Value::to_string).unwrap_or_default();
    let sentence = Event::decode(text(event, "event"), &data).sentence();
    format!(
        "{:>7}  {}  {:<8} {:<22} {sentence}",
        event.get("seq").and_then(Value::as_i64).unwrap_or(0),
        text(event, "timestamp").get(..19).unwrap_or_default().replace('T', " "),
        text(event, "severity"),
        text(event, "event"),
    )
}
