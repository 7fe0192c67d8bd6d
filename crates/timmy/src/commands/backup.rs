//! `timmy backup`: one file with everything that is Timmy, made while he runs.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use timmy_core::backup::{self, FOLDER, Lying, Part, Proof, drill};
use timmy_domain::text::plural;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Global, refused, safe, text};
use crate::door::Door;
use crate::home::Home;
use crate::say;

/// How often progress is asked for, in milliseconds.
const PROGRESS_MS: u64 = 300;
/// How long a backup that was given up may take to clear away, in milliseconds.
const CLEAR_MS_MAX: u64 = 10_000;
/// The exit code of a backup that was made and whose check did not come to its end.
const NOT_CHECKED: u8 = 3;

/// What the command takes.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    /// Where to put it: a folder, or a file that is not there yet [default: backups in the home]
    #[arg(long, value_name = "FILE|DIR")]
    to: Option<PathBuf>,
    /// Only one area, to bring it into another home: thoughts, talk, watch, events, mind or settings
    #[arg(long, value_name = "AREA", value_parser = area)]
    only: Option<Part>,
}

#[derive(Subcommand)]
enum Act {
    /// List the backups in the home
    List,
    /// Check a backup as a restore would, without touching the home
    Verify {
        /// The backup
        file: PathBuf,
    },
}

/// Reads the name of an area.
///
/// # Errors
/// In the words of the house when there is none of that name.
pub fn area(text: &str) -> Result<Part, String> {
    text.parse::<Part>().map_err(|problem| format!("{} {}", problem.message.to_lowercase(), problem.hint))
}

/// Runs the command.
///
/// # Errors
/// When the backup cannot be made, or is not whole.
pub async fn run(global: &Global, args: Args) -> Result<ExitCode> {
    match args.act {
        Some(Act::List) => list(global),
        Some(Act::Verify { file }) => verify(global, &file).await,
        None => make(global, args.only, args.to).await,
    }
}

async fn make(global: &Global, only: Option<Part>, to: Option<PathBuf>) -> Result<ExitCode> {
    // Refused before anything is done: a backup of minutes that has nowhere to go helps nobody.
    let to = to.map(|to| place(&to)).transpose()?;
    // Before the work begins: Ctrl-C clears away from its first moment on.
    let mut asked = Asked::to_stop()?;
    let before = lying(&global.home);
    let door = Door::open(global).await?;
    let body = only.map_or_else(|| json!({}), |part| json!({"only": part.name()}));
    let mut made = tokio::select! {
        made = door.post("/api/backups", body) => made,
        never = progress(&door) => match never {},
        () = asked.wait() => {
            wait_until_cleared(&door).await;
            door.close().await;
            return Err(given_up(&global.home, &before));
        }
    }?;
    clear_line();
    door.close().await;
    let whole = only.is_none();
    let proof = proof(&global.home, &made);
    if whole {
        made["checked"] = json!(proof.name());
    }
    if let Some(to) = to {
        let from = PathBuf::from(text(&made, "path"));
        let file = from.file_name().unwrap_or_default().to_owned();
        let to = if to.is_dir() { to.join(file) } else { to };
        move_out(&from, &to).with_context(|| format!("the backup stays at {}", from.display()))?;
        made["path"] = json!(to.display().to_string());
        made["file"] = json!(to.file_name().unwrap_or_default().to_string_lossy());
    }
    global.show(&made, |m| told(m, whole.then_some(proof)));
    Ok(match proof {
        Proof::Failed if whole => ExitCode::FAILURE,
        Proof::Unproven if whole => ExitCode::from(NOT_CHECKED),
        _ => ExitCode::SUCCESS,
    })
}

/// The backup that was made, in lines; `proof` is what is known of a whole one.
fn told(made: &Value, proof: Option<Proof>) -> String {
    let mib = size(made.get("bytes").and_then(Value::as_u64).unwrap_or(0));
    let path = safe(text(made, "path"), 500);
    let mut lines = vec![format!("{path}\n  {mib}, {}", held(made))];
    let left: Vec<&str> =
        made.get("left_out").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    lines.extend(left_out(&left));
    lines.push(match proof {
        Some(Proof::Proven) if left.is_empty() => "  checked as a restore would: it is whole".to_owned(),
        Some(Proof::Proven) => "  checked as a restore would: what is in it is whole".to_owned(),
        Some(Proof::Failed) => "  CHECKED, AND IT WOULD NOT RESTORE; `timmy backup verify` says why".to_owned(),
        Some(Proof::Unproven) => format!("  NOT CHECKED TO THE END; `timmy backup verify {path}` does it"),
        None => "  bring it into another home with `timmy restore FILE --only AREA`".to_owned(),
    });
    lines.push("  secrets.toml is in no backup; keep a copy of it yourself".to_owned());
    lines.join("\n")
}

/// The line about what could not be taken along.
fn left_out(left: &[&str]) -> Option<String> {
    let what = safe(&left.join(", "), 300);
    (!left.is_empty()).then(|| format!("  LEFT OUT, as only plain files are taken and no link is followed: {what}"))
}

/// What the check of the backup that was `made` found. Its note says it; an older server leaves none and says only
/// whether it is whole.
fn proof(home: &Home, made: &Value) -> Proof {
    if made.get("drilled").and_then(Value::as_bool).unwrap_or(false) {
        return Proof::Proven;
    }
    let file = text(made, "file");
    lying(home).into_iter().find(|lying| lying.file == file).map_or(Proof::Unproven, |lying| lying.proof)
}

/// The backups in the home; none when they cannot be read.
fn lying(home: &Home) -> Vec<Lying> {
    backup::list(&home.path.join(FOLDER)).unwrap_or_default()
}

/// What is said when the owner gave a backup up: one that was already there and only being checked stays.
fn given_up(home: &Home, before: &[Lying]) -> anyhow::Error {
    let known = |lying: &Lying| before.iter().any(|one| one.file == lying.file);
    match lying(home).into_iter().find(|lying| !lying.nightly && !known(lying)) {
        None => anyhow::anyhow!("stopped; no backup was made and nothing of it is left"),
        Some(made) => {
            let path = made.path.display();
            anyhow::anyhow!(
                "stopped while it was checked; the backup was made and is not checked to the end. `timmy backup verify {path}` does it"
            )
        }
    }
}

/// Whoever asks a command to stop: Ctrl-C, or the system. Listening begins with the value.
struct Asked(Signal, Signal);

impl Asked {
    fn to_stop() -> Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// What a backup holds, in words.
fn held(made: &Value) -> String {
    let areas: Vec<&str> =
        made.get("areas").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if areas == ["home"] {
        let last = made.get("last_seq").and_then(Value::as_i64).unwrap_or(0);
        format!("everything up to event {last}")
    } else {
        format!("only {}", areas.join(", "))
    }
}

/// Where it goes: an existing folder, or a file that is not there yet in an existing folder.
fn place(to: &Path) -> Result<PathBuf> {
    let to = std::path::absolute(to)?;
    if to.is_dir() {
        return Ok(to);
    }
    if to.symlink_metadata().is_ok() {
        bail!("{} is there already; name another file", to.display());
    }
    if !to.parent().is_some_and(Path::is_dir) {
        bail!("the folder of {} is not there; make it first", to.display());
    }
    Ok(to)
}

/// Moves the file, also onto another disk: there it has its name only once it is whole.
fn move_out(from: &Path, to: &Path) -> Result<()> {
    if to.symlink_metadata().is_ok() {
        bail!("{} is there already", to.display());
    }
    let folder = to.parent().unwrap_or(Path::new("."));
    match fs::rename(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let mut name = to.as_os_str().to_owned();
            name.push(".new");
            let draft = PathBuf::from(name);
            let copied = copy(from, &draft).and_then(|()| fs::rename(&draft, to));
            if let Err(error) = copied {
                // The draft is ours and incomplete.
                let _ = fs::remove_file(&draft);
                return Err(error).with_context(|| format!("{} cannot be written", to.display()));
            }
            fs::remove_file(from)?;
        }
        Err(error) => return Err(error).with_context(|| format!("{} cannot be written", to.display())),
    }
    Ok(File::open(folder)?.sync_all()?)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    std::io::copy(&mut File::open(from)?, &mut out)?;
    out.sync_all()
}

/// Shows how far it is, for people, until it is dropped.
async fn progress(door: &Door) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(PROGRESS_MS)).await;
        if !std::io::stderr().is_terminal() {
            continue;
        }
        let Ok(state) = door.get("/api/backups").await else { continue };
        let Some(making) = state.get("making").filter(|m| m.is_object()) else { continue };
        let number = |name: &str| making.get(name).and_then(Value::as_u64).unwrap_or(0);
        show_progress(text(making, "step"), number("done_bytes"), number("total_bytes"));
    }
}

/// One line that is written over and over, only where a person reads.
pub fn show_progress(step: &str, done: u64, total: u64) {
    if std::io::stderr().is_terminal() {
        let percent = (done * 100).checked_div(total).unwrap_or(0).min(100);
        say::aside_part(&format!("\r\u{1b}[K{step} {percent} %"));
    }
}

/// Takes that line away again.
pub fn clear_line() {
    if std::io::stderr().is_terminal() {
        say::aside_part("\r\u{1b}[K");
    }
}

/// Waits until a backup that was given up is cleared away.
async fn wait_until_cleared(door: &Door) {
    clear_line();
    let cleared = async {
        while door.get("/api/backups").await.is_ok_and(|state| state["making"].is_object()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // What stays is cleared away by the next one.
    let _ = tokio::time::timeout(Duration::from_millis(CLEAR_MS_MAX), cleared).await;
}

/// Straight from the folder, so that it also works where the database does not.
fn list(global: &Global) -> Result<ExitCode> {
    let folder = global.home.path.join(FOLDER);
    let found = backup::list(&folder).map_err(refused)?;
    let item = |lying: &Lying| {
        let mut item = json!(lying);
        item["checked"] = json!(lying.proof.name());
        item
    };
    let answer = json!({"items": found.iter().map(item).collect::<Vec<_>>(), "next": null, "folder": folder});
    global.show(&answer, |_| {
        if found.is_empty() {
            return format!("There are no backups in {}.\nMake one with `timmy backup`.", folder.display());
        }
        let row = |l: &Lying| {
            let what = if l.nightly { "nightly" } else { l.area.as_str() };
            // Only a whole one is checked by itself.
            let proof = if l.area == "home" { l.proof.name() } else { "" };
            let at = l.created_at.to_string();
            format!("{}  {:<9} {:>10}  {proof:<17}  {}", super::when(&at), what, size(l.bytes), l.file)
        };
        found.iter().map(row).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes >> 20),
    }
}

async fn verify(global: &Global, file: &Path) -> Result<ExitCode> {
    let mut asked = Asked::to_stop()?;
    let given_up = Arc::new(AtomicBool::new(false));
    let stops = Arc::clone(&given_up);
    let pace = Arc::new(move |done, total| {
        show_progress("checking", done, total);
        !stops.load(Ordering::Relaxed)
    });
    let checking = drill::check(file.to_owned(), scratch(&global.home), pace);
    tokio::pin!(checking);
    let checked = tokio::select! {
        checked = &mut checking => checked,
        // To its end, which is near now: then what was unpacked is cleared away.
        () = asked.wait() => {
            given_up.store(true, Ordering::Relaxed);
            checking.await
        }
    };
    clear_line();
    let found = checked.map_err(refused)?;
    let manifest = &found.manifest;
    let answer = json!({
        "ok": true,
        "file": file,
        "created_at": manifest.created_at,
        "timmy_version": manifest.timmy_version,
        "areas": manifest.areas,
        "last_seq": manifest.last_seq,
        "events": found.events,
        "rows": found.rows,
        "files": manifest.files.len(),
        "left_out": manifest.left_out,
    });
    global.show(&answer, |_| verified(&found));
    Ok(ExitCode::SUCCESS)
}

/// A backup that is whole, in lines.
fn verified(found: &drill::Checked) -> String {
    let manifest = &found.manifest;
    let at = manifest.created_at.to_string();
    let what = if manifest.is_whole() {
        format!("everything up to event {}", manifest.last_seq)
    } else {
        format!("only {}", safe(&manifest.areas.join(", "), 100))
    };
    let mut lines = vec![format!(
        "The backup is whole: {what}, made {} UTC by Timmy {}.\n  Checked: {}, {}, {}.",
        super::when(&at),
        safe(&manifest.timmy_version, 40),
        plural(manifest.files.len() as u64, "file", "files"),
        plural(found.rows.unsigned_abs(), "row", "rows"),
        plural(found.events.unsigned_abs(), "event of the chain", "events of the chain")
    )];
    lines.extend(left_out(&manifest.left_out.iter().map(String::as_str).collect::<Vec<_>>()));
    lines.join("\n")
}

/// Where a backup or a database is copied to look at it: with the backups of the home, where there is room for what is
/// in them and nobody else may look; with the temporary files where the home is gone or cannot be written.
pub fn scratch(home: &Home) -> PathBuf {
    let folder = home.path.join(FOLDER);
    let place = if folder.is_dir() { &folder } else { &home.path };
    let writable = rustix::fs::access(place, rustix::fs::Access::WRITE_OK).is_ok();
    if place.is_dir() && writable { folder } else { std::env::temp_dir() }
}
