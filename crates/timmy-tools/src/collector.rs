//! Hands a batch of traces to a collector, and says what became of it. Sends to one address and nowhere else: no
//! proxy, no redirect, nothing looked up before there is something to send.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio::sync::OnceCell;

/// How long reaching the collector may take, in seconds.
const CONNECT_SECONDS: u64 = 5;
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The path below the base at which collectors take traces (OTLP specification, "OTLP/HTTP Request").
const TRACES_PATH: &str = "/v1/traces";

/// A collector.
pub struct Collector {
    url: Url,
    client: OnceCell<Client>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The collector took it, all but `rejected` spans.
    Taken {
        /// Spans it refused.
        rejected: u64,
    },
    /// Not now; sending it again may help.
    Later {
        /// Why, in words.
        why: String,
        /// When the collector wants to be asked again.
        after: Option<Duration>,
    },
    /// Sending it again would not help.
    Refused {
        /// Why, in words.
        why: String,
    },
}

/// The address as it is asked, from the base that a person wrote.
///
/// # Errors
/// What is wrong with it, in words.
pub fn address(base: &str) -> Result<Url, String> {
    let expected = "expected an address such as http://127.0.0.1:4318";
    let mut url = Url::parse(base.trim()).map_err(|_| expected.to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(expected.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("an address must not hold a name, a password or a query; they would be shown".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with(TRACES_PATH) {
        url.set_path(&format!("{path}{TRACES_PATH}"));
    }
    Ok(url)
}

impl Collector {
    /// The collector at `base`. Nothing is sent or looked up yet.
    ///
    /// # Errors
    /// What is wrong with the address, in words.
    pub fn new(base: &str) -> Result<Self, String> {
        Ok(Self { url: address(base)?, client: OnceCell::new() })
    }

    /// Host and port, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let port = self.url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}{port}", self.url.host_str().unwrap_or_default())
    }

    /// Sends `body`, a request in JSON, within `deadline`.
    pub async fn post(&self, body: Vec<u8>, deadline: Duration) -> Posted {
        let asked = tokio::time::timeout(deadline, self.ask(body)).await;
        asked.unwrap_or_else(|_| Posted::Later { why: "it did not answer in time".to_owned(), after: None })
    }

    async fn ask(&self, body: Vec<u8>) -> Posted {
        let https = self.url.scheme() == "https";
        let client = match self.client.get_or_try_init(|| client(https)).await {
            Ok(client) => client,
            Err(why) => return Posted::Refused { why },
        };
        let request = client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Posted::Later { why: unreached(&error), after: None },
        };
        let status = answer.status();
        let after = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
        let mut said = Vec::new();
        // What a collector says beyond the bound, or not at all, changes nothing.
        while let Ok(Some(more)) = answer.chunk().await {
            said.extend_from_slice(&more);
            if said.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        verdict(status, after.map(Duration::from_secs), &said)
    }
}

/// What a collector says about spans it did not take.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Partial {
    partial_success: Rejected,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rejected {
    /// A number of 64 bits, which JSON may carry as text.
    rejected_spans: serde_json::Value,
}

/// What an answer means (OTLP specification, "OTLP/HTTP Response").
fn verdict(status: StatusCode, after: Option<Duration>, said: &[u8]) -> Posted {
    let why = || format!("it answered with status {}", status.as_u16());
    match status.as_u16() {
        200..=299 => {
            let rejected = serde_json::from_slice::<Partial>(said).unwrap_or_default().partial_success.rejected_spans;
            let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
            Posted::Taken { rejected }
        }
        429 | 502 | 503 | 504 => Posted::Later { why: why(), after },
        _ => Posted::Refused { why: why() },
    }
}

fn unreached(error: &reqwest::Error) -> String {
    if error.is_connect() { "nobody answers there".to_owned() } else { "the connection broke off".to_owned() }
}

async fn client(https: bool) -> Result<Client, String> {
    if https {
        // Reads the certificates of the system, on a thread that may wait.
        return tokio::task::spawn_blocking(encrypted).await.map_err(|e| e.to_string())?;
    }
    // Trusts no certificate at all, since no connection of it is encrypted.
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    base().tls_backend_preconfigured(tls).build().map_err(|e| e.to_string())
}

fn encrypted() -> Result<Client, String> {
    // Taken already by an earlier client is as good.
    let _ = ring::default_provider().install_default();
    base().https_only(true).build().map_err(|e| e.to_string())
}

fn base() -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
        .user_agent(concat!("timmy/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_once_and_addresses_that_would_leak_are_refused() {
        let of = |base: &str| address(base).map(|url| url.to_string());
        assert_eq!(of("http://127.0.0.1:4318").as_deref(), Ok("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(of(" https://traces.test/otlp/ ").as_deref(), Ok("https://traces.test/otlp/v1/traces"));
        assert_eq!(of("http://h:1/v1/traces").as_deref(), Ok("http://h:1/v1/traces"));
        for bad in ["", "collector", "grpc://h:4317", "http://", "http://me:pw@h", "http://h/?key=1", "file:///etc"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Collector::new("http://h:1/x").map(|c| c.shown()).as_deref(), Ok("h:1"));
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let of = |status: u16, said: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            verdict(status, Some(Duration::from_secs(3)), said.as_bytes())
        };
        assert_eq!(of(200, ""), Posted::Taken { rejected: 0 });
        assert_eq!(of(200, r#"{"partialSuccess":{"rejectedSpans":"4"}}"#), Posted::Taken { rejected: 4 });
        assert_eq!(
            of(202, r#"{"partialSuccess":{"rejectedSpans":5,"errorMessage":"x"}}"#),
            Posted::Taken { rejected: 5 }
        );
        assert!(matches!(of(503, ""), Posted::Later { after: Some(_), .. }));
        assert!(matches!(of(429, ""), Posted::Later { .. }));
        for status in [301, 400, 401, 404, 413, 500] {
            assert!(matches!(of(status, ""), Posted::Refused { .. }), "{status}");
        }
    }
}
