//! How a part is asked for, `bytes=10-`, and what a partial answer says about itself: `bytes 10-99/100`.

use reqwest::Response;
use reqwest::header::{CONTENT_RANGE, HeaderValue};

/// Where its body begins.
pub fn begins_at(response: &Response) -> Option<u64> {
    range(response)?.split('-').next()?.parse().ok()
}

/// How long the whole file is; `None` when the server does not say it.
pub fn whole_bytes(response: &Response) -> Option<u64> {
    range(response)?.rsplit('/').next()?.parse().ok()
}

fn range(response: &Response) -> Option<&str> {
    response.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")
}

/// Asks for all from `begin` on.
pub fn from(begin: u64) -> HeaderValue {
    // Digits are always a header.
    HeaderValue::from_str(&format!("bytes={begin}-")).unwrap_or(HeaderValue::from_static("bytes=0-"))
}
