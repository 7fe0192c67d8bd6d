//! Host, origin, cookies and keys of a request: a name is known only when it is ours, whatever is written around it.

use std::net::{IpAddr, Ipv4Addr};

use timmy_web::dry;

/// The address that the server listens on.
const BOUND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 7, 9));
/// How it is called besides.
const NAME: &str = "kelp.home";
/// Every name under which it may be reached.
const KNOWN: [&str; 5] = ["localhost", "127.0.0.1", "[::1]", "192.168.7.9", NAME];

/// Reads each line as a header of each kind.
pub fn check(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for line in &lines {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        host(line);
        path(line);
    }
    cookies(&lines);
    if let Some(token) = dry::token_in(&lines) {
        assert!(token.trim() == token, "{token:?}");
        assert!(lines.iter().any(|line| line.trim_ascii_end().ends_with(token.as_bytes())), "{token:?} was never said");
    }
    if let Some(host) = dry::host(&lines, "/") {
        let mut same = lines.iter().filter(|line| **line == host.as_bytes());
        assert!(same.next().is_some(), "{host:?} was never said");
        origin(&lines, &host);
    }
}

/// What is known begins with a name of ours, and only a port may follow.
fn host(host: &str) {
    if !dry::is_known(BOUND, &[NAME.to_owned()], host) {
        return;
    }
    let lower = host.to_ascii_lowercase();
    let known = KNOWN.iter().any(|name| match lower.strip_prefix(name) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(|port| {
            !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok()
        }),
        None => false,
    });
    assert!(known, "{host:?} is not ours");
}

/// A way back stays on this site, however a browser reads it.
fn path(path: &str) {
    if dry::is_local(path) {
        assert!(path.starts_with('/') && !path.starts_with("//") && !path.contains('\\'), "{path:?}");
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    }
}

fn cookies(lines: &[&[u8]]) {
    if let Some(value) = dry::cookie_in(lines, "timmy_session") {
        assert!(!value.contains(';'), "{value:?}");
        let said = format!("timmy_session={value}");
        let in_line = |line: &&[u8]| line.windows(said.len().max(1)).any(|part| part == said.as_bytes());
        assert!(lines.iter().any(in_line), "{said:?} was never said");
    }
}

/// Only this site is this site.
fn origin(lines: &[&[u8]], host: &str) {
    if let Some(line) = lines.first().filter(|line| dry::is_same_site(&[line], host)) {
        let said = String::from_utf8_lossy(line).to_ascii_lowercase();
        let host = host.to_ascii_lowercase();
        assert!(said == format!("http://{host}") || said == format!("https://{host}"), "{said:?} is not {host:?}");
    }
}
