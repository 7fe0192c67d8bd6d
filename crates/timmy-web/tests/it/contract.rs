//! The contract of the dashboard, looked at from outside: headers on every route, the weight of every page, the anatomy
//! of its HTML, and no other host anywhere.

use std::collections::{BTreeMap, BTreeSet};

use timmy_web::look::assets;
use timmy_web::routes::{Door, TABLE};

use crate::house::House;
use crate::rich::{Rich, rich};

mod html;

use html::Document;

/// Bytes on the wire that a page may take, compressed.
const HTML_BYTES_MAX: usize = 20 * 1024;
/// Bytes of the style sheet, compressed.
const CSS_BYTES_MAX: usize = 14 * 1024;
/// Bytes of all scripts of a page, compressed.
const JS_BYTES_MAX: usize = 34 * 1024;
/// Bytes of the symbols, compressed.
const ICONS_BYTES_MAX: usize = 8 * 1024;
/// Bytes of everything a first visit fetches, compressed.
const VISIT_BYTES_MAX: usize = 80 * 1024;

/// What every answer carries, whatever it is.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// How long an answer may be kept.
fn cache_of(path: &str) -> &'static str {
    match path {
        "/favicon.ico" | "/favicon.svg" => "public, max-age=86400",
        // Asked for anew each time, and answered in short when it has not changed.
        "/openapi.json" => "private, no-cache",
        _ if path.starts_with("/static/") => "public, max-age=31536000, immutable",
        _ => "no-store",
    }
}

fn guarded(answer: &reqwest::Response, cache: &str, what: &str) {
    for (name, value) in HEADERS {
        let found: Vec<&str> = answer.headers().get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
        assert_eq!(found, [value], "{what}: {name}");
    }
    assert_eq!(answer.headers()["cache-control"], cache, "{what}");
    assert!(answer.headers().get("server").is_none() && answer.headers().get("x-powered-by").is_none(), "{what}");
}

// shows: dashboard: every route answers under the same strict headers, with a key, without one, and in error
#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_under_the_same_headers() {
    let rich = rich().await;
    let browser = rich.house.browser().await;
    let mut asked = 0;
    for route in TABLE {
        let path = rich.filled(route.path);
        for verb in route.verbs.split(", ") {
            // A stranger is refused before anything is done, whatever the verb.
            let bare = rich.house.bare(verb, &path).send().await.expect("an answer");
            let open = route.who == Door::Open;
            guarded(&bare, if open && bare.status() == 200 { cache_of(&path) } else { "no-store" }, &path);
            assert!(open || bare.status() == 401, "{verb} {path}: {}", bare.status());
            asked += 1;
        }
        if route.verbs.contains("GET") && !route.path.ends_with("/stream") {
            let own = rich.house.browse(&browser, "GET", &path).send().await.expect("an answer");
            // 503 is what a house without a desk for its settings says.
            assert!(matches!(own.status().as_u16(), 200..500 | 503), "{path}: {}", own.status());
            guarded(&own, if own.status() == 200 { cache_of(&path) } else { "no-store" }, &path);
        }
    }
    assert!(asked > 60, "the table was not read");
    for (verb, path) in
        [("GET", "/no/such/page"), ("PUT", "/talk"), ("GET", "/swarm/events?around=x"), ("GET", "/static/0/x.css")]
    {
        let answer = rich.house.browse(&browser, verb, path).send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{verb} {path}");
        guarded(&answer, "no-store", path);
    }
    rich.house.end().await;
}

/// A page as it is sent, compressed, and as it is read.
async fn fetched(rich: &Rich, browser: &crate::house::Browser, path: &str) -> (usize, String) {
    let ask = |encoding: &'static str| {
        let request = rich.house.browse(browser, "GET", path).header("accept-encoding", encoding);
        async move { request.send().await.expect("an answer").bytes().await.expect("a body") }
    };
    let text = String::from_utf8(ask("identity").await.to_vec()).expect("text");
    (ask("gzip").await.len(), text)
}

// shows: dashboard: a page weighs at most 20 KB, a first visit at most 80 KB, compressed, with a week of life on it
#[tokio::test(flavor = "multi_thread")]
async fn pages_stay_within_their_weight() {
    let rich = rich().await;
    let browser = rich.house.browser().await;
    let mut weights: BTreeMap<String, usize> = BTreeMap::new();
    for asset in assets::all() {
        let (bytes, _) = fetched(&rich, &browser, &asset.url).await;
        weights.insert(asset.url.clone(), bytes);
    }
    let of = |name: &str| weights[assets::asset(name)];
    assert!(of("app.css") <= CSS_BYTES_MAX, "app.css: {}", of("app.css"));
    assert!(of("icons.svg") <= ICONS_BYTES_MAX, "icons.svg: {}", of("icons.svg"));
    let mut table = Vec::new();
    for path in rich.pages() {
        let (bytes, text) = fetched(&rich, &browser, &path).await;
        let document = Document::read(&text);
        let scripts: usize = document.all("script").filter_map(|e| e.value("src")).map(|src| weights[src]).sum();
        let needs: BTreeSet<&str> = document.addresses().into_iter().filter(|a| a.starts_with("/static/")).collect();
        let files: BTreeSet<&str> = needs.iter().map(|a| a.split('#').next().unwrap_or(a)).collect();
        let visit = bytes + files.iter().map(|file| weights[*file]).sum::<usize>();
        table.push(format!("{bytes:>6} {scripts:>6} {visit:>6}  {path}"));
        assert!(bytes <= HTML_BYTES_MAX, "{path}: HTML {bytes}");
        assert!(scripts <= JS_BYTES_MAX, "{path}: scripts {scripts}");
        assert!(visit <= VISIT_BYTES_MAX, "{path}: first visit {visit}");
        assert!(document.all("link").all(|link| link.value("rel") != Some("preload")), "{path}");
    }
    println!("  html     js  visit\n{}", table.join("\n"));
    rich.house.end().await;
}

// shows: dashboard: every page has one heading, landmarks, labels and unique ids, and no inline script or style
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_well_made() {
    let rich = rich().await;
    let browser = rich.house.browser().await;
    let mut pages = rich.pages();
    pages.push("/no/such/page".to_owned());
    let mut faults = Vec::new();
    for path in &pages {
        let (_, text) = fetched(&rich, &browser, path).await;
        faults.extend(html::faults(&Document::read(&text)).into_iter().map(|fault| format!("{path}: {fault}")));
    }
    let door = rich.house.bare("GET", "/login").header("accept", "text/html").send().await.expect("an answer");
    let door = door.text().await.expect("text");
    let small = html::faults(&Document::read(&door)).into_iter().filter(|fault| !html::of_the_shell(fault));
    faults.extend(small.map(|fault| format!("/login: {fault}")));
    // A house that has nothing to show yet draws other parts.
    let quiet = House::quiet().await;
    let browser = quiet.browser().await;
    for page in timmy_web::nav::PAGES {
        let answer = quiet.browse(&browser, "GET", page.route).send().await.expect("an answer");
        let text = answer.text().await.expect("text");
        let found = html::faults(&Document::read(&text)).into_iter();
        faults.extend(found.map(|fault| format!("{} empty: {fault}", page.route)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    quiet.end().await;
    rich.house.end().await;
}

// shows: dashboard: no page, style sheet or script names another host
#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_browser_loads_is_elsewhere() {
    let rich = rich().await;
    let browser = rich.house.browser().await;
    let known: BTreeSet<&str> = assets::all().iter().map(|asset| asset.url.as_str()).collect();
    for path in rich.pages() {
        let (_, text) = fetched(&rich, &browser, &path).await;
        let document = Document::read(&text);
        for address in document.addresses() {
            let own = address.starts_with(['/', '#', '?']) && !address.starts_with("//") || address.is_empty();
            assert!(own, "{path} names {address}");
            let file = address.split(['#', '?']).next().unwrap_or(address);
            assert!(
                !file.starts_with("/static/") || known.contains(file),
                "{path} names a file that is not there: {file}"
            );
        }
    }
    for asset in assets::all() {
        let text = String::from_utf8_lossy(&asset.bytes);
        for (at, _) in text.match_indices("://") {
            let begin = text[..at].rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |b| b + 1);
            let end = text[at + 3..].find(|c: char| !(c.is_ascii_alphanumeric() || "-._/".contains(c)));
            let address = &text[begin..end.map_or(text.len(), |end| at + 3 + end)];
            // The name of a language, never fetched.
            assert_eq!(address, "http://www.w3.org/2000/svg", "{} names another host", asset.name);
        }
        let css = asset.name.ends_with(".css");
        assert!(!css || !(text.contains("@import") || text.contains("url(")), "{} loads something", asset.name);
    }
    rich.house.end().await;
}
