//! What the router makes of servers that misbehave: each answer has its bound and its reason, a server that goes on like
//! that is left alone, and whoever asks is answered by the next one meanwhile.

use std::sync::Arc;

use timmy_llm::{Cascade, Circuit, Failure, Scripted, Stage, Step};

use crate::stub::{Act, Stub, chatting, ok};
use crate::{FORMATS, Format, call, patient, request};

/// Failures in a row that open a circuit.
const THRESHOLD: usize = 5;

/// A misbehaviour: what it is called, what the server does, and the word for the failure.
type Row = (&'static str, Vec<Act>, &'static str);

fn misbehaviours(format: Format) -> Vec<Row> {
    let token = format.token("One ");
    let with_length = |bytes: usize| format!("HTTP/1.1 200 x\r\ncontent-length: {bytes}\r\n\r\n").into_bytes();
    let text = |text: &str| Act::Write(ok(text));
    vec![
        ("garbage", vec![text("\u{0}\u{1} garbage \n\n\n and more")], "malformed"),
        ("another protocol", vec![Act::Write(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())], "malformed"),
        ("the end in the middle of a token", vec![text(&token[..token.len() / 2])], "malformed"),
        ("the end after a token", vec![text(&token)], "malformed"),
        ("a length that is too short", vec![Act::Write(with_length(9)), Act::Write(token.clone().into())], "malformed"),
        (
            "a gigabyte that comes as one line",
            vec![Act::Write(with_length(1 << 30)), Act::Write(b"data: ".to_vec()), Act::Flood(vec![b'x'; 65_536])],
            "too_large",
        ),
        ("words without an end", vec![text(""), Act::Flood(format.token(&"y".repeat(1_000)).into())], "too_large"),
        ("calls without an end", vec![text(""), Act::Flood(format.more_of_a_call().repeat(50).into())], "too_large"),
        (
            "headers without an end",
            vec![Act::Write(b"HTTP/1.1 200 x\r\n".to_vec()), Act::Flood(b"x: y\r\n".repeat(100))],
            "malformed",
        ),
        ("a fault in the middle", vec![text(&(token + &format.error()))], "server_fault"),
    ]
}

fn chats(stub: &Stub) -> usize {
    stub.seen().iter().filter(|asked| asked.starts_with("POST")).count()
}

// shows: models: a server that sends garbage, lies, or never ends costs bounded room, is left alone after five answers like that, and the next one answers meanwhile
#[tokio::test]
async fn a_server_that_misbehaves_is_left_alone_and_the_next_one_answers() {
    for format in FORMATS {
        for (what, acts, word) in misbehaviours(format) {
            let stub = chatting(acts).await;
            let well = Scripted::script((0..9).map(|n| Step::Reply(format!("well {n}"))).collect()).named("well");
            let cascade = Cascade::new(vec![format.provider(&stub.url, "", 10_000), Arc::new(well)]);
            for n in 0..THRESHOLD + 2 {
                let answer = cascade.complete(&request("x"), &patient()).await.expect("the next one answers");
                let told = (answer.content, answer.attempts[0].failure.word());
                let expected = if n < THRESHOLD { word } else { "resting" };
                assert_eq!(told, (format!("well {n}"), expected), "{format:?}, {what}, {n}: {:?}", answer.attempts);
                assert!(stub.written() < 64 << 20, "{format:?}, {what}: {} bytes were taken", stub.written());
            }
            assert_eq!(chats(&stub), THRESHOLD, "{format:?}, {what}");
            let known = &cascade.status()[0].known[0];
            assert_eq!((known.circuit, known.failures), (Circuit::Open, THRESHOLD as u64), "{format:?}, {what}");
        }
    }
}

// shows: models: a server that only keeps the line warm has fallen silent
#[tokio::test]
async fn a_drip_without_words_is_silence() {
    for format in FORMATS {
        let begun = Act::Write(ok(&format.token("One ")));
        let drips: &[&str] =
            if format == Format::Ollama { &[" ", "\n"] } else { &[": keep-alive\n\n", "\n", "data: "] };
        for drip in drips {
            let stub = chatting(vec![begun.clone(), Act::Drip(drip.as_bytes().to_vec())]).await;
            let cascade = Cascade::new(vec![format.provider(&stub.url, "", 100)]);
            for n in 0..THRESHOLD {
                let error = cascade.complete(&request("x"), &patient()).await.expect_err("no answer");
                let failure = &error.attempts[0].failure;
                assert_eq!(failure, &Failure::Timeout { stage: Stage::Stall }, "{format:?} {drip:?} {n}");
                stub.closed().await;
            }
            assert_eq!(cascade.status()[0].known[0].circuit, Circuit::Open, "{format:?} {drip:?}");
        }
        // Before the first word it is the time for that which ends.
        let stub = chatting(vec![Act::Write(ok("")), Act::Drip(b"\n".to_vec())]).await;
        let asked = format.provider(&stub.url, "", 10_000).chat(&request("x"), &call(150)).await;
        assert_eq!(asked, Err(Failure::Timeout { stage: Stage::FirstToken }), "{format:?}");
        stub.closed().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_announced_again_and_again_ends_with_the_time() {
    for format in FORMATS {
        let again = Act::Flood(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100));
        let stub = chatting(vec![again]).await;
        let asked = format.provider(&stub.url, "", 10_000).chat(&request("x"), &call(300)).await;
        assert_eq!(asked, Err(Failure::Timeout { stage: Stage::FirstToken }), "{format:?}");
        stub.closed().await;
    }
}
