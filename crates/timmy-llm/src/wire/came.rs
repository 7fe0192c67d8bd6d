//! What a server answers, whichever way it was reached.

use std::time::Duration;

use hyper::body::Bytes;
use reqwest::Response;

use super::refusal::retry_after;
use super::straight::Reply;

/// An answer whose head has come. Dropped before its end it closes the connection.
pub enum Came {
    /// From this machine, straight.
    Near(Reply),
    /// Through the client for everywhere else.
    Far(Response),
}

impl Came {
    /// The status, and how long to wait where the server says so.
    pub fn head(&self) -> (u16, Option<Duration>) {
        let (status, headers) = match self {
            Self::Near(reply) => (reply.status, &reply.headers),
            Self::Far(response) => (response.status().as_u16(), response.headers()),
        };
        (status, retry_after(|name: &str| headers.get(name)?.to_str().ok().map(str::to_owned)))
    }

    /// The next piece of the body; nothing at its end. Says in no way why one is missing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BrokeOff> {
        match self {
            Self::Near(reply) => reply.chunk().await.map_err(|_| BrokeOff),
            Self::Far(response) => response.chunk().await.map_err(|_| BrokeOff),
        }
    }

    /// The answer is whole, whatever the server still says.
    pub fn let_end(self) {
        if let Self::Near(reply) = self {
            reply.let_end();
        }
    }
}

/// The body ended before its end.
pub struct BrokeOff;
