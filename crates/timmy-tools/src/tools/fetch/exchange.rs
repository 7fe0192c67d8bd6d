//! One question to one server and its answer, within bounds, over a connection to an address that was judged.

use std::future::Future;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::address;
use super::target::Target;
use crate::ToolError;

/// Bytes of an answer that are read from the network.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes an answer may grow to when it is unpacked.
pub const UNPACKED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long reaching a server may take, in seconds.
const CONNECT_SECONDS_MAX: u64 = 10;

/// Addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 16;

/// Who asks. Honest, so that the owner of a site can tell Timmy from a person and refuse him.
const USER_AGENT: &str = concat!("Timmy/", env!("CARGO_PKG_VERSION"), " (personal assistant; one page for one person)");

/// What a network is to this tool: where names lead and which addresses may be asked. Another one than [`Internet`]
/// is handed in by tests, whose servers stand on this machine.
pub trait Network: Send + Sync + 'static {
    /// The addresses `host` leads to.
    fn look_up<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

    /// Whether `address` may be asked.
    ///
    /// # Errors
    /// What it is, in words, when it may not.
    fn judge(&self, address: SocketAddr) -> Result<(), &'static str>;
}

/// The open internet, as the names of this machine's resolver lead to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Internet;

impl Network for Internet {
    fn look_up<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.take(ADDRESSES_MAX).collect()) })
    }

    fn judge(&self, address: SocketAddr) -> Result<(), &'static str> {
        address::judge(address)
    }
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The head of the answer.
    pub headers: HeaderMap,
    /// The body as it was meant, at most [`UNPACKED_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
    /// Bytes that came over the network.
    pub bytes_in: u64,
    /// Whether the body was cut at a bound.
    pub truncated: bool,
}

/// The addresses of `target` that may be asked. One that may not spoils all: a name that leads both outside and
/// inside is an attack, or nothing Timmy has to know.
///
/// # Errors
/// [`ToolError::Refused`] with what the address is, or [`ToolError::Transient`] when the name leads nowhere.
pub(super) async fn addresses(network: &dyn Network, target: &Target) -> Result<Vec<SocketAddr>, ToolError> {
    let found = match target.host().trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, target.port())],
        Err(_) => network.look_up(target.host(), target.port()).await.map_err(|_| nowhere(target))?,
    };
    if found.is_empty() {
        return Err(nowhere(target));
    }
    for address in &found {
        network.judge(*address).map_err(|what| inner(target, what))?;
    }
    Ok(found)
}

fn nowhere(target: &Target) -> ToolError {
    let message = format!("The name {} leads nowhere.", target.host());
    ToolError::transient("name_unknown", message, "Check the spelling, and whether this machine is online.")
}

fn inner(target: &Target, what: &str) -> ToolError {
    let message = format!("{} leads to an address that is {what}; nothing was asked there.", target.place());
    ToolError::refused("address_refused", message, "Timmy fetches from the open internet only; give another address.")
}

/// Asks `target` at one of `addresses`, which must have been judged.
///
/// # Errors
/// [`ToolError::Transient`] when the server cannot be reached or breaks off; [`ToolError::Permanent`] for an answer
/// that cannot be read.
pub(super) async fn ask(
    network: &dyn Network,
    target: &Target,
    addresses: Vec<SocketAddr>,
    head_only: bool,
) -> Result<Answer, ToolError> {
    let client = client(target, addresses).await?;
    let method = if head_only { Method::HEAD } else { Method::GET };
    let asked = client.request(method, target.url().clone()).send().await;
    let response = asked.map_err(|error| broken(target, &error))?;
    // The connection is made by another's code; where it really went is looked at once more.
    if let Some(address) = response.remote_addr() {
        network.judge(address).map_err(|what| inner(target, what))?;
    }
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let (raw, cut) = body(target, response).await?;
    let bytes_in = raw.len() as u64;
    let packed = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let (body, cut) = match packed.as_deref() {
        None | Some(b"" | b"identity") => (raw, cut),
        Some(b"gzip" | b"x-gzip") => unpack(raw, cut).await?,
        Some(_) => return Err(unreadable(target, "is packed in a way Timmy did not ask for")),
    };
    Ok(Answer { status, headers, body, bytes_in, truncated: cut })
}

async fn body(target: &Target, mut response: Response) -> Result<(Vec<u8>, bool), ToolError> {
    let mut whole = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| broken(target, &error))? {
        let room = part.len().min(BODY_BYTES_MAX - whole.len());
        whole.extend_from_slice(&part[..room]);
        if room < part.len() {
            return Ok((whole, true));
        }
    }
    Ok((whole, false))
}

/// Unpacks within the bound. A stream that was cut or is damaged gives what came before.
async fn unpack(raw: Vec<u8>, cut: bool) -> Result<(Vec<u8>, bool), ToolError> {
    let work = move || {
        let mut out = Vec::new();
        let end = MultiGzDecoder::new(raw.as_slice()).take(UNPACKED_BYTES_MAX as u64 + 1).read_to_end(&mut out);
        let more = out.len() > UNPACKED_BYTES_MAX;
        out.truncate(UNPACKED_BYTES_MAX);
        (out, cut || more || end.is_err())
    };
    tokio::task::spawn_blocking(work).await.map_err(|gone| ToolError::io("unpacking a page", io::Error::other(gone)))
}

/// A client for one question: it knows one name, at the addresses that were judged, follows nothing, keeps nothing
/// and sends no more than is written here.
async fn client(target: &Target, addresses: Vec<SocketAddr>) -> Result<Client, ToolError> {
    let mut headers = HeaderMap::new();
    let accept = "text/html,application/xhtml+xml,text/plain;q=0.9,application/json;q=0.9,*/*;q=0.1";
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let builder = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(USER_AGENT)
        .default_headers(headers)
        .pool_max_idle_per_host(0)
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
        .resolve_to_addrs(target.host(), &addresses);
    let failed = |error: String| ToolError::io("preparing a connection", io::Error::other(error));
    if target.url().scheme() == "https" {
        // Reads the certificates of the system, on a thread that may wait.
        let build = move || {
            // Taken already by an earlier client is as good.
            let _ = ring::default_provider().install_default();
            builder.https_only(true).build()
        };
        let built = tokio::task::spawn_blocking(build).await.map_err(|gone| failed(gone.to_string()))?;
        return built.map_err(|error| failed(error.to_string()));
    }
    // Trusts no certificate at all, since no connection of it is encrypted.
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    builder.tls_backend_preconfigured(tls).build().map_err(|error| failed(error.to_string()))
}

fn unreadable(target: &Target, why: &str) -> ToolError {
    let message = format!("What {} answered {why}.", target.place());
    ToolError::permanent("page_unreadable", message, "Open the page in a browser instead.")
}

/// Why a server could not be asked, in words of the house: what libraries say is for programmers.
fn broken(target: &Target, error: &reqwest::Error) -> ToolError {
    let what = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "could not be reached, or its certificate is not to be trusted"
    } else {
        "broke off its answer or did not speak HTTP"
    };
    ToolError::transient("page_unreachable", format!("{} {what}.", target.place()), "Try again later.")
}
