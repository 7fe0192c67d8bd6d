//! Making one: copy the database, take the mind into memory, pack both, and move the file into place.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use timmy_domain::{Problem, Timestamp};
use timmy_store::{Area, Contents, OnProgress, Still, StoreError};
use timmy_tools::archive::{self, Body, Manifest, Source};
use timmy_tools::{ToolError, machine};
use tokio_util::sync::CancellationToken;

use super::plan::{self, file_name};
use super::work::{self, WorkFolder};
use super::{Backups, FREE_TIMES, Made, Making, Part, Proof, Why, blocking};
use crate::app::RUNNING_KEY;
use crate::chance::hex;

/// Bytes of the mind with its history that are taken along.
pub const MIND_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of `timmy.toml` that are taken along.
const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;
/// Backups of one minute that are told apart.
const AGAIN_MAX: u32 = 1_000;
/// Removes what backups left that were killed: nobody else makes one now.
fn clear(folder: &Path) {
    work::clear(folder, |name| !name.starts_with("restore-"));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("timmy-") && name.ends_with(".new") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Backups {
    /// Reports `step` and asks whether to go on.
    pub(super) fn pace(&self, step: &'static str, stop: &CancellationToken) -> OnProgress {
        let (this, stop) = (self.clone(), stop.clone());
        let since = this.making().map_or_else(|| this.0.ctx.now(), |m| m.since);
        Arc::new(move |done_bytes, total_bytes| {
            this.say(Some(Making { step, done_bytes, total_bytes, since }));
            !stop.is_cancelled() && !this.0.ctx.stop.is_cancelled()
        })
    }

    /// Makes the file.
    pub(super) async fn make_file(&self, part: Part, why: Why, stop: &CancellationToken) -> Result<Made, Problem> {
        let ctx = &self.0.ctx;
        let (folder, home, now) = (self.folder(), self.home().to_owned(), ctx.now());
        let files = self.database_bytes();
        let name = hex(&ctx.chance.bytes::<6>());
        let (at, from) = (folder.clone(), home.clone());
        let work = blocking(move || {
            let (free, needed) = room(&from, files);
            if free < needed {
                return Err(short(free, needed));
            }
            clear(&at);
            WorkFolder::make(&at, &name)
        })
        .await?;
        let contents = match part {
            Part::Home | Part::Rows(_) => {
                let copy = work.path().join("timmy.db");
                let copied = ctx.store.copy_to(copy, &[RUNNING_KEY], self.pace("copying", stop));
                Some(copied.await.map_err(|e| e.problem())?)
            }
            Part::Mind | Part::Settings => None,
        };
        let pace = self.pace("packing", stop);
        blocking(move || {
            let packing = Packing { home: &home, work: work.path(), folder: &folder, now, part, why };
            packing.run(contents, &*pace)
        })
        .await
    }

    /// Bytes of the database with its write-ahead log.
    pub(super) fn database_bytes(&self) -> u64 {
        let stats = self.0.ctx.store.stats();
        stats.file_bytes.saturating_add(stats.wal_bytes)
    }
}

/// Bytes that are free on the disk of the home at `home`, and bytes that must be before a backup is begun:
/// twice what goes into it. `database` is what the database has.
pub(super) fn room(home: &Path, database: u64) -> (u64, u64) {
    let folders = tree_bytes(&home.join("mind")).saturating_add(tree_bytes(&home.join("blobs")));
    let needed = database.saturating_add(folders).saturating_mul(FREE_TIMES);
    // A system that does not tell is trusted; a disk that fills up stops the backup all the same.
    (machine::disk_free_bytes(home).unwrap_or(u64::MAX), needed)
}

/// Bytes of the files below `dir`, without following links.
fn tree_bytes(dir: &Path) -> u64 {
    let (mut left, mut bytes, mut seen) = (vec![dir.to_owned()], 0_u64, 0);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            seen += 1;
            match entry.metadata() {
                _ if seen > archive::ENTRIES_MAX => return bytes,
                Ok(meta) if meta.is_dir() => left.push(entry.path()),
                Ok(meta) if meta.is_file() => bytes = bytes.saturating_add(meta.len()),
                _ => {}
            }
        }
    }
    bytes
}

/// The refusal when the disk has too little room.
fn short(free: u64, needed: u64) -> Problem {
    let message = format!("The disk has too little room: {} MiB are free, {} MiB should be.", free >> 20, needed >> 20);
    Problem::unavailable("disk_short", message, "Make room on the disk, then try again.")
}

struct Packing<'a> {
    home: &'a Path,
    work: &'a Path,
    folder: &'a Path,
    now: Timestamp,
    part: Part,
    why: Why,
}

impl Packing<'_> {
    fn run(
        &self,
        contents: Option<Contents>,
        pace: &(dyn Fn(u64, u64) -> bool + Send + Sync),
    ) -> Result<Made, Problem> {
        let mut manifest = Manifest::new(self.now, self.why.name(), env!("CARGO_PKG_VERSION"));
        manifest.areas = vec![self.part.name().to_owned()];
        if let Some(contents) = contents {
            manifest.schema_version = contents.schema_version;
            manifest.last_seq = contents.last_seq;
            manifest.head_hash = contents.head_hash;
            manifest.tables = contents.tables;
        }
        let mut sources = Vec::new();
        let taken = match self.part {
            Part::Home => {
                let copy = Body::File(self.work.join("timmy.db"));
                sources.push(Source { path: "timmy.db".to_owned(), executable: false, body: copy });
                self.settings(&mut manifest, &mut sources)
                    .and_then(|()| self.folder("mind", MIND_BYTES_MAX, true, &mut manifest, &mut sources))
                    .and_then(|()| {
                        self.folder("blobs", archive::UNPACKED_BYTES_MAX, false, &mut manifest, &mut sources)
                    })
            }
            Part::Mind => self.folder("mind", MIND_BYTES_MAX, true, &mut manifest, &mut sources),
            Part::Settings => self.settings(&mut manifest, &mut sources),
            Part::Rows(area) => {
                sources.push(self.rows(area, &mut manifest).map_err(|e| e.problem())?);
                Ok(())
            }
        };
        taken.map_err(|e| e.problem())?;
        if sources.is_empty() {
            let name = self.part.name();
            let message = match manifest.left_out.first() {
                None => format!("There is nothing to back up: the home has no {name}."),
                Some(left) => format!("There is nothing to back up of {name}: {left}."),
            };
            return Err(Problem::unknown("nothing_there", message, "Leave --only out for everything there is."));
        }
        let to = self.free_name()?;
        let manifest =
            archive::pack(&to, manifest, &sources, &|done, total| pace(done, total)).map_err(|e| e.problem())?;
        Ok(Made {
            file: to.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: fs::metadata(&to).map_or(0, |m| m.len()),
            path: to,
            areas: manifest.areas,
            last_seq: manifest.last_seq,
            left_out: manifest.left_out,
            drilled: false,
            proof: Proof::Unproven,
        })
    }

    /// A name that is free.
    fn free_name(&self) -> Result<PathBuf, Problem> {
        let beginning = match (self.part, self.why) {
            (Part::Home, Why::Nightly) => plan::NIGHTLY.to_owned(),
            (Part::Home, Why::Owner) => plan::ASKED.to_owned(),
            (part, _) => format!("timmy-{}-", part.name()),
        };
        let names = (0..AGAIN_MAX).map(|again| self.folder.join(file_name(&beginning, self.now, again)));
        names.into_iter().find(|path| !path.exists()).ok_or_else(|| {
            let message = format!("There are {AGAIN_MAX} backups of this minute already.");
            Problem::conflict("too_many_backups", message, "Move some of them elsewhere.")
        })
    }

    /// The settings, when there are any.
    fn settings(&self, manifest: &mut Manifest, sources: &mut Vec<Source>) -> Result<(), ToolError> {
        let path = self.home.join("timmy.toml");
        let Some(meta) = look(&path)? else { return Ok(()) };
        let why = match unfit(&meta, meta.is_file()) {
            None if meta.len() > SETTINGS_BYTES_MAX => Some(format!("over {} KiB", SETTINGS_BYTES_MAX >> 10)),
            other => other.map(str::to_owned),
        };
        if let Some(why) = why {
            manifest.left_out.push(format!("timmy.toml ({why})"));
            return Ok(());
        }
        let text = fs::read(&path).map_err(|e| ToolError::io(format!("reading {}", path.display()), e))?;
        sources.push(Source { path: "timmy.toml".to_owned(), executable: false, body: Body::Bytes(text) });
        Ok(())
    }

    /// A folder of the home, when it is there.
    fn folder(
        &self,
        name: &str,
        bytes_max: u64,
        in_memory: bool,
        manifest: &mut Manifest,
        sources: &mut Vec<Source>,
    ) -> Result<(), ToolError> {
        let at = self.home.join(name);
        let Some(meta) = look(&at)? else { return Ok(()) };
        if let Some(why) = unfit(&meta, meta.is_dir()) {
            manifest.left_out.push(format!("{name} ({why})"));
            return Ok(());
        }
        let tree = archive::capture(&at, name, bytes_max, in_memory)?;
        manifest.folders.extend(tree.folders);
        manifest.left_out.extend(tree.left_out);
        sources.extend(tree.files);
        Ok(())
    }

    /// The rows of one area, from the copy.
    fn rows(&self, area: Area, manifest: &mut Manifest) -> Result<Source, StoreError> {
        let wrong = |e: std::io::Error| StoreError::Disk { message: format!("the export was not stored: {e}") };
        let still = Still::open(&self.work.join("timmy.db"), self.work)?;
        let path = self.work.join("rows");
        let mut out = BufWriter::new(File::create(&path).map_err(wrong)?);
        let lines = still.export(area, &mut out)?;
        out.flush().map_err(wrong)?;
        manifest.tables = [(area.name().to_owned(), i64::try_from(lines).unwrap_or(i64::MAX))].into();
        Ok(Source { path: format!("areas/{}.ndjson", area.name()), executable: false, body: Body::File(path) })
    }
}

/// What lies at `at`, without following a link; `None` when nothing does.
fn look(at: &Path) -> Result<Option<fs::Metadata>, ToolError> {
    match fs::symlink_metadata(at) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ToolError::io(format!("looking at {}", at.display()), error)),
    }
}

/// Why something of the home is left out: a link may lead anywhere and is not followed, and what is of another kind
/// than it should be would not come back as what it is.
fn unfit(meta: &fs::Metadata, is_expected: bool) -> Option<&'static str> {
    match meta.is_symlink() {
        true => Some("a link, which is not followed"),
        false if is_expected => None,
        false if meta.is_dir() => Some("a folder, where a file should be"),
        false if meta.is_file() => Some("a file, where a folder should be"),
        false => Some("neither a file nor a folder"),
    }
}
