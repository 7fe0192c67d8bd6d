//! Where a provider lives, and what that says about who may read what is sent there.

use std::net::IpAddr;

use reqwest::Url;
use timmy_domain::thought::Place;

/// The address of a provider cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is no address.
    #[error("not an address: expected one such as http://127.0.0.1:11434")]
    NotAUrl,
    /// It holds a name or a password.
    #[error("an address must not hold a name or a password; a key belongs in secrets.toml")]
    Credentials,
    /// The place is none of the three words.
    #[error("place must be \"local\", \"remote\" or empty, not {0:?}")]
    Place(String),
    /// A key would travel in the clear.
    #[error("a key would travel in the clear: use https, or say place = \"local\" for a machine of yours")]
    KeyInTheClear,
}

/// A checked address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Without a slash at its end.
    pub base: String,
    /// Host and port, for people.
    pub shown: String,
    /// Whether the connection is encrypted.
    pub https: bool,
    /// Who may read what is sent there.
    pub place: Place,
}

impl Address {
    /// Checks `url`. `place` is the owner's word about it: `local` for a machine of his own, `remote`, or empty to
    /// tell by the address, which is local only when it is a loopback address or `localhost`.
    pub fn parse(url: &str, place: &str, has_key: bool) -> Result<Self, BadAddress> {
        let parsed = Url::parse(url.trim()).map_err(|_| BadAddress::NotAUrl)?;
        let (host, https) = match (parsed.host_str(), parsed.scheme()) {
            (Some(host), "http") => (host.to_owned(), false),
            (Some(host), "https") => (host.to_owned(), true),
            _ => return Err(BadAddress::NotAUrl),
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(BadAddress::Credentials);
        }
        let loopback = is_loopback(&host);
        let place = match place {
            "" | "auto" if loopback => Place::Local,
            "" | "auto" | "remote" => Place::Remote,
            "local" => Place::Local,
            other => return Err(BadAddress::Place(other.to_owned())),
        };
        if has_key && !https && !loopback && place != Place::Local {
            return Err(BadAddress::KeyInTheClear);
        }
        let port = parsed.port_or_known_default().map_or_else(String::new, |p| format!(":{p}"));
        let base = format!("{}{}", parsed.origin().ascii_serialization(), parsed.path().trim_end_matches('/'));
        Ok(Self { base, shown: format!("{host}{port}"), https, place })
    }
}

/// Whether `host` is this machine by its form alone. A name is never looked up: what a name leads to can change.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_address_is_this_machine() {
        let rows = [
            ("http://127.0.0.1:11434", Place::Local),
            ("http://127.8.9.1", Place::Local),
            ("http://[::1]:8080/v1/", Place::Local),
            ("HTTP://LOCALHOST:1/", Place::Local),
            ("http://127.evil.com", Place::Remote),
            ("http://127.0.0.1.evil.com", Place::Remote),
            ("http://localhost.evil.com", Place::Remote),
            ("http://localhost.", Place::Remote),
            ("http://0.0.0.0:11434", Place::Remote),
            ("http://192.168.1.5:11434", Place::Remote),
            ("http://[::ffff:127.0.0.1]", Place::Remote),
            ("https://api.example.com/v1", Place::Remote),
        ];
        for (url, place) in rows {
            assert_eq!(Address::parse(url, "", false).map(|a| a.place), Ok(place), "{url}");
        }
        assert_eq!(Address::parse("http://10.0.0.2", "local", true).map(|a| a.place), Ok(Place::Local));
        assert_eq!(Address::parse("http://127.0.0.1", "remote", true).map(|a| a.place), Ok(Place::Remote));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_words() {
        let rows = [
            ("", "", BadAddress::NotAUrl),
            ("127.0.0.1:11434", "", BadAddress::NotAUrl),
            ("ftp://127.0.0.1", "", BadAddress::NotAUrl),
            ("http://127.0.0.1@evil.com", "", BadAddress::Credentials),
            ("http://a:b@127.0.0.1", "", BadAddress::Credentials),
            ("http://127.0.0.1", "near", BadAddress::Place("near".into())),
            ("http://api.example.com", "", BadAddress::KeyInTheClear),
        ];
        for (url, place, why) in rows {
            assert_eq!(Address::parse(url, place, true), Err(why), "{url}");
        }
    }

    #[test]
    fn the_base_has_no_slash_query_or_fragment() {
        let address = Address::parse("https://api.example.com/v1/?a=b#c", "", true).expect("an address");
        assert_eq!(
            (address.base.as_str(), address.shown.as_str()),
            ("https://api.example.com/v1", "api.example.com:443")
        );
    }
}
