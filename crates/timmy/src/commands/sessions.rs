//! `timmy sessions`: which browsers are logged in, and ending that.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use timmy_domain::text::plural;

use super::{Global, items, safe, text};
use crate::door::Door;

/// Characters of a browser's name that are shown.
const BROWSER_CHARS_MAX: usize = 60;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// List the browsers that are logged in, the one used last first
    List,
    /// End one; what it has open is closed at once
    End {
        /// Its short name, as the list shows it
        id: String,
    },
    /// End all others; the terminal has none of its own, so from here all of them end
    EndOthers,
}

/// Runs the command.
///
/// # Errors
/// When the door refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    match args.act.unwrap_or(Act::List) {
        Act::List => {
            let list = door.get("/api/sessions").await?;
            global.show(&list, |list| {
                let rows: Vec<String> = items(list)
                    .iter()
                    .map(|seen| {
                        format!(
                            "{:<14} {:<24} since {}, last seen {}",
                            text(seen, "id"),
                            safe(text(seen, "browser"), BROWSER_CHARS_MAX),
                            super::when(text(seen, "created_at")),
                            super::when(text(seen, "seen_at")),
                        )
                    })
                    .collect();
                if rows.is_empty() { "No browser is logged in.".to_owned() } else { rows.join("\n") }
            });
        }
        Act::End { id } => {
            let ended = door.delete(&format!("/api/sessions/{}", crate::door::encode(&id))).await?;
            global.show(&ended, |_| format!("Session {} is ended.", safe(&id, BROWSER_CHARS_MAX)));
        }
        Act::EndOthers => {
            let ended = door.delete("/api/sessions").await?;
            global.show(&ended, |ended| match ended["sessions_ended"].as_u64().unwrap_or(0) {
                0 => "No browser is logged in.".to_owned(),
                count => format!("{} ended.", plural(count, "session", "sessions")),
            });
        }
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}
