//! `timmy config`: explaining and checking the configuration.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::Global;
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
    /// Check the configuration without starting anything
    Check,
    /// Print where the configuration file is, or would be
    Path,
}

/// Runs the command.
///
/// # Errors
/// When the configuration has faults, or no key begins as asked.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    if let Act::Path = args.act {
        say::line(&global.home.config().display().to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let config = wire::load_config(&global.home, Vec::new())?;
    let mut lines = config.explain();
    match &args.act {
        Act::Explain { key } => {
            if let Some(key) = key {
                lines.retain(|l| l.key.starts_with(key.as_str()));
                anyhow::ensure!(!lines.is_empty(), "no key begins with {key:?}; `timmy config explain` shows all");
            }
            if global.json {
                say::line(&serde_json::json!({"items": lines, "next": null}).to_string());
                return Ok(ExitCode::SUCCESS);
            }
            for l in lines {
                if !say::line(&format!("{} = {}\n    {} ({}, default {})", l.key, l.value, l.doc, l.source, l.default))
                {
                    break;
                }
            }
        }
        _ => global.show(&serde_json::json!({"ok": true, "keys": lines.len()}), |_| {
            format!("The configuration is good: {} keys.", lines.len())
        }),
    }
    Ok(ExitCode::SUCCESS)
}
