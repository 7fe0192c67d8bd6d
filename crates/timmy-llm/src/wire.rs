//! The one way to a socket: bounded, cancellable, and closed to what must not leave.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use timmy_domain::Secret;
use timmy_domain::text::{cut, one_line};
use timmy_domain::thought::Place;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use crate::failure::{Failure, NOBODY_LISTENS, Stage};
use crate::outbound::{OutTexts, Outbound};
use crate::provider::{Call, Completion};

use address::Address;
use came::Came;
use growing::Growing;
use lines::{Decoder, Flow, Lines};
use reading::{Reading, broke_off};
use refusal::Refusal;
use straight::{Lost, Straight};

pub mod address;
pub mod base64;
mod came;
mod date;
pub mod growing;
pub mod lines;
pub mod reading;
pub mod reasoning;
mod refusal;
mod straight;
pub mod tls;

/// How long reaching a server may take, in milliseconds.
pub const CONNECT_MS: u64 = 2_000;
/// How long a server may be silent in the middle of an answer, in milliseconds.
pub const STALL_MS: u64 = 30_000;
/// How long a server that has finished may take to add the count of tokens, in milliseconds.
const AFTER_FINISH_MS: u64 = 2_000;
/// Bytes of a whole answer as it comes over the wire.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of anything that is not an answer: lists of models, words of refusal.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Characters of what the system says about a connection.
const REASON_CHARS_MAX: usize = 200;

/// An order about a model: all that an order can say.
#[derive(Clone, Copy, Debug)]
pub struct ModelOrder<'a> {
    /// The model.
    pub model: &'a str,
    /// Whether to tell how it goes.
    pub stream: bool,
}

impl ModelOrder<'_> {
    fn json(self) -> Value {
        serde_json::json!({ "model": self.model, "stream": self.stream })
    }
}

/// Reads frames of one wire format into a growing answer.
pub type ReadFrame = fn(&mut Growing, &[u8], &Secret) -> Result<Flow, Failure>;

/// The version of the Messages format that is spoken.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// How a key is shown to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `x-api-key: …`, beside the version that is spoken.
    Anthropic,
}

/// A server and the way to it.
#[derive(Debug)]
pub struct Wire {
    address: Address,
    key: Secret,
    login: Login,
    stall: Duration,
    client: OnceCell<Client>,
    /// The short way, where there is one.
    straight: Option<Straight>,
}

impl Wire {
    /// Nothing is opened or read before the first request.
    #[must_use]
    pub fn new(address: Address, key: Secret) -> Self {
        let near = address.place == Place::Local && !address.https;
        let straight = if near { Straight::to(&address.shown) } else { None };
        let stall = Duration::from_millis(STALL_MS);
        Self { address, key, login: Login::Bearer, stall, client: OnceCell::new(), straight }
    }

    /// Shows the key as `login` says.
    #[must_use]
    pub fn showing(mut self, login: Login) -> Self {
        self.login = login;
        self
    }

    /// Who may read what is sent.
    #[must_use]
    pub fn place(&self) -> Place {
        self.address.place
    }

    /// Whether it is elsewhere and asked with a key: then somebody is likely to send a bill.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        self.place() == Place::Remote && !self.key.is_empty()
    }

    /// Host and port, as they may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.address.shown
    }

    /// Whether the host is `name` or lies under it.
    #[must_use]
    pub fn host_is(&self, name: &str) -> bool {
        let host = self.address.shown.rsplit_once(':').map_or(self.address.shown.as_str(), |(host, _)| host);
        host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
    }

    /// Bears `stall` of silence in the middle of an answer.
    pub fn bear(&mut self, stall: Duration) {
        self.stall = stall;
    }

    /// Reads a small JSON document.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        let client = self.client().await?;
        let response = self.send(client.get(self.url(path))).await?;
        let came = Came::Far(response);
        let (status, retry) = came.head();
        let body = small_body(came, BODY_BYTES_MAX).await?;
        if status != 200 {
            return Err(Refusal { status, retry_after: retry, body: &body }.failure(&self.key));
        }
        serde_json::from_slice(&body).map_err(|_| malformed("it does not answer in JSON"))
    }

    /// Sends what `write` makes of `texts` and reads the whole answer, a JSON document.
    pub async fn embed(
        &self,
        path: &str,
        texts: &OutTexts,
        write: impl FnOnce(&OutTexts) -> Value,
        call: &Call,
    ) -> Result<Value, Failure> {
        texts.may_go_to(self.address.place)?;
        let body = write(texts).to_string();
        let asked = within(call, async {
            let came = self.post(path, body).await?;
            let (status, retry) = came.head();
            let body = small_body(came, ANSWER_BYTES_MAX).await?;
            if status != 200 {
                return Err(Refusal { status, retry_after: retry, body: &body }.failure(&self.key));
            }
            frame_json(&body, &self.key)
        });
        asked.await
    }

    /// Gives an order about models, which holds nothing of the owner's but a model's name, and reads what is said
    /// about it line by line. `stall` is how long the server may be silent.
    pub async fn order(
        &self,
        verb: Method,
        path: &str,
        order: &ModelOrder<'_>,
        stall: Duration,
        line: &mut (dyn FnMut(Value) -> Result<Flow, Failure> + Send),
    ) -> Result<(), Failure> {
        let client = self.client().await?;
        let body = order.json().to_string();
        let request = client.request(verb, self.url(path)).header("content-type", "application/json").body(body);
        let silent = Failure::Timeout { stage: Stage::Stall };
        let sent = tokio::time::timeout(stall, self.send(request)).await;
        let mut came = Came::Far(sent.unwrap_or_else(|_| Err(silent.clone()))?);
        let (status, retry) = came.head();
        if status != 200 {
            let body = small_body(came, BODY_BYTES_MAX).await.unwrap_or_default();
            return Err(Refusal { status, retry_after: retry, body: &body }.failure(&self.key));
        }
        let mut lines = Lines::default();
        let mut emit = |frame: &[u8]| match frame.trim_ascii() {
            [] => Ok(Flow::More),
            frame => line(frame_json(frame, &self.key)?),
        };
        loop {
            let piece = tokio::time::timeout(stall, came.chunk()).await.map_err(|_| silent.clone())?;
            match piece.map_err(|_| broke_off())? {
                Some(piece) if lines.feed(&piece, &mut emit)? == Flow::Done => return Ok(()),
                Some(_) => {}
                None => return lines.end(&mut emit).map(|_| ()),
            }
        }
    }

    /// Sends what `write` makes of `outbound` and reads the answer as it comes. `model` names it where the server
    /// does not.
    pub async fn ask<D: Decoder + Default + Send>(
        &self,
        path: &str,
        outbound: &Outbound,
        write: impl FnOnce(&Outbound) -> Value,
        read: ReadFrame,
        model: &str,
        call: &Call,
    ) -> Result<Completion, Failure> {
        outbound.may_go_to(self.address.place)?;
        let body = write(outbound).to_string();
        let sent = within(call, async {
            let came = self.post(path, body).await?;
            let (status, retry) = came.head();
            if status == 200 {
                return Ok(came);
            }
            let body = small_body(came, BODY_BYTES_MAX).await.unwrap_or_default();
            Err(Refusal { status, retry_after: retry, body: &body }.failure(&self.key))
        });
        let came = sent.await?;
        let growing = self.read_answer::<D>(came, read, call).await?;
        Ok(growing.finish(model, call).await)
    }

    async fn read_answer<D: Decoder + Default + Send>(
        &self,
        mut came: Came,
        read: ReadFrame,
        call: &Call,
    ) -> Result<Growing, Failure> {
        let mut reading = Reading::<D>::new(read, &self.key, call);
        let (mut heard, mut frames) = (Instant::now(), 0);
        loop {
            if reading.frames() > frames {
                (heard, frames) = (Instant::now(), reading.frames());
            }
            let (limit, stage) = self.patience(&reading.growing, heard, call);
            let piece = tokio::select! {
                biased;
                () = call.cancel.cancelled() => return Err(Failure::Cancelled),
                piece = came.chunk() => piece,
                () = sleep_until(limit) => {
                    // All that could still come is the count of tokens.
                    let whole = reading.growing.finish.is_some();
                    return if whole { Ok(reading.growing) } else { Err(Failure::Timeout { stage }) };
                }
            };
            let Ok(Some(piece)) = piece else { return reading.end() };
            if reading.piece(&piece)? == Flow::Done {
                came.let_end();
                return Ok(reading.growing);
            }
        }
    }

    /// Until when the next frame must come after the one that was `heard`, and what it means when it does not.
    fn patience(&self, growing: &Growing, heard: Instant, call: &Call) -> (Instant, Stage) {
        let bearable = if growing.finish.is_some() { Duration::from_millis(AFTER_FINISH_MS) } else { self.stall };
        let stall = heard + bearable;
        match growing.begun() {
            false => (call.begin_by(), Stage::FirstToken),
            true if stall < call.deadline => (stall, Stage::Stall),
            true => (call.deadline, Stage::Total),
        }
    }

    async fn client(&self) -> Result<&Client, Failure> {
        let made = self.client.get_or_try_init(|| tls::client(self.address.https));
        made.await.map_err(|why| Failure::Unreachable { what: format!("no connection can be made: {}", short(&why)) })
    }

    /// Posts a JSON document and waits for the head of the answer.
    async fn post(&self, path: &str, body: String) -> Result<Came, Failure> {
        let Some(straight) = &self.straight else {
            let client = self.client().await?;
            let post = client.post(self.url(path)).header("content-type", "application/json").body(body);
            return self.send(post).await.map(Came::Far);
        };
        let posted = straight.post(&self.url(path), self.headers(), body).await;
        posted.map(Came::Near).map_err(|lost| self.lost(lost))
    }

    /// What stands above each document that goes the short way, as the client for all others says it.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(tls::USER_AGENT));
        if self.login == Login::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
        }
        if !self.key.is_empty() {
            match self.login {
                Login::Bearer => {
                    headers.insert(header::AUTHORIZATION, secret(&format!("Bearer {}", self.key.expose())))
                }
                Login::Anthropic => headers.insert("x-api-key", secret(self.key.expose())),
            };
        }
        headers
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address.base)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = match self.login {
            Login::Bearer if self.key.is_empty() => request,
            Login::Bearer => request.bearer_auth(self.key.expose()),
            Login::Anthropic => {
                let request = request.header("anthropic-version", ANTHROPIC_VERSION);
                if self.key.is_empty() { request } else { request.header("x-api-key", secret(self.key.expose())) }
            }
        };
        request.send().await.map_err(|error| self.no_answer(&error))
    }

    fn no_answer(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            return Failure::Timeout { stage: Stage::Connect };
        }
        let innermost = innermost(error);
        match innermost.downcast_ref::<std::io::Error>() {
            None if !error.is_connect() => self.no_http(innermost),
            Some(error) => self.unreached(error),
            None => self.unreached(&std::io::Error::other(innermost.to_string())),
        }
    }

    fn lost(&self, lost: Lost) -> Failure {
        match lost {
            Lost::Late => Failure::Timeout { stage: Stage::Connect },
            Lost::Unreached(error) => self.unreached(&error),
            Lost::Broken(error) => {
                let innermost = innermost(&error);
                innermost.downcast_ref().map_or_else(|| self.no_http(innermost), |error| self.unreached(error))
            }
        }
    }

    fn no_http(&self, error: &(dyn Error + 'static)) -> Failure {
        if error.downcast_ref().is_some_and(hyper::Error::is_incomplete_message) {
            // It is no other protocol that ends so, but a server that dies or gives up.
            return Failure::ServerFault { detail: "it closed the connection before it answered".to_owned() };
        }
        malformed(&format!("what answers at {} does not speak HTTP: {}", self.address.shown, short(&error.to_string())))
    }

    fn unreached(&self, error: &std::io::Error) -> Failure {
        let at = &self.address.shown;
        let what = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => format!("{NOBODY_LISTENS} {at}"),
            _ => format!("{at} cannot be reached: {}", short(&error.to_string())),
        };
        Failure::Unreachable { what }
    }
}

async fn small_body(mut came: Came, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = came.chunk().await.map_err(|_| broke_off())? {
        if body.len() + piece.len() > bytes_max {
            return Err(Failure::TooLarge { what: format!("it is over {bytes_max} bytes") });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Gives `work` up when the call is cancelled or its time is over before the first token.
pub async fn within<T>(call: &Call, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Err(Failure::Cancelled),
        () = sleep_until(call.begin_by()) => Err(Failure::Timeout { stage: Stage::FirstToken }),
        done = work => done,
    }
}

/// Reads a frame as JSON, and a refusal inside of it as one.
pub fn frame_json(frame: &[u8], key: &Secret) -> Result<Value, Failure> {
    let value: Value =
        serde_json::from_slice(frame).map_err(|_| malformed("the answer is not JSON where it should be"))?;
    if value.get("error").is_some_and(|e| !e.is_null()) {
        return Err(Refusal { status: 200, retry_after: None, body: frame }.failure(key));
    }
    Ok(value)
}

/// A secret as a header that no log of a library shows. One that no header can hold is sent as none.
fn secret(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn malformed(what: &str) -> Failure {
    Failure::Malformed { what: what.to_owned() }
}

fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at
}

fn short(text: &str) -> String {
    cut(&one_line(text), REASON_CHARS_MAX)
}
