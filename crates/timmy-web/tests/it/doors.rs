//! Who gets in, and how those who do not are told.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::{Form, House, read, refusal};

/// What the server answers to these raw bytes.
async fn raw(house: &House, request: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(&house.host).await.expect("connected");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A server that refuses may also cut the line.
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_door_is_open_to_strangers() {
    let house = House::quiet().await;
    for open in ["/health", "/healthz", "/readyz", "/login", "/favicon.ico"] {
        assert_eq!(house.bare("GET", open).send().await.expect("an answer").status(), 200, "{open}");
    }
    let health = read(house.bare("GET", "/health").send().await.expect("an answer")).await;
    let mut fields: Vec<&String> = health.as_object().expect("an object").keys().collect();
    fields.sort();
    assert_eq!(fields, ["status", "uptime_seconds", "version"]);
    for route in timmy_web::routes::TABLE.iter().filter(|r| r.who != timmy_web::routes::Door::Open) {
        let path = route.path.replace(['{', '}'], "");
        for verb in route.verbs.split(", ") {
            let answer = refusal(house.bare(verb, &path)).await;
            assert_eq!(answer, (401, "unauthenticated".to_owned()), "{verb} {path}");
        }
    }
    let page = house.bare("GET", "/talk?about=1").header("accept", "text/html").send().await.expect("an answer");
    assert_eq!(
        (page.status().as_u16(), &page.headers()["location"]),
        (303, &"/login?next=/talk%3Fabout%3D1".parse().expect("a header"))
    );
    assert_eq!(refusal(house.bare("GET", "/api/status?token=run-token-of-a-test")).await.0, 401);
    assert_eq!(refusal(house.bare("GET", "/").bearer_auth("wrong")).await.0, 401);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_names_and_origins_are_refused() {
    let house = House::quiet().await;
    for host in ["evil.com", "127.evil.com", "localhost.", "127.0.0.1.evil.com"] {
        assert_eq!(refusal(house.ask("GET", "/api/status").header("host", host)).await, (403, "forbidden_host".into()));
    }
    for origin in ["http://evil.com", "null", "http://127.0.0.1:1"] {
        let call = house.ask("POST", "/thinking/api/pause").header("origin", origin).json(&json!({}));
        assert_eq!(refusal(call).await, (403, "forbidden_origin".into()), "{origin}");
        let login = house.bare("POST", "/login").header("origin", origin).form(&[("code", "x")]);
        assert_eq!(refusal(login).await, (403, "forbidden_origin".into()), "{origin}");
    }
    let twice =
        raw(&house, "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\nConnection: close\r\n\r\n").await;
    assert!(twice.starts_with("HTTP/1.1 4"), "{twice}");
    let none = raw(&house, "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(none.starts_with("HTTP/1.1 4"), "{none}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_comes_in_once_by_code_and_acts_with_its_word() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let pause = |csrf: Option<&str>| {
        let fields: Vec<(&str, &str)> = csrf.map(|word| ("csrf", word)).into_iter().collect();
        house.browse(&browser, "POST", "/thinking/pause").form(&fields)
    };
    for bad in [None, Some(""), Some("wrong")] {
        let answer = pause(bad).send().await.expect("an answer");
        assert_eq!(answer.status(), 403, "{bad:?}");
        assert!(answer.text().await.expect("text").contains("<h1"), "a browser is told with a page");
    }
    assert_eq!(pause(Some(&browser.csrf)).send().await.expect("an answer").status(), 303);
    let silent = house.bare("POST", "/thinking/api/resume").header("cookie", &browser.cookie).json(&json!({}));
    assert_eq!(refusal(silent).await, (403, "forbidden_form".into()), "no origin and no word");
    let script = house.bare("POST", "/thinking/api/resume").header("cookie", &browser.cookie).json(&json!({}));
    let script = script.header("x-csrf-token", &browser.csrf);
    assert_eq!(script.send().await.expect("an answer").status(), 200);
    let out =
        house.browse(&browser, "POST", "/logout").form(&[("csrf", &browser.csrf)]).send().await.expect("an answer");
    assert_eq!((out.status().as_u16(), &out.headers()["location"]), (303, &"/login".parse().expect("a header")));
    assert_eq!(
        house.browse(&browser, "GET", "/").send().await.expect("an answer").status(),
        303,
        "the session is over"
    );
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_cookie_is_shut_away_from_scripts_and_other_sites() {
    let house = House::quiet().await;
    let code = house.post("/api/login/code", json!({})).await;
    let url = code["url"].as_str().expect("a link");
    assert!(url.starts_with(&format!("{}/login#code=", house.base)), "{url}");
    let code = code["code"].as_str().expect("a code");
    let enter = |next: &'static str| house.bare("POST", "/login").form(&[("code", code), ("next", next)]).send();
    let first = enter("//evil.com").await.expect("an answer");
    let cookie = first.headers()["set-cookie"].to_str().expect("text");
    for part in ["timmy_session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(first.headers()["location"], "/", "never to another site");
    assert_eq!(enter("/").await.expect("an answer").status(), 401, "a code opens once");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scope_says_and_nothing_after_it_is_revoked() {
    let house = House::quiet().await;
    let token = |name: &'static str, scope: &'static str| {
        let made = house.post("/api/tokens", json!({"name": name, "scope": scope}));
        async move { made.await["token"].as_str().expect("a token").to_owned() }
    };
    let (read, operate) = (token("eye", "read").await, token("hand", "operate").await);
    let status = |token: &str, verb: &str, path: &str| {
        let call = house.bare(verb, path).bearer_auth(token).json(&json!({}));
        async move { call.send().await.expect("an answer").status().as_u16() }
    };
    assert_eq!(status(&read, "GET", "/api/status").await, 200);
    assert_eq!(status(&read, "POST", "/thinking/api/pause").await, 403);
    assert_eq!(status(&operate, "POST", "/thinking/api/pause").await, 200);
    assert_eq!(status(&operate, "GET", "/api/tokens").await, 403);
    assert_eq!(status(&operate, "POST", "/api/login/code").await, 403);
    assert_eq!(house.ask("DELETE", "/api/tokens/eye").send().await.expect("an answer").status(), 200);
    assert_eq!(status(&read, "GET", "/api/status").await, 401);
    let listed = house.get("/api/tokens").await;
    assert_eq!(listed["items"].as_array().expect("a list").len(), 1);
    assert!(!listed.to_string().contains(&operate), "the secret is told once");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_one_shape() {
    let house = House::quiet().await;
    let post =
        |path: &str, body: &'static str| house.ask("POST", path).header("content-type", "application/json").body(body);
    assert_eq!(refusal(house.ask("GET", "/nowhere")).await, (404, "unknown_route".into()));
    assert_eq!(refusal(house.ask("GET", "/thinking/api/42")).await.0, 404);
    assert_eq!(refusal(house.ask("GET", "/api/events/999999")).await.0, 404);
    assert_eq!(refusal(house.ask("DELETE", "/api/status")).await, (405, "wrong_method".into()));
    assert_eq!(refusal(post("/thinking/api/inject", "{")).await, (422, "unreadable".into()));
    assert_eq!(refusal(post("/thinking/api/inject", "{\"content\":\"  \"}")).await, (422, "empty_thought".into()));
    assert_eq!(refusal(house.ask("POST", "/thinking/api/inject").body("x")).await, (422, "unreadable".into()));
    assert_eq!(refusal(house.ask("GET", "/thinking/api?limit=1001")).await, (422, "bad_limit".into()));
    assert_eq!(refusal(house.ask("GET", "/api/events?type=a..b")).await, (422, "bad_filter".into()));
    assert_eq!(
        refusal(post("/api/v1/router/complete", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}")).await,
        (503, "no_model".into())
    );
    let page = house.browse(&house.browser().await, "GET", "/nowhere").send().await.expect("an answer");
    assert_eq!(page.status(), 404);
    assert!(
        page.text().await.expect("text").contains("aria-label=\"Pages\""),
        "a browser gets a page with its navigation"
    );
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_keep_it_in_the_house() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    for path in ["/", "/login", "/nowhere", "/health", "/api/status"] {
        let answer = house.browse(&browser, "GET", path).send().await.expect("an answer");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path} {name}");
        }
        let policy = answer.headers()["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_compressed_and_assets_are_kept_for_good() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let page = house.browse(&browser, "GET", "/").header("accept-encoding", "gzip").send().await.expect("an answer");
    assert_eq!(page.headers()["content-encoding"], "gzip");
    let page = house.browse(&browser, "GET", "/").send().await.expect("an answer").text().await.expect("text");
    let mut assets = 0;
    for path in page.split(['"', '#']).filter(|part| part.starts_with("/static/")) {
        let asset = house.bare("GET", path).header("accept-encoding", "gzip").send().await.expect("an answer");
        assert_eq!(
            (asset.status().as_u16(), asset.headers()["cache-control"].to_str().expect("text")),
            (200, "public, max-age=31536000, immutable")
        );
        assets += 1;
    }
    assert!(assets > 4);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_or_nonsense_are_refused() {
    let house = House::quiet().await;
    let large =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\nConnection: close\r\n\r\n", "x".repeat(200_000));
    assert!(!raw(&house, &large).await.contains(" 200 "));
    let many =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{}Connection: close\r\n\r\n", "A: b\r\n".repeat(1_000));
    assert!(!raw(&house, &many).await.contains(" 200 "));
    for nonsense in ["\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut socket = tokio::net::TcpStream::connect(&house.host).await.expect("connected");
        socket.write_all(nonsense.as_bytes()).await.expect("sent");
        socket.shutdown().await.expect("shut");
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer).await;
        assert!(!answer.contains(" 200 "), "{nonsense:?}: {answer}");
    }
    assert_eq!(house.bare("GET", "/health").send().await.expect("an answer").status(), 200);
    house.end().await;
}
