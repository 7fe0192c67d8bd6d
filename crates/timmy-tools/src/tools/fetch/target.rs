//! The address of a page: which are asked at all, and where a page that moved may lead.

use reqwest::Url;
use timmy_domain::text;

/// Bytes an address may hold.
pub const URL_BYTES_MAX: usize = 2_048;

/// Endings of names that are never of the open internet (RFC 6761, RFC 6762, RFC 8375, and what routers and clouds use).
const INNER_ENDINGS: [&str; 16] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "test",
    "invalid",
    "example",
    "onion",
    "alt",
    "arpa",
];

/// An address of a page, undone of every spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: String,
    port: u16,
}

impl Target {
    /// Reads `typed`.
    ///
    /// # Errors
    /// What is wrong with it, in words that finish "the address …".
    pub fn parse(typed: &str) -> Result<Self, String> {
        // The reader of addresses drops line breaks and tabs and trims; what is shown would not be what is asked.
        if typed.chars().any(|c| text::is_harmful(c) || c.is_whitespace()) {
            return Err("holds spaces, control characters or invisible ones".to_owned());
        }
        if typed.len() > URL_BYTES_MAX {
            return Err(format!("is longer than {URL_BYTES_MAX} bytes"));
        }
        let url = Url::parse(typed).map_err(|error| format!("cannot be read: {error}"))?;
        Self::of(url)
    }

    /// Where this page has moved, as its server says in `location`.
    ///
    /// # Errors
    /// What is wrong with the new address.
    pub fn moved(&self, location: &str) -> Result<Self, String> {
        if location.len() > URL_BYTES_MAX || location.chars().any(text::is_harmful) {
            return Err("is too long or holds control characters".to_owned());
        }
        let next = Self::of(self.url.join(location).map_err(|error| format!("cannot be read: {error}"))?)?;
        if self.url.scheme() == "https" && next.url.scheme() == "http" {
            return Err("is not encrypted, though the first one was".to_owned());
        }
        Ok(next)
    }

    fn of(mut url: Url) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("begins with {}:, and only http: and https: are asked", text::one_line(url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a name or a password, which Timmy never sends".to_owned());
        }
        url.set_fragment(None);
        let Some(host) = url.host_str().map(str::to_owned) else { return Err("names no host".to_owned()) };
        let port = url.port_or_known_default().ok_or("has no port")?;
        if matches!(url.host(), Some(host) if is_inner(&host.to_string())) {
            return Err(format!("leads to {}, a name of the inner network", text::one_line(&host)));
        }
        Ok(Self { url, host, port })
    }

    /// The host as it is asked; an address of the sixth version stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The whole address.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Host and port as plans name them: the port only where it is not the usual one.
    #[must_use]
    pub fn place(&self) -> String {
        self.url.port().map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// Whether `next` is the same site, so that a page that moved there is still what was planned: the same name, with
    /// or without `www.`, on the same port or the usual one of the encrypted scheme.
    #[must_use]
    pub fn is_same_site(&self, next: &Self) -> bool {
        let bare = |host: &str| host.strip_prefix("www.").unwrap_or(host).to_owned();
        bare(&self.host) == bare(&next.host) && (self.port == next.port || (self.port == 80 && next.port == 443))
    }
}

/// Whether a name can only be one of the inner network. Numbers are judged as addresses, not here.
fn is_inner(host: &str) -> bool {
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return false;
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.')
        || INNER_ENDINGS
            .iter()
            .any(|ending| name.strip_suffix(ending).is_some_and(|front| front.is_empty() || front.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_of_the_web_are_taken() {
        for bad in [
            "",
            "example.org",
            "/etc/passwd",
            "file:///etc/passwd",
            "ftp://example.org/",
            "gopher://example.org:70/_x",
            "data:text/html,x",
            "javascript:alert(1)",
            "http://",
            "http:///x",
            "https://me:pw@example.org/",
            "https://example.org@evil.org/",
            "http://exa mple.org",
            "https://example.org/\n",
            "\thttps://example.org/",
            "https://example.org/\u{202e}gpj",
            "https://exa\u{200b}mple.org/",
            "http://[::1",
            "http://example.org:99999/",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad:?}");
        }
        let long = format!("https://example.org/{}", "a".repeat(URL_BYTES_MAX));
        assert!(Target::parse(&long).is_err());
        let target = Target::parse("HTTPS://WWW.Example.ORG:443/a?b=c#part").unwrap();
        assert_eq!(
            (target.url().as_str(), target.place().as_str()),
            ("https://www.example.org/a?b=c", "www.example.org")
        );
        assert_eq!(Target::parse("http://example.org:8080/").unwrap().place(), "example.org:8080");
    }

    #[test]
    fn names_of_the_inner_network_are_refused_in_every_spelling() {
        for bad in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "metadata",
            "metadata.google.internal",
            "router",
            "printer.local",
            "nas.lan",
            "x.home.arpa",
            "1.0.0.127.in-addr.arpa",
            "ｌocalhost",
            "localhost%2e",
        ] {
            assert!(Target::parse(&format!("http://{bad}/")).is_err(), "{bad}");
        }
        for fine in ["localhost.com", "example.org.", "mylocal.org", "xn--bcher-kva.example.org"] {
            assert!(Target::parse(&format!("http://{fine}/")).is_ok(), "{fine}");
        }
    }

    #[test]
    fn numbers_in_any_spelling_become_the_address_that_is_judged() {
        for spelled in
            ["127.0.0.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7f000001", "127.1", "１２７.0.0.1", "127.0.0.1."]
        {
            let target = Target::parse(&format!("http://{spelled}/")).unwrap();
            assert_eq!(target.host(), "127.0.0.1", "{spelled}");
        }
    }

    #[test]
    fn a_page_may_move_within_its_site_and_up_to_encryption() {
        let from = Target::parse("http://example.org/a/b").unwrap();
        let to = |location: &str| from.moved(location).map(|next| (from.is_same_site(&next), next.url().to_string()));
        assert_eq!(to("../c"), Ok((true, "http://example.org/c".to_owned())));
        assert_eq!(to("https://www.example.org/"), Ok((true, "https://www.example.org/".to_owned())));
        assert!(!to("//evil.org/x").unwrap().0);
        assert!(!to("http://example.org:8080/").unwrap().0);
        assert!(!to("http://example.org.evil.org/").unwrap().0);
        assert!(to("http://localhost/").is_err() && to("file:///etc/passwd").is_err());
        assert!(Target::parse("https://example.org/").unwrap().moved("http://example.org/").is_err(), "downwards");
    }
}
