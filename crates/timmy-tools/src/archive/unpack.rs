//! Reading an archive: into an empty folder, only what its manifest names, and only as it says.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};
use timmy_domain::text::{cut, one_line};

use super::pack::hex;
use super::{FileEntry, GIVEN_UP, MANIFEST, MANIFEST_BYTES_MAX, Manifest, OnProgress, PIECE_BYTES, is_plain};
use crate::ToolError;

/// Bytes that may follow the last file: the format fills its last block.
const TAIL_BYTES_MAX: u64 = 1024 * 1024;

type Pressed = GzDecoder<BufReader<File>>;

fn bad(from: &Path, finding: impl Into<String>) -> ToolError {
    ToolError::BadArchive { path: from.to_owned(), finding: finding.into() }
}

fn open(from: &Path) -> Result<Archive<Pressed>, ToolError> {
    let file = File::open(from).map_err(|e| ToolError::io(format!("opening {}", from.display()), e))?;
    Ok(Archive::new(GzDecoder::new(BufReader::new(file))))
}

/// The manifest of the archive at `from`; its files are not looked at.
///
/// # Errors
/// [`ToolError::BadArchive`] when it is none of Timmy's; [`ToolError::Io`] when it cannot be opened.
pub fn read_manifest(from: &Path) -> Result<Manifest, ToolError> {
    let mut archive = open(from)?;
    let mut entries = archive.entries().map_err(|e| bad(from, e.to_string()))?.raw(true);
    first(from, &mut entries)
}

fn first<R: Read>(from: &Path, entries: &mut tar::Entries<'_, R>) -> Result<Manifest, ToolError> {
    let not_ours = || bad(from, "it is no backup of Timmy's, or its beginning is damaged");
    let mut entry = entries.next().ok_or_else(not_ours)?.map_err(|_| not_ours())?;
    if path_of(&entry).as_deref() != Some(MANIFEST) || entry.header().entry_type() != EntryType::Regular {
        return Err(not_ours());
    }
    if entry.header().entry_size().map_or(true, |bytes| bytes > MANIFEST_BYTES_MAX) {
        return Err(bad(from, format!("its manifest is over {} MiB", MANIFEST_BYTES_MAX >> 20)));
    }
    let mut text = Vec::new();
    entry.by_ref().take(MANIFEST_BYTES_MAX).read_to_end(&mut text).map_err(|_| not_ours())?;
    Manifest::parse(&text).map_err(|finding| bad(from, finding))
}

fn path_of<R: Read>(entry: &Entry<'_, R>) -> Option<String> {
    let bytes = entry.header().path_bytes();
    std::str::from_utf8(&bytes).ok().map(|path| path.trim_end_matches('/').to_owned())
}

/// Unpacks the archive at `from` into `into`, an empty folder of the caller's, and checks every file
/// against the manifest. Links, devices, paths that lead elsewhere, files nobody named and files larger
/// than named are refused; nothing is ever written outside of `into`.
///
/// # Errors
/// [`ToolError::BadArchive`] with what is wrong; [`ToolError::Stopped`]; [`ToolError::Io`].
pub fn unpack(from: &Path, into: &Path, on_progress: OnProgress<'_>) -> Result<Manifest, ToolError> {
    let mut archive = open(from)?;
    let damaged = |e: io::Error| bad(from, format!("it is damaged: {}", cut(&one_line(&e.to_string()), 160)));
    let mut entries = archive.entries().map_err(damaged)?.raw(true);
    let manifest = first(from, &mut entries)?;
    let free = rustix::fs::statvfs(into).map_or(u64::MAX, |d| d.f_bavail.saturating_mul(d.f_frsize));
    if manifest.bytes() > free {
        let (needed, free) = (manifest.bytes() >> 20, free >> 20);
        let what = format!("unpacking {} ({needed} MiB needed, {free} MiB free)", from.display());
        return Err(ToolError::io(what, io::ErrorKind::StorageFull.into()));
    }
    let mut awaited: BTreeMap<&str, &FileEntry> = manifest.files.iter().map(|f| (f.path.as_str(), f)).collect();
    let mut work = Work { into, done: 0, total: manifest.bytes(), on_progress };
    for entry in entries {
        let mut entry = entry.map_err(damaged)?;
        let path = path_of(&entry).filter(|path| is_plain(path));
        let Some(path) = path else { return Err(bad(from, "it holds a file whose name leads elsewhere")) };
        let shown = cut(&path, 120);
        match entry.header().entry_type() {
            EntryType::Directory if manifest.folders.contains(&path) => {
                work.folder(&path).map_err(|e| ToolError::io(format!("making {shown}"), e))?;
            }
            EntryType::Regular => {
                let Some(told) = awaited.remove(path.as_str()) else {
                    return Err(bad(from, format!("its manifest does not name {shown}, or the file is there twice")));
                };
                if entry.header().entry_size().ok() != Some(told.bytes) {
                    return Err(bad(from, format!("{shown} has another size than its manifest says")));
                }
                let hash = work.file(told, &mut entry).map_err(|e| broken(from, &shown, e))?;
                if hash != told.sha256 {
                    return Err(bad(from, format!("{shown} is not as it was packed: its hash differs")));
                }
            }
            _ => return Err(bad(from, format!("{shown} is a link or something else that no backup holds"))),
        }
    }
    if let Some(missing) = awaited.keys().next() {
        return Err(bad(from, format!("{} of its files are missing, such as {}", awaited.len(), cut(missing, 120))));
    }
    // The checksum of the whole stands at its very end.
    let mut tail = archive.into_inner().take(TAIL_BYTES_MAX);
    io::copy(&mut tail, &mut io::sink()).map_err(damaged)?;
    Ok(manifest)
}

fn broken(from: &Path, shown: &str, error: io::Error) -> ToolError {
    match error.kind() {
        GIVEN_UP => ToolError::Stopped,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            bad(from, format!("{shown} cannot be read: the archive is damaged or cut off"))
        }
        _ => ToolError::io(format!("unpacking {shown}"), error),
    }
}

struct Work<'a> {
    into: &'a Path,
    done: u64,
    total: u64,
    on_progress: OnProgress<'a>,
}

impl Work<'_> {
    /// `path` is plain, and everything below `into` was made here, so no link lies on the way.
    fn folder(&self, path: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.into.join(path))
    }

    /// Writes one file and answers its hash.
    fn file(&mut self, told: &FileEntry, content: &mut impl Read) -> io::Result<String> {
        if let Some((folder, _)) = told.path.rsplit_once('/') {
            self.folder(folder)?;
        }
        let mode = if told.executable { 0o700 } else { 0o600 };
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(self.into.join(&told.path))?;
        let (mut out, mut hasher) = (BufWriter::new(file), Sha256::new());
        let (mut piece, mut left) = (vec![0; PIECE_BYTES], told.bytes);
        while left > 0 {
            let wanted = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = content.read(&mut piece[..wanted])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&piece[..read]);
            out.write_all(&piece[..read])?;
            left -= read as u64;
            self.done += read as u64;
            if !(self.on_progress)(self.done, self.total) {
                return Err(GIVEN_UP.into());
            }
        }
        out.flush()?;
        Ok(hex(hasher))
    }
}

/// Brings everything below `folder` onto the disk, the folder itself last.
///
/// # Errors
/// What the disk said.
pub fn make_durable(folder: &Path) -> Result<(), ToolError> {
    fn walk(at: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(at)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                walk(&entry.path())?;
            } else if kind.is_file() {
                File::open(entry.path())?.sync_all()?;
            }
        }
        File::open(at)?.sync_all()
    }
    walk(folder).map_err(|e| ToolError::io(format!("storing {}", folder.display()), e))
}
