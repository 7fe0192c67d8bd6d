//! Cutting a stream of bytes into lines and server-sent events, whatever pieces the network makes of it.
//!
//! Only whole lines are ever read as text, so a character that is split between two pieces stays whole.

use std::mem;

use crate::failure::Failure;

/// Bytes of one line or one event.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Whether more is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    More,
    /// The answer is complete; what follows is not read.
    Done,
}

/// Takes each frame as it is complete.
pub type Emit<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Flow, Failure>;

/// Cuts bytes into frames.
pub trait Decoder {
    /// Takes the next piece and gives every frame that is complete with it.
    fn feed(&mut self, bytes: &[u8], emit: Emit<'_>) -> Result<Flow, Failure>;
    /// Gives what is left when the stream ends.
    fn end(&mut self, emit: Emit<'_>) -> Result<Flow, Failure>;
}

/// Lines that end with LF, CR LF or CR. Empty ones are given too.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    after_cr: bool,
}

impl Lines {
    fn keep(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        bounded(self.partial.len() + bytes.len())?;
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, last: &[u8], emit: Emit<'_>) -> Result<Flow, Failure> {
        if self.partial.is_empty() {
            bounded(last.len())?;
            return emit(last);
        }
        self.keep(last)?;
        emit(&mem::take(&mut self.partial))
    }
}

fn bounded(bytes: usize) -> Result<(), Failure> {
    if bytes > FRAME_BYTES_MAX {
        return Err(Failure::TooLarge { what: format!("one line of it is over {FRAME_BYTES_MAX} bytes") });
    }
    Ok(())
}

impl Decoder for Lines {
    fn feed(&mut self, mut bytes: &[u8], emit: Emit<'_>) -> Result<Flow, Failure> {
        if bytes.is_empty() {
            return Ok(Flow::More); // Says nothing about what follows a CR.
        }
        if mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
            bytes = &bytes[1..];
        }
        while let Some(at) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            let (line, end, rest) = (&bytes[..at], bytes[at], &bytes[at + 1..]);
            if self.line(line, emit)? == Flow::Done {
                return Ok(Flow::Done);
            }
            bytes = match (end, rest.first()) {
                (b'\r', Some(b'\n')) => &rest[1..],
                (b'\r', None) => {
                    self.after_cr = true;
                    rest
                }
                _ => rest,
            };
        }
        self.keep(bytes)?;
        Ok(Flow::More)
    }

    fn end(&mut self, emit: Emit<'_>) -> Result<Flow, Failure> {
        if self.partial.is_empty() { Ok(Flow::More) } else { emit(&mem::take(&mut self.partial)) }
    }
}

/// The data of server-sent events (HTML Standard, section 9.2), and of the last one even without an empty line
/// after it. Comments and other fields say nothing about an answer.
#[derive(Debug, Default)]
pub struct Events {
    lines: Lines,
    open: Open,
}

/// The event that is being put together.
#[derive(Debug, Default)]
struct Open {
    data: Vec<u8>,
    any: bool,
}

impl Open {
    fn line(&mut self, line: &[u8], emit: Emit<'_>) -> Result<Flow, Failure> {
        if line.is_empty() {
            return self.close(emit);
        }
        let Some(value) = line.strip_prefix(b"data:") else { return Ok(Flow::More) };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        bounded(self.data.len() + value.len() + 1)?;
        if mem::replace(&mut self.any, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        Ok(Flow::More)
    }

    fn close(&mut self, emit: Emit<'_>) -> Result<Flow, Failure> {
        if !mem::take(&mut self.any) {
            return Ok(Flow::More);
        }
        emit(&mem::take(&mut self.data))
    }
}

impl Decoder for Events {
    fn feed(&mut self, bytes: &[u8], emit: Emit<'_>) -> Result<Flow, Failure> {
        let Self { lines, open } = self;
        lines.feed(bytes, &mut |line| open.line(line, emit))
    }

    fn end(&mut self, emit: Emit<'_>) -> Result<Flow, Failure> {
        let Self { lines, open } = self;
        if lines.end(&mut |line| open.line(line, emit))? == Flow::Done {
            return Ok(Flow::Done);
        }
        open.close(emit)
    }
}

#[cfg(test)]
mod tests;
