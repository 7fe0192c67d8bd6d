//! `timmy mcp serve`: hands messages of the Model Context Protocol from standard input to Timmy, and answers back.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::Global;
use crate::door::{Door, Refusal};
use crate::say;

/// Bytes one message may have, as at the other door.
const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
/// A message that cannot be read, in the numbers of JSON-RPC.
const UNREADABLE: i64 = -32_700;
/// A message that was refused.
const REFUSED: i64 = -32_600;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand)]
enum Act {
    /// Offer Timmy's tools on standard input and output, for a program that starts this. Without a running server each
    /// message opens the home for itself and lets it go
    Serve {
        /// Offer only tools that look
        #[arg(long)]
        read_only: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// When Timmy can neither be reached nor opened, or a message is over its bound.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let Act::Serve { read_only } = args.act;
    let path = if read_only { "/mcp?only=read" } else { "/mcp" };
    // What is wrong with the home is said at once, and not with the first message.
    let mut kept = kept(Door::open(global).await?).await;
    let mut lines = BufReader::new(tokio::io::stdin());
    let served = loop {
        let mut line = Vec::new();
        match (&mut lines).take(MESSAGE_BYTES_MAX + 1).read_until(b'\n', &mut line).await {
            Ok(0) => break Ok(()),
            Ok(_) if line.len() as u64 > MESSAGE_BYTES_MAX => {
                break Err(format!("a message is over {MESSAGE_BYTES_MAX} bytes"));
            }
            Ok(_) => {}
            Err(error) => break Err(format!("standard input cannot be read: {error}")),
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Some(answer) = handed_on(global, &mut kept, path, &line).await else { continue };
        // A message is one line of JSON, which has no character that steers a terminal.
        if !say::bytes(format!("{answer}\n").as_bytes()) {
            break Ok(());
        }
    };
    if let Some(door) = kept {
        door.close().await;
    }
    if let Err(why) = served {
        bail!("{why}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The way to a running server is kept; a home is let go, so that `timmy serve` can begin at any time.
async fn kept(door: Door) -> Option<Door> {
    if door.is_server() {
        return Some(door);
    }
    door.close().await;
    None
}

/// What Timmy answers to one line; `None` when nobody waits for an answer.
async fn handed_on(global: &Global, way: &mut Option<Door>, path: &str, line: &[u8]) -> Option<Value> {
    let Ok(message) = serde_json::from_slice::<Value>(line) else {
        return Some(fault(&Value::Null, UNREADABLE, "The message is not JSON."));
    };
    let id = message["id"].clone();
    let known = way.is_some();
    let answer = match asked(global, way, path, &message).await {
        // The server was stopped or started anew meanwhile. What may have changed something is not asked twice.
        Err(error) if known && !error.is::<Refusal>() && message["method"] != "tools/call" => {
            asked(global, way, path, &message).await
        }
        answer => answer,
    };
    match answer {
        Ok(Value::Null) => None,
        Ok(answer) => Some(answer),
        Err(_) if id.is_null() => None,
        Err(error) => Some(fault(&id, REFUSED, &format!("{error:#}"))),
    }
}

/// Asks once: on the way that is known, else on one that is looked for. One that failed is forgotten.
async fn asked(global: &Global, way: &mut Option<Door>, path: &str, message: &Value) -> Result<Value> {
    let door = match way.take() {
        Some(door) => door,
        None => Door::open(global).await?,
    };
    let answer = door.post(path, message.clone()).await;
    let there = answer.as_ref().map_or_else(|error| error.is::<Refusal>(), |_| true);
    if there {
        *way = kept(door).await;
    } else {
        door.close().await;
    }
    answer
}

fn fault(id: &Value, code: i64, why: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": why}})
}
