//! A plain socket with nothing between: whole heads, frames of the live feed byte by byte, and what comes back.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{PATIENCE, Server};

/// A connection.
pub struct Raw(TcpStream);

impl Raw {
    /// Connects to `server`.
    pub fn open(server: &Server) -> Self {
        let socket = TcpStream::connect(&server.address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket.set_write_timeout(Some(PATIENCE)).expect("set");
        Self(socket)
    }

    /// Sends bytes; `false` when the other end has closed already.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Reads one head: its status and its text.
    pub fn head(&mut self) -> (u16, String) {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && self.0.read(&mut byte).is_ok_and(|n| n == 1) {
            head.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        (text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), text)
    }

    /// Reads a whole answer that says how long it is: status, head, body.
    pub fn answer(&mut self) -> (u16, String, String) {
        let (status, head) = self.head();
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body).expect("a whole body");
        (status, head, String::from_utf8_lossy(&body).into_owned())
    }

    /// Reads until the other end closes, which it must do in time.
    pub fn rest(&mut self) -> String {
        let (mut all, mut piece) = (Vec::new(), [0; 4_096]);
        loop {
            match self.0.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => all.extend_from_slice(&piece[..n]),
                // Cut off is closed as well; silence is not.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("still open after {PATIENCE:?}: {error}"),
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Opens the live feed with these headers; the status of the refusal otherwise.
    pub fn feed(server: &Server, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut raw = Self::open(server);
        let mut head = String::from("GET /swarm/live HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
        head.push_str("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str(&format!("Host: {}\r\n", server.address));
        }
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        raw.send(head + "\r\n");
        match raw.head().0 {
            101 => Ok(raw),
            status => Err(status),
        }
    }

    /// Reads frames until the feed closes: the code it gives, `None` when it just goes.
    pub fn close_code(&mut self) -> Option<u16> {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).ok()?;
            let mut length = u64::from(head[1] & 0x7f);
            if length >= 126 {
                let mut more = vec![0; if length == 126 { 2 } else { 8 }];
                self.0.read_exact(&mut more).ok()?;
                length = more.iter().fold(0, |n, b| n << 8 | u64::from(*b));
            }
            let mut payload = vec![0; usize::try_from(length).ok()?];
            self.0.read_exact(&mut payload).ok()?;
            if head[0] & 0x0f == 8 {
                return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
        }
    }
}

/// A frame as a client sends it, with its length as `declared` and a mask of zeros, which changes nothing.
pub fn frame(first: u8, declared: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match declared {
        0..126 => frame.push(0x80 | declared as u8),
        126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(declared as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&declared.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
