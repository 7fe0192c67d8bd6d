//! `timmy token`: tokens for programs.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{Global, items, text};
use crate::door::Door;
use crate::say;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Make a token and print it once
    Create {
        /// Who uses it, such as phone
        #[arg(long)]
        name: String,
        /// What it may do
        #[arg(long, default_value = "read")]
        scope: Scope,
        /// Tokens of models it may have read and written in one day; no bound of its own without
        #[arg(long, value_name = "TOKENS")]
        model_tokens_per_day: Option<u64>,
    },
    /// List the tokens, without their secrets
    List,
    /// Withdraw a token; it is refused from then on
    Revoke {
        /// Its name
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Scope {
    /// Ask the models through /v1, and nothing else
    Models,
    /// Look
    Read,
    /// Talk, steer, decide
    Operate,
    /// Let others in, and end things
    Admin,
}

/// Runs the command.
///
/// # Errors
/// When the door refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    match args.act {
        Act::Create { name, scope, model_tokens_per_day } => {
            let scope = scope.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
            let made = door
                .post(
                    "/api/tokens",
                    json!({"name": name, "scope": scope, "model_tokens_per_day": model_tokens_per_day}),
                )
                .await?;
            global.show(&made, |made| text(made, "token").to_owned());
            if !global.json {
                say::aside("This is shown once. Timmy keeps only its hash.");
            }
        }
        Act::List => {
            let list = door.get("/api/tokens").await?;
            global.show(&list, |list| {
                let rows: Vec<String> = items(list)
                    .iter()
                    .map(|t| {
                        format!(
                            "{:<24} {:<8} since {}{}",
                            text(t, "name"),
                            text(t, "scope"),
                            super::when(text(t, "created_at")),
                            match text(t, "used_at") {
                                "" => ", not used yet".to_owned(),
                                at => format!(", used {}", super::when(at)),
                            }
                        )
                    })
                    .collect();
                if rows.is_empty() { "There are no tokens.".to_owned() } else { rows.join("\n") }
            });
        }
        Act::Revoke { name } => {
            let gone = door.delete(&format!("/api/tokens/{}", crate::door::encode(&name))).await?;
            global.show(&gone, |_| format!("Token {name} is revoked."));
        }
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}
