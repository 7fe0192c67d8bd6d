//! Who may knock: pure decisions about host, origin and cross-site posts.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, Method, Uri, header};
use timmy_domain::Problem;
use timmy_domain::problem::Kind;

/// The names under which the server may be reached. Anything else may be a foreign name that was pointed at this
/// machine (DNS rebinding), and is refused.
#[derive(Clone, Debug)]
pub struct Hosts {
    bound: IpAddr,
    configured: Vec<String>,
}

/// The part of a `Host` header before the port, in lower case; `None` when it is not exactly a name or address with
/// an optional port.
fn host_name(host: &str) -> Option<String> {
    let (name, port) = if let Some(rest) = host.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        inside.parse::<Ipv6Addr>().ok()?;
        (format!("[{inside}]"), after.strip_prefix(':').map_or_else(|| after.is_empty().then_some(""), Some)?)
    } else {
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if name.is_empty() || !name.bytes().all(plain) {
            return None;
        }
        (name.to_owned(), port.unwrap_or(""))
    };
    let has_port = host.len() > name.len();
    let good_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (!has_port || good_port).then(|| name.to_ascii_lowercase())
}

fn literal(name: &str) -> Option<IpAddr> {
    name.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl Hosts {
    /// The names allowed for a server that listens on `bound`, with the `configured` ones.
    #[must_use]
    pub fn new(bound: IpAddr, configured: &[String]) -> Self {
        Self { bound, configured: configured.iter().map(|name| name.trim().to_ascii_lowercase()).collect() }
    }

    /// Whether `host`, as the header says it, is one of them. `reached` is the address the connection arrived at:
    /// a server that listens on every address is known by the one that was used.
    #[must_use]
    pub fn allow(&self, host: &str, reached: Option<IpAddr>) -> bool {
        let Some(name) = host_name(host) else { return false };
        if matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]") {
            return true;
        }
        let mine = |ip: IpAddr| !ip.is_unspecified() && literal(&name) == Some(ip.to_canonical());
        mine(self.bound) || reached.is_some_and(mine) || self.configured.contains(&name)
    }
}

/// The one host a request names.
///
/// # Errors
/// When it names none, several or different ones.
pub fn host_of<'r>(headers: &'r HeaderMap, uri: &'r Uri) -> Result<&'r str, Problem> {
    let mut named = headers.get_all(header::HOST).iter();
    let host = match (named.next().map(|h| h.to_str()), named.next()) {
        (Some(Ok(host)), None) => host,
        _ => return Err(forbidden_host()),
    };
    match uri.authority() {
        Some(authority) if authority.as_str() != host => Err(forbidden_host()),
        _ => Ok(host),
    }
}

/// The refusal of a foreign name.
#[must_use]
pub fn forbidden_host() -> Problem {
    Problem::new(
        Kind::Forbidden,
        "forbidden_host",
        "Timmy is not known by this name.",
        "Open him at the address that `timmy serve` printed, or add the name to [server] allowed_hosts.",
    )
}

/// Whether a request by `method` can change something.
#[must_use]
pub fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// What a request says about where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It does not say.
    Silent,
    /// From this site.
    Same,
    /// From another one.
    Foreign,
}

/// Where a request to `host` comes from, by `Origin` and `Sec-Fetch-Site`.
#[must_use]
pub fn origin(headers: &HeaderMap, host: &str) -> Origin {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let said = match (origins.next(), origins.next()) {
        (None, _) => Origin::Silent,
        (Some(origin), None) => {
            let authority =
                origin.to_str().ok().and_then(|o| o.strip_prefix("http://").or_else(|| o.strip_prefix("https://")));
            if authority.is_some_and(|a| a.eq_ignore_ascii_case(host)) { Origin::Same } else { Origin::Foreign }
        }
        (Some(_), Some(_)) => Origin::Foreign,
    };
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        None | Some(b"same-origin" | b"none") => said,
        // Another port of this machine is the same site, yet not this house.
        Some(_) => Origin::Foreign,
    }
}

/// The refusal of a request from another site.
#[must_use]
pub fn forbidden_origin() -> Problem {
    Problem::new(
        Kind::Forbidden,
        "forbidden_origin",
        "The request came from another site.",
        "Open Timmy at his own address and try again there.",
    )
}

/// Whether a browser's request that changes something was meant: a form always carries the session's word; a script
/// carries it or names this site as its origin.
///
/// # Errors
/// When it does not.
pub fn meant(form: bool, origin: Origin, shown: Option<&str>, wanted: &str) -> Result<(), Problem> {
    let fine = match shown {
        Some(shown) => same(shown, wanted),
        None => !form && origin == Origin::Same,
    };
    if fine {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "forbidden_form",
        "The form does not carry the word of this session.",
        "Load the page again and send the form once more.",
    ))
}

/// Compares without telling by time where the first difference is.
fn same(a: &str, b: &str) -> bool {
    !b.is_empty() && a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |found, (a, b)| found | (a ^ b)) == 0
}

/// `path` when it leads to a page of this site, whatever a browser makes of it.
#[must_use]
pub fn local_path(path: &str) -> Option<&str> {
    /// Bytes of an address that is led back to.
    const PATH_BYTES_MAX: usize = 2_048;
    let fine = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= PATH_BYTES_MAX
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    fine.then_some(path)
}

#[cfg(test)]
mod tests;
