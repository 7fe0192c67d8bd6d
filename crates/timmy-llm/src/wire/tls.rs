//! One HTTP client for each provider, made when it is first needed.
//!
//! Without encryption it costs nothing to make. With it, the certificates of the system are read, on a thread that
//! may wait.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::CONNECT_MS;

/// Who asks.
pub const USER_AGENT: &str = concat!("timmy/", env!("CARGO_PKG_VERSION"));

/// Makes the client.
pub async fn client(https: bool) -> Result<Client, String> {
    if !https {
        return plain();
    }
    tokio::task::spawn_blocking(encrypted).await.map_err(|e| e.to_string())?
}

/// A client that fetches files, encrypted or from this machine; whoever uses it looks at the address. It follows no
/// redirection.
pub async fn fetching() -> Result<Client, String> {
    let made = tokio::task::spawn_blocking(move || {
        // Taken already by an earlier client: the same provider, or one that somebody else of this process chose.
        let _ = ring::default_provider().install_default();
        base().build().map_err(|e| e.to_string())
    });
    made.await.map_err(|e| e.to_string())?
}

fn base() -> ClientBuilder {
    let here = |ip: IpAddr| SocketAddr::new(ip, 0);
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_millis(CONNECT_MS))
        // A fresh connection is cheap next to an answer from elsewhere, and never turns out to have been closed by a
        // server that was restarted. Servers on this machine are asked the short way.
        .pool_max_idle_per_host(0)
        // The name counts as this machine, so it leads nowhere else.
        .resolve_to_addrs("localhost", &[here(Ipv4Addr::LOCALHOST.into()), here(Ipv6Addr::LOCALHOST.into())])
        .user_agent(USER_AGENT)
}

/// Trusts no certificate at all, since no connection of it is encrypted.
fn plain() -> Result<Client, String> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    base().tls_backend_preconfigured(tls).build().map_err(|e| e.to_string())
}

fn encrypted() -> Result<Client, String> {
    // Taken already by an earlier client: the same provider, or one that somebody else of this process chose.
    let _ = ring::default_provider().install_default();
    base().https_only(true).build().map_err(|e| e.to_string())
}
