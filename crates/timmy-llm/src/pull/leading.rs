//! Redirections: a hub sends on to where its files lie. They are followed here and not by the client, so that each
//! further host can be written down before it is asked.

use std::pin::Pin;

use reqwest::{StatusCode, Url};

use super::PullFailure;
use crate::wire::address::is_loopback;

/// A further host, to which a server sends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Further {
    /// The host, with its port where that is not the usual one.
    pub host: String,
    /// Bytes of the address that is told there.
    pub bytes: u64,
    /// Whether that leaves this machine.
    pub leaves: bool,
}

/// What [`Gate::may_ask`] gives.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<(), PullFailure>> + Send + 'a>>;

/// Who is asked before a further host is. One host may be named more than once: each lost connection begins anew.
pub trait Gate: Send + Sync {
    /// Whether `further` may be asked.
    fn may_ask<'a>(&'a self, further: &'a Further) -> Asked<'a>;
}

/// Where an answer sends on to; nothing when it is no redirection. None leads out of encryption, none from this
/// machine to another one, and none from another one to this.
///
/// # Errors
/// [`PullFailure::Refused`] with the status 0 when it leads astray.
pub(super) fn next(from: &Url, status: StatusCode, location: Option<&str>) -> Result<Option<Url>, PullFailure> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let to = location.and_then(|to| from.join(to).ok()).ok_or_else(astray)?;
    let good = match (is_here(from), is_here(&to)) {
        (true, true) => matches!(to.scheme(), "http" | "https"),
        (false, false) => to.scheme() == "https",
        _ => false,
    };
    let nameless = to.username().is_empty() && to.password().is_none();
    if good && nameless { Ok(Some(to)) } else { Err(astray()) }
}

/// The host of `to`, when it is another one than that of `from`.
pub(super) fn further(from: &Url, to: &Url) -> Option<Further> {
    let place = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
    if place(from) == place(to) {
        return None;
    }
    let name = to.host_str().unwrap_or_default();
    let host = to.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    Some(Further { host, bytes: to.as_str().len() as u64, leaves: !is_here(to) })
}

/// A server sends on to where nobody should follow, or for ever.
pub(super) fn astray() -> PullFailure {
    PullFailure::Refused { status: 0 }
}

fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Url {
        Url::parse(url).expect("an address")
    }

    // shows: models: a redirection of a pull never leads out of encryption, off this machine or back onto it
    #[test]
    fn a_redirection_is_followed_only_where_it_may_lead() {
        let far = "https://hub.test/a/m.gguf";
        let near = "http://127.0.0.1:9/m.gguf";
        let rows = [
            (far, "https://files.test/m?x=1", Some("https://files.test/m?x=1")),
            (far, "/b/m.gguf", Some("https://hub.test/b/m.gguf")),
            (far, "//files.test/m", Some("https://files.test/m")),
            (far, "http://files.test/m", None),
            (far, "https://127.0.0.1/m", None),
            (far, "https://localhost:8/m", None),
            (far, "https://[::1]/m", None),
            (far, "https://me:secret@files.test/m", None),
            (far, "ftp://files.test/m", None),
            (far, "file:///etc/passwd", None),
            (near, "/n", Some("http://127.0.0.1:9/n")),
            (near, "http://localhost:8/n", Some("http://localhost:8/n")),
            (near, "https://files.test/m", None),
            (near, "file:///etc/passwd", None),
        ];
        for (from, location, expected) in rows {
            let found = next(&at(from), StatusCode::FOUND, Some(location));
            let expected = expected.map(at).ok_or_else(astray);
            assert_eq!(found, expected.map(Some), "{from} -> {location}");
        }
        assert_eq!(next(&at(far), StatusCode::FOUND, None), Err(astray()));
        assert_eq!(next(&at(far), StatusCode::OK, Some("https://files.test/m")), Ok(None));
        assert_eq!(next(&at(far), StatusCode::NOT_MODIFIED, Some("https://files.test/m")), Ok(None));
    }

    #[test]
    fn only_another_host_is_a_further_one() {
        let of = |to: &str| further(&at("https://hub.test/m"), &at(to)).map(|f| (f.host, f.leaves));
        assert_eq!(of("https://hub.test/other"), None);
        assert_eq!(of("https://hub.test:443/other"), None);
        assert_eq!(of("https://files.test/m"), Some(("files.test".to_owned(), true)));
        assert_eq!(of("https://hub.test:8443/m"), Some(("hub.test:8443".to_owned(), true)));
        let near = further(&at("http://127.0.0.1:9/m"), &at("http://127.0.0.1:8/m")).expect("another port");
        assert_eq!((near.host.as_str(), near.bytes, near.leaves), ("127.0.0.1:8", 20, false));
    }
}
