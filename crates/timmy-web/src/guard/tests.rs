use axum::http::HeaderValue;

use super::*;

fn hosts(bound: &str) -> Hosts {
    Hosts::new(bound.parse().expect("an address"), &["Timmy.lan".to_owned()])
}

#[test]
fn only_names_of_this_house_are_answered() {
    let good = [
        "localhost",
        "localhost:8000",
        "LOCALHOST:80",
        "127.0.0.1",
        "127.0.0.1:65535",
        "[::1]",
        "[::1]:8000",
        "192.168.1.7:8000",
        "timmy.lan",
        "timmy.lan:8443",
    ];
    for host in good {
        assert!(hosts("192.168.1.7").allow(host, None), "{host}");
    }
    let bad = [
        "",
        ":8000",
        "evil.com",
        "127.evil.com",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "localhost.",
        "127.0.0.1.",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:70000",
        "127.0.0.1:80:80",
        "127.0.0.1@evil.com",
        "evil.com#localhost",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "127.0.0.2",
        "[::1",
        "::1",
        "[::1]x",
        "[::1].evil.com",
        "[::1]:",
        "[::2]",
        "local host",
        "localhost/",
        "localhost,evil.com",
        "0.0.0.0",
        "192.168.1.8",
        "sub.timmy.lan",
        "lоcalhost",
    ];
    for host in bad {
        assert!(!hosts("192.168.1.7").allow(host, None), "{host}");
    }
}

#[test]
fn a_server_on_every_address_is_known_by_the_one_that_was_used() {
    let every = hosts("0.0.0.0");
    let reached = "10.0.0.5".parse().ok();
    assert!(every.allow("10.0.0.5:8000", reached));
    assert!(!every.allow("10.0.0.6:8000", reached));
    assert!(!every.allow("0.0.0.0:8000", reached));
    assert!(!every.allow("10.0.0.5:8000", None));
}

#[test]
fn exactly_one_host_is_named() {
    let uri = |text: &str| text.parse::<Uri>().expect("an address");
    let mut headers = HeaderMap::new();
    assert!(host_of(&headers, &uri("/")).is_err());
    headers.append(header::HOST, HeaderValue::from_static("localhost"));
    assert_eq!(host_of(&headers, &uri("/")), Ok("localhost"));
    assert_eq!(host_of(&headers, &uri("http://localhost/")), Ok("localhost"));
    assert!(host_of(&headers, &uri("http://evil.com/")).is_err());
    headers.append(header::HOST, HeaderValue::from_static("evil.com"));
    assert!(host_of(&headers, &uri("/")).is_err());
}

#[test]
fn an_origin_is_this_site_only_when_it_matches_exactly() {
    let of = |origin: Option<&str>, site: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).expect("a header"));
        }
        if let Some(site) = site {
            headers.insert("sec-fetch-site", HeaderValue::from_str(site).expect("a header"));
        }
        super::origin(&headers, "localhost:8000")
    };
    let rows = [
        (None, None, Origin::Silent),
        (None, Some("none"), Origin::Silent),
        (None, Some("cross-site"), Origin::Foreign),
        (Some("http://localhost:8000"), None, Origin::Same),
        (Some("https://localhost:8000"), Some("same-origin"), Origin::Same),
        (Some("http://localhost:8000"), Some("same-site"), Origin::Foreign),
        (Some("http://localhost:9000"), None, Origin::Foreign),
        (Some("http://localhost"), None, Origin::Foreign),
        (Some("http://127.0.0.1:8000"), None, Origin::Foreign),
        (Some("http://localhost:8000.evil.com"), None, Origin::Foreign),
        (Some("http://localhost:8000/"), None, Origin::Foreign),
        (Some("null"), None, Origin::Foreign),
        (Some("ftp://localhost:8000"), None, Origin::Foreign),
        (Some(""), None, Origin::Foreign),
    ];
    for (said, site, wanted) in rows {
        assert_eq!(of(said, site), wanted, "{said:?} {site:?}");
    }
}

#[test]
fn a_form_carries_the_word_and_a_script_the_word_or_its_origin() {
    let rows = [
        (true, Origin::Same, Some("word"), true),
        (true, Origin::Silent, Some("word"), true),
        (true, Origin::Same, None, false),
        (true, Origin::Silent, None, false),
        (true, Origin::Same, Some("ward"), false),
        (true, Origin::Same, Some(""), false),
        (false, Origin::Same, None, true),
        (false, Origin::Silent, None, false),
        (false, Origin::Silent, Some("word"), true),
        (false, Origin::Same, Some("wor"), false),
    ];
    for (form, origin, shown, fine) in rows {
        assert_eq!(meant(form, origin, shown, "word").is_ok(), fine, "{form} {origin:?} {shown:?}");
    }
    assert!(meant(true, Origin::Same, Some(""), "").is_err(), "a session without a word opens nothing");
}

#[test]
fn the_way_back_stays_on_this_site() {
    for good in ["/", "/talk?about=1", "/swarm/events/7"] {
        assert_eq!(local_path(good), Some(good));
    }
    for bad in ["", "talk", "//evil.com", "/\\evil.com", "http://evil.com", "/a\nb", "/a b", "/\u{e9}", "javascript:x"]
    {
        assert_eq!(local_path(bad), None, "{bad:?}");
    }
}
