//! Nonsense of every kind: it is refused, and never makes the house fail.

use futures_util::stream;

use crate::house::{House, refusal};

/// What stands where a name should stand.
const NAMES: [&str; 8] =
    ["x", "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11", "0", "-1", "%00", "%ff", "99999999999999999999", "..%2f"];

/// The names after which a handler looks further: one that is no id, and one that is. The others end at the name.
const FURTHER: usize = 2;

/// Every route with every verb and name, and whether it leads beyond the name.
fn calls() -> Vec<(&'static str, String, bool)> {
    let mut calls = Vec::new();
    for route in timmy_web::routes::TABLE {
        let names = if route.path.contains('{') { &NAMES[..] } else { &NAMES[..1] };
        for (at, name) in names.iter().enumerate() {
            let mut path = route.path.to_owned();
            for part in ["{id}", "{seq}", "{name}", "{which}", "{hash}"] {
                path = path.replace(part, name);
            }
            calls.extend(route.verbs.split(", ").map(|verb| (verb, path.clone(), at < FURTHER)));
        }
    }
    calls
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_makes_the_house_fail() {
    let house = House::quiet().await;
    let deep = "[".repeat(100_000);
    let json = [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"x\"",
        "\u{0}",
        "{\"content\":7}",
        "{\"content\":null}",
        "{\"minutes\":-1}",
        "{\"minutes\":1e99}",
        "{\"messages\":{}}",
        "{\"messages\":[]}",
        &deep,
    ];
    let others =
        [("text/plain", "x"), ("application/x-www-form-urlencoded", "content=%ff&minutes=x&code=%00&&=&a=b&a=c")];
    for (verb, path, further) in calls() {
        let bodies = json.iter().map(|body| ("application/json", *body)).chain(others);
        for (kind, body) in bodies.take(if further { usize::MAX } else { 3 }) {
            let call = house.ask(verb, &path).header("content-type", kind).body(body.to_owned());
            let status = status(call).await;
            // Without a model some calls are not available, which is no fault.
            assert!(status < 500 || status == 503, "{verb} {path} {kind} {body:.20}: {status}");
        }
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_makes_the_house_fail() {
    let house = House::quiet().await;
    let queries = [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=-1",
        "after=9223372036854775807",
        "before=0",
        "before=%ff",
        "after=x&after=y",
        "type=a..b",
        "type=%00",
        "severity=x",
        "seed=x",
        "about=x",
        "text=%25%00%ff",
        "=",
        "%",
        "&&",
    ];
    for (_, path, further) in calls().into_iter().filter(|(verb, ..)| *verb == "GET") {
        for query in queries.into_iter().take(if further { usize::MAX } else { 3 }) {
            let status = status(house.ask("GET", &format!("{path}?{query}"))).await;
            assert!(status < 500 || status == 503, "{path}?{query}: {status}");
        }
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_its_bound_is_refused_however_it_is_sent() {
    let house = House::quiet().await;
    for bytes in [1024 * 1024 + 1, 12 * 1024 * 1024] {
        let body = "x".repeat(bytes);
        for path in ["/api/chat", "/login", "/nowhere"] {
            let told = house.ask("POST", path).header("content-type", "application/json").body(body.clone());
            assert_eq!(refusal(told).await, (413, "too_large".into()), "{bytes} to {path}");
            let pieces: Vec<_> = body.as_bytes().chunks(65_536).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect();
            let untold = reqwest::Body::wrap_stream(stream::iter(pieces));
            let untold = house.ask("POST", path).header("content-type", "application/json").body(untold);
            assert_eq!(refusal(untold).await, (413, "too_large".into()), "{bytes} to {path} in pieces");
        }
    }
    let stranger = house.bare("POST", "/api/chat").body("x".repeat(900_000));
    assert_eq!(refusal(stranger).await.0, 401, "heard while the body is still being sent");
    house.end().await;
}
