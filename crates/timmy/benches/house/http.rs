//! A small blocking HTTP client on one kept connection: cheap enough not to disturb what it measures.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection.
pub struct Http {
    input: BufReader<TcpStream>,
    output: TcpStream,
    address: String,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Http {
    /// Connects.
    pub fn to(address: &str) -> std::io::Result<Self> {
        let output = TcpStream::connect(address)?;
        output.set_nodelay(true)?;
        output.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            input: BufReader::with_capacity(64 * 1024, output.try_clone()?),
            output,
            address: address.to_owned(),
        })
    }

    /// One request with these header lines, each ended by CR LF.
    pub fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<Answer> {
        let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}{length}\r\n{body}", self.address);
        self.output.write_all(request.as_bytes())?;
        self.read()
    }

    fn read(&mut self) -> std::io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.input.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let low = head.to_ascii_lowercase();
        let field = |name: &str| low.split("\r\n").find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
        let mut body = Vec::new();
        if field("transfer-encoding:").is_some_and(|v| v.contains("chunked")) {
            loop {
                let mut size = String::new();
                self.input.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
                let from = body.len();
                body.resize(from + size + 2, 0);
                self.input.read_exact(&mut body[from..])?;
                body.truncate(from + size);
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = field("content-length:").and_then(|v| v.parse().ok()) {
            body.resize(length, 0);
            self.input.read_exact(&mut body)?;
        }
        Ok(Answer { status, head, body })
    }
}
