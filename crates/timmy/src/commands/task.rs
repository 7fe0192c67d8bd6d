//! `timmy task` and `timmy tasks`: making tasks, reading them, and every act on them.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::{Global, Usage, items, safe, text, when};
use crate::door::{Door, encode};

/// What `timmy task` takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

/// What `timmy tasks` takes.
#[derive(clap::Args)]
pub struct ListArgs {
    /// `pending_approval`, `approved`, `running`, `paused`, `completed`, `vetoed`, `failed` or `backlogged`
    #[arg(long)]
    status: Option<String>,
    /// low, normal, high or urgent
    #[arg(long)]
    priority: Option<String>,
    /// Only those of this agent
    #[arg(long)]
    agent: Option<String>,
    /// How many to list
    #[arg(long, default_value_t = 20, value_parser = super::limit)]
    limit: u16,
}

#[derive(Subcommand)]
enum Act {
    /// Make a task
    Add(New),
    /// One task: what it is, where it stands, and the work on it
    Show {
        /// Its id
        id: String,
    },
    /// Let it begin
    Approve {
        #[command(flatten)]
        which: Which,
        /// Ask for your password, which what is very risky needs where one is set
        #[arg(long)]
        password: bool,
    },
    /// Say that it is not wanted
    Veto(Why),
    /// Stop the work for now
    Pause(Which),
    /// Let the work go on
    Resume(Which),
    /// Stop it for good
    Cancel(Why),
    /// Begin a failed one again
    Retry(Which),
    /// Lay it aside
    Backlog(Why),
    /// Take it up again
    Unbacklog(Which),
    /// Say that you did it yourself
    Complete {
        #[command(flatten)]
        which: Which,
        /// What came of it
        #[arg(long)]
        result: Option<String>,
    },
    /// Put it somewhere else in your order
    Move(Place),
    /// Change what it says
    Edit(Edit),
    /// What it produced
    Artifacts {
        /// Its id
        id: String,
        /// Show the beginning of this one
        #[arg(value_name = "N")]
        one: Option<i64>,
    },
    /// Say whether something it produced is good
    Rate(Rate),
    /// Send back what came of it: another task is to do it better
    SendBack {
        /// Its id
        id: String,
        /// What should be different
        #[arg(required = true)]
        words: Vec<String>,
        /// Which of the things it produced; else what came of it
        #[arg(long, value_name = "N")]
        artifact: Option<i64>,
    },
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("word").required(true))]
struct Rate {
    /// The task
    id: String,
    /// Which of its things
    n: i64,
    /// It is good
    #[arg(long, group = "word")]
    good: bool,
    /// It is not good
    #[arg(long, group = "word")]
    bad: bool,
    /// Why
    #[arg(long)]
    note: Option<String>,
}

#[derive(clap::Args)]
struct New {
    /// What is to be done
    #[arg(required = true)]
    words: Vec<String>,
    /// More about it
    #[arg(long)]
    description: Option<String>,
    /// What kind of work it is
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<String>,
    /// low, normal, high or urgent
    #[arg(long)]
    priority: Option<String>,
    /// Which agent is to do it
    #[arg(long)]
    agent: Option<String>,
    /// By when, such as 2027-01-31T12:00:00Z
    #[arg(long)]
    due: Option<String>,
    /// A task that has to be completed before it
    #[arg(long, value_name = "ID")]
    needs: Vec<String>,
    /// Let it wait for your word
    #[arg(long)]
    ask: bool,
    /// A word that makes it once only
    #[arg(long)]
    key: Option<String>,
}

#[derive(clap::Args)]
struct Which {
    /// Which; several are taken one by one
    #[arg(required = true)]
    ids: Vec<String>,
}

#[derive(clap::Args)]
struct Why {
    #[command(flatten)]
    which: Which,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("place").required(true))]
struct Place {
    /// Its id
    id: String,
    /// Before all others of its priority
    #[arg(long, group = "place")]
    top: bool,
    /// Behind all others of its priority
    #[arg(long, group = "place")]
    bottom: bool,
    /// Directly before this one
    #[arg(long, group = "place", value_name = "ID")]
    before: Option<String>,
    /// Directly behind this one
    #[arg(long, group = "place", value_name = "ID")]
    after: Option<String>,
}

#[derive(clap::Args)]
struct Edit {
    /// Its id
    id: String,
    /// Another title
    #[arg(long)]
    title: Option<String>,
    /// Another description
    #[arg(long)]
    description: Option<String>,
    /// low, normal, high or urgent
    #[arg(long)]
    priority: Option<String>,
    /// Another agent
    #[arg(long)]
    agent: Option<String>,
    /// Another time by which it is wanted; an empty one takes it away
    #[arg(long)]
    due: Option<String>,
}

/// The fields that were given.
fn said(fields: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Value {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    Value::Object(given.collect::<Map<_, _>>())
}

/// Runs `timmy task`.
///
/// # Errors
/// When the door refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    let nothing = json!({});
    match args.act {
        Act::Add(new) => add(global, &door, new).await?,
        Act::Show { id } => {
            let one = door.get(&format!("/api/tasks/{}", encode(&id))).await?;
            global.show(&one, card);
        }
        Act::Approve { which, password } => {
            let mut body = nothing;
            if password {
                body["password"] = super::password::current().await?.expose().into();
            }
            each(global, &door, "approve", &which, &body).await?;
        }
        Act::Veto(why) => each(global, &door, "veto", &why.which, &json!({"reason": why.reason})).await?,
        Act::Cancel(why) => each(global, &door, "cancel", &why.which, &json!({"reason": why.reason})).await?,
        Act::Backlog(why) => each(global, &door, "backlog", &why.which, &json!({"reason": why.reason})).await?,
        Act::Pause(which) => each(global, &door, "pause", &which, &nothing).await?,
        Act::Resume(which) => each(global, &door, "resume", &which, &nothing).await?,
        Act::Retry(which) => each(global, &door, "retry", &which, &nothing).await?,
        Act::Unbacklog(which) => each(global, &door, "unbacklog", &which, &nothing).await?,
        Act::Complete { which, result } => {
            each(global, &door, "complete", &which, &json!({"result": result})).await?;
        }
        Act::Move(to) => place(global, &door, to).await?,
        Act::Edit(edit) => change(global, &door, edit).await?,
        Act::Artifacts { id, one } => artifacts(global, &door, &id, one).await?,
        Act::Rate(rate) => {
            let path = format!("/api/tasks/{}/artifacts/{}/rate", encode(&rate.id), rate.n);
            let rated = door.post(&path, json!({"good": rate.good, "note": rate.note})).await?;
            global.show(&rated, thing);
        }
        Act::SendBack { id, words, artifact } => {
            let body = json!({"remark": words.join(" "), "artifact": artifact});
            let made = door.post(&format!("/api/tasks/{}/send-back", encode(&id)), body).await?;
            global.show(&made, line);
        }
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Runs `timmy tasks`.
///
/// # Errors
/// When the door refuses.
pub async fn list(global: &Global, args: ListArgs) -> Result<ExitCode> {
    let door = Door::open(global).await?;
    let mut path = format!("/api/tasks?limit={}", args.limit);
    for (name, value) in [("status", args.status), ("priority", args.priority), ("assigned_to", args.agent)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encode(&value)));
        }
    }
    let list = door.get(&path).await?;
    global.show(&list, |list| {
        let rows: Vec<String> = items(list).iter().map(line).collect();
        if rows.is_empty() { "There are no such tasks.".to_owned() } else { rows.join("\n") }
    });
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn add(global: &Global, door: &Door, new: New) -> Result<()> {
    let mut body = said([
        ("title", Some(new.words.join(" "))),
        ("description", new.description),
        ("task_type", new.kind),
        ("priority", new.priority),
        ("assigned_to", new.agent),
        ("due", new.due),
        ("idempotency_key", new.key),
    ]);
    body["needs"] = json!(new.needs);
    if new.ask {
        body["requires_approval"] = json!(true);
    }
    let made = door.post("/api/tasks", body).await?;
    global.show(&made, |made| format!("{}: {}", text(made, "status"), text(made, "id")));
    Ok(())
}

async fn each(global: &Global, door: &Door, verb: &str, which: &Which, body: &Value) -> Result<()> {
    for id in &which.ids {
        let done = door.post(&format!("/api/tasks/{}/{verb}", encode(id)), body.clone()).await?;
        global.show(&done, line);
    }
    Ok(())
}

async fn artifacts(global: &Global, door: &Door, id: &str, one: Option<i64>) -> Result<()> {
    let path = format!("/api/tasks/{}/artifacts", encode(id));
    if let Some(n) = one {
        let found = door.get(&format!("{path}/{n}")).await?;
        global.show(&found, |found| match found["text"].as_str() {
            Some(words) => format!("{}\n\n{}", thing(found), timmy_domain::text::shown(words)),
            None => format!("{}\nIt is no text.", thing(found)),
        });
        return Ok(());
    }
    let list = door.get(&path).await?;
    global.show(&list, |list| {
        let rows: Vec<String> = items(list).iter().map(thing).collect();
        if rows.is_empty() { "It produced nothing that is kept.".to_owned() } else { rows.join("\n") }
    });
    Ok(())
}

fn thing(one: &Value) -> String {
    let rated = one["good"].as_bool().map_or("not rated", |good| if good { "good" } else { "not good" });
    format!(
        "{:<6} {:<8} {:>9} bytes  {:<9} {}  {}",
        one["n"],
        safe(text(one, "kind"), 8),
        one["bytes"],
        rated,
        safe(text(one, "name"), 100),
        safe(text(one, "note"), 100),
    )
    .trim_end()
    .to_owned()
}

async fn place(global: &Global, door: &Door, to: Place) -> Result<()> {
    let end = if to.top { Some("top") } else { to.bottom.then_some("bottom") };
    let body = said([("to", end.map(str::to_owned)), ("before", to.before), ("after", to.after)]);
    let done = door.post(&format!("/api/tasks/{}/move", encode(&to.id)), body).await?;
    global.show(&done, line);
    Ok(())
}

async fn change(global: &Global, door: &Door, edit: Edit) -> Result<()> {
    let body = said([
        ("title", edit.title),
        ("description", edit.description),
        ("priority", edit.priority),
        ("assigned_to", edit.agent),
        ("due", edit.due),
    ]);
    if body == json!({}) {
        return Err(Usage("say what to change: --title, --description, --priority, --agent or --due").into());
    }
    let done = door.post(&format!("/api/tasks/{}/modify", encode(&edit.id)), body).await?;
    global.show(&done, line);
    Ok(())
}

fn line(task: &Value) -> String {
    format!(
        "{}  {:<16} {:<6} {:<10} {}",
        text(task, "id"),
        safe(text(task, "status"), 16),
        safe(text(task, "priority"), 10),
        safe(text(task, "assigned_to"), 20),
        safe(text(task, "title"), 100),
    )
}

fn card(task: &Value) -> String {
    let mut lines = vec![
        safe(text(task, "title"), 200),
        format!(
            "{}, {}, {} for {}, by {}, made {} UTC",
            safe(text(task, "status"), 40),
            safe(text(task, "priority"), 40),
            safe(text(task, "task_type"), 80),
            safe(text(task, "assigned_to"), 80),
            safe(&timmy_domain::task::maker(text(task, "created_by")), 120),
            when(text(task, "created_at")),
        ),
        safe(text(task, "description"), 2_000),
    ];
    for (field, word) in [("due", "Due"), ("not_before", "Not before")] {
        if !text(task, field).is_empty() {
            lines.push(format!("{word} {} UTC.", when(text(task, field))));
        }
    }
    for (field, word) in [("backlog_reason", "Laid aside"), ("result", "Result")] {
        if !text(task, field).is_empty() {
            lines.push(format!("{word}: {}", safe(text(task, field), 2_000)));
        }
    }
    for step in task["steps"].as_array().into_iter().flatten() {
        let (what, how) = (safe(text(step, "description"), 200), safe(text(step, "status"), 40));
        lines.push(format!("  {} {what}: {how} {}", when(text(step, "started_at")), safe(text(step, "output"), 500)));
        let proofs = step["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.extend(proofs.map(|proof| format!("    shown by: {}", safe(proof, 300))));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}
