//! A small HTTP server that does exactly what a test says, down to the byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::PATIENCE_SECONDS;

/// What the server does with a request, in order.
#[derive(Clone, Debug)]
pub enum Act {
    /// Writes this.
    Write(Vec<u8>),
    /// Writes this byte by byte.
    Trickle(Vec<u8>),
    /// Writes this again and again, up to a GiB, until the other side closes.
    Flood(Vec<u8>),
    /// Writes this every few milliseconds, until the other side closes.
    Drip(Vec<u8>),
    /// Gives the other side the time to read what was written.
    Pause,
    /// Waits until the other side closes.
    Hold,
}

/// How a request is answered, by its path.
pub type Answers = dyn Fn(&str) -> Vec<Act> + Send + Sync;

/// A running server.
pub struct Stub {
    /// Its address, without a slash at its end.
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
    written: Arc<Mutex<usize>>,
    closed: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The head of an answer whose body ends with the connection, and its body.
pub fn ok(body: &str) -> Vec<u8> {
    status(200, "", body)
}

/// An answer with any status and more headers.
pub fn status(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// A list of models in both formats, and the version of an Ollama server.
pub fn lists(path: &str) -> Option<Vec<Act>> {
    let body = match path {
        "/api/tags" => r#"{"models":[{"name":"m","details":{"family":"llama"}}]}"#,
        "/api/version" => r#"{"version":"0.12.3"}"#,
        "/v1/models" => r#"{"object":"list","data":[{"id":"m"},{"id":"other"}]}"#,
        _ => return None,
    };
    Some(vec![Act::Write(ok(body))])
}

/// A server that lists a model and answers chats with `acts`.
pub async fn chatting(acts: Vec<Act>) -> Stub {
    Stub::start("127.0.0.1:0", Box::new(move |path| lists(path).unwrap_or_else(|| acts.clone()))).await
}

impl Stub {
    /// Listens at `address`.
    pub async fn start(address: &str, answers: Box<Answers>) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, written, closed) = (Arc::default(), Arc::default(), Arc::new(Notify::new()));
        let answers: Arc<Answers> = answers.into();
        let shared = (Arc::clone(&seen), Arc::clone(&written), Arc::clone(&closed));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, written, closed) = shared.clone();
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    serve(stream, &answers, &seen, &written, &closed).await;
                });
            }
        });
        Self { url, seen, written, closed, task }
    }

    /// Stops listening.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Every request so far, head and body as they came.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// Every request since the last time, head and body as they came.
    pub fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().expect("not poisoned"))
    }

    /// The last request to a chat.
    pub fn last(&self) -> String {
        self.seen().into_iter().rfind(|r| r.starts_with("POST")).expect("a chat was asked")
    }

    /// Bytes written by floods.
    pub fn written(&self) -> usize {
        *self.written.lock().expect("not poisoned")
    }

    /// Waits until the other side has closed a connection that was held or flooded.
    pub async fn closed(&self) {
        let patience = Duration::from_secs(PATIENCE_SECONDS);
        tokio::time::timeout(patience, self.closed.notified()).await.expect("the connection was closed");
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: &Arc<Answers>,
    seen: &Mutex<Vec<String>>,
    written: &Mutex<usize>,
    closed: &Notify,
) {
    stream.set_nodelay(true).expect("a socket");
    let Some(request) = read_request(&mut stream).await else { return };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().expect("not poisoned").push(request);
    for act in answers(&path) {
        match act {
            Act::Write(bytes) => drop(stream.write_all(&bytes).await),
            Act::Pause => {
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
            }
            Act::Trickle(bytes) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            }
            Act::Flood(bytes) => {
                let mut total = 0;
                while total < 1 << 30 && stream.write_all(&bytes).await.is_ok() {
                    total += bytes.len();
                    *written.lock().expect("not poisoned") = total;
                }
                closed.notify_one();
            }
            Act::Drip(bytes) => {
                while stream.write_all(&bytes).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                closed.notify_one();
            }
            Act::Hold => {
                let mut rest = [0; 1_024];
                while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
                closed.notify_one();
            }
        }
    }
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8_192];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
        match stream.read(&mut piece).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&piece[..n]),
            _ => return None,
        }
    }
}
