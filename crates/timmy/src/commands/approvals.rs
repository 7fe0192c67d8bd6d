//! `timmy approvals`: what waits for your word, your word itself, and the rules you made.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Global, items, safe, text, when};
use crate::door::{Door, encode};

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// List approvals, newest first; those that wait, unless another state is named
    List {
        /// pending, approved, rejected, expired, superseded, withdrawn, consumed, revoked or all
        #[arg(long, default_value = "pending")]
        status: String,
        /// How many to list
        #[arg(long, default_value_t = 20, value_parser = super::limit)]
        limit: u16,
    },
    /// One approval: what, why, how risky, and what it touches
    Show {
        /// Its id
        id: String,
    },
    /// Say yes
    Approve(Word),
    /// Say no
    Reject(Word),
    /// Take back a yes that was not used
    Revoke(Word),
    /// The rules by which things happen without asking you
    Rules {
        #[command(subcommand)]
        act: Option<Rules>,
    },
}

#[derive(clap::Args)]
struct Word {
    /// Which; several are decided one by one
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Ask for your password, which what is very risky needs where one is set
    #[arg(long)]
    password: bool,
}

#[derive(Subcommand)]
enum Rules {
    /// List them, also those that ended
    List,
    /// What your answers of the past thirty days suggest
    Suggestions,
    /// Make a rule from a suggestion, by its number in the list of suggestions
    Accept {
        /// Its number
        number: usize,
    },
    /// Take one back
    Revoke {
        /// Its id
        id: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the door refuses, or there is no such suggestion.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    let usual = Act::List { status: "pending".to_owned(), limit: 20 };
    match args.act.unwrap_or(usual) {
        Act::List { status, limit } => {
            let status = if status == "all" { String::new() } else { status };
            let list = door.get(&format!("/api/approvals?status={}&limit={limit}", encode(&status))).await?;
            global.show(&list, lines);
        }
        Act::Show { id } => {
            let one = door.get(&format!("/api/approvals/{}", encode(&id))).await?;
            global.show(&one, card);
        }
        Act::Approve(word) => decide(global, &door, "approve", word).await?,
        Act::Reject(word) => decide(global, &door, "reject", word).await?,
        Act::Revoke(word) => decide(global, &door, "revoke", word).await?,
        Act::Rules { act } => rules(global, &door, act.unwrap_or(Rules::List)).await?,
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn decide(global: &Global, door: &Door, verb: &str, word: Word) -> Result<()> {
    let mut body = json!({"reason": word.reason});
    if word.password {
        body["password"] = super::password::current().await?.expose().into();
    }
    for id in &word.ids {
        let done = door.post(&format!("/api/approvals/{}/{verb}", encode(id)), body.clone()).await?;
        global.show(&done, |done| format!("{}: {}", text(done, "status"), safe(text(done, "title"), 200)));
    }
    Ok(())
}

async fn rules(global: &Global, door: &Door, act: Rules) -> Result<()> {
    match act {
        Rules::List => {
            let list = door.get("/api/rules").await?;
            global.show(&list, |list| {
                let row = |rule: &Value| {
                    let live = if rule["live"].as_bool() == Some(true) { "good" } else { "over" };
                    let uses = format!("{} of {} uses", rule["uses"], rule["max_uses"]);
                    let until = when(text(rule, "expires_at"));
                    format!("{}  {live}, {uses}, until {until}  {}", text(rule, "id"), safe(text(rule, "title"), 120))
                };
                or_none(items(list).iter().map(row), "There are no rules. Everything is asked for.")
            });
        }
        Rules::Suggestions => {
            let list = door.get("/api/rules/suggestions").await?;
            global.show(&list, |list| {
                let row = |(at, one): (usize, &Value)| {
                    format!("{}. {} ({} times yes)", at + 1, safe(text(one, "title"), 160), one["approvals"])
                };
                or_none(items(list).iter().enumerate().map(row), "Nothing is suggested.")
            });
        }
        Rules::Accept { number } => {
            let list = door.get("/api/rules/suggestions").await?;
            let one = number.checked_sub(1).and_then(|at| items(&list).get(at));
            let one = one.ok_or_else(|| anyhow::anyhow!("there is no suggestion {number}"))?;
            let made = door.post("/api/rules", one["shape"].clone()).await?;
            global.show(&made, |made| format!("A rule was made: {}", safe(text(made, "title"), 200)));
        }
        Rules::Revoke { id } => {
            let gone = door.post(&format!("/api/rules/{}/revoke", encode(&id)), json!({})).await?;
            global.show(&gone, |_| "The rule was taken back.".to_owned());
        }
    }
    Ok(())
}

fn or_none(rows: impl Iterator<Item = String>, none: &str) -> String {
    let rows: Vec<String> = rows.collect();
    if rows.is_empty() { none.to_owned() } else { rows.join("\n") }
}

fn lines(list: &Value) -> String {
    let row = |one: &Value| {
        let title = safe(text(one, "title"), 100);
        format!("{}  {:<9} risk {:>3}  {title}", text(one, "id"), text(one, "status"), one["risk"])
    };
    or_none(items(list).iter().map(row), "Nothing waits for you.")
}

fn card(one: &Value) -> String {
    let mut lines = vec![
        safe(text(one, "title"), 200),
        format!("{}, risk {} of 100, until {}", text(one, "status"), one["risk"], when(text(one, "expires_at"))),
        safe(text(one, "description"), 1_000),
    ];
    lines.extend(text(one, "proposed_action").lines().map(|line| format!("  {}", safe(line, 1_000))));
    let list = |field: &str| one[field].as_array().cloned().unwrap_or_default();
    for factor in list("factors") {
        lines.push(format!("  {:>5} {}", factor["points"], safe(text(&factor, "words"), 300)));
    }
    for file in list("files") {
        lines.push(format!("  {} {}", text(&file, "how"), safe(text(&file, "path"), 300)));
    }
    for host in list("hosts") {
        lines.push(format!("  speaks to {}", safe(host.as_str().unwrap_or_default(), 300)));
    }
    match text(one, "undo") {
        "" => lines.push("It cannot be undone.".to_owned()),
        undo => lines.push(format!("Undo: {}", safe(undo, 300))),
    }
    if !text(one, "decided_by").is_empty() {
        let reason = safe(text(one, "reason"), 500);
        lines.push(format!(
            "Decided by {} at {}. {reason}",
            safe(text(one, "decided_by"), 80),
            when(text(one, "decided_at"))
        ));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}
