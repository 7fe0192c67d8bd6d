//! Headers on every answer: nothing from elsewhere, nothing framed, nothing sniffed, nothing kept by default.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// What a page may load: its own scripts, styles and pictures, and nothing else.
pub const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers every answer carries.
///
/// The referrer stays on this site rather than nowhere: with `no-referrer` browsers send `Origin: null` along with
/// forms (Fetch standard, "append a request Origin header"), and the check of the origin would refuse them.
pub const ALWAYS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Adds them. An answer that says nothing about being kept is not kept.
pub fn add(response: &mut Response) {
    let headers = response.headers_mut();
    headers.reserve(ALWAYS.len() + 1);
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
