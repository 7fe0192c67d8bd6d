//! Talks to Timmy as the command line does: to a running server, or to the same routes within this process.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use futures_util::{Stream, StreamExt};
use serde_json::Value;
use timmy_domain::Secret;
use tower::ServiceExt;

/// How long reaching the server may take, in seconds.
const CONNECT_SECONDS: u64 = 5;
/// How long the server may be silent, in seconds: longer than the longest answer of a model may take to begin.
const SILENT_SECONDS_MAX: u64 = 3_700;
/// Bytes an answer may have.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes one event of a stream may have.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The name by which routes within this process are asked.
const HERE: &str = "127.0.0.1";

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Timmy refused.
    #[error("{message}")]
    Refused {
        /// A word for programs.
        code: String,
        /// What happened.
        message: String,
        /// What the owner can do.
        hint: String,
    },
    /// The server cannot be reached, or broke off.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The answer is not what it should be.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// The way to Timmy.
#[derive(Clone)]
pub struct Client {
    way: Way,
    token: Secret,
}

#[derive(Clone)]
enum Way {
    Server { http: reqwest::Client, base: String },
    Here(Router),
}

/// An answer, still coming.
struct Incoming {
    status: u16,
    pieces: std::pin::Pin<Box<dyn Stream<Item = Result<Vec<u8>, String>> + Send>>,
}

impl Client {
    /// To the server at `base`, such as `http://127.0.0.1:8000`, with a bearer `token`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn to_server(base: &str, token: Secret) -> Result<Self, ClientError> {
        // Already installed is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .read_timeout(Duration::from_secs(SILENT_SECONDS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ClientError::Unreachable(error.to_string()))?;
        Ok(Self { way: Way::Server { http, base: base.trim_end_matches('/').to_owned() }, token })
    }

    /// To `router` within this process.
    #[must_use]
    pub const fn in_process(router: Router, token: Secret) -> Self {
        Self { way: Way::Here(router), token }
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// When Timmy refuses, cannot be reached, or is not understood.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, path, None).await
    }

    /// Sends `body` to `path`.
    ///
    /// # Errors
    /// When Timmy refuses, cannot be reached, or is not understood.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Puts `body` in place of what is at `path`.
    ///
    /// # Errors
    /// When Timmy refuses, cannot be reached, or is not understood.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// Deletes `path`.
    ///
    /// # Errors
    /// When Timmy refuses, cannot be reached, or is not understood.
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::DELETE, path, None).await
    }

    /// Sends `body` to `path` and hands on the data of each event of the answer as it comes. Dropping the future
    /// closes the connection, which stops what was asked for.
    ///
    /// # Errors
    /// When Timmy refuses, cannot be reached, breaks off, or is not understood.
    pub async fn stream(&self, path: &str, body: &Value, mut on_event: impl FnMut(Value)) -> Result<(), ClientError> {
        let mut incoming = self.send(Method::POST, path, Some(body)).await?;
        if incoming.status >= 400 {
            return Err(refusal(incoming.status, &whole(incoming).await?));
        }
        let mut events = Events::default();
        while let Some(piece) = incoming.pieces.next().await {
            for data in events.take(&piece.map_err(ClientError::Unreachable)?)? {
                on_event(serde_json::from_str(&data).map_err(|e| ClientError::Unreadable(e.to_string()))?);
            }
        }
        Ok(())
    }

    /// Asks for `path` and hands on each piece of the answer as it comes, until `on_piece` wants no more. Answers
    /// whether the answer was taken to its end. Dropping the future closes the connection.
    ///
    /// # Errors
    /// When Timmy refuses, cannot be reached, or breaks off.
    pub async fn download(&self, path: &str, mut on_piece: impl FnMut(&[u8]) -> bool) -> Result<bool, ClientError> {
        let mut incoming = self.send(Method::GET, path, None).await?;
        if incoming.status >= 400 {
            return Err(refusal(incoming.status, &whole(incoming).await?));
        }
        while let Some(piece) = incoming.pieces.next().await {
            if !on_piece(&piece.map_err(ClientError::Unreachable)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let incoming = self.send(method, path, body).await?;
        let status = incoming.status;
        let bytes = whole(incoming).await?;
        if status >= 400 {
            return Err(refusal(status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Unreadable(error.to_string()))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Incoming, ClientError> {
        let text = body.map(Value::to_string);
        match &self.way {
            Way::Server { http, base } => {
                let mut request = http.request(method, format!("{base}{path}")).bearer_auth(self.token.expose());
                if let Some(text) = text {
                    request = request.header(header::CONTENT_TYPE, "application/json").body(text);
                }
                let answer = request.send().await.map_err(|e| ClientError::Unreachable(reason(&e)))?;
                let status = answer.status().as_u16();
                let pieces = answer.bytes_stream().map(|piece| piece.map(|b| b.to_vec()).map_err(|e| reason(&e)));
                Ok(Incoming { status, pieces: Box::pin(pieces) })
            }
            Way::Here(router) => {
                let request = Request::builder()
                    .method(method)
                    .uri(path)
                    .header(header::HOST, HERE)
                    .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()))
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(Body::from(text.unwrap_or_default()))
                    .map_err(|error| ClientError::Unreadable(error.to_string()))?;
                let Ok(answer) = router.clone().oneshot(request).await;
                let status = answer.status().as_u16();
                let pieces = answer.into_body().into_data_stream();
                let pieces = pieces.map(|piece| piece.map(|b| b.to_vec()).map_err(|e| e.to_string()));
                Ok(Incoming { status, pieces: Box::pin(pieces) })
            }
        }
    }
}

/// The innermost reason, which names what happened instead of where.
fn reason(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

async fn whole(mut incoming: Incoming) -> Result<Vec<u8>, ClientError> {
    let mut all = Vec::new();
    while let Some(piece) = incoming.pieces.next().await {
        all.extend(piece.map_err(ClientError::Unreachable)?);
        if all.len() > ANSWER_BYTES_MAX {
            return Err(ClientError::Unreadable(format!("it is over {ANSWER_BYTES_MAX} bytes")));
        }
    }
    Ok(all)
}

fn refusal(status: u16, bytes: &[u8]) -> ClientError {
    let body: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let field = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    if field("message").is_empty() {
        return ClientError::Unreadable(format!("the status is {status}, without words"));
    }
    ClientError::Refused { code: field("code"), message: field("message"), hint: field("hint") }
}

/// Gathers server-sent events from pieces that may be cut anywhere.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    data: String,
}

impl Events {
    /// The data of the events that `piece` completes.
    fn take(&mut self, piece: &[u8]) -> Result<Vec<String>, ClientError> {
        let mut done = Vec::new();
        for &byte in piece {
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() + self.data.len() > EVENT_BYTES_MAX {
                    return Err(ClientError::Unreadable(format!("an event is over {EVENT_BYTES_MAX} bytes")));
                }
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
            self.line.clear();
            if line.is_empty() {
                if !self.data.is_empty() {
                    done.push(std::mem::take(&mut self.data));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_wherever_they_are_cut() {
        let text = ": alive\n\nevent: x\r\ndata: {\"a\":\"ä\"}\r\n\r\ndata: 1\ndata:2\n\n";
        for cut in 0..text.len() {
            let mut events = Events::default();
            let mut all = events.take(&text.as_bytes()[..cut]).expect("read");
            all.extend(events.take(&text.as_bytes()[cut..]).expect("read"));
            assert_eq!(all, ["{\"a\":\"ä\"}", "1\n2"], "cut at {cut}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_words() {
        let body = br#"{"error":{"code":"c","message":"What.","hint":"How."}}"#;
        let wanted = ClientError::Refused { code: "c".into(), message: "What.".into(), hint: "How.".into() };
        assert_eq!(refusal(409, body), wanted);
        assert!(matches!(refusal(502, b"<html>"), ClientError::Unreadable(_)));
    }
}
