//! Frames between Timmy and the worker: a length in four bytes, little end first, then so many bytes of JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of one frame. A longer one is refused before any of it is read.
pub const FRAME_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What is wrong with a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side is gone, between two frames or within one.
    #[error("the connection ended")]
    Ended,
    /// It announces more than a frame may have.
    #[error("a frame of {0} bytes was announced, over {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// It is not what was agreed on.
    #[error("a frame could not be understood")]
    Garbage,
}

/// The bytes of a frame with `value`.
///
/// # Errors
/// [`FrameError::TooLong`], and [`FrameError::Garbage`] for a value JSON cannot hold.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let body = serde_json::to_vec(value).map_err(|_| FrameError::Garbage)?;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= FRAME_BYTES_MAX);
    let length = length.ok_or(FrameError::TooLong(body.len()))?;
    Ok([&length.to_le_bytes(), body.as_slice()].concat())
}

fn announced(head: [u8; 4]) -> Result<usize, FrameError> {
    let length = u32::from_le_bytes(head) as usize;
    if length > FRAME_BYTES_MAX { Err(FrameError::TooLong(length)) } else { Ok(length) }
}

/// Reads one frame and waits for it.
///
/// # Errors
/// Each [`FrameError`].
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<T, FrameError> {
    let mut head = [0; 4];
    from.read_exact(&mut head).map_err(|_| FrameError::Ended)?;
    let length = announced(head)?;
    let mut body = Vec::new();
    // Memory is taken for what comes, not for what is announced.
    let got = from.take(length as u64).read_to_end(&mut body).map_err(|_| FrameError::Ended)?;
    if got < length {
        return Err(FrameError::Ended);
    }
    serde_json::from_slice(&body).map_err(|_| FrameError::Garbage)
}

/// Writes one frame.
///
/// # Errors
/// Each [`FrameError`].
pub fn write(to: &mut impl Write, value: &impl Serialize) -> Result<(), FrameError> {
    let bytes = encode(value)?;
    let done: io::Result<()> = to.write_all(&bytes).and_then(|()| to.flush());
    done.map_err(|_| FrameError::Ended)
}

/// Reads one frame without holding up a thread. Not to be given up in the middle.
///
/// # Errors
/// Each [`FrameError`].
pub async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<T, FrameError> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await.map_err(|_| FrameError::Ended)?;
    let length = announced(head)?;
    let mut body = Vec::new();
    let got = from.take(length as u64).read_to_end(&mut body).await.map_err(|_| FrameError::Ended)?;
    if got < length {
        return Err(FrameError::Ended);
    }
    serde_json::from_slice(&body).map_err(|_| FrameError::Garbage)
}

/// Writes one frame without holding up a thread. Not to be given up in the middle.
///
/// # Errors
/// Each [`FrameError`].
pub async fn send(to: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> Result<(), FrameError> {
    let bytes = encode(value)?;
    to.write_all(&bytes).await.map_err(|_| FrameError::Ended)?;
    to.flush().await.map_err(|_| FrameError::Ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_arrives_whole_or_is_refused_with_the_reason() {
        let sound = encode(&"hello").expect("encoded");
        let too_long = u32::try_from(FRAME_BYTES_MAX + 1).expect("fits").to_le_bytes();
        let rows: [(&[u8], &str); 6] = [
            (&sound, "hello"),
            (b"", "the connection ended"),
            (&sound[..3], "the connection ended"),
            (&sound[..6], "the connection ended"),
            (&too_long, "a frame of 33554433 bytes was announced, over 33554432"),
            (b"\x02\0\0\0xx", "a frame could not be understood"),
        ];
        for (bytes, expected) in rows {
            let blocking = read::<String>(&mut &*bytes).unwrap_or_else(|e| e.to_string());
            let waiting = receive::<String>(&mut &*bytes).await.unwrap_or_else(|e| e.to_string());
            assert_eq!((blocking.as_str(), waiting.as_str()), (expected, expected));
        }
    }
}
