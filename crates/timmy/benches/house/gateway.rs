//! What the gateway adds to a call of a free model on this machine: the same question put to the model's server
//! directly and through Timmy in turn, over kept connections.
//!
//! The server answers at once with a few words, so the difference is Timmy's own way: the request read and checked, the
//! key, the ladder, the request written in the words of the provider, its answer read, and the answer written.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::figure::{figure, quantile};
use crate::http::Http;
use crate::server::Server;

/// Pairs of calls that are measured, and those before, which warm both ways up.
const PAIRS: usize = 4_000;
const WARM: usize = 400;
/// What is asked: a conversation of 1 KiB.
const ASKED: usize = 1_024;

/// The answer as a stream, which is how Timmy asks for it.
const STREAMED: &str = concat!(
    "data: {\"model\":\"m1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"The sea is wide.\"},\"finish_reason\":null}]}\n\n",
    "data: {\"model\":\"m1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"model\":\"m1\",\"choices\":[],\"usage\":{\"prompt_tokens\":256,\"completion_tokens\":5,\"total_tokens\":261}}\n\n",
    "data: [DONE]\n\n"
);
/// The same as a whole.
const WHOLE: &str = "{\"object\":\"chat.completion\",\"model\":\"m1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The sea is wide.\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":256,\"completion_tokens\":5,\"total_tokens\":261}}";

/// A server that speaks OpenAI's protocol over kept connections and answers at once. Gives where it listens.
fn backend() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&socket));
        }
    });
    address
}

/// Serves one connection until the other side goes.
fn serve(mut socket: &TcpStream) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut reader = BufReader::with_capacity(64 * 1024, socket);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let lists = line.starts_with("GET");
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        let streams = body.windows(13).any(|part| part == b"\"stream\":true");
        let (kind, text) = match (lists, streams) {
            (true, _) => ("application/json", "{\"object\":\"list\",\"data\":[{\"id\":\"m1\",\"object\":\"model\"}]}"),
            (false, true) => ("text/event-stream", STREAMED),
            (false, false) => ("application/json", WHOLE),
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        socket.write_all(answer.as_bytes()).ok()?;
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Measures it with a home in `room`.
pub fn measure(room: &Path) {
    let address = backend();
    let home = room.join("gateway");
    super::fresh(&home);
    let settings = format!("[provider.house]\nurl = \"http://{address}/v1\"\nmodel = \"m1\"\nplace = \"local\"\n");
    std::fs::write(home.join("timmy.toml"), settings).unwrap();
    let variables = [("TIMMY__CASCADE__PROVIDERS", "house"), ("TIMMY__THINKING__ENABLED", "false")];
    let server = Server::start(&home, &variables);
    server.settle();
    let words = "a few words of ordinary length ".repeat(ASKED / 31);
    let body = format!(r#"{{"model":"m1","messages":[{{"role":"user","content":"{words}"}}]}}"#);
    let json = "Content-Type: application/json\r\n";
    let headers = format!("{}{json}", server.bearer());
    let (mut straight, mut through) = (Http::to(&address).unwrap(), Http::to(&server.address).unwrap());
    let ask = |http: &mut Http, headers: &str| {
        let begun = Instant::now();
        let answer = http.ask("POST", "/v1/chat/completions", headers, &body).unwrap();
        let took = begun.elapsed();
        assert!(answer.status == 200 && answer.body.windows(4).any(|part| part == b"wide"));
        took
    };
    let (mut direct, mut added) = (Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS));
    let mut gateway = Vec::with_capacity(PAIRS);
    for pair in 0..PAIRS + WARM {
        let (alone, with) = (ask(&mut straight, json), ask(&mut through, &headers));
        if pair >= WARM {
            direct.push(alone);
            gateway.push(with);
            added.push(with.saturating_sub(alone));
        }
    }
    for times in [&mut direct, &mut gateway, &mut added] {
        times.sort_unstable();
    }
    let half = |times: &[Duration]| micros(quantile(times, 0.5));
    let spread = format!(
        "p99 {:.0} µs; directly p50 {:.0}, through the gateway p50 {:.0} µs; {PAIRS} pairs in turn",
        micros(quantile(&added, 0.99)),
        half(&direct),
        half(&gateway),
    );
    let name = "Gateway over calling a free local model directly, p50";
    figure(name, &format!("{:.0} µs", half(&added)), "≤ 150 µs", &spread);
}
