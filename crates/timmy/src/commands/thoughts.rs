//! `timmy thoughts`: reading and steering the thoughts.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Global, Usage, items, safe, text};
use crate::door::{Door, encode};

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    /// How many thoughts to list
    #[arg(long, default_value_t = 10, value_parser = super::limit)]
    limit: u16,
}

#[derive(Subcommand)]
enum Act {
    /// The chain that led to a thought, oldest first
    Chain {
        /// The thought's id
        id: String,
    },
    /// Put a thought in; Timmy goes on from it
    Inject {
        /// The thought
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Keep a thought
    Keep {
        /// The thought's id
        id: String,
    },
    /// No longer keep a thought
    Release {
        /// The thought's id
        id: String,
    },
    /// Ask for fewer thoughts like one
    Fewer {
        /// The thought's id
        id: String,
        /// Take it back
        #[arg(long)]
        undo: bool,
    },
    /// Reply to a thought; Timmy answers
    Reply {
        /// The thought's id
        id: String,
        /// The words
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Pause thinking, for a while or until resumed
    Pause {
        /// How long, such as 30m, 2h or 1d
        length: Option<String>,
    },
    /// Let Timmy think again
    Resume,
}

/// Runs the command.
///
/// # Errors
/// When the door refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    if let Some(Act::Reply { id, words }) = args.act {
        return super::chat::say_once(global, &words.join(" "), Some(&id)).await;
    }
    let door = Door::open(global).await?;
    let at = |id: &str, verb: &str| format!("/thinking/api/{}/{verb}", encode(id));
    let nothing = json!({});
    match args.act {
        None => global.show(&door.get(&format!("/thinking/api?limit={}", args.limit)).await?, list),
        Some(Act::Chain { id }) => global.show(&door.get(&at(&id, "chain")).await?, list),
        Some(Act::Inject { words }) => {
            let put = door.post("/thinking/api/inject", json!({"content": words.join(" ")})).await?;
            global.show(&put, |t| format!("Put in as {}.", text(t, "id")));
        }
        Some(Act::Keep { id }) => global.show(&door.post(&at(&id, "keep"), nothing).await?, |_| "Kept.".to_owned()),
        Some(Act::Release { id }) => {
            global.show(&door.post(&at(&id, "release"), nothing).await?, |_| "No longer kept.".to_owned());
        }
        Some(Act::Fewer { id, undo }) => {
            let verb = if undo { "unfewer" } else { "fewer" };
            global.show(&door.post(&at(&id, verb), nothing).await?, |_| {
                if undo { "Taken back.".to_owned() } else { "Thoughts of this seed come less often now.".to_owned() }
            });
        }
        Some(Act::Pause { length }) => {
            let body = match length.as_deref().map(minutes) {
                None => nothing,
                Some(Some(minutes)) => json!({"minutes": minutes}),
                Some(None) => {
                    return Err(Usage("the length of a pause is a number with m, h or d, such as 30m, 2h or 1d").into());
                }
            };
            global.show(&door.post("/thinking/api/pause", body).await?, |p| match text(p, "until") {
                "" => "Thinking is paused until `timmy thoughts resume`.".to_owned(),
                until => format!("Thinking is paused until {} UTC.", super::when(until)),
            });
        }
        Some(Act::Resume) => {
            global.show(&door.post("/thinking/api/resume", nothing).await?, |_| "Timmy thinks again.".to_owned());
        }
        Some(Act::Reply { .. }) => {}
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

/// `30m`, `2h` or `1d` in minutes.
fn minutes(length: &str) -> Option<u64> {
    let unit = length.chars().next_back()?;
    let factor = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        _ => return None,
    };
    length.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(factor)
}

fn list(answer: &Value) -> String {
    let row = |t: &Value| {
        let kept = if t.get("kept").and_then(Value::as_bool).unwrap_or(false) { " · kept" } else { "" };
        format!(
            "{}  {} · {}{kept}\n  {}\n  {}",
            super::when(text(t, "created_at")),
            text(t, "seed_type"),
            text(t, "provider"),
            safe(text(t, "content"), 2_000),
            text(t, "id"),
        )
    };
    let rows: Vec<String> = items(answer).iter().map(row).collect();
    if rows.is_empty() { "There are no thoughts yet.".to_owned() } else { rows.join("\n\n") }
}

#[cfg(test)]
mod tests {
    use super::minutes;

    #[test]
    fn lengths_are_read_with_their_unit() {
        assert_eq!((minutes("30m"), minutes("2h"), minutes("1d")), (Some(30), Some(120), Some(1_440)));
        for bad in ["", "m", "30", "-1h", "1w", "1.5h", "99999999999999999999d", "1é"] {
            assert_eq!(minutes(bad), None, "{bad:?}");
        }
    }
}
