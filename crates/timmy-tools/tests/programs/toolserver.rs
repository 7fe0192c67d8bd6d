//! A scripted server of tools for tests: it does what its first word says, well or badly.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "it speaks through its pipes, and dies in the middle when it is told to"
)]

use std::io::{BufRead, Write};

use serde_json::{Value, json};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    match word(1) {
        "hang" => loop {
            std::thread::park();
        },
        "noise" => loop {
            println!("Starting the very best server of tools there is");
        },
        "giant" => {
            let mut out = std::io::stdout().lock();
            let part = [b'x'; 65_536];
            let _ = out.write_all(b"{");
            while out.write_all(&part).is_ok() {}
        }
        "loud" => {
            eprintln!("I was given {} and no more", std::env::var("KELP_TOKEN").unwrap_or_default());
            std::process::exit(3);
        }
        "dead" => {
            eprintln!("cannot find the module of everything");
            std::process::exit(3);
        }
        _ => serve(word(2)),
    }
}

fn say(message: &Value) {
    println!("{message}");
    let _ = std::io::stdout().flush();
}

/// A server that knows the old greeting. Its file says how its tools describe themselves, and what it heard.
fn serve(file: &str) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let (id, method) = (message["id"].clone(), message["method"].as_str().unwrap_or_default());
        let answer = match method {
            "initialize" => json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": true}},
                "serverInfo": {"name": "scripted", "version": "1"}}),
            "tools/list" => list(file),
            "ping" => json!({}),
            "notifications/cancelled" => {
                let _ = std::fs::write(format!("{file}.heard"), "cancelled");
                continue;
            }
            "tools/call" => match call(&message["params"]) {
                Some(answer) => answer,
                None => continue,
            },
            _ if id.is_null() => continue,
            _ => {
                say(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "Method not found"}}));
                continue;
            }
        };
        say(&json!({"jsonrpc": "2.0", "id": id, "result": answer}));
        if message["params"]["name"] == "announce" {
            say(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
        }
    }
}

fn list(file: &str) -> Value {
    let about = std::fs::read_to_string(file).unwrap_or_else(|_| "Says it back.".to_owned());
    let takes = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    let tool = |name: &str, about: &str| json!({"name": name, "description": about, "inputSchema": takes});
    json!({"tools": [tool("echo", &about), tool("long", ""), tool("fail", ""), tool("die", ""), tool("wait", ""),
        tool("announce", ""), tool("environment", "")]})
}

fn call(params: &Value) -> Option<Value> {
    let text = params["arguments"]["text"].as_str().unwrap_or_default();
    let told = |text: &str, failed: bool| json!({"content": [{"type": "text", "text": text}], "isError": failed});
    Some(match params["name"].as_str().unwrap_or_default() {
        "long" => told(&"\u{1b}[2Jkelp ".repeat(100_000), false),
        "fail" => told("no such\nnote", true),
        "die" => {
            eprintln!("out of kelp");
            std::process::exit(4);
        }
        "wait" => return None,
        "environment" => {
            let mut all: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            all.sort();
            told(&all.join("\n"), false)
        }
        _ => told(text, false),
    })
}
