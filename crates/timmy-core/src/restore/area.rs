//! Bringing one area of a backup into this home. What is here stays as it is.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use timmy_domain::event::AreaImported;
use timmy_domain::{Actor, NewEvent, Problem, Timestamp};
use timmy_store::{Area, Imported, Still, Store, StoreError};
use timmy_tools::archive::{Body, capture};

use super::{ASIDE, Prepared, disk};
use crate::backup::drill::{commit_of, rows_of};
use crate::backup::{MIND_BYTES_MAX, Part, blocking};

/// Brings `part` of `prepared` into the home at `home`, whose database is `store`: what is not here is
/// added, what is here stays. The change and its event are one transaction where the database changes.
///
/// # Errors
/// When the backup does not hold the area, when the area cannot be brought in, or what the disk said.
pub async fn bring_in(
    store: &Store,
    home: &Path,
    prepared: &Prepared,
    part: Part,
    now: Timestamp,
) -> Result<Imported, Problem> {
    let done = match part {
        Part::Rows(area) => return rows(store, prepared, area).await,
        Part::Mind => mind(home, prepared, now).await?,
        Part::Settings => settings(home, prepared)?,
        Part::Home => return Err(Problem::invalid("no_area", "A whole home is no area.", "Leave --only out.")),
    };
    let told = told(part.name(), prepared.file(), done);
    store.append(vec![told]).await.map_err(|e| e.problem())?;
    Ok(done)
}

fn told(area: &str, file: &str, done: Imported) -> NewEvent {
    let Imported { added, same, refused } = done;
    let body = AreaImported { area: area.to_owned(), file: file.to_owned(), added, same, refused };
    NewEvent::new("backup", body).by(Actor::Owner)
}

fn not_in_it(area: &str, prepared: &Prepared) -> Problem {
    let message = format!(
        "The backup {} holds no {area}; it holds {}.",
        prepared.file(),
        prepared.checked.manifest.areas.join(", ")
    );
    Problem::unknown("area_not_there", message, "Use another backup; `timmy backup list` shows what there is.")
}

async fn rows(store: &Store, prepared: &Prepared, area: Area) -> Result<Imported, Problem> {
    let folder = prepared.folder().to_owned();
    let path = folder.join(format!("areas/{}.ndjson", area.name()));
    if prepared.checked.manifest.is_whole() {
        let to = path.clone();
        blocking(move || export(&folder, area, &to).map_err(|e| e.problem())).await?;
    }
    if !path.exists() {
        return Err(not_in_it(area.name(), prepared));
    }
    let unreadable = |e: std::io::Error| disk("The area cannot be read", &e);
    let count = rows_of(&path).map_err(unreadable)?.count();
    let (count, file) = (i64::try_from(count).unwrap_or(i64::MAX), prepared.file().to_owned());
    let mut rows = rows_of(&path).map_err(unreadable)?;
    let brought = store.write(move |tx| {
        let done = tx.import(area, count, &mut rows)?;
        tx.append(told(area.name(), &file, done))?;
        Ok(done)
    });
    brought.await.map_err(|e| e.problem())
}

/// The rows of a whole backup.
fn export(folder: &Path, area: Area, to: &Path) -> Result<(), StoreError> {
    let wrong = |e: std::io::Error| StoreError::Disk { message: format!("the area was not unpacked: {e}") };
    fs::create_dir_all(folder.join("areas")).map_err(wrong)?;
    let mut out = BufWriter::new(File::create(to).map_err(wrong)?);
    Still::open(&folder.join("timmy.db"), folder)?.export(area, &mut out)?;
    out.flush().map_err(wrong)
}

/// The mind: where it has no readable history the one of the backup is put in its place and the other
/// moved aside; else only files that are not here are added.
async fn mind(home: &Path, prepared: &Prepared, now: Timestamp) -> Result<Imported, Problem> {
    let (from, to) = (prepared.folder().join("mind"), home.join("mind"));
    if !from.is_dir() {
        return Err(not_in_it("mind", prepared));
    }
    let whole = to.join(".git").is_dir() && commit_of(&to).await.is_ok();
    let better = from.join(".git").is_dir() && !whole;
    blocking(move || if better { put_in_place(&from, &to, now) } else { add_files(&from, &to) }).await
}

fn files_of(dir: &Path) -> Result<BTreeMap<String, (bool, Vec<u8>)>, Problem> {
    let tree = capture(dir, "mind", MIND_BYTES_MAX, true).map_err(|e| e.problem())?;
    let own = tree.files.into_iter().filter_map(|file| match file.body {
        Body::Bytes(bytes) => Some((file.path.strip_prefix("mind/")?.to_owned(), (file.executable, bytes))),
        Body::File(_) => None,
    });
    Ok(own.collect())
}

fn add_files(from: &Path, to: &Path) -> Result<Imported, Problem> {
    let mut done = Imported::default();
    let here = if to.is_dir() { files_of(to)? } else { BTreeMap::new() };
    let there = files_of(from)?;
    for (path, (executable, bytes)) in there.into_iter().filter(|(path, _)| !path.starts_with(".git/")) {
        match here.get(&path) {
            Some((_, own)) if *own == bytes => done.same += 1,
            Some(_) => done.refused += 1,
            None => {
                write_new(&to.join(&path), executable, &bytes)
                    .map_err(|e| disk(&format!("{path} was not added"), &e))?;
                done.added += 1;
            }
        }
    }
    Ok(done)
}

fn write_new(at: &Path, executable: bool, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder)?;
    }
    let mode = if executable { 0o700 } else { 0o600 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(at)?;
    file.write_all(bytes).and_then(|()| file.sync_all())
}

fn put_in_place(from: &Path, to: &Path, now: Timestamp) -> Result<Imported, Problem> {
    let added = files_of(from)?.keys().filter(|path| !path.starts_with(".git/")).count();
    let stamp: String = now.to_string()[..19].chars().filter(char::is_ascii_alphanumeric).collect();
    let aside = to.with_file_name(format!("mind{ASIDE}{stamp}Z"));
    let moved = super::rename(to, &aside).and_then(|()| fs::rename(from, to));
    moved.map_err(|e| disk("The mind could not be put in place", &e))?;
    Ok(Imported { added: i64::try_from(added).unwrap_or(i64::MAX), ..Imported::default() })
}

fn settings(home: &Path, prepared: &Prepared) -> Result<Imported, Problem> {
    let to = home.join("timmy.toml");
    let Ok(text) = fs::read(prepared.folder().join("timmy.toml")) else {
        return Err(not_in_it("settings", prepared));
    };
    match fs::read(&to) {
        Ok(own) if own == text => Ok(Imported { same: 1, ..Imported::default() }),
        Ok(_) => Ok(Imported { refused: 1, ..Imported::default() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_new(&to, false, &text).map_err(|e| disk("timmy.toml was not written", &e))?;
            Ok(Imported { added: 1, ..Imported::default() })
        }
        Err(error) => Err(disk("timmy.toml cannot be read", &error)),
    }
}
