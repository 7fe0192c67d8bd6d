//! `timmy chat`: one message, or a conversation in the terminal.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use timmy_domain::message::MESSAGE_CHARS_MAX;
use timmy_domain::text::clean;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{Global, Usage, text};
use crate::door::Door;
use crate::say;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    /// The message; leave it out for a conversation, give - to read it from standard input
    words: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When no answer came.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    match args.words.as_slice() {
        [] if global.json => Err(Usage("--json needs a message: timmy chat --json \"what is new?\"").into()),
        [] => converse(global).await,
        [dash] if dash == "-" => {
            let mut message = String::new();
            let bytes_max = (MESSAGE_CHARS_MAX * 4) as u64 + 4;
            tokio::io::stdin().take(bytes_max).read_to_string(&mut message).await?;
            say_once(global, &message, None).await
        }
        words => say_once(global, &words.join(" "), None).await,
    }
}

/// Says one thing and prints the answer as it comes.
///
/// # Errors
/// When no answer came.
pub async fn say_once(global: &Global, message: &str, about: Option<&str>) -> Result<ExitCode> {
    let door = Door::with_talk(global).await?;
    let said = exchange(global, &door, message, about).await;
    door.close().await;
    said
}

async fn converse(global: &Global) -> Result<ExitCode> {
    let door = Door::with_talk(global).await?;
    say::aside("Talk with Timmy. Ctrl-C stops an answer; an empty line or Ctrl-D ends the conversation.");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        say::part("\nyou  ");
        let line = tokio::select! {
            line = lines.next_line() => line?,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(line) = line.filter(|l| !l.trim().is_empty()) else { break };
        say::part("timmy  ");
        if let Err(error) = exchange(global, &door, &line, None).await {
            // One failed answer does not end the conversation.
            super::complain(&error, false);
        }
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

/// One question and its answer. Ctrl-C stops the answer on the server too.
async fn exchange(global: &Global, door: &Door, message: &str, about: Option<&str>) -> Result<ExitCode> {
    let mut body =
        json!({"messages": [{"role": "user", "content": message}], "stream": !global.json, "channel": "cli"});
    if let Some(about) = about {
        body["about"] = Value::String(about.to_owned());
    }
    if global.json {
        let answer = door.post("/api/chat", body).await?;
        global.show(&answer, |_| String::new());
        return Ok(ExitCode::SUCCESS);
    }
    let (mut last, mut grew) = (Value::Null, false);
    let listening = door.stream("/api/chat", body, |event| {
        if let Some(more) = event.get("delta").and_then(Value::as_str) {
            grew = true;
            say::part(&clean(more));
        } else {
            last = event;
        }
    });
    tokio::select! {
        // Dropping the request stops the answer.
        _ = tokio::signal::ctrl_c() => {
            say::line("\n\n  stopped");
            return Ok(ExitCode::SUCCESS);
        }
        heard = listening => heard?,
    }
    if let Some(error) = last.get("error") {
        say::line("");
        return Err(crate::door::Refusal::from_json(error).into());
    }
    if !grew {
        // What the house answers by itself comes as a whole.
        say::part(&clean(text(&last, "reply")));
    }
    say::line(&format!("\n\n  {}", signature(&last)));
    Ok(ExitCode::SUCCESS)
}

/// Who answered, where, and how long it took.
fn signature(answer: &Value) -> String {
    let seconds = answer.get("duration_ms").and_then(Value::as_f64).unwrap_or(0.0) / 1_000.0;
    let place = match text(answer, "place") {
        "local" => "on this machine",
        "remote" => "on another machine",
        "reflex" => "by reflex, no model",
        other => other,
    };
    if text(answer, "place") == "reflex" {
        return format!("{place} · {seconds:.1} s");
    }
    let names = [text(answer, "provider"), text(answer, "model")];
    let names: Vec<&str> = names.into_iter().filter(|n| !n.is_empty()).collect();
    format!("{} · {place} · {seconds:.1} s", names.join(" "))
}
