//! `timmy login`: a one-time code for a browser.

use std::process::ExitCode;

use anyhow::Result;

use super::{Global, text};
use crate::door::Door;

/// Runs the command.
///
/// # Errors
/// When no server runs.
pub async fn run(global: &Global) -> Result<ExitCode> {
    let door = Door::to_server(&global.home).await?;
    let made = door.post("/api/login/code", serde_json::json!({})).await?;
    global.show(&made, |made| {
        format!(
            "Open this link within 60 seconds:\n\n  {}\n\nor type the code {} at the login page.",
            text(made, "url"),
            text(made, "code")
        )
    });
    Ok(ExitCode::SUCCESS)
}
