//! An answer as its pieces come over the wire, without the wire: nothing here waits.

use timmy_domain::Secret;

use super::growing::Growing;
use super::lines::{Decoder, Flow};
use super::{ANSWER_BYTES_MAX, ReadFrame, malformed};
use crate::failure::Failure;
use crate::provider::Call;

/// An answer that is being read.
pub struct Reading<'k, D> {
    /// The answer as far as it has come.
    pub growing: Growing,
    decoder: D,
    read: ReadFrame,
    key: &'k Secret,
    bytes_read: usize,
    frames: u64,
}

impl<'k, D: Decoder + Default> Reading<'k, D> {
    /// Nothing was read yet. `read` knows the frames, and `key` is taken out of what a server says.
    pub fn new(read: ReadFrame, key: &'k Secret, call: &Call) -> Self {
        Self { growing: Growing::new(call), decoder: D::default(), read, key, bytes_read: 0, frames: 0 }
    }

    /// Reads the next piece.
    ///
    /// # Errors
    /// When the answer is too large, is none, or is a refusal.
    pub fn piece(&mut self, piece: &[u8]) -> Result<Flow, Failure> {
        self.bytes_read += piece.len();
        if self.bytes_read > ANSWER_BYTES_MAX {
            return Err(Failure::TooLarge { what: format!("it is over {ANSWER_BYTES_MAX} bytes") });
        }
        let Self { growing, decoder, read, key, frames, .. } = self;
        decoder.feed(piece, &mut |frame| {
            *frames += u64::from(!frame.trim_ascii().is_empty());
            read(growing, frame, key)
        })
    }

    /// How many frames came whole. Comments, blank lines and the beginning of a line are none, so a server that sends
    /// only those has fallen silent.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The end of the body, or of the connection: whether the answer is whole, only its frames can tell.
    ///
    /// # Errors
    /// When it broke off, or ended with a refusal.
    pub fn end(mut self) -> Result<Growing, Failure> {
        let Self { growing, decoder, read, key, .. } = &mut self;
        match decoder.end(&mut |frame| read(growing, frame, key)) {
            Err(failure) if !matches!(failure, Failure::Malformed { .. }) => Err(failure),
            _ if self.growing.finish.is_some() => Ok(self.growing),
            _ => Err(broke_off()),
        }
    }
}

/// The answer ended before it was whole.
pub fn broke_off() -> Failure {
    malformed("the answer broke off before its end")
}
