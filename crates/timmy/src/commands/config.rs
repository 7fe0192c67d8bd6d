//! `timmy config`: explaining, checking and changing the configuration.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Map, Value, json};
use timmy_web::desk::{Change, Given};

use super::{Global, Usage, items, text};
use crate::config::desk::Desk;
use crate::config::{Config, ConfigError};
use crate::door::{Door, Refusal};
use crate::{say, wire};

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Show each key with its value, where the value comes from, and what it does
    Explain {
        /// Only keys that begin with this, such as thinking or thinking.interval_seconds
        key: Option<String>,
    },
    /// Write keys into timmy.toml; comments and all other lines stay. It takes effect at the next start
    Set {
        /// A key and its value, such as thinking.interval_seconds 600; several pairs are written together
        #[arg(required = true, num_args = 2.., value_names = ["KEY", "VALUE"], allow_hyphen_values = true)]
        pairs: Vec<String>,
    },
    /// Take keys out of timmy.toml, so that their defaults hold from the next start on
    Unset {
        /// The keys
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Check the configuration without starting anything
    Check,
    /// Print where the configuration file is, or would be
    Path,
}

/// Runs the command.
///
/// # Errors
/// When the configuration has faults, no key begins as asked, or a change is refused.
pub async fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    match &args.act {
        Act::Path => {
            say::line(&global.home.config().display().to_string());
        }
        Act::Explain { key } => explain(global, key.as_deref())?,
        Act::Check => {
            let keys = wire::load_config(&global.home, Vec::new())?.explain().len();
            global.show(&json!({"ok": true, "keys": keys}), |_| format!("The configuration is good: {keys} keys."));
        }
        Act::Set { pairs } => {
            let changes = pairs.chunks(2).map(|pair| match pair {
                [key, value] => Ok(Change { key: key.clone(), value: Some(Given::Text(value.clone())) }),
                _ => Err(Usage("a key without a value; `timmy config set` takes pairs of both")),
            });
            change(global, &changes.collect::<Result<Vec<_>, _>>()?).await?;
        }
        Act::Unset { keys } => {
            let changes: Vec<Change> = keys.iter().map(|key| Change { key: key.clone(), value: None }).collect();
            change(global, &changes).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(global: &Global, key: Option<&str>) -> Result<()> {
    let mut lines = wire::load_config(&global.home, Vec::new())?.explain();
    if let Some(key) = key {
        lines.retain(|l| l.key.starts_with(key));
        anyhow::ensure!(!lines.is_empty(), "no key begins with {key:?}; `timmy config explain` shows all");
    }
    if global.json {
        say::line(&json!({"items": lines, "next": null}).to_string());
        return Ok(());
    }
    for l in lines {
        if !say::line(&format!("{} = {}\n    {} ({}, default {})", l.key, l.value, l.doc, l.source, l.default)) {
            break;
        }
    }
    Ok(())
}

/// To the running server, else into the home. A file with faults does not keep a change out that mends it.
async fn door(global: &Global, changes: &[Change]) -> Result<Door> {
    if let Some(door) = Door::if_running(&global.home).await? {
        return Ok(door);
    }
    match wire::load_config(&global.home, Vec::new()) {
        Ok(config) => Door::open_as(global, config).await,
        Err(error) if error.is::<ConfigError>() => {
            let desk = Desk::new(global.home.clone(), Vec::new(), Config::default());
            let mended = desk.preview(changes).map_err(|problem| Refusal {
                code: problem.code.to_owned(),
                message: problem.message,
                hint: problem.hint,
            })?;
            Door::open_as(global, mended).await
        }
        Err(error) => Err(error),
    }
}

async fn change(global: &Global, changes: &[Change]) -> Result<()> {
    let door = door(global, changes).await?;
    let (mut set, mut unset) = (Map::new(), Vec::new());
    for Change { key, value } in changes {
        match value {
            Some(Given::Text(value)) => drop(set.insert(key.clone(), json!(value))),
            Some(Given::List(list)) => drop(set.insert(key.clone(), json!(list))),
            None => unset.push(key),
        }
    }
    let done = door.post("/api/settings/changes", json!({"set": set, "unset": unset})).await?;
    let running = door.is_server();
    global.show(&done, |done| {
        let line = |item: &Value| {
            let waits = running && text(item, "value") != text(item, "next");
            let when = if waits { "; takes effect at the next start" } else { "" };
            format!("{} = {}{when}", text(item, "key"), text(item, "next"))
        };
        items(done).iter().map(line).collect::<Vec<_>>().join("\n")
    });
    door.close().await;
    Ok(())
}
