//! A model behind a real socket: it speaks the OpenAI-compatible protocol, and what it says is a function of what it is
//! asked, so that it says the same again to whoever did not hear it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What it says.
pub enum Say {
    /// Words.
    Words(String),
    /// Calls of tools: name and arguments.
    Calls(Vec<(&'static str, Value)>),
}

/// What one tool said to the model: its name, the arguments and the words.
#[derive(Debug)]
pub struct Told {
    pub tool: String,
    pub args: Value,
    pub words: String,
}

/// What the tools said so far, oldest first.
pub fn told(request: &Value) -> Vec<Told> {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let calls: Vec<Value> = messages.iter().filter_map(|m| m["tool_calls"].as_array()).flatten().cloned().collect();
    let results = messages.iter().filter(|m| m["role"] == "tool");
    results
        .map(|result| {
            let call = calls.iter().find(|call| call["id"] == result["tool_call_id"]).cloned().unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let args = serde_json::from_str(&text(&call["function"]["arguments"])).unwrap_or_default();
            Told { tool: text(&call["function"]["name"]), args, words: text(&result["content"]) }
        })
        .collect()
}

type Answer = Arc<dyn Fn(&Value) -> Say + Send + Sync>;

/// A model that listens.
pub struct Peer {
    /// The base of its address.
    pub url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Peer {
    /// Starts one that answers every request with what `answer` makes of it.
    pub fn start(answer: impl Fn(&Value) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("bound"));
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (answer, noted): (Answer, _) = (Arc::new(answer), Arc::clone(&heard));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                std::thread::spawn(move || serve(&socket, &answer, &noted));
            }
        });
        Self { url, heard }
    }

    /// Every byte of every body it was sent.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("whole").clone()
    }

    /// Writes the settings of a home that asks this model and lets tools work in `folder`; `more` comes along.
    pub fn furnish(&self, home: &Path, folder: &Path, more: &str) {
        let text = format!(
            "[cascade]\nproviders = [\"peer\"]\n[provider.peer]\nurl = {:?}\nmodel = \"peer\"\nplace = \"local\"\n\
             [thinking]\nenabled = false\n[tools]\nfolders_write = [{:?}]\n{more}",
            self.url,
            folder.display().to_string()
        );
        std::fs::write(home.join("timmy.toml"), text).expect("written");
    }
}

fn serve(mut socket: &TcpStream, answer: &Answer, heard: &Mutex<Vec<u8>>) {
    let mut reader = BufReader::new(socket);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    heard.lock().expect("whole").extend_from_slice(&body);
    let (kind, text) = if first.starts_with("GET") {
        ("application/json", json!({"data": [{"id": "peer"}]}).to_string())
    } else {
        ("text/event-stream", spoken(&answer(&serde_json::from_slice(&body).unwrap_or_default())))
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    // Whoever asked may have died meanwhile.
    let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(text.as_bytes()));
}

fn spoken(say: &Say) -> String {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let (delta, finish) = match say {
        Say::Words(words) => (json!({"content": words}), "stop"),
        Say::Calls(calls) => {
            let call = |(index, (name, args)): (usize, &(&str, Value))| {
                let id = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                json!({"index": index, "id": format!("call-{id}"), "type": "function",
                       "function": {"name": name, "arguments": args.to_string()}})
            };
            (json!({"tool_calls": calls.iter().enumerate().map(call).collect::<Vec<_>>()}), "tool_calls")
        }
    };
    let frame = json!({"model": "peer", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    format!("data: {frame}\n\ndata: [DONE]\n\n")
}
