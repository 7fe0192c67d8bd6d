//! A worker that misbehaves in the way that the name of its model file says, for tests.

#![expect(clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "it misbehaves on purpose")]

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Duration;

use timmy_engine::worker::frame;
use timmy_engine::worker::words::{Loaded, Order, Word};

fn main() -> ExitCode {
    if let Some(code) = timmy_tools::sandbox::helper(std::env::args_os()) {
        return code;
    }
    let mut manner = String::new();
    loop {
        match frame::read::<Order>(&mut stdin().lock()) {
            Ok(Order::Load { path, .. }) => {
                manner = path.file_stem().expect("a name").to_string_lossy().into_owned();
                if manner == "dies-at-load" {
                    std::process::abort();
                }
                say(&Word::Loaded(Loaded::default()));
            }
            Ok(Order::Ask { id, .. }) => misbehave(&manner, id),
            Ok(_) => {}
            Err(_) => return ExitCode::SUCCESS,
        }
    }
}

fn misbehave(manner: &str, id: u64) {
    match manner {
        "aborts" => std::process::abort(),
        "panics" => panic!("the arithmetic fell over"),
        "hangs" => std::thread::sleep(Duration::from_secs(3_600)),
        "goes-silent" => {
            say(&Word::Begun { id });
            say(&Word::Text { id, text: "half a".to_owned() });
            std::thread::sleep(Duration::from_secs(3_600));
        }
        "floods" => {
            say(&Word::Begun { id });
            loop {
                say(&Word::Text { id, text: "on and ".repeat(10_000) });
            }
        }
        "garbage" => raw(b"\x05\0\0\0never"),
        "lies" => raw(&[0xff; 64]),
        "stranger" => say(&Word::Text { id: id + 7, text: "for somebody else".to_owned() }),
        "eats" => {
            let mut held = Vec::new();
            loop {
                held.push(vec![1_u8; 16 << 20]);
            }
        }
        "cut" => {
            raw(b"\xff\0\0\0{");
            std::process::exit(0);
        }
        other => panic!("{other} is no manner"),
    }
    // What was said must be read before the pipe closes.
    stdin().lock().read_to_end(&mut Vec::new()).ok();
}

fn say(word: &Word) {
    frame::write(&mut stdout().lock(), word).expect("said");
}

fn raw(bytes: &[u8]) {
    let mut out = stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).expect("said");
}
