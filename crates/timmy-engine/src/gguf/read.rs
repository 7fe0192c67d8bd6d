//! A reader that knows how much it may still read, and refuses before it allocates.

use std::io::Read;

use super::{STRING_BYTES_MAX, bounded, corrupt};
use crate::error::EngineError;

/// Reads numbers and texts, little-endian, up to a bound.
pub(super) struct Reader<R> {
    source: R,
    position: u64,
    most: u64,
    file_bytes: u64,
}

impl<R: Read> Reader<R> {
    /// Reads at most `most` bytes of a file of `file_bytes`.
    pub(super) fn new(source: R, most: u64, file_bytes: u64) -> Self {
        Self { source, position: 0, most, file_bytes }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Refuses when fewer than `wanted` bytes are left.
    pub(super) fn expect(&self, wanted: u64) -> Result<(), EngineError> {
        let end = self.position.saturating_add(wanted);
        if end > self.file_bytes {
            return Err(EngineError::Truncated { needed_bytes: end, file_bytes: self.file_bytes });
        }
        if end > self.most {
            return Err(corrupt(format!("its header is longer than {} bytes", self.most)));
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], EngineError> {
        self.expect(N as u64)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EngineError> {
        match self.source.read_exact(bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let needed_bytes = self.position.saturating_add(bytes.len() as u64);
                return Err(EngineError::Truncated { needed_bytes, file_bytes: self.file_bytes });
            }
            Err(error) => return Err(error.into()),
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn u32(&mut self) -> Result<u32, EngineError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, EngineError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    /// A text with its length before it. What is no UTF-8 is replaced.
    pub(super) fn text(&mut self) -> Result<String, EngineError> {
        let length = bounded(self.u64()?, STRING_BYTES_MAX, "bytes of one text")?;
        self.expect(length)?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}
