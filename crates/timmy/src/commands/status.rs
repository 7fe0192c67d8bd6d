//! `timmy status`: one of the five words, what Timmy does now, and what waits for the owner.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Global, items, text};
use crate::door::{Door, Refusal};

/// Runs the command. Without a server the answer says so; that is no failure.
///
/// # Errors
/// When there is no such home, or the server does not answer as it should.
pub async fn run(global: &Global) -> Result<ExitCode> {
    if !global.home.path.is_dir() {
        return Err(Refusal {
            code: "no_home".to_owned(),
            message: format!("there is no home at {}", global.home.path.display()),
            hint: "Start Timmy once with `timmy serve`, or point --home at the right folder.".to_owned(),
        }
        .into());
    }
    let Some(door) = Door::if_running(&global.home).await? else {
        let off = json!({"running": false, "state": null, "act": "not running", "waiting": []});
        global.show(&off, |_| "Timmy is not running.\nStart him with `timmy serve`.".to_owned());
        return Ok(ExitCode::SUCCESS);
    };
    let mut status = door.get("/api/status").await?;
    if let Some(fields) = status.as_object_mut() {
        fields.insert("running".to_owned(), Value::Bool(true));
        fields.insert("address".to_owned(), Value::String(door.address().to_owned()));
    }
    global.show(&status, words);
    Ok(ExitCode::SUCCESS)
}

fn words(status: &Value) -> String {
    let mut lines = vec![text(status, "word").to_owned(), format!("  {}", text(status, "act"))];
    let waiting = status.get("waiting").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if waiting.is_empty() {
        lines.push("  Nothing needs you.".to_owned());
    } else {
        lines.push(format!("  Waiting for you: {}", waiting.len()));
        lines.extend(waiting.iter().map(|w| format!("    {}: {}", text(w, "title"), text(w, "detail"))));
    }
    for provider in items(status.get("providers").unwrap_or(&Value::Null)) {
        lines.push(format!("  {}: {}", text(provider, "name"), text(provider, "status")));
    }
    lines.push(format!("  Dashboard: http://{}", text(status, "address")));
    lines.join("\n")
}
