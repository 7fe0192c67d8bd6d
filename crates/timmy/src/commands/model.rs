//! `timmy model`: the models on this machine, what there is to get, and fetching it.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Global, items, safe, text};
use crate::door::{Door, Refusal, encode};

/// Between two looks at how far a model is, in milliseconds.
const LOOK_MS: u64 = 500;
/// Between two looks at whether the machine has been measured, in milliseconds, and how many there are.
const MEASURE_LOOK_MS: u64 = 200;
const MEASURE_LOOKS_MAX: usize = 150;
/// Signs of a full bar.
const BAR_SIGNS: u64 = 24;
/// The agent whose model is everybody's usual one.
const USUAL_AGENT: &str = "timmy";
/// The word for a model that the cascade chooses.
const AUTO: &str = "auto";
/// What a model is measured by.
const BENCH_PROMPT: &str = "Count from one to forty in words, with a comma between.";

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// List what is here, what there is to get, how it fits this machine and how fast it could be
    List,
    /// Fetch a model of the catalogue; it goes on where it stopped
    Pull {
        /// Its name; the one that fits this machine when it is left out
        name: Option<String>,
        /// Fetch a GGUF file from this address instead, and give it that name
        #[arg(long, requires = "name")]
        url: Option<String>,
        /// The SHA-256 of that file; without it nothing is verified
        #[arg(long, requires = "url")]
        sha256: Option<String>,
    },
    /// Stop fetching a model; what came stays
    Stop {
        /// Its name
        name: String,
    },
    /// Remove a model; its file can come back within the hour
    Rm {
        /// Its name
        name: String,
        /// Bring it back
        #[arg(long)]
        undo: bool,
    },
    /// Work with this model from now on
    Use {
        /// Its name; `auto` leaves the choice to each provider
        name: String,
        /// The agent that gets it
        #[arg(long, default_value = USUAL_AGENT)]
        agent: String,
    },
    /// Ask a model one thing and say how fast it was
    Bench {
        /// Its name; the one that would answer when it is left out
        name: Option<String>,
    },
    /// Register a file that lies on this disk, without copying it
    Import {
        /// The file; without one, what Ollama keeps on this disk is listed
        path: Option<std::path::PathBuf>,
        /// The name it gets; that of the file when it is left out
        #[arg(long)]
        name: Option<String>,
        /// What it is for: general, reward, teacher or judge
        #[arg(long)]
        role: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// When there is no such model, it cannot be fetched, or the door refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    match args.act.unwrap_or(Act::List) {
        Act::List => list(global, &door).await?,
        Act::Pull { name: Some(name), url: Some(url), sha256 } => {
            let asked = json!({ "name": name, "url": url, "sha256": sha256 });
            follow(global, &door, &name, door.post("/api/v1/models/fetch", asked).await?).await?;
        }
        Act::Pull { name, .. } => pull(global, &door, name).await?,
        Act::Stop { name } => {
            let stopped = door.delete(&pull_address(&name)).await?;
            global.show(&stopped, |p| format!("Fetching {} is being stopped.", safe(text(p, "name"), 120)));
        }
        Act::Rm { name, undo: true } => {
            let back = door.post(&format!("/api/v1/models/{}/restore", encode(&name)), json!({})).await?;
            global.show(&back, |m| format!("{} is back.", safe(text(m, "name"), 120)));
        }
        Act::Rm { name, undo: false } => {
            let gone = door.delete(&format!("/api/v1/models/{}", encode(&name))).await?;
            global.show(&gone, |m| {
                let name = safe(text(m, "name"), 120);
                let undo = format!(" To bring it back: timmy model rm --undo {name}");
                format!("{name} is removed.{}", if door.is_server() { undo.as_str() } else { "" })
            });
        }
        Act::Use { name, agent } if name == AUTO => {
            let gone = door.delete(&format!("/api/v1/models/assignments/{}", encode(&agent))).await?;
            global.show(&gone, |_| format!("{agent} has no model of its own any more."));
        }
        Act::Use { name, agent } => {
            let to = json!({ "agent_id": agent, "model_name": name });
            let set = door.post("/api/v1/models/assignments", to).await?;
            global.show(&set, |s| {
                format!("{} works with {}.", safe(text(s, "agent_id"), 120), safe(text(s, "model_name"), 120))
            });
        }
        Act::Bench { name } => bench(global, &door, name).await?,
        Act::Import { path: None, .. } => found(global, &door).await?,
        Act::Import { path: Some(path), name, role } => import(global, &door, &path, name, role).await?,
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Lists the files that Ollama keeps on this machine.
async fn found(global: &Global, door: &Door) -> Result<()> {
    let found = door.get("/api/v1/models/found").await?;
    global.show(&found, |found| {
        let row = |b: &Value| {
            format!(
                "{:<32} {:>9}  {}",
                safe(text(b, "name"), 120),
                size(number(b, "bytes")),
                safe(text(b, "path"), 300)
            )
        };
        let rows: Vec<String> = items(found).iter().map(row).collect();
        if rows.is_empty() {
            "Ollama keeps no models here. To import a file: timmy model import PATH".to_owned()
        } else {
            format!("{}\nTo use one without copying it: timmy model import PATH --name NAME", rows.join("\n"))
        }
    });
    Ok(())
}

/// Registers a file that lies on this disk.
async fn import(global: &Global, door: &Door, path: &Path, name: Option<String>, role: Option<String>) -> Result<()> {
    // Made absolute here: the server's own directory is another one.
    let path = std::path::absolute(path)?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let format = if path.extension().is_some_and(|e| e == "safetensors") { "safetensors" } else { "gguf" };
    let new = json!({
        "name": name.unwrap_or(stem),
        "path": path.to_string_lossy(),
        "format": if path.is_dir() { "hf" } else { format },
        "role": role,
    });
    let made = door.post("/api/v1/models/import", new).await?;
    global.show(&made, |m| format!("{} is registered, at {}.", safe(text(m, "name"), 120), safe(text(m, "path"), 300)));
    Ok(())
}

/// The catalogue beside what was measured here. Measuring takes a moment the first time, and is waited for within bounds.
async fn measured(global: &Global, door: &Door) -> Result<Value> {
    let mut offers = door.get("/api/v1/models/catalogue").await?;
    if offers["measuring"] == true && !global.json && std::io::stderr().is_terminal() {
        writeln!(std::io::stderr(), "measuring how fast this machine reads its memory and its disk …")?;
    }
    for _ in 0..MEASURE_LOOKS_MAX {
        if offers["measuring"] != true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(MEASURE_LOOK_MS)).await;
        offers = door.get("/api/v1/models/catalogue").await?;
    }
    Ok(offers)
}

async fn list(global: &Global, door: &Door) -> Result<()> {
    let (here, offers) = (door.get("/api/v1/models").await?, measured(global, door).await?);
    let speed = |key: &str| number(&offers, key);
    let both = json!({
        "installed": items(&here),
        "catalogue": items(&offers),
        "running": offers["here"],
        "advice": offers["advice"],
        "measuring": offers["measuring"],
        "memory_read_bytes_per_second": speed("memory_read_bytes_per_second"),
        "disk_read_bytes_per_second": speed("disk_read_bytes_per_second"),
    });
    global.show(&both, |both| {
        let mut lines = Vec::new();
        for model in both["installed"].as_array().into_iter().flatten() {
            let state = if model["active"] == true { "" } else { "  (switched off)" };
            let name = text(model, "name");
            lines.push(format!("  {:<22} {:>9}{state}", safe(name, 120), size(number(model, "bytes"))));
            let running = both["running"].as_array().into_iter().flatten().find(|r| text(r, "name") == name);
            lines.extend(running.map(|running| format!("    {}", safe(text(running, "words"), 300))));
        }
        if lines.is_empty() {
            lines.push("  none".to_owned());
        }
        lines.insert(0, "Here:".to_owned());
        lines.push("To get:".to_owned());
        for offer in both["catalogue"].as_array().into_iter().flatten().filter(|o| o["installed"] != true) {
            let fit = if text(offer, "sha256").is_empty() {
                "checksum unknown: import by path".to_owned()
            } else {
                fits(offer)
            };
            let bytes = size(number(offer, "bytes"));
            lines.push(format!("  {:<22} {bytes:>9}  {}, {fit}", text(offer, "name"), text(offer, "licence")));
        }
        lines.push(speeds(both));
        if let Some(name) = both["advice"].as_str() {
            lines.push(format!("The largest that fits this machine: timmy model pull {name}"));
        }
        lines.join("\n")
    });
    Ok(())
}

/// What was measured, and what follows from it.
fn speeds(both: &Value) -> String {
    let (memory, disk) = (number(both, "memory_read_bytes_per_second"), number(both, "disk_read_bytes_per_second"));
    if memory == 0 {
        return "How fast this machine is, is still being measured: ask again.".to_owned();
    }
    let disk =
        if disk == 0 { "the disk could not be measured".to_owned() } else { format!("{} from the disk", size(disk)) };
    format!(
        "Measured here: {} a second are read from memory, {disk}. A model is read once for each \
         token, so as busy as this machine was then, it is not faster.",
        size(memory)
    )
}

fn fits(offer: &Value) -> String {
    match &offer["fit"] {
        Value::String(word) if word == "memory" => {
            let tenths = number(offer, "tenths_of_tokens_per_second");
            let speed =
                if tenths == 0 { String::new() } else { format!(", at most {}.{} tokens/s", tenths / 10, tenths % 10) };
            format!("fits in memory ({}){speed}", size(number(offer, "memory_bytes")))
        }
        Value::String(word) if word == "no_room" => "does not fit on the disk".to_owned(),
        Value::String(word) if word == "too_large" => "too large for this machine".to_owned(),
        Value::Object(streams) => {
            let tenths = streams.get("streams").and_then(|s| s["tenths_per_token"].as_u64()).unwrap_or(0);
            format!("larger than memory: at least {}.{} s for each token", tenths / 10, tenths % 10)
        }
        _ => "larger than memory; how slow that is, is not known".to_owned(),
    }
}

async fn pull(global: &Global, door: &Door, name: Option<String>) -> Result<()> {
    let name = match name {
        Some(name) => name,
        None => match door.get("/api/v1/models/catalogue").await?["advice"].as_str() {
            Some(name) => name.to_owned(),
            None => bail!("no model of the catalogue fits the memory of this machine; timmy model list shows them all"),
        },
    };
    let begun = door.post("/api/v1/models/pulls", json!({ "name": name })).await;
    // Whoever asks for what is here has what they asked for.
    if let Err(error) = &begun
        && error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.code == "model_exists")
    {
        let here = json!({ "name": name, "state": "done", "already_here": true });
        global.show(&here, |_| {
            let name = safe(&name, 120);
            format!("{name} is here already; nothing was fetched. To work with it: timmy model use {name}")
        });
        return Ok(());
    }
    follow(global, door, &name, begun?).await
}

fn pull_address(name: &str) -> String {
    format!("/api/v1/models/pulls/{}", encode(name))
}

/// Shows how far it is until it has ended; an interrupt stops it.
async fn follow(global: &Global, door: &Door, name: &str, mut pull: Value) -> Result<()> {
    let shown = !global.json && std::io::stderr().is_terminal();
    let address = pull_address(name);
    while matches!(text(&pull, "state"), "waiting" | "fetching" | "stopping") {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
            _ = tokio::signal::ctrl_c() => {
                // It may have ended meanwhile; how it stands is asked right below.
                let _ = door.delete(&address).await;
            }
        }
        pull = door.get(&address).await?;
        if shown {
            let mut out = std::io::stderr().lock();
            write!(out, "\r\x1b[K{}", bar(&pull))?;
            out.flush()?;
        }
    }
    if shown {
        writeln!(std::io::stderr())?;
    }
    if text(&pull, "state") == "done" {
        global.show(&pull, |p| {
            let name = safe(text(p, "name"), 120);
            let how = if p["checksum_known"] == true {
                "and its checksum is right".to_owned()
            } else {
                let sum = safe(text(p, "sha256"), 64);
                format!("but nothing was verified, since no checksum was given. What came has the SHA-256 {sum}")
            };
            format!("{name} is here, {how}. To work with it: timmy model use {name}")
        });
        return Ok(());
    }
    let why = if text(&pull, "why").is_empty() { "it was stopped" } else { text(&pull, "why") };
    let on = match number(&pull, "bytes_here") {
        0 => "Of it nothing is kept".to_owned(),
        bytes => format!("{} are, and the next pull goes on from there", size(bytes)),
    };
    bail!("{} is not here: {}. {on}", safe(name, 120), safe(why, 300))
}

fn bar(pull: &Value) -> String {
    let (here, all) = (number(pull, "bytes_here"), number(pull, "bytes").max(1));
    let full = usize::try_from((here.min(all) * BAR_SIGNS) / all).unwrap_or(0);
    let empty = usize::try_from(BAR_SIGNS).unwrap_or(0).saturating_sub(full);
    let speed = number(pull, "bytes_per_second");
    let left = (all.saturating_sub(here)).checked_div(speed).map_or_else(String::new, |s| format!(", {s} s left"));
    format!(
        "{} [{}{}] {} of {}, {} a second{left}",
        safe(text(pull, "name"), 120),
        "#".repeat(full),
        ".".repeat(empty),
        size(here),
        size(all),
        size(speed)
    )
}

/// Asks one thing and says how fast the answer came, by the tokens the provider counted where it counts them.
async fn bench(global: &Global, door: &Door, name: Option<String>) -> Result<()> {
    let asked = name.filter(|name| !name.is_empty() && name != AUTO);
    let ask = json!({
        "model": asked.as_deref().unwrap_or(AUTO),
        "messages": [{ "role": "user", "content": BENCH_PROMPT }],
    });
    let began = tokio::time::Instant::now();
    let answer = door.post("/v1/chat/completions", ask).await.map_err(hint_once)?;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    let (provider, model) = text(&answer, "model").split_once('/').unwrap_or_default();
    if let Some(asked) = asked {
        let providers = door.get("/api/v1/router/providers").await?;
        let has = items(&providers).iter().find(|p| text(p, "name") == provider);
        let has = has.and_then(|p| p["models"].as_array()).map_or(&[][..], Vec::as_slice);
        if !is_asked(&asked, provider, model, has) {
            return Err(another(&asked, provider, model).into());
        }
    }
    global.show(&measure(&answer, provider, model, milliseconds), bench_words);
    Ok(())
}

/// What was measured of an answer.
fn measure(answer: &Value, provider: &str, model: &str, milliseconds: u64) -> Value {
    let counted = number(&answer["usage"], "completion_tokens");
    let said = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
    let tokens = if counted > 0 { counted } else { timmy_domain::text::tokens_estimate(said) as u64 };
    let tenths = tokens.saturating_mul(10_000) / milliseconds;
    json!({
        "provider": provider,
        "model": model,
        "latency_ms": milliseconds,
        "tokens": tokens,
        "tokens_counted": counted > 0,
        "tokens_per_second": f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0,
    })
}

fn bench_words(told: &Value) -> String {
    let (about, how) = if told["tokens_counted"] == true {
        ("", "")
    } else {
        ("about ", " The provider counts no tokens, so their number is an estimate.")
    };
    format!(
        "{} of {}: {about}{} tokens in {} ms, {:.1} a second from the question on.{how}",
        safe(text(told, "model"), 120),
        safe(text(told, "provider"), 60),
        number(told, "tokens"),
        number(told, "latency_ms"),
        told["tokens_per_second"].as_f64().unwrap_or(0.0)
    )
}

/// Whether the answer of `model` comes from the model that was `asked` for. `has` are the models its provider lists.
fn is_asked(asked: &str, provider: &str, model: &str, has: &[Value]) -> bool {
    let bare = asked.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')).unwrap_or(asked);
    // Ollama means the newest by a name without a tag.
    let untagged = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    // A server may call the model it lists by a longer name when it answers, such as one with a date.
    let lists = |name: &str| has.iter().any(|listed| listed == name);
    untagged(bare) == untagged(model) || (lists(bare) && !lists(model))
}

fn another(asked: &str, provider: &str, model: &str) -> Refusal {
    let (asked, model, provider) = (safe(asked, 120), safe(model, 120), safe(provider, 60));
    Refusal {
        code: "another_model".to_owned(),
        message: format!("{asked} did not answer, but {model} of {provider}; nothing was measured"),
        hint: "timmy router status says who answers, and why others do not. To ask one provider for one of its \
               models: timmy model bench PROVIDER/MODEL"
            .to_owned(),
    }
}

/// Refusals at this door hold the hint in the message too, for programs that read nothing else.
fn hint_once(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Refusal>() {
        Ok(mut refusal) => {
            let message = refusal.message.strip_suffix(refusal.hint.as_str()).unwrap_or(&refusal.message);
            refusal.message = message.trim_end().to_owned();
            refusal.into()
        }
        Err(error) => error,
    }
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// Bytes for people: `1.3 GB`; a dash for none.
fn size(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match STEPS.iter().find(|(step, _)| bytes >= *step) {
        _ if bytes == 0 => "–".to_owned(),
        Some((step, unit)) => format!("{}.{} {unit}", bytes / step, bytes % step * 10 / step),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_for_the_model_that_was_asked() {
        let has = [json!("m1"), json!("gpt-4o")];
        for (asked, model, expected) in [
            ("m1", "m1", true),
            ("house/m1", "m1", true),
            ("m1", "m1:latest", true),
            ("gpt-4o", "gpt-4o-2024-08-06", true),
            ("house/gpt-4o", "m1", false),
            ("m2", "m1", false),
            ("m2", "gpt-4o-2024-08-06", false),
            ("other/m1", "m1", false),
        ] {
            assert_eq!(is_asked(asked, "house", model, &has), expected, "{asked} {model}");
        }
    }

    #[test]
    fn a_hint_is_said_once() {
        let refusal = |message: &str| Refusal { code: "c".into(), message: message.into(), hint: "Do so.".into() };
        let said = |message: &str| hint_once(refusal(message).into()).downcast::<Refusal>().expect("a refusal");
        assert_eq!(said("It failed. Do so."), refusal("It failed."));
        assert_eq!(said("It failed."), refusal("It failed."));
    }

    #[test]
    fn sizes_and_bars_are_short_and_never_overflow() {
        for (bytes, words) in
            [(0, "–"), (999, "999 B"), (1_500, "1.5 kB"), (639_446_688, "639.4 MB"), (5_027_783_488, "5.0 GB")]
        {
            assert_eq!(size(bytes), words);
        }
        let pull = json!({ "name": "m", "bytes_here": 50, "bytes": 100, "bytes_per_second": 25 });
        assert_eq!(bar(&pull), "m [############............] 50 B of 100 B, 25 B a second, 2 s left");
        assert!(bar(&json!({})).contains("of 1 B"));
        assert_eq!(
            fits(&json!({ "fit": { "streams": { "tenths_per_token": 18 } } })),
            "larger than memory: at least 1.8 s for each token"
        );
    }
}
