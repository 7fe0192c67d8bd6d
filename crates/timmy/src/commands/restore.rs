//! `timmy restore`: puts a backup in place of the home, or brings one area of it in.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use serde_json::json;
use timmy_core::backup::{FOLDER, Part};
use timmy_core::chance::hex;
use timmy_core::restore::{self, Prepared};
use tokio::signal::unix::{SignalKind, signal};

use super::backup::{area, clear_line, show_progress};
use super::{Global, Usage, refused, safe, when};
use crate::clock::{SystemClock, now};
use crate::wire;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    /// The backup: a file, or the name of one in the folder backups of the home
    file: PathBuf,
    /// Only bring one area in; what is here stays: thoughts, talk, watch, mind or settings
    #[arg(long, value_name = "AREA", value_parser = area)]
    only: Option<Part>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command. It has the home to itself, and the database that is there may be damaged.
///
/// # Errors
/// When a server runs, when the backup is not whole, or when the disk refuses.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    let home = &global.home;
    home.create()?;
    let Some(_lock) = home.lock()? else {
        match home.running() {
            Ok(Some(run)) => bail!(
                "Timmy runs on this home, at http://{} (process {}). Stop him first; nothing was changed",
                run.address,
                run.pid
            ),
            _ => bail!("another timmy holds {}; stop it first. Nothing was changed", home.path.display()),
        }
    };
    // One that was begun and cut off comes first: then this one finds one home, and not two halves.
    restore::finish(&home.path).map_err(refused)?;
    let file = find(&home.path, &args.file)?;
    let given_up = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&given_up);
    let pace = Arc::new(move |done, total| {
        show_progress("checking", done, total);
        !asked.load(Ordering::Relaxed)
    });
    let name = hex(&wire::chance()?.bytes::<6>());
    let mut interrupt = signal(SignalKind::interrupt())?;
    let preparing = restore::prepare(&home.path, &file, &name, pace);
    tokio::pin!(preparing);
    let prepared = tokio::select! {
        prepared = &mut preparing => prepared,
        _ = interrupt.recv() => {
            given_up.store(true, Ordering::Relaxed);
            preparing.await
        }
    };
    clear_line();
    let prepared = prepared.map_err(refused)?;
    match args.only {
        Some(part) => bring_in(global, &prepared, part).await,
        None => replace(global, prepared, args.yes).await,
    }
}

/// The file that is meant: as it was typed, or in the folder of backups.
fn find(home: &Path, typed: &Path) -> Result<PathBuf> {
    if typed.exists() {
        return Ok(typed.to_owned());
    }
    let inside = home.join(FOLDER).join(typed);
    if typed.components().count() == 1 && inside.exists() {
        return Ok(inside);
    }
    bail!("there is no file {}; `timmy backup list` shows the backups of this home", typed.display())
}

async fn replace(global: &Global, prepared: Prepared, yes: bool) -> Result<ExitCode> {
    let manifest = &prepared.checked.manifest;
    if !manifest.is_whole() {
        let areas = safe(&manifest.areas.join(", "), 100);
        bail!("{} holds only {areas}; bring it in with --only {areas}", prepared.file());
    }
    if !yes && !agreed(&prepared, global.home.exists()).await? {
        bail!("nothing was changed");
    }
    let home = &global.home;
    let plan = restore::begin(&home.path, prepared, now()).map_err(refused)?;
    // Finishes the moves, opens the new database and tells it in its log.
    let clock = Arc::new(SystemClock::default());
    let store = wire::open_store(home, &clock, &wire::chance()?)?;
    let tokens = store.read(|r| r.tokens()).await.map(|t| t.len()).unwrap_or(0);
    store.close().await;
    let answer = json!({
        "restored": true,
        "file": plan.file,
        "made_at": plan.made_at,
        "last_seq": plan.last_seq,
        "kept_as": plan.suffix,
        "tokens": tokens,
    });
    global.show(&answer, |_| {
        let mut lines = vec![
            format!(
                "Restored: the home is as it was on {} UTC, up to event {}.",
                when(&plan.made_at.to_string()),
                plan.last_seq
            ),
            format!("  What was there before has names that end in {}", plan.suffix),
            "  Browsers log in again: `timmy login` prints a link once Timmy runs.".to_owned(),
            "  The password is the one of that time, or none as then; `timmy password set` sets another.".to_owned(),
        ];
        if tokens > 0 {
            lines.push(
                "  Tokens are those of that time; `timmy token list` shows them, also ones you have revoked since."
                    .to_owned(),
            );
        }
        lines.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

/// Asks a person; a script says --yes.
async fn agreed(prepared: &Prepared, replaces: bool) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Usage("restoring puts the backup in place of the home; add --yes when that is what you want").into()
        );
    }
    let manifest = &prepared.checked.manifest;
    let what = if replaces { "It takes the place of the present home, which is moved aside." } else { "" };
    let mut interrupt = signal(SignalKind::interrupt())?;
    write!(
        std::io::stderr(),
        "The backup was made {} UTC and goes up to event {}. {what} Go on? [y/N] ",
        when(&manifest.created_at.to_string()),
        manifest.last_seq
    )?;
    std::io::stderr().flush()?;
    let reading = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    // Since the check before, Ctrl-C no longer ends the process by itself.
    let answer = tokio::select! {
        answer = reading => answer??,
        _ = interrupt.recv() => {
            clear_line();
            return Ok(false);
        }
    };
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

async fn bring_in(global: &Global, prepared: &Prepared, part: Part) -> Result<ExitCode> {
    let home = &global.home;
    let clock = Arc::new(SystemClock::default());
    let store = wire::open_store(home, &clock, &wire::chance()?)?;
    let done = restore::bring_in(&store, &home.path, prepared, part, now()).await;
    store.close().await;
    let done = done.map_err(refused)?;
    let answer = json!({
        "area": part.name(),
        "added": done.added,
        "same": done.same,
        "refused": done.refused,
    });
    global.show(&answer, |_| {
        let mut text = format!(
            "Brought in {}: {} added, {} here already, {} left out.",
            part.name(),
            done.added,
            done.same,
            done.refused
        );
        if done.refused > 0 {
            text.push_str("\n  What differs from what is here, has no room or is not in order was left out; nothing here was changed.");
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}
