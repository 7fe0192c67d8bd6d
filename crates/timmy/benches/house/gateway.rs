//! What the gateway adds to a call of a free model on this machine: the same question put to the model's server
//! directly and through Timmy in turn, over kept connections.
//!
//! The server answers at once with a few words, so the difference is Timmy's own way: the request read and checked, the
//! key, the ladder, the request written in the words of the provider, its answer read, and the answer written.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
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

/// A proxy that passes bytes on to `address` and back, and does nothing else. Gives where it listens.
///
/// It waits for its sockets as Timmy does, so what it adds is the machine's: waking a thread twice more.
fn passer(address: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (here, address) = (listener.local_addr().unwrap().to_string(), address.to_owned());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = tokio::net::TcpStream::connect(&address).await.unwrap();
                near.set_nodelay(true).unwrap();
                far.set_nodelay(true).unwrap();
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
            }
        });
    });
    here
}

/// Processes that do nothing, at the lowest priority, so that no processor falls asleep while they live.
struct Awake(Vec<Child>);

impl Awake {
    fn begin() -> Self {
        let processors = std::thread::available_parallelism().unwrap().get();
        let spin = || Command::new("nice").args(["-n", "19", "sh", "-c", "while :; do :; done"]).spawn().unwrap();
        Self((0..processors).map(|_| spin()).collect())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

/// One way to the model: a connection and the headers it wants.
struct Way {
    http: Http,
    headers: String,
}

impl Way {
    fn ask(&mut self, body: &str) -> Duration {
        let begun = Instant::now();
        let answer = self.http.ask("POST", "/v1/chat/completions", &self.headers, body).unwrap();
        let took = begun.elapsed();
        assert!(answer.status == 200 && answer.body.windows(4).any(|part| part == b"wide"));
        took
    }
}

/// What the longer way adds to the direct one, asked in turn.
struct Added {
    direct: Vec<Duration>,
    whole: Vec<Duration>,
    added: Vec<Duration>,
}

impl Added {
    fn measure(direct: &mut Way, longer: &mut Way, body: &str) -> Self {
        let room = || Vec::with_capacity(PAIRS);
        let mut found = Self { direct: room(), whole: room(), added: room() };
        for pair in 0..PAIRS + WARM {
            let (alone, with) = (direct.ask(body), longer.ask(body));
            if pair >= WARM {
                found.direct.push(alone);
                found.whole.push(with);
                found.added.push(with.saturating_sub(alone));
            }
        }
        for times in [&mut found.direct, &mut found.whole, &mut found.added] {
            times.sort_unstable();
        }
        found
    }

    fn tell(&self, name: &str, bound: &str) {
        let half = |times: &[Duration]| micros(quantile(times, 0.5));
        let spread = format!(
            "p99 {:.0} µs; directly p50 {:.0}, on this way p50 {:.0} µs; {PAIRS} pairs in turn",
            micros(quantile(&self.added, 0.99)),
            half(&self.direct),
            half(&self.whole),
        );
        figure(name, &format!("{:.0} µs", half(&self.added)), bound, &spread);
    }
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
    let json = "Content-Type: application/json\r\n".to_owned();
    let way = |to: &str, headers: &str| Way { http: Http::to(to).unwrap(), headers: headers.to_owned() };
    let mut straight = way(&address, &json);
    let mut passed = way(&passer(&address), &json);
    let mut through = way(&server.address, &format!("{}{json}", server.bearer()));
    let mut both = |how: &str| {
        let name = format!("Gateway over calling a free local model directly, p50, {how}");
        Added::measure(&mut straight, &mut through, &body).tell(&name, "≤ 150 µs");
        let name = format!("A proxy that only passes bytes on, {how}");
        Added::measure(&mut straight, &mut passed, &body).tell(&name, "");
    };
    {
        let _awake = Awake::begin();
        both("processors kept awake");
    }
    both("processors asleep between two steps");
}
