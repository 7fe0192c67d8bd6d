//! Writing an archive: hashed first, then written beside its place, and moved there once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::capture::open_plain;
use super::{FileEntry, GIVEN_UP, MANIFEST, MANIFEST_BYTES_MAX, Manifest, OnProgress, PIECE_BYTES};
use crate::ToolError;

/// How hard to press, of 9: text shrinks to a fifth already, and a night is short on a small machine.
const PRESS_LEVEL: u32 = 3;

/// Where the content of a file comes from.
#[derive(Clone, Debug)]
pub enum Body {
    /// Memory.
    Bytes(Vec<u8>),
    /// A file that does not change meanwhile.
    File(PathBuf),
}

/// One file to pack.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path inside the archive.
    pub path: String,
    /// Whether its owner may run it.
    pub executable: bool,
    /// Its content.
    pub body: Body,
}

/// Writes `sources` with `manifest` at their head to `to`, readable by its owner alone. The archive
/// stands at `to` when it is whole and on the disk, or not at all. Answers the manifest as it was written.
///
/// # Errors
/// [`ToolError::Stopped`] when `on_progress` gave it up; [`ToolError::Io`] for what the disk said, also
/// when something lies at `to` already or a file changed while it was packed.
pub fn pack(
    to: &Path,
    mut manifest: Manifest,
    sources: &[Source],
    on_progress: OnProgress<'_>,
) -> Result<Manifest, ToolError> {
    let writing = |source: io::Error| match source.kind() {
        GIVEN_UP => ToolError::Stopped,
        _ => ToolError::io(format!("writing {}", to.display()), source),
    };
    if to.symlink_metadata().is_ok() {
        return Err(writing(io::ErrorKind::AlreadyExists.into()));
    }
    let mut name = to.as_os_str().to_owned();
    name.push(".new");
    let draft = PathBuf::from(name);
    let made = (|| {
        let total = sources.iter().map(|s| size(&s.body)).sum::<io::Result<u64>>()?.saturating_mul(2);
        let mut pace = Pace { done: 0, total, on_progress };
        manifest.files = sources.iter().map(|source| entry(source, &mut pace)).collect::<io::Result<_>>()?;
        write_draft(&draft, &manifest, sources, &mut pace)?;
        fs::rename(&draft, to)?;
        let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    })();
    if made.is_err() {
        // The draft is ours and incomplete; a failure to remove it changes nothing.
        let _ = fs::remove_file(&draft);
    }
    made.map_err(writing)?;
    Ok(manifest)
}

/// Counts what was done and asks whether to go on.
struct Pace<'a> {
    done: u64,
    total: u64,
    on_progress: OnProgress<'a>,
}

impl Pace<'_> {
    fn moved(&mut self, bytes: usize) -> io::Result<()> {
        self.done += bytes as u64;
        if (self.on_progress)(self.done.min(self.total), self.total) { Ok(()) } else { Err(GIVEN_UP.into()) }
    }
}

fn size(body: &Body) -> io::Result<u64> {
    match body {
        Body::Bytes(bytes) => Ok(bytes.len() as u64),
        Body::File(path) => Ok(fs::symlink_metadata(path)?.len()),
    }
}

fn open(body: &Body) -> io::Result<Box<dyn Read + '_>> {
    Ok(match body {
        Body::Bytes(bytes) => Box::new(bytes.as_slice()),
        Body::File(path) => Box::new(open_plain(path)?.0),
    })
}

/// What the manifest says of a file.
fn entry(source: &Source, pace: &mut Pace<'_>) -> io::Result<FileEntry> {
    let (mut content, mut hasher, mut bytes) = (open(&source.body)?, Sha256::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = content.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        bytes += read as u64;
        pace.moved(read)?;
    }
    Ok(FileEntry { path: source.path.clone(), bytes, sha256: hex(hasher), executable: source.executable })
}

pub(super) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_draft(draft: &Path, manifest: &Manifest, sources: &[Source], pace: &mut Pace<'_>) -> io::Result<()> {
    // Left by one that was cut off.
    let _ = fs::remove_file(draft);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let mut tar = Builder::new(GzEncoder::new(BufWriter::new(file), Compression::new(PRESS_LEVEL)));
    let head = serde_json::to_vec_pretty(manifest)?;
    if head.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(io::Error::other("there are too many files for one archive"));
    }
    let at = u64::try_from(manifest.created_at.unix_seconds()).unwrap_or(0);
    tar.append(&header(MANIFEST, EntryType::Regular, head.len() as u64, false, at)?, head.as_slice())?;
    for folder in &manifest.folders {
        tar.append(&header(folder, EntryType::Directory, 0, true, at)?, io::empty())?;
    }
    for (source, entry) in sources.iter().zip(&manifest.files) {
        let mut content = Checked { inner: open(&source.body)?.take(entry.bytes), hasher: Sha256::new(), pace };
        tar.append(&header(&entry.path, EntryType::Regular, entry.bytes, entry.executable, at)?, &mut content)?;
        if hex(content.hasher) != entry.sha256 {
            return Err(io::Error::other(format!("{} changed while it was packed", entry.path)));
        }
    }
    let file = tar.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

fn header(path: &str, kind: EntryType, bytes: u64, executable: bool, at: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(kind);
    header.set_size(bytes);
    header.set_mode(if executable { 0o700 } else { 0o600 });
    header.set_mtime(at);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(header)
}

/// Hashes what goes through, and counts it.
struct Checked<'p, 'w, R> {
    inner: R,
    hasher: Sha256,
    pace: &'p mut Pace<'w>,
}

impl<R: Read> Read for Checked<'_, '_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.hasher.update(&into[..read]);
        self.pace.moved(read)?;
        Ok(read)
    }
}
