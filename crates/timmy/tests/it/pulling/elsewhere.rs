//! This machine under an address that does not say so: a loopback address of the old kind written in the new one. Timmy
//! counts it as elsewhere, so it is reached only with encryption, by a leave, and with a line in the ledger.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The address.
pub const HOST: &str = "::ffff:7f00:1";
/// A certificate for it, made for this test and good for nothing else, and its key.
const CERTIFICATE: &[u8] = include_bytes!("cert.der");
const KEY: &[u8] = include_bytes!("key.der");

/// Writes what a program has to trust to talk to such a server. Nothing where such an address leads nowhere.
pub fn trusted(home: &Path) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let to = format!("[{HOST}]:{port}").parse().expect("an address");
    if let Err(error) = TcpStream::connect_timeout(&to, Duration::from_secs(5)) {
        let why = format!("this machine cannot be reached at {HOST}: {error}");
        let _ = writeln!(std::io::stdout(), "skipped, not shown: {why}");
        return None;
    }
    let path = home.join("trusted.pem");
    std::fs::write(&path, pem()).expect("written");
    Some(path.to_string_lossy().into_owned())
}

/// The certificate as programs read it.
fn pem() -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in CERTIFICATE.chunks(48) {
        for three in line.chunks(3) {
            let bits = (0..3).fold(0_usize, |bits, n| bits << 8 | usize::from(*three.get(n).unwrap_or(&0)));
            for n in 0..4 {
                let sign = char::from(SIGNS[bits >> (18 - 6 * n) & 63]);
                text.push(if n <= three.len() { sign } else { '=' });
            }
        }
        text.push('\n');
    }
    let _ = writeln!(text, "-----END CERTIFICATE-----");
    text
}

/// How such a server encrypts.
pub fn encryption() -> Arc<ServerConfig> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().expect("versions");
    let key = PrivatePkcs8KeyDer::from(KEY).into();
    let config = versions.with_no_client_auth().with_single_cert(vec![CERTIFICATE.into()], key);
    Arc::new(config.expect("a certificate with its key"))
}

/// A connection to it.
pub fn encrypt(socket: TcpStream, config: Arc<ServerConfig>) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config).expect("a connection"), socket)
}
