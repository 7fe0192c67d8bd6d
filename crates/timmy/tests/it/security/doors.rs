//! From where the house may be spoken to: origins, names, addresses in queries, forms of other sites, strangers.

use serde_json::Value;
use timmy_web::routes::Door;

use super::raw::Raw;
use super::{FORM, QUIET, calls};
use crate::support::{Server, home};
use crate::web::session;

/// Spellings that look like this machine, or are led here by a foreign name server.
const FOREIGN_HOSTS: [&str; 22] = [
    "evil.example",
    "127.evil.com",
    "localhost.evil",
    "localhost.",
    "127.0.0.1.",
    "127.0.0.1.nip.io",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.2",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::]",
    "[0:0:0:0:0:0:0:2]",
    "ⓛocalhost",
    "localhost@evil.example",
    "evil.example#localhost",
];

// shows: login: a socket opens only with a key and from this site: foreign, null and missing origins are refused (1)
#[test]
fn case_1_a_socket_opens_only_from_this_site() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let (cookie, _) = session(&server);
    let own = format!("http://{}", server.address);
    let bearer = format!("Bearer {}", server.token);
    let other_port = "http://127.0.0.1:1".to_owned();
    let refused: Vec<(&str, Vec<(&str, &str)>, u16)> = vec![
        ("nobody", vec![], 401),
        ("nobody from this site", vec![("Origin", &own)], 401),
        ("a cookie from elsewhere", vec![("Cookie", &cookie), ("Origin", "https://evil.example")], 403),
        ("a cookie from nowhere", vec![("Cookie", &cookie), ("Origin", "null")], 403),
        ("a cookie that does not say", vec![("Cookie", &cookie)], 403),
        ("a cookie from another port", vec![("Cookie", &cookie), ("Origin", &other_port)], 403),
        (
            "a cookie from two places",
            vec![("Cookie", &cookie), ("Origin", &own), ("Origin", "https://evil.example")],
            403,
        ),
        ("a cookie with an empty origin", vec![("Cookie", &cookie), ("Origin", "")], 403),
        (
            "a cookie, cross-site by the browser",
            vec![("Cookie", &cookie), ("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
            403,
        ),
        (
            "a cookie of a sister site",
            vec![("Cookie", &cookie), ("Origin", &own), ("Sec-Fetch-Site", "same-site")],
            403,
        ),
        ("a token from elsewhere", vec![("Authorization", &bearer), ("Origin", "https://evil.example")], 403),
        ("a token from nowhere", vec![("Authorization", &bearer), ("Origin", "null")], 403),
        ("a token as sub-protocol", vec![("Sec-WebSocket-Protocol", &server.token), ("Origin", &own)], 401),
    ];
    for (name, headers, status) in refused {
        assert_eq!(Raw::feed(&server, &headers).err(), Some(status), "{name}");
    }
    assert!(Raw::feed(&server, &[("Cookie", &cookie), ("Origin", &own)]).is_ok(), "the owner's page");
    assert!(Raw::feed(&server, &[("Authorization", &bearer)]).is_ok(), "the owner's program");
}

// shows: login: no address in a query leads away from the house, and no key stands in an answer (2)
#[test]
fn case_2_no_address_in_a_query_leads_away() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let (cookie, _) = session(&server);
    let secret = cookie.split_once('=').expect("a pair").1;
    let away =
        ["https://evil.example/", "//evil.example", "/\\evil.example", "ws://evil.example", "javascript:alert(1)"];
    let names =
        ["gatewayUrl", "next", "redirect", "redirect_uri", "return_to", "url", "back", "callback", "server", "host"];
    for (_, verb, path) in calls() {
        if verb != "GET" {
            continue;
        }
        for to in away {
            let to: String = to.bytes().map(|b| format!("%{b:02X}")).collect();
            let query: Vec<String> = names.iter().map(|name| format!("{name}={to}")).collect();
            let mut raw = Raw::open(&server);
            raw.send(format!(
                "GET {path}?{} HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nAccept: text/html\r\nConnection: close\r\n\r\n",
                query.join("&"),
                server.address
            ));
            let (status, head) = raw.head();
            assert!(status < 500, "{path}: {status}");
            let location =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("location: ").map(str::to_owned));
            assert!(
                location.is_none_or(|l| l.starts_with('/') && !l.starts_with("//") && !l.contains('\\')),
                "{path}: {head}"
            );
            let page = raw.rest();
            assert!(!page.contains(secret) && !page.contains(&server.token), "{path} shows a key");
            for led in ["=\"https://evil", "=\"//evil", "=\"/\\evil", "=\"ws://evil", "=\"javascript:"] {
                let leads = page.match_indices(led).any(|(at, _)| {
                    let name = page[..at].rsplit([' ', '\n']).next().unwrap_or_default();
                    // What was asked for may stand in a field, which leads nowhere.
                    name != "value"
                });
                assert!(!leads, "{path} leads to {led}");
            }
        }
    }
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:%20a=b"] {
        let code = crate::support::json(&server.home, &["login"])["code"].as_str().expect("a code").to_owned();
        let body = format!("code={code}&next={next}");
        let mut raw = Raw::open(&server);
        raw.send(format!(
            "POST /login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{body}",
            server.address,
            FORM.1,
            body.len()
        ));
        let (status, head) = raw.head();
        assert!(status == 303 && head.to_lowercase().contains("\r\nlocation: /\r\n"), "{next}: {head}");
        assert!(!head.contains("a=b"), "{head}");
    }
}

// shows: login: a token in an address, a form or a cookie is never a key, and is written nowhere (3)
#[test]
fn case_3_a_token_in_an_address_is_no_key() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let token = &server.token;
    for name in
        ["token", "access_token", "api_key", "key", "auth", "authorization", "bearer", "timmy_session", "session"]
    {
        assert_eq!(server.request("GET", &format!("/api/status?{name}={token}"), &[], None).0, 401, "{name}");
        let cookie = format!("{name}={token}");
        assert_eq!(server.request("GET", "/api/status", &[("Cookie", &cookie)], None).0, 401, "cookie {name}");
        let form = format!("{name}={token}&content=forged");
        assert_eq!(server.request("POST", "/thinking/inject", &[FORM], Some(&form)).0, 401, "form {name}");
        let header = format!("X-{name}");
        assert_eq!(server.request("GET", "/api/status", &[(&header, token)], None).0, 401, "header {name}");
    }
    let basic = format!("Basic {token}");
    for shown in [basic.as_str(), token, "Bearer", "Bearer ", "Bearer null", "Bearer undefined", "Token x"] {
        assert_eq!(server.request("GET", "/api/status", &[("Authorization", shown)], None).0, 401, "{shown:.8}");
    }
    let log = std::fs::read_to_string(home.path().join("logs/timmy.log")).unwrap_or_default();
    let events = server.get("/api/events?after=0&limit=1000").to_string();
    assert!(!log.contains(token.as_str()) && !events.contains(token.as_str()), "no token in log or events");
}

// shows: login: this machine is no key: nobody is let in or paired for coming from the loopback (5)
#[test]
fn case_5_the_loopback_is_no_key() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let tricks: [&[(&str, &str)]; 5] = [
        &[],
        &[("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1")],
        &[("X-Original-URL", "/health"), ("X-Rewrite-URL", "/health")],
        &[("X-Requested-With", "XMLHttpRequest"), ("HX-Request", "true")],
        &[("X-Pair", "1"), ("X-Device-Token", "new"), ("X-Timmy-User", "owner"), ("Remote-User", "owner")],
    ];
    for headers in tricks {
        for (door, verb, path) in calls() {
            let mut raw = Raw::open(&server);
            let extra: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            raw.send(format!(
                "{verb} {path} HTTP/1.1\r\nHost: {}\r\n{extra}Content-Length: 0\r\nConnection: close\r\n\r\n",
                server.address
            ));
            let (status, head) = raw.head();
            assert!(!head.to_lowercase().contains("set-cookie: timmy_session="), "{verb} {path} pairs: {head}");
            if door != Door::Open {
                assert_eq!(status, 401, "{verb} {path} with {headers:?}");
            }
        }
    }
    let events = server.get("/api/events?after=0&type=login.*&limit=1000");
    assert!(!events.to_string().contains("login.succeeded"), "{events}");
}

// shows: login: nothing is changed by whoever is not logged in, whatever the verb (6)
#[test]
fn case_6_strangers_change_nothing() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let before = server.get("/api/events?newest=true&limit=1")["items"][0]["seq"].clone();
    let body = r#"{"content":"forged","name":"forged","scope":"admin","password":"correct horse battery","key":"server.bind","value":"0.0.0.0","path":"/"}"#;
    for (door, _, path) in calls() {
        for verb in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            for key in [None, Some("Bearer 0000"), Some("Bearer "), Some("Basic YWRtaW46YWRtaW4=")] {
                let headers: Vec<(&str, &str)> = key.map(|key| ("Authorization", key)).into_iter().collect();
                let (status, text) = server.request(verb, &path, &headers, Some(body));
                let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{verb} {path}: {text}"));
                assert!(told["error"]["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{text}");
                match door {
                    // The login itself, where no password is set, and addresses that know no such verb.
                    Door::Open => assert!(matches!(status, 401 | 405 | 409 | 429), "{verb} {path}: {status}"),
                    Door::Owner | Door::Reader | Door::Models | Door::Admin => assert_eq!(status, 401, "{verb} {path}"),
                }
            }
        }
    }
    let news = server.get(&format!("/api/events?after={before}&limit=1000"));
    let items = news["items"].as_array().expect("a list");
    assert!(items.iter().all(|e| e["actor"] != "owner"), "what a stranger did counts as the owner's: {news}");
    assert_eq!(server.get("/api/tokens")["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(server.get("/api/login/password")["set"], false);
}

// shows: login: names that look like this machine, or are led to it by a foreign name server, are refused (10, 11)
#[test]
fn cases_10_and_11_only_names_of_this_house_are_answered() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let port = server.address.rsplit_once(':').expect("a port").1.to_owned();
    let bearer = format!("Bearer {}", server.token);
    for name in FOREIGN_HOSTS {
        for host in [name.to_owned(), format!("{name}:{port}")] {
            for path in ["/health", "/login", "/static/x/app.js", "/api/status"] {
                let headers = [("Host", host.as_str()), ("Authorization", bearer.as_str())];
                let (status, text) = server.request("GET", path, &headers, None);
                assert!(matches!(status, 400 | 403), "{host} {path}: {status} {text}");
            }
            let same = format!("http://{host}");
            let headers = [("Host", host.as_str()), ("Authorization", bearer.as_str()), ("Origin", same.as_str())];
            let refused = Raw::feed(&server, &headers).err();
            assert!(matches!(refused, Some(400 | 403)), "{host}: {refused:?}");
        }
    }
    for host in ["localhost", "LocalHost", "127.0.0.1", "[::1]", "127.0.0.1:1"] {
        assert_eq!(server.request("GET", "/health", &[("Host", host)], None).0, 200, "{host}");
    }
}

// shows: login: forms of other sites change nothing, in none of the encodings a browser can be made to send (14)
#[test]
fn case_14_forms_of_other_sites_change_nothing() {
    let home = home();
    let server = Server::start_with(home.path(), &QUIET);
    let (cookie, csrf) = session(&server);
    let own = format!("http://{}", server.address);
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\nforged\r\n--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--b--\r\n"
    );
    let bodies = [
        ("application/x-www-form-urlencoded", "content=forged&text=forged".to_owned()),
        ("multipart/form-data; boundary=b", multipart),
        ("text/plain", "{\"content\":\"forged\",\"x\":\"=\"}".to_owned()),
        ("text/plain;charset=UTF-8", "content=forged".to_owned()),
        ("", "content=forged".to_owned()),
        ("application/json", "{\"content\":\"forged\"}".to_owned()),
    ];
    for origin in [Some("https://evil.example"), Some("null"), None, Some(own.as_str())] {
        for (kind, body) in &bodies {
            for path in ["/thinking/inject", "/thinking/api/inject"] {
                if origin == Some(own.as_str()) && *kind == "application/json" {
                    // A script of this very site, which needs no word.
                    continue;
                }
                let mut headers = vec![("Cookie", cookie.as_str()), ("Content-Type", *kind)];
                headers.extend(origin.map(|origin| ("Origin", origin)));
                let (status, text) = server.request("POST", path, &headers, Some(body));
                assert_eq!(status, 403, "{origin:?} {kind} {path}: {text}");
            }
        }
    }
    for method in ["GET", "HEAD"] {
        let path = format!("/thinking/inject?content=forged&csrf={csrf}&_method=POST");
        let headers = [("Cookie", cookie.as_str()), ("X-HTTP-Method-Override", "POST"), ("X-HTTP-Method", "POST")];
        assert!(server.request(method, &path, &headers, None).0 >= 400, "{method}");
    }
    assert_eq!(server.get("/thinking/api")["items"].as_array().map(Vec::len), Some(0), "nothing was changed");
}
