//! The conformance suite, second part: servers that lie, hurry, and stop in the middle.

use serde_json::json;
use timmy_llm::{Completion, Failure, Finish};

use crate::stub::{Act, chatting, ok, status};
use crate::{FORMATS, Format, data, patient, request};

async fn answer(format: Format, acts: Vec<Act>) -> Result<Completion, Failure> {
    let stub = chatting(acts).await;
    format.provider(&stub.url, "", 10_000).chat(&request("hello"), &patient()).await
}

// shows: models: an answer split at any byte is read the same by every provider
#[tokio::test]
async fn an_answer_is_read_the_same_wherever_it_is_split() {
    for format in FORMATS {
        let body = ok(&(format.token("ü🦀\u{200d}é") + &format.end()));
        for at in 0..body.len() {
            let (first, second) = body.split_at(at);
            let acts = vec![Act::Write(first.to_vec()), Act::Pause, Act::Write(second.to_vec())];
            let heard = answer(format, acts).await.map(|c| c.content);
            assert_eq!(heard.as_deref(), Ok("ü🦀\u{200d}é"), "{format:?}, split at {at}");
        }
    }
}

#[tokio::test]
async fn a_call_whose_arguments_were_cut_keeps_what_came_and_says_so() {
    for format in FORMATS {
        for bytes in 0..=13 {
            let completion = answer(format, vec![Act::Write(ok(&format.cut_call(bytes)))]).await.expect("an answer");
            assert_eq!(completion.tool_calls.len(), 1, "{format:?} {bytes}");
            assert_eq!(completion.tool_calls[0].name, "look");
            assert_eq!(completion.tool_calls[0].arguments, &r#"{"at":"door"}"#[..bytes], "{format:?}");
            assert_eq!(completion.finish, Finish::Length, "{format:?}");
        }
    }
}

// shows: models: a tool without arguments can be called by every provider, however it says that there are none
#[tokio::test]
async fn a_call_without_arguments_has_none() {
    let ollama = |arguments: serde_json::Value| {
        let call = json!({ "function": { "name": "look", "arguments": arguments } });
        let message = json!({ "role": "assistant", "content": "", "tool_calls": [call] });
        format!("{}\n", json!({ "message": message, "done": true, "done_reason": "stop" }))
    };
    let openai = |arguments: serde_json::Value| {
        let call = json!({ "index": 0, "id": "c1", "function": { "name": "look", "arguments": arguments } });
        let begun = data(&json!({ "choices": [{ "delta": { "tool_calls": [call] } }] }));
        begun + &data(&json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] })) + "data: [DONE]\n\n"
    };
    let anthropic = |piece: &str| {
        let block = json!({ "type": "tool_use", "id": "c1", "name": "look", "input": {} });
        let delta = json!({ "type": "input_json_delta", "partial_json": piece });
        [
            data(&json!({ "type": "content_block_start", "index": 0, "content_block": block })),
            data(&json!({ "type": "content_block_delta", "index": 0, "delta": delta })),
            data(&json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" } })),
            data(&json!({ "type": "message_stop" })),
        ]
        .concat()
    };
    let rows = [
        (Format::Ollama, ollama(json!({}))),
        (Format::Ollama, ollama(json!(null))),
        (Format::Ollama, ollama(json!(""))),
        (Format::OpenAi, openai(json!("{}"))),
        (Format::OpenAi, openai(json!(""))),
        (Format::OpenAi, openai(json!(null))),
        (Format::Anthropic, anthropic("")),
        (Format::Anthropic, anthropic("{}")),
    ];
    for (format, body) in rows {
        let completion = answer(format, vec![Act::Write(ok(&body))]).await.expect("an answer");
        let calls: Vec<_> = completion.tool_calls.iter().map(|c| (c.name.as_str(), c.arguments.as_str())).collect();
        assert_eq!((calls, completion.finish), (vec![("look", "{}")], Finish::ToolCalls), "{format:?}: {body}");
    }
}

// shows: models: a server that lies about its length is refused, and never waited for beyond it
#[tokio::test]
async fn a_length_that_is_a_lie_ends_the_answer() {
    for format in FORMATS {
        let body = format.token("Yes.") + &format.end();
        let with = |length: usize, body: &str| {
            format!("HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
        };
        // More is promised than comes: the frames say that the answer is whole.
        let heard = answer(format, vec![Act::Write(with(body.len() + 1_000, &body))]).await;
        assert_eq!(heard.map(|c| c.content), Ok("Yes.".into()), "{format:?}");
        // Less is promised than would be needed: what is behind the length is not read.
        for length in [0, 5, format.token("Yes.").len()] {
            let heard = answer(format, vec![Act::Write(with(length, &body))]).await;
            assert!(matches!(heard, Err(Failure::Malformed { .. })), "{format:?} {length}: {heard:?}");
        }
        let odd = "HTTP/1.1 200 x\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nhello";
        let heard = answer(format, vec![Act::Write(odd.into())]).await;
        assert!(matches!(heard, Err(Failure::Malformed { .. })), "{format:?}: {heard:?}");
    }
}

#[tokio::test]
async fn the_end_at_any_byte_is_an_answer_or_malformed_and_never_half() {
    for format in FORMATS {
        let body = format.token("One ") + &format.token("two.") + &format.end();
        for at in 0..body.len() {
            match answer(format, vec![Act::Write(ok(&body[..at]))]).await {
                Ok(completion) => assert_eq!(completion.content, "One two.", "{format:?}, ended at {at}"),
                Err(Failure::Malformed { .. }) => {}
                Err(other) => panic!("{format:?}, ended at {at}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_and_an_answer_of_nothing_are_told_apart() {
    for format in FORMATS {
        let middle = format.token("One ") + &format.error();
        let heard = answer(format, vec![Act::Write(ok(&middle))]).await;
        assert_eq!(heard, Err(Failure::ServerFault { detail: "it broke".into() }), "{format:?}");
        let heard = answer(format, vec![Act::Write(ok(&format.end()))]).await.expect("an empty answer");
        assert_eq!((heard.content.as_str(), heard.finish), ("", Finish::Stop), "{format:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_short_whatever_a_server_says() {
    let long = json!({ "error": { "message": "no\n\u{1b}[31m".repeat(50_000) } }).to_string();
    for format in FORMATS {
        let heard = answer(format, vec![Act::Write(status(400, "", &long))]).await.expect_err("refused");
        let said = heard.to_string();
        assert!(said.chars().count() < 500 && !said.contains(['\n', '\u{1b}']), "{format:?}: {said:?}");
        let endless = vec![Act::Write(status(500, "", "")), Act::Flood(vec![b'x'; 65_536])];
        assert_eq!(answer(format, endless).await, Err(Failure::ServerError { status: 500 }), "{format:?}");
        let huge = format!("HTTP/1.1 200 x\r\nx: {}\r\n\r\n", "y".repeat(2 << 20));
        let heard = answer(format, vec![Act::Write(huge.into_bytes())]).await;
        assert!(heard.is_err(), "{format:?}: a head of 2 MiB was taken");
    }
}
