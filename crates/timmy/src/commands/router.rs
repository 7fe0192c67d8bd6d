//! `timmy router`: who answers and in which order, trying one out, and keeping everything on this machine.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Global, items, safe, text, when};
use crate::door::{Door, Refusal, encode};

/// Calls that are shown.
const CALLS_SHOWN: usize = 10;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// Who answers, in which order, what rests, and the last calls
    Status,
    /// Ask one provider one small question, within a minute
    Test {
        /// Its name; every provider, one after the other, when it is left out
        name: Option<String>,
    },
    /// Who would be asked for something, in order, and why others would not; asks nobody
    Explain {
        /// chat, thought, tool_use, code, vision or summary
        #[arg(long, default_value = "chat")]
        class: String,
        /// open or local-only
        #[arg(long, default_value = "open")]
        sensitivity: String,
        /// How long it is, in tokens
        #[arg(long, default_value_t = 500)]
        tokens: u64,
        /// It calls tools
        #[arg(long)]
        tools: bool,
        /// It shows a picture
        #[arg(long)]
        vision: bool,
    },
    /// Ask a provider again that was switched off
    Enable {
        /// Its name
        name: String,
    },
    /// Do not ask a provider any more
    Disable {
        /// Its name
        name: String,
    },
    /// Forget the rests and holds of a provider
    Reset {
        /// Its name
        name: String,
    },
    /// Ask the providers in this order; without a name, in that of the settings
    Order {
        /// Their names, the first one asked first
        names: Vec<String>,
    },
    /// Keep everything on this machine for a while
    LocalOnly {
        /// For how many minutes, at most a day; 0 ends it
        #[arg(default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=1440))]
        minutes: u64,
    },
    /// What left this machine for a model, newest first
    Egress {
        /// How many lines
        #[arg(long, default_value_t = 20, value_parser = super::limit)]
        limit: u16,
    },
}

/// Runs the command.
///
/// # Errors
/// When there is no such provider, the door refuses, or a tried provider does not answer.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    act(global, &door, args.act.unwrap_or(Act::Status)).await.map_err(with_command)?;
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Who asks for a provider that is none is told which command lists them.
fn with_command(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Refusal>() {
        Ok(refusal) if refusal.code == "unknown_provider" => {
            Refusal { hint: "To list the providers: timmy router status".to_owned(), ..refusal }.into()
        }
        Ok(refusal) => refusal.into(),
        Err(error) => error,
    }
}

async fn act(global: &Global, door: &Door, act: Act) -> Result<()> {
    match act {
        Act::Status => global.show(&door.get("/api/v1/router/status").await?, status),
        Act::Test { name } => test(global, door, name).await?,
        Act::Explain { class, sensitivity, tokens, tools, vision } => {
            let (class, sensitivity) = (encode(&class), encode(&sensitivity));
            let query =
                format!("task_class={class}&sensitivity={sensitivity}&tokens={tokens}&tools={tools}&vision={vision}");
            global.show(&door.get(&format!("/api/v1/router/explain?{query}")).await?, explained);
        }
        Act::Enable { name } => control(global, door, &name, "enable", "is asked again").await?,
        Act::Disable { name } => control(global, door, &name, "disable", "is not asked any more").await?,
        Act::Reset { name } => control(global, door, &name, "reset_circuit", "starts with a clean slate").await?,
        Act::Order { names } => {
            let list = door.post("/api/v1/router/order", json!({ "providers": names })).await?;
            global.show(&list, |list| {
                let names: Vec<String> = items(list).iter().map(|p| safe(text(p, "name"), 80)).collect();
                format!("Asked in this order: {}", names.join(", "))
            });
        }
        Act::LocalOnly { minutes } => {
            let done = door.post("/api/v1/router/local-only", json!({ "minutes": minutes })).await?;
            global.show(&done, |done| match text(done, "until") {
                "" => "What may leave this machine may leave it again.".to_owned(),
                until => format!(
                    "Everything stays on this machine until {} UTC. To end it: timmy router local-only 0",
                    when(until)
                ),
            });
        }
        Act::Egress { limit } => {
            global.show(&door.get(&format!("/api/v1/router/egress?limit={limit}")).await?, egress);
        }
    }
    Ok(())
}

async fn control(global: &Global, door: &Door, name: &str, action: &str, now: &str) -> Result<()> {
    let address = format!("/api/v1/router/providers/{}/control", encode(name));
    let done = door.post(&address, json!({ "action": action })).await?;
    global.show(&done, |done| format!("{} {now}.", safe(text(done, "name"), 80)));
    Ok(())
}

async fn test(global: &Global, door: &Door, name: Option<String>) -> Result<()> {
    let names = match &name {
        Some(name) => vec![name.clone()],
        None => {
            let all = door.get("/api/v1/router/providers").await?;
            let models = items(&all).iter().filter(|p| text(p, "place") != "reflex");
            models.map(|p| text(p, "name").to_owned()).collect()
        }
    };
    let mut trials = Vec::new();
    for one in &names {
        trials.push(door.post(&format!("/api/v1/router/providers/{}/test", encode(one)), json!({})).await?);
    }
    let answered = trials.iter().filter(|trial| trial["answered"] == true).count();
    let told = match (name, trials.as_slice()) {
        (Some(_), [one]) => one.clone(),
        _ => json!({ "items": trials, "next": null }),
    };
    global.show(&told, |_| {
        let lines: Vec<String> = trials.iter().map(tried).collect();
        if lines.is_empty() { "There is no provider to try out.".to_owned() } else { lines.join("\n") }
    });
    if answered == 0 && !trials.is_empty() {
        bail!("no provider that was tried out answered");
    }
    Ok(())
}

fn tried(trial: &Value) -> String {
    let (name, ms) = (safe(text(trial, "provider"), 80), trial["duration_ms"].as_u64().unwrap_or(0));
    if trial["answered"] == true {
        return format!("{name}: answered in {ms} ms ({})", safe(text(trial, "model"), 120));
    }
    format!("{name}: no answer. {}. {}", safe(text(trial, "why"), 300), safe(text(trial, "hint"), 300))
}

fn explained(list: &Value) -> String {
    let mut lines = Vec::new();
    for (at, one) in items(list).iter().enumerate() {
        let model = safe(text(one, "model"), 120);
        let whom = if model.is_empty() {
            text(one, "provider").to_owned()
        } else {
            format!("{} {model}", text(one, "provider"))
        };
        let how = match (one["asked"] == true, text(one, "place")) {
            (false, _) => format!("passed by: {}", safe(text(one, "why"), 300)),
            (true, "remote") => "asked, and it would leave this machine".to_owned(),
            (true, "reflex") => "speaks last, by rules".to_owned(),
            (true, _) => "asked, on this machine".to_owned(),
        };
        lines.push(format!("{}. {whom}: {how}", at + 1));
    }
    if lines.is_empty() { "Nobody would be asked.".to_owned() } else { lines.join("\n") }
}

fn status(router: &Value) -> String {
    let mut lines = Vec::new();
    match (router["offline"] == true, router["local_only_ms"].as_u64()) {
        (true, _) => lines.push("Offline: nobody elsewhere is asked in this run.".to_owned()),
        (false, Some(ms)) => {
            lines.push(format!("Everything stays on this machine for another {} min.", ms.div_ceil(60_000)));
        }
        (false, None) => {}
    }
    for (at, provider) in router["providers"].as_array().into_iter().flatten().enumerate() {
        lines.push(format!("{}. {}", at + 1, rung(provider)));
    }
    let cents = router["spent_today_micros"].as_u64().unwrap_or(0);
    lines.push(format!("Spent today: ${}.{:02}", cents / 1_000_000, cents % 1_000_000 / 10_000));
    for call in router["recent"].as_array().into_iter().flatten().take(CALLS_SHOWN) {
        let step = |s: &Value| format!("{} {}", safe(text(s, "provider"), 80), text(s, "outcome").replace('_', " "));
        let path: Vec<String> = call["path"].as_array().into_iter().flatten().map(step).collect();
        let (purpose, ms) = (safe(text(call, "purpose"), 40), call["duration_ms"].as_u64().unwrap_or(0));
        let label = if call["local_only"] == true { "local only" } else { "open" };
        lines.push(format!("  {purpose:<10} {} ({label}, {ms} ms)", path.join(", then ")));
    }
    lines.join("\n")
}

fn rung(provider: &Value) -> String {
    let name = safe(text(provider, "name"), 80);
    let place = match text(provider, "place") {
        "remote" => "elsewhere",
        "reflex" => "by rules",
        _ => "here",
    };
    let mut line = format!("{name} ({place}): ");
    if provider["enabled"] == false {
        return line + "switched off";
    }
    line.push_str(text(provider, "status"));
    for part in [text(provider, "model"), text(provider, "why"), text(provider, "held"), text(provider, "hint")] {
        if !part.is_empty() {
            line.push_str(&format!(", {}", safe(part, 200)));
        }
    }
    for circuit in provider["circuits"].as_array().into_iter().flatten().filter(|c| text(c, "state") != "closed") {
        let (model, seconds) =
            (safe(text(circuit, "model"), 120), circuit["opens_in_ms"].as_u64().unwrap_or(0).div_ceil(1_000));
        line.push_str(&format!("\n     {model} rests, tried again in {seconds} s"));
    }
    line
}

fn egress(list: &Value) -> String {
    let row = |line: &Value| {
        let micros = line["cost_micros"].as_u64().unwrap_or(0);
        format!(
            "{}  {}  {}  {}  {} B  ${}.{:06}  {}",
            when(text(line, "at")),
            safe(text(line, "host"), 120),
            safe(text(line, "provider"), 80),
            safe(text(line, "why"), 40),
            line["bytes"].as_u64().unwrap_or(0),
            micros / 1_000_000,
            micros % 1_000_000,
            text(line, "state")
        )
    };
    let lines: Vec<String> = items(list).iter().map(row).collect();
    if lines.is_empty() { "Nothing left this machine so far.".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_and_suppositions_are_told_in_a_line_each() {
        let down = json!({"name": "ollama", "place": "local", "status": "down", "why": "nobody listens", "hint": "Start it.",
            "circuits": [{"model": "m", "state": "open", "opens_in_ms": 59_001}]});
        assert_eq!(rung(&down), "ollama (here): down, nobody listens, Start it.\n     m rests, tried again in 60 s");
        assert_eq!(
            rung(&json!({"name": "grok", "place": "remote", "enabled": false})),
            "grok (elsewhere): switched off"
        );
        let would = json!({"items": [
            {"provider": "grok", "model": "", "place": "remote", "asked": false, "why": "it must stay here"},
            {"provider": "ollama", "model": "m", "place": "local", "asked": true},
        ]});
        assert_eq!(explained(&would), "1. grok: passed by: it must stay here\n2. ollama m: asked, on this machine");
        assert!(status(&json!({})).starts_with("Spent today: $0.00"));
    }
}
