//! The open model file: reading tensors out of it, past the page cache where the weights are streamed.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{Advice, OFlags, fadvise};

use crate::error::EngineError;
use crate::gguf::{Header, TensorInfo};
use crate::matrix::{Matrix, numbers};
use crate::room::{PAGE_BYTES, Piece, Room, Shelf};

/// Most bytes asked of the disk at once.
const READ_BYTES_MAX: usize = 16 << 20;
/// Parts of a large read that are asked for at once.
const PARTS: usize = 4;
/// The least bytes of a part that are worth a thread.
const PART_BYTES_MIN: usize = 512 << 10;

/// A model file that is open, and what its header says.
pub(crate) struct ModelFile {
    plain: File,
    direct: Option<File>,
    direct_works: AtomicBool,
    /// What stands before the weights.
    pub(crate) header: Header,
    read_bytes: AtomicU64,
}

/// Bytes that may lie between the tensors of a layer for it to be read at once.
const GAPS_BYTES_MAX: u64 = 64 << 10;

/// The share of a layer, one in this many, that may be copied out of what is read at once.
const COPIED_SHARE: u64 = 16;

/// How a read treats the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    /// Through the page cache, so that the next start finds the file there.
    Cache,
    /// Past it: what is read once in each pass would only push out what is needed.
    Past,
}

impl ModelFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// What the operating system or the header says against it.
    pub(crate) fn open(path: &Path) -> Result<Self, EngineError> {
        let plain = File::open(path)?;
        let about = plain.metadata()?;
        if !about.is_file() {
            return Err(EngineError::Corrupt("it is no file".to_owned()));
        }
        let header = Header::read(BufReader::with_capacity(1 << 16, &plain), about.len())?;
        let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
        let direct = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
        Ok(Self {
            plain,
            direct_works: AtomicBool::new(direct.is_some()),
            direct,
            header,
            read_bytes: AtomicU64::new(0),
        })
    }

    /// Bytes read for weights so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    /// Reads a range into `room` and lends the bytes.
    fn range<'room>(
        &self,
        offset: u64,
        bytes: usize,
        through: Through,
        room: &'room mut Room,
    ) -> Result<&'room [u8], EngineError> {
        self.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let skew = usize::try_from(offset % PAGE_BYTES as u64).unwrap_or(0);
        let length = (skew + bytes).next_multiple_of(PAGE_BYTES);
        let place = room.place(length)?;
        let from = offset - skew as u64;
        if through == Through::Past
            && let Some(direct) = self.direct.as_ref().filter(|_| self.direct_works.load(Ordering::Relaxed))
        {
            match fill(direct, from, skew + bytes, place) {
                // Some file systems take the flag at opening and refuse the read.
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
                    self.direct_works.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(self.short(error)),
                Ok(()) => return Ok(&place[skew..skew + bytes]),
            }
        }
        self.plain.read_exact_at(&mut place[skew..skew + bytes], offset).map_err(|error| self.short(error))?;
        if through == Through::Past {
            let length = std::num::NonZeroU64::new(length as u64);
            let _ = fadvise(&self.plain, from, length, Advice::DontNeed);
        }
        Ok(&place[skew..skew + bytes])
    }

    /// Reads a range into memory of its own, so that it need not be copied out of a shared room. With a shelf, the
    /// memory comes from there and goes back.
    fn piece(&self, offset: u64, bytes: usize, through: Through, shelf: Option<&Shelf>) -> Result<Piece, EngineError> {
        let mut room = shelf.map(|shelf| shelf.take(bytes + 2 * PAGE_BYTES)).unwrap_or_default();
        self.range(offset, bytes, through, &mut room)?;
        let skew = usize::try_from(offset % PAGE_BYTES as u64).unwrap_or(0);
        Ok(Piece::new(room, shelf.cloned(), skew, bytes))
    }

    /// Where the tensors lie whose names begin with `prefix`, when they are worth reading at once: side by side, and
    /// used where they are read to.
    fn span(&self, prefix: &str) -> Option<(u64, usize)> {
        let within = || self.header.tensors.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, info)| info);
        let first = within().map(|info| info.offset).min()?;
        let end = within().map(|info| info.offset + info.bytes).max()?;
        let bytes: u64 = within().map(|info| info.bytes).sum();
        let copied: u64 = within().filter(|info| !Matrix::keeps(info.kind)).map(|info| info.bytes).sum();
        (copied <= bytes / COPIED_SHARE && end - first <= bytes + GAPS_BYTES_MAX)
            .then_some((first, usize::try_from(end - first).ok()?))
    }

    fn short(&self, error: std::io::Error) -> EngineError {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            let file_bytes = self.plain.metadata().map_or(0, |about| about.len());
            return EngineError::Truncated { needed_bytes: self.header.file_bytes, file_bytes };
        }
        error.into()
    }

    /// The tensor with this name.
    pub(crate) fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.header.tensors.get(name)
    }
}

/// Fills `place` from `from` until at least `needed` bytes are there. What is large is asked for in several parts at
/// once: a disk that is asked for one thing at a time gives half of what it could.
fn fill(file: &File, from: u64, needed: usize, place: &mut [u8]) -> std::io::Result<()> {
    if needed < PARTS * PART_BYTES_MIN {
        return fill_part(file, from, needed, place);
    }
    let part = place.len().div_ceil(PARTS).next_multiple_of(PAGE_BYTES);
    std::thread::scope(|scope| {
        let parts = place.chunks_mut(part).enumerate().map(|(number, place)| {
            let start = number * part;
            let needed = needed.saturating_sub(start).min(part);
            std::thread::Builder::new()
                .name("engine-part".to_owned())
                .spawn_scoped(scope, move || fill_part(file, from + start as u64, needed, place))
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        parts.into_iter().try_for_each(|part| match part.join() {
            Ok(filled) => filled,
            Err(_) => Err(std::io::Error::other("a reader of a part has stopped")),
        })
    })
}

/// Fills `place` in large reads.
fn fill_part(file: &File, from: u64, needed: usize, place: &mut [u8]) -> std::io::Result<()> {
    let mut done = 0;
    while done < needed {
        let end = place.len().min(done + READ_BYTES_MAX);
        match file.read_at(&mut place[done..end], from + done as u64) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The tensors of one layer, by their names behind the layer's own.
pub(crate) struct Tensors<'file> {
    file: &'file ModelFile,
    prefix: String,
    through: Through,
    room: RefCell<&'file mut Room>,
    /// Where in the file a piece begins that was read already, and the piece.
    at_once: Option<(u64, Piece)>,
}

impl<'file> Tensors<'file> {
    /// The tensors whose names begin with `prefix`, for instance `blk.3.`.
    pub(crate) fn new(file: &'file ModelFile, prefix: String, through: Through, room: &'file mut Room) -> Self {
        Self { file, prefix, through, room: RefCell::new(room), at_once: None }
    }

    /// Reads all of them now and at once, where that saves copies. With a shelf, into memory that was used before.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn at_once(self, shelf: Option<&Shelf>) -> Result<Self, EngineError> {
        let prefix = self.prefix.clone();
        self.those_at_once(&prefix, shelf)
    }

    /// As [`Tensors::at_once`], for those whose whole names begin with `prefix`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn those_at_once(mut self, prefix: &str, shelf: Option<&Shelf>) -> Result<Self, EngineError> {
        if let Some((offset, bytes)) = self.file.span(prefix) {
            self.at_once = Some((offset, self.file.piece(offset, bytes, self.through, shelf)?));
        }
        Ok(self)
    }

    /// A range, read already or read now.
    fn piece(&self, offset: u64, bytes: usize) -> Result<Piece, EngineError> {
        match self.known(offset, bytes) {
            Some(piece) => Ok(piece),
            None => self.file.piece(offset, bytes, self.through, None),
        }
    }

    fn known(&self, offset: u64, bytes: usize) -> Option<Piece> {
        let (first, piece) = self.at_once.as_ref()?;
        piece.part(usize::try_from(offset.checked_sub(*first)?).ok()?, bytes)
    }

    /// Lends a range to `to`, read already or read into the room.
    fn lend<T>(
        &self,
        offset: u64,
        bytes: usize,
        to: impl FnOnce(&[u8]) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        match self.known(offset, bytes) {
            Some(piece) => to(piece.bytes()),
            None => to(self.file.range(offset, bytes, self.through, &mut self.room.borrow_mut())?),
        }
    }

    /// What the header says about a tensor, when the file has it.
    pub(crate) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.file.tensor(&format!("{}{name}", self.prefix))
    }

    fn needed(&self, name: &str, sides: &[usize]) -> Result<&TensorInfo, EngineError> {
        let info = self.info(name).ok_or_else(|| missing(&self.prefix, name))?;
        if info.shape != sides {
            return Err(EngineError::Corrupt(format!(
                "the tensor {}{name} has the sides {:?}, and {sides:?} are needed",
                self.prefix, info.shape
            )));
        }
        Ok(info)
    }

    /// A matrix of exactly these sides.
    ///
    /// # Errors
    /// When it is missing, has other sides, or cannot be read.
    pub(crate) fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix, EngineError> {
        let info = self.needed(name, &[rows, columns])?;
        let bytes = usize::try_from(info.bytes).unwrap_or(usize::MAX);
        let piece = || self.piece(info.offset, bytes);
        if let Some(matrix) = Matrix::keep(info.kind, piece, rows, columns)? {
            return Ok(matrix);
        }
        self.lend(info.offset, bytes, |bytes| Matrix::new(info.kind, bytes, rows, columns))
    }

    /// The matrices of all experts, which lie one after the other in one tensor; read one by one.
    ///
    /// # Errors
    /// As for [`Tensors::matrix`].
    pub(crate) fn matrices(
        &self,
        name: &str,
        count: usize,
        rows: usize,
        columns: usize,
    ) -> Result<Vec<Matrix>, EngineError> {
        let info = self.needed(name, &[count, rows, columns])?;
        let bytes = usize::try_from(info.bytes).unwrap_or(usize::MAX) / count;
        let mut matrices = Vec::with_capacity(count);
        for index in 0..count {
            let offset = info.offset + (index * bytes) as u64;
            let piece = || self.piece(offset, bytes);
            if let Some(matrix) = Matrix::keep(info.kind, piece, rows, columns)? {
                matrices.push(matrix);
                continue;
            }
            matrices.push(self.lend(offset, bytes, |bytes| Matrix::new(info.kind, bytes, rows, columns))?);
        }
        Ok(matrices)
    }

    /// A list of exactly this length, when the file has it.
    ///
    /// # Errors
    /// When it has another length or cannot be read.
    pub(crate) fn list(&self, name: &str, count: usize) -> Result<Option<Vec<f32>>, EngineError> {
        if self.info(name).is_none() {
            return Ok(None);
        }
        let info = self.needed(name, &[count])?;
        let bytes = usize::try_from(info.bytes).unwrap_or(usize::MAX);
        self.lend(info.offset, bytes, |bytes| numbers(info.kind, bytes, count)).map(Some)
    }

    /// A list that must be there.
    ///
    /// # Errors
    /// As for [`Tensors::list`], and when it is missing.
    pub(crate) fn needed_list(&self, name: &str, count: usize) -> Result<Vec<f32>, EngineError> {
        self.list(name, count)?.ok_or_else(|| missing(&self.prefix, name))
    }

    /// One row of a matrix, unpacked.
    ///
    /// # Errors
    /// When the matrix is missing, has other sides or fewer rows, or cannot be read.
    pub(crate) fn row(&self, name: &str, row: usize, rows: usize, columns: usize) -> Result<Vec<f32>, EngineError> {
        let info = self.needed(name, &[rows, columns])?;
        let bytes = usize::try_from(info.bytes).unwrap_or(usize::MAX) / rows;
        self.lend(info.offset + (row * bytes) as u64, bytes, |bytes| numbers(info.kind, bytes, columns))
    }
}

fn missing(prefix: &str, name: &str) -> EngineError {
    EngineError::Corrupt(format!("the tensor {prefix}{name} is missing"))
}
