//! What the door makes of bytes, without a connection: for whoever searches for bytes that confuse it.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use timmy_domain::Problem;
use timmy_domain::bus::Pattern;

use crate::auth::{bearer, cookie};
use crate::guard::{self, Hosts, Origin};
use crate::live::wire;

/// The patterns a frame of the live feed subscribes to.
///
/// # Errors
/// When it is no subscription.
pub fn subscription(frame: &str) -> Result<Vec<Pattern>, Problem> {
    wire::subscription(frame)
}

/// What a client of the live feed is told about a frame that is none.
#[must_use]
pub fn refusal(problem: &Problem) -> String {
    wire::refusal(problem)
}

/// Whether a server that listens on `bound` and is also called `names` may be reached as `host`.
#[must_use]
pub fn is_known(bound: IpAddr, names: &[String], host: &str) -> bool {
    Hosts::new(bound, names).allow(host, None)
}

/// The one host that these values of the `Host` header and this address name.
#[must_use]
pub fn host(values: &[&[u8]], uri: &str) -> Option<String> {
    let headers = headers(&header::HOST, values);
    let uri: Uri = uri.parse().ok()?;
    guard::host_of(&headers, &uri).ok().map(str::to_owned)
}

/// Whether a request to `host` with these values of the `Origin` header comes from the same site.
#[must_use]
pub fn is_same_site(values: &[&[u8]], host: &str) -> bool {
    guard::origin(&headers(&header::ORIGIN, values), host) == Origin::Same
}

/// The cookie `name` in these lines.
#[must_use]
pub fn cookie_in(lines: &[&[u8]], name: &str) -> Option<String> {
    cookie(&headers(&header::COOKIE, lines), name).map(str::to_owned)
}

/// The token in these values of the `Authorization` header.
#[must_use]
pub fn token_in(values: &[&[u8]]) -> Option<String> {
    bearer(&headers(&header::AUTHORIZATION, values)).map(str::to_owned)
}

/// Whether a browser is led back to `path` after it logged in.
#[must_use]
pub fn is_local(path: &str) -> bool {
    guard::local_path(path).is_some()
}

/// Headers of one name. What no header can hold is left out, as hyper refuses it.
fn headers(name: &header::HeaderName, values: &[&[u8]]) -> HeaderMap {
    let values = values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok());
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name.clone(), value);
    }
    headers
}
