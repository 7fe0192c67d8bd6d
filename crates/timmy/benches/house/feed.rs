//! The live feed: how long an event is on its way to 1,000 sockets at five events a second, and whether 5,000 are held.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::figure::{figure, quantile};
use crate::http::Http;
use crate::server::Server;

/// Events of a run.
const EVENTS: usize = 100;
/// Milliseconds between two of them.
const EVENT_MS: u64 = 200;
/// Sockets whose waits are measured.
const MEASURED: usize = 1_000;
/// Sockets that are held.
const HELD: usize = 5_000;

async fn open(server: &Server) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{}/swarm/live", server.address).into_client_request().unwrap();
    let bearer = server.bearer();
    let value = bearer.trim_start_matches("Authorization: ").trim();
    request.headers_mut().insert("authorization", value.parse().unwrap());
    let tcp = TcpStream::connect(&server.address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let small = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(1024);
    client_async_with_config(request, tcp, Some(small)).await.unwrap().0
}

fn now_micros() -> i64 {
    i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Reads until `wanted` thoughts that begin with `mark` have come, and gives how long each was on its way.
async fn read(mut socket: WebSocketStream<TcpStream>, wanted: usize, mark: &str) -> Vec<i64> {
    let mut waits = Vec::with_capacity(wanted);
    while waits.len() < wanted {
        let frame = tokio::time::timeout(Duration::from_secs(60), socket.next()).await;
        let frame = frame.expect("a frame in time").expect("the feed is open").expect("a whole frame");
        let text = match frame {
            Message::Text(text) => text,
            Message::Ping(_) => {
                // The library has queued the pong; a flush sends it.
                let _ = socket.flush().await;
                continue;
            }
            Message::Close(why) => panic!("closed: {why:?}"),
            _ => continue,
        };
        let at = now_micros();
        // Found by search: reading JSON a thousand times an event would be measured along with the server.
        waits.extend(text.split(mark).skip(1).filter_map(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            Some(at - digits.parse::<i64>().ok()?)
        }));
    }
    waits
}

/// Puts in thoughts whose words are `mark` and the time at which they were sent.
fn send(address: &str, bearer: &str, count: usize, mark: &str) {
    let mut http = Http::to(address).unwrap();
    let headers = format!("{bearer}Content-Type: application/json\r\n");
    for _ in 0..count {
        let body = format!(r#"{{"content":"{mark}{}"}}"#, now_micros());
        assert_eq!(http.ask("POST", "/thinking/api/inject", &headers, &body).unwrap().status, 201);
        std::thread::sleep(Duration::from_millis(EVENT_MS));
    }
}

/// Opens `count` sockets, sends, and gives all waits in order, in microseconds, and the server's memory in KiB while
/// all sockets were open.
async fn round(server: &Arc<Server>, count: usize, events: usize, mark: &'static str) -> (Vec<i64>, u64) {
    let mut readers = JoinSet::new();
    let opened = Arc::new(AtomicUsize::new(0));
    for _ in 0..count {
        let socket = open(server).await;
        opened.fetch_add(1, Ordering::Relaxed);
        readers.spawn(read(socket, events, mark));
    }
    assert_eq!(opened.load(Ordering::Relaxed), count);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory_kib = server.pss_kib();
    let (address, bearer) = (server.address.clone(), server.bearer());
    let sending = tokio::task::spawn_blocking(move || send(&address, &bearer, events, mark));
    let mut waits = Vec::new();
    while let Some(found) = readers.join_next().await {
        waits.extend(found.unwrap());
    }
    sending.await.unwrap();
    waits.sort_unstable();
    (waits, memory_kib)
}

/// Measures the feed on an empty home.
pub fn measure(home: &Path) {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: most.maximum, maximum: most.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let quiet = [("TIMMY__CASCADE__PROVIDERS", "reflex"), ("TIMMY__THINKING__ENABLED", "false")];
    let server = Arc::new(Server::start(home, &quiet));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ms = |micros: i64| format!("{:.1} ms", micros as f64 / 1e3);
    let (waits, memory) = runtime.block_on(round(&server, MEASURED, EVENTS, "first round, sent at "));
    figure(
        "Live feed, 5 events/s to 1,000 sockets: p99 from request to receipt",
        &ms(quantile(&waits, 0.99)),
        "≤ 50 ms",
        &format!(
            "p50 {}, longest {}, {} of {} delivered; the server takes {:.1} MB",
            ms(quantile(&waits, 0.5)),
            ms(waits[waits.len() - 1]),
            waits.len(),
            MEASURED * EVENTS,
            memory as f64 * 1.024e-3,
        ),
    );
    let (waits, memory) = runtime.block_on(round(&server, HELD, 25, "second round, sent at "));
    figure(
        "Live feed: sockets held at 5 events/s",
        &format!("{HELD}"),
        "5,000",
        &format!(
            "{} of {} delivered, p50 {}, p99 {}; the server takes {:.1} MB",
            waits.len(),
            HELD * 25,
            ms(quantile(&waits, 0.5)),
            ms(quantile(&waits, 0.99)),
            memory as f64 * 1.024e-3,
        ),
    );
}
