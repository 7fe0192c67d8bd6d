//! Addresses that do badly: they lead elsewhere, hang, flood or drop, and none of it does more than fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use timmy_domain::Secret;
use timmy_tools::mcp::hub::try_all;
use timmy_tools::mcp::{Server, Way};

use super::PATIENCE;

/// The key that must not go anywhere but to the address it is for.
const KEY: &str = "kelp-key-of-the-first";
/// Bytes a flood sends at most, should nobody hang up.
const FLOOD_BYTES_MAX: usize = 512 * 1024 * 1024;

/// A listener on the loopback that answers every request by `answer`, and counts who came.
fn listener(answer: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", socket.local_addr().unwrap());
    let (came, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
    let counted = Arc::clone(&came);
    std::thread::spawn(move || {
        for stream in socket.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = Arc::clone(&count);
            std::thread::spawn(move || {
                let mut stream = stream;
                let head = request(&stream);
                answer(&mut stream, &head);
            });
        }
    });
    (address, came)
}

/// Reads one request with its body, and gives its head.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
    }
    let _ = reader.take(length).read_to_end(&mut Vec::new());
    head
}

fn at(url: &str) -> Server {
    let way = Way::Url { url: format!("{url}/mcp"), key: Secret::new(KEY.to_owned()) };
    Server { name: "far".to_owned(), way, read_only: Vec::new() }
}

// shows: hands: A server of tools at an address is never followed to another one, and its key goes to no other
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redirect_is_followed() {
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (elsewhere, came) = listener(|stream, _| {
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
        });
        let to = elsewhere.clone();
        let (address, asked) = listener(move |stream, head| {
            assert!(head.contains(KEY), "the key is for this one");
            let head =
                format!("HTTP/1.1 {status}\r\nLocation: {to}/mcp\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
        });
        let tried = try_all(&[at(&address)], PATIENCE).await.remove(0);
        assert!(tried.is_failing(), "{status}: {}", tried.words());
        assert!(!tried.words().contains(KEY), "{}", tried.words());
        assert!(asked.load(Ordering::SeqCst) > 0, "{status}: it was asked");
        assert_eq!(came.load(Ordering::SeqCst), 0, "{status}: somebody went on to {elsewhere}");
    }
}

// shows: hands: A server of tools at an address that hangs, drops, answers nonsense or sends without end fails with a reason and takes nothing along
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_do_badly_only_fail() {
    // One that takes the request and never answers, and one that stops in the middle of the answer.
    for begin in ["", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"] {
        let (address, _) = listener(move |stream, _| {
            let _ = stream.write_all(begin.as_bytes());
            // Until the other side hangs up.
            let _ = stream.read(&mut [0]);
        });
        let tried = try_all(&[at(&address)], Duration::from_millis(300)).await.remove(0);
        assert_eq!(tried.words(), "failing: it did not greet within 300ms", "{begin}");
    }
    let dropped = [
        "",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"jsonrpc\"",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
    ];
    for answer in dropped {
        let (address, _) = listener(move |stream, _| {
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Both);
        });
        let tried = try_all(&[at(&address)], PATIENCE).await.remove(0);
        assert!(tried.is_failing() && !tried.words().contains(KEY), "{answer}: {}", tried.words());
    }
    for kind in ["application/json", "text/event-stream"] {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let (address, _) = listener(move |stream, _| {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\ndata: {{\"jsonrpc\":\"");
            let _ = stream.write_all(head.as_bytes());
            let part = [b'x'; 65_536];
            while counted.load(Ordering::SeqCst) < FLOOD_BYTES_MAX && stream.write_all(&part).is_ok() {
                counted.fetch_add(part.len(), Ordering::SeqCst);
            }
        });
        let tried = try_all(&[at(&address)], PATIENCE).await.remove(0);
        assert!(tried.is_failing(), "{kind}: {}", tried.words());
        assert!(sent.load(Ordering::SeqCst) < FLOOD_BYTES_MAX, "{kind}: all of the flood was taken");
    }
}
