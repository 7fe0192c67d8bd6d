//! `timmy watch`: the folders the owner points at.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::{Global, items, safe, text};
use crate::door::{Door, encode};

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Point Timmy at a folder. He reads it, and never runs or writes anything in it
    Add {
        /// The folder
        dir: std::path::PathBuf,
    },
    /// List the watched folders
    List,
    /// Stop watching a folder; thoughts about it stay
    Remove {
        /// Its path, name or number
        which: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the folder cannot be watched or found, or the door refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    match args.act {
        Act::Add { dir } => {
            // Made absolute here: the server's own directory is another one.
            let path = std::path::absolute(&dir)?;
            let added = door.post("/api/watch", json!({"path": path.to_string_lossy()})).await?;
            let soon =
                if door.is_server() { "He looks at it now." } else { "He looks at it when he runs: `timmy serve`." };
            global.show(&added, |a| format!("Timmy watches {}. {soon}", text(a, "path")));
        }
        Act::List => {
            let list = door.get("/api/watch").await?;
            global.show(&list, |list| {
                let row = |f: &serde_json::Value| {
                    let state = match (text(f, "error"), text(f, "scanned_at")) {
                        ("", "") => "not looked at yet".to_owned(),
                        ("", at) => format!("looked at {}", super::when(at)),
                        (error, _) => safe(error, 160),
                    };
                    format!(
                        "{:>3}  {}  {state}",
                        f.get("id").and_then(serde_json::Value::as_i64).unwrap_or(0),
                        safe(text(f, "path"), 300)
                    )
                };
                let rows: Vec<String> = items(list).iter().map(row).collect();
                if rows.is_empty() {
                    "No folder is watched. Point Timmy at one: timmy watch add DIR".to_owned()
                } else {
                    rows.join("\n")
                }
            });
        }
        Act::Remove { which } => {
            let gone = door.delete(&format!("/api/watch/{}", encode(&which))).await?;
            global.show(&gone, |g| {
                format!("Timmy no longer watches {}. The folder itself is untouched.", text(g, "path"))
            });
        }
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}
