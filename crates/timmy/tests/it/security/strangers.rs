//! Servers of others whose every word is script: one of models, one of tools.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};

use super::poison::{PROSE, SCRIPT, said};

/// What a stranger answers to a message: its status and its body.
type Answer = (u16, Value);

/// A listener on the loopback that answers each request by its first line and its body; its address.
fn stranger(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // Whoever asked may be gone.
            std::thread::spawn(move || speak(stream, &*answer));
        }
    });
    url
}

fn speak(mut stream: TcpStream, answer: &dyn Fn(&str, &Value) -> Answer) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, value) = answer(&first, &serde_json::from_slice(&body).unwrap_or_default());
    let text = if value.is_null() { String::new() } else { value.to_string() };
    let head = format!("HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}", text.len());
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n{text}").as_bytes()).ok()
}

/// A server of models that has one, and answers no question.
pub fn models() -> String {
    stranger(|first, _| {
        if first.contains("/models") {
            (200, json!({"object": "list", "data": [{"id": said("f-offered"), "object": "model"}]}))
        } else {
            (400, json!({"error": {"message": said("f-refusal"), "type": SCRIPT, "code": SCRIPT}}))
        }
    })
}

/// A server of tools that has two of one name, and talks much.
pub fn tools() -> String {
    stranger(|first, body| {
        let result = match body["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": body["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": said("f-server"), "version": SCRIPT}, "instructions": PROSE
            }),
            Some("tools/list") => {
                let tool = json!({"name": said("f-tool"), "description": PROSE, "inputSchema": {"type": "object"}});
                json!({"tools": [tool, tool]})
            }
            Some(_) if body["id"].is_null() => return (202, Value::Null),
            Some(_) => {
                let error = json!({"code": -32_601, "message": said("f-no-method")});
                return (200, json!({"jsonrpc": "2.0", "id": body["id"], "error": error}));
            }
            None => return (if first.starts_with("POST") { 400 } else { 405 }, Value::Null),
        };
        (200, json!({"jsonrpc": "2.0", "id": body["id"], "result": result}))
    })
}
