//! `timmy think`: one thought now.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use timmy_domain::SeedType;

use super::{Global, safe, text};
use crate::door::Door;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    /// The seed: existential, swarm, scripture, creative, memory or freeform [default: by chance]
    #[arg(long)]
    seed: Option<SeedType>,
}

/// Runs the command.
///
/// # Errors
/// When no thought came, with the reason.
pub async fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    let body = args.seed.map_or_else(|| json!({}), |seed| json!({"seed_type": seed.name()}));
    let thought = door.post("/thinking/api/think", body).await;
    door.close().await;
    global.show(&thought?, |t| {
        let maker =
            [text(t, "provider"), text(t, "model")].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ");
        format!(
            "{}\n\n  {} · {maker} · {}",
            timmy_domain::text::clean(text(t, "content")),
            text(t, "seed_type"),
            safe(text(t, "seed_note"), 140)
        )
    });
    Ok(ExitCode::SUCCESS)
}
