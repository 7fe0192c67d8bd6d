//! `timmy events`: following, searching and verifying the log.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
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
        #[arg(long, default_value_t = 20, value_parser = super::limit_or_none)]
        last: u16,
    },
    /// Print events after a position, oldest first
    Query {
        /// Which events, as in the box of the Events page: 'type:watch.* severity:warning since:1h "disk full"'
        #[arg(long, default_value = "")]
        filter: String,
        /// Which events: a name, a prefix such as task.*, or *
        #[arg(long = "type")]
        pattern: Option<Pattern>,
        /// The position after which to begin
        #[arg(long, default_value_t = 0, value_parser = super::position)]
        after: i64,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = super::limit)]
        limit: u16,
    },
    /// Write events as NDJSON, one a line, oldest first
    Export {
        /// Which events, as in the box of the Events page: 'type:watch.* severity:warning since:1h "disk full"'
        #[arg(long, default_value = "")]
        filter: String,
        /// The file to write; without it they are printed
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Print one event, and with --chain what led to it and what came of it
    Show {
        /// Its position
        #[arg(value_parser = super::position)]
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
        Act::Query { filter, pattern, after, limit } => {
            let kind = pattern.map(|pattern| format!("&type={}", encode(&pattern.to_string()))).unwrap_or_default();
            let found = query(&door, &format!("&q={}{kind}", encode(&filter)), after, usize::from(limit)).await?;
            global.show(&found, |f| items(f).iter().map(row).collect::<Vec<_>>().join("\n"));
            Ok(ExitCode::SUCCESS)
        }
        Act::Export { filter, to } => export(global, &door, &filter, to.as_deref()).await,
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

/// At most `limit` events behind `after` that fit. One answer may look at a part of the log only and say where to go
/// on, so this goes on until there are enough of them or the log ends.
async fn query(door: &Door, narrow: &str, mut after: i64, limit: usize) -> Result<Value> {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let left = limit.saturating_sub(found.len()).max(1);
        let page = door.get(&format!("/api/events?after={after}&limit={left}{narrow}")).await?;
        found.extend_from_slice(items(&page));
        let next = page.get("next").cloned().unwrap_or(Value::Null);
        match next.as_i64() {
            Some(position) if found.len() < limit && position > after => after = position,
            _ => return Ok(serde_json::json!({"items": found, "next": next})),
        }
    }
}

/// Prints the events that fit `filter`, or writes them to `to`. The file has its name only once it is whole.
async fn export(global: &Global, door: &Door, filter: &str, to: Option<&Path>) -> Result<ExitCode> {
    let path = format!("/swarm/events/export?q={}", encode(filter));
    let Some(to) = to else {
        door.download(&path, say::bytes).await?;
        return Ok(ExitCode::SUCCESS);
    };
    ensure!(!to.exists(), "{} is there already; choose another name", to.display());
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut file = File::create(&part).with_context(|| format!("{} cannot be written", part.display()))?;
    let (mut rows, mut failed) = (0_usize, None);
    let done = door
        .download(&path, |piece| {
            rows += piece.iter().filter(|byte| **byte == b'\n').count();
            failed = file.write_all(piece).err();
            failed.is_none()
        })
        .await;
    let written = match failed {
        Some(error) => Err(error),
        None => file.sync_all(),
    };
    if let Err(error) = done.and(written.map_err(anyhow::Error::from)) {
        drop(file);
        // Half a file would only mislead; that it could not be written is the fault to tell.
        let _ = std::fs::remove_file(&part);
        return Err(error.context(format!("nothing was written to {}", to.display())));
    }
    std::fs::rename(&part, to).with_context(|| format!("{} cannot be written", to.display()))?;
    let answer = serde_json::json!({"file": to.display().to_string(), "events": rows});
    global.show(&answer, |_| format!("Wrote {rows} events to {}.", to.display()));
    Ok(ExitCode::SUCCESS)
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
        after = match fresh.get("next").and_then(Value::as_i64) {
            // There is more, or the look ended early.
            Some(next) => after.max(next),
            // Nothing of this kind lies before the end that was asked for first.
            None => after.max(end),
        };
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
            let number = |name: &str| r.get(name).and_then(Value::as_i64).unwrap_or(0);
            let mut lines = vec![format!("The chain is whole: {count} events verified.")];
            if number("removed") > 0 {
                lines.push(format!(
                    "{} events were removed by retention, proven by {} signed checkpoints.",
                    number("removed"),
                    number("checkpoints")
                ));
            }
            let keys = r.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
            lines.extend(keys.iter().enumerate().map(|(at, key)| {
                let since = key.get("since").and_then(Value::as_i64).unwrap_or(0);
                let word = if at == 0 { "Signed with key" } else { "Then with key" };
                format!("{word} {} from event {since} on.", text(key, "id"))
            }));
            lines.join("\n")
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
