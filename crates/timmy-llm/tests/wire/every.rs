//! The conformance suite: each test runs over every wire format.

use std::time::Duration;

use timmy_llm::{Call, Cascade, Completion, FRAME_BYTES_MAX, Failure, Finish, ProviderState, Stage, Usage};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::stub::{Act, Stub, chatting, lists, ok, status};
use crate::{FORMATS, Format, call, patient, request};

async fn ask(format: Format, stub: &Stub, call: &Call) -> Result<Completion, Failure> {
    let request = request("hello");
    format.provider(&stub.url, "", 10_000).chat(&request, call).await
}

/// Asks a server that answers a chat with `acts`.
async fn answer(format: Format, acts: Vec<Act>) -> Result<Completion, Failure> {
    let stub = chatting(acts).await;
    ask(format, &stub, &patient()).await
}

// shows: models: every wire format streams, counts tokens and reads text however it is cut
#[tokio::test]
async fn a_stream_is_read_whole_however_it_is_cut() {
    for format in FORMATS {
        let body = [format.token("Grü"), format.token("ße 🦀"), format.token("!\n"), format.end()].concat();
        let crlf = body.replace('\n', "\r\n");
        for (how, acts) in [
            ("at once", vec![Act::Write(ok(&body))]),
            ("byte by byte", vec![Act::Write(ok("")), Act::Trickle(body.into_bytes())]),
            ("with CRLF", vec![Act::Write(ok("")), Act::Trickle(crlf.into_bytes())]),
        ] {
            let stub = chatting(acts).await;
            let (to, mut from) = mpsc::channel(100);
            let completion = ask(format, &stub, &Call { deltas: Some(to), ..patient() }).await;
            let expected = Completion {
                content: "Grüße 🦀!\n".to_owned(),
                tool_calls: vec![],
                model: "m".to_owned(),
                usage: Usage { prompt_tokens: 7, completion_tokens: 3 },
                finish: Finish::Stop,
            };
            assert_eq!(completion, Ok(expected), "{format:?} {how}");
            let mut heard = String::new();
            while let Some(piece) = from.recv().await {
                heard.push_str(&piece);
            }
            assert_eq!(heard, "Grüße 🦀!\n", "{format:?} {how}");
        }
    }
}

#[tokio::test]
async fn the_answer_ends_with_its_last_frame_and_not_with_the_connection() {
    for format in FORMATS {
        let body = [format.token("Yes."), format.end()].concat();
        let stub = chatting(vec![Act::Write(ok(&body)), Act::Hold]).await;
        assert_eq!(ask(format, &stub, &patient()).await.map(|c| c.content), Ok("Yes.".into()));
        stub.closed().await;
    }
}

#[tokio::test]
async fn reasoning_is_not_part_of_the_answer() {
    for format in FORMATS {
        let tokens = ["<th", "ink>hm ", "hm</thi", "nk>\n\n", "Yes."].map(|t| format.token(t)).concat();
        let heard = answer(format, vec![Act::Write(ok(&(tokens + &format.end())))]).await;
        assert_eq!(heard.map(|c| c.content), Ok("Yes.".into()), "{format:?}");
    }
}

// shows: models: stop drops the connection, so that the model stops too
#[tokio::test]
async fn giving_up_in_the_middle_closes_the_connection() {
    for format in FORMATS {
        let stub = chatting(vec![Act::Write(ok(&format.token("One "))), Act::Hold]).await;
        let (to, mut from) = mpsc::channel(8);
        let stopped = Call { deltas: Some(to), ..patient() };
        let stopping = async {
            while from.recv().await.is_some_and(|piece| piece.is_empty()) {}
            stopped.cancel.cancel();
        };
        assert_eq!(tokio::join!(ask(format, &stub, &stopped), stopping).0, Err(Failure::Cancelled), "{format:?}");
        stub.closed().await;

        // The same when the future is dropped, before any answer.
        let stub = chatting(vec![Act::Hold]).await;
        let (provider, ask, patient) = (format.provider(&stub.url, "", 1), request("x"), patient());
        tokio::select! {
            _ = provider.chat(&ask, &patient) => unreachable!("the server never answers"),
            () = async { while !stub.seen().iter().any(|r| r.starts_with("POST")) { tokio::task::yield_now().await } } => {}
        }
        stub.closed().await;
    }
}

#[tokio::test]
async fn silence_is_told_apart_by_its_stage() {
    for format in FORMATS {
        let token = Act::Write(ok(&format.token("One ")));
        let stub = chatting(vec![Act::Hold]).await;
        assert_eq!(ask(format, &stub, &call(150)).await, Err(Failure::Timeout { stage: Stage::FirstToken }));
        let half = Call { first_word_by: Some(call(100).deadline), ..patient() };
        assert_eq!(ask(format, &stub, &half).await, Err(Failure::Timeout { stage: Stage::FirstToken }));
        let stub = chatting(vec![Act::Write(ok("")), Act::Hold]).await;
        assert_eq!(ask(format, &stub, &call(150)).await, Err(Failure::Timeout { stage: Stage::FirstToken }));
        let stub = chatting(vec![token.clone(), Act::Hold]).await;
        let ask_for = request("x");
        let stalled = format.provider(&stub.url, "", 100).chat(&ask_for, &patient()).await;
        assert_eq!(stalled, Err(Failure::Timeout { stage: Stage::Stall }), "{format:?}");
        stub.closed().await;
        let stub = chatting(vec![token, Act::Hold]).await;
        assert_eq!(ask(format, &stub, &call(1_500)).await, Err(Failure::Timeout { stage: Stage::Total }));
    }
}

// shows: models: each refusal of a server has a typed reason
#[tokio::test]
async fn each_refusal_has_its_reason() {
    let retry = |seconds| Failure::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
    let rows = [
        (status(429, "retry-after: 7\r\n", ""), retry(7)),
        (status(429, "", r#"{"error":{"code":"insufficient_quota"}}"#), Failure::Billing { until: None }),
        (status(401, "", ""), Failure::Auth),
        (status(402, "", ""), Failure::Billing { until: None }),
        (status(500, "", ""), Failure::ServerError { status: 500 }),
        (status(503, "", "<html>busy</html>"), Failure::ServerError { status: 503 }),
        (status(400, "", r#"{"error":{"code":"context_length_exceeded"}}"#), Failure::ContextLength),
        (status(400, "", r#"{"error":"odd"}"#), Failure::BadRequest { status: 400, detail: "odd".into() }),
        (status(302, "location: /elsewhere\r\n", ""), Failure::BadRequest { status: 302, detail: String::new() }),
        (ok("{\"error\":\"it broke\"}\n"), Failure::ServerFault { detail: "it broke".into() }),
    ];
    for format in FORMATS {
        for (reply, expected) in &rows {
            let reply = match (format, expected) {
                (_, Failure::ServerFault { .. }) => ok(&format.error()),
                _ => reply.clone(),
            };
            let stub = chatting(vec![Act::Write(reply)]).await;
            assert_eq!(ask(format, &stub, &patient()).await, Err(expected.clone()), "{format:?}");
            assert!(!stub.seen().iter().any(|r| r.contains("elsewhere")), "a redirect is not followed");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_malformed() {
    for format in FORMATS {
        let cut = format.token("One two three");
        let chunked = "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n";
        let broken = format!("{chunked}{:x}\r\n{cut}\r\n", cut.len());
        let rows = [
            ("garbage", ok("\u{0}\u{1} garbage \n\n\n and more")),
            ("garbage where JSON should be", ok("data: {]\n\ndata: \n")),
            ("an empty body", ok("")),
            ("the end in the middle of a token", ok(&cut[..cut.len() / 2])),
            ("the end after a token", ok(&cut)),
            ("the end in the middle of a chunked body", broken.into_bytes()),
            ("something else than HTTP", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ];
        for (what, reply) in rows {
            let heard = answer(format, vec![Act::Write(reply)]).await;
            assert!(matches!(heard, Err(Failure::Malformed { .. })), "{format:?}, {what}: {heard:?}");
        }
        let heard = answer(format, vec![Act::Write(vec![])]).await;
        let said = "it failed: it closed the connection before it answered";
        assert_eq!(heard.map(|_| ()).map_err(|f| f.to_string()), Err(said.to_owned()), "{format:?}, nothing at all");
    }
}

// shows: models: an endless answer is broken off at its bound
#[tokio::test]
async fn what_is_over_a_bound_is_broken_off() {
    for format in FORMATS {
        for (what, head, piece) in [
            ("an endless line", "data: {\"x\":\"", vec![b'x'; 65_536]),
            ("an endless answer", "", format.token(&"y".repeat(1_000)).into_bytes()),
        ] {
            let stub = chatting(vec![Act::Write(ok(head)), Act::Flood(piece)]).await;
            let heard = ask(format, &stub, &patient()).await;
            assert!(matches!(heard, Err(Failure::TooLarge { .. })), "{format:?}, {what}: {heard:?}");
            stub.closed().await;
            assert!(stub.written() < 64 << 20, "{format:?}, {what}: {} bytes were taken", stub.written());
        }
        let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(2 * FRAME_BYTES_MAX));
        let stub = Stub::start("127.0.0.1:0", Box::new(move |_| vec![Act::Write(ok(&huge))])).await;
        let looked = format.provider(&stub.url, "", 1).probe(Duration::from_secs(20)).await;
        assert!(matches!(looked, Err(Failure::TooLarge { .. })), "{format:?}: {looked:?}");
    }
}

// shows: models: a provider that was down at boot is found when it comes up
#[tokio::test]
async fn a_server_that_comes_up_later_is_found() {
    for format in FORMATS {
        let gone = Stub::start("127.0.0.1:0", Box::new(|_| vec![])).await;
        let (url, address) = (gone.url.clone(), gone.url.trim_start_matches("http://").to_owned());
        gone.stop().await;
        let provider = format.provider(&url, "", 10_000);
        let name = provider.info().name.clone();
        let cascade = Cascade::new(vec![provider]);
        let changes = cascade.probe_all(Duration::from_secs(20)).await;
        assert_eq!((changes.len(), changes[0].up, cascade.has_model()), (1, false, false));
        assert_eq!(changes[0].why, format!("nobody listens at {address}"));
        let error = cascade.complete(&request("x"), &patient()).await.expect_err("nobody listens");
        assert_eq!(error.to_string(), format!("No answer came. {name}: nobody listens at {address}."));
        assert!(cascade.probe_all(Duration::from_secs(20)).await.is_empty());

        let body = [format.token("Here."), format.end()].concat();
        let answers = move |path: &str| lists(path).unwrap_or_else(|| vec![Act::Write(ok(&body))]);
        let _now = Stub::start(&address, Box::new(answers)).await;
        let changes = cascade.probe_all(Duration::from_secs(20)).await;
        assert_eq!((changes.len(), changes[0].up, changes[0].models[0].as_str()), (1, true, "m"));
        assert!(cascade.has_model());
        let answer = cascade.complete(&request("x"), &patient()).await.expect("an answer");
        assert_eq!((answer.content.as_str(), answer.model.as_str()), ("Here.", "m"));
        let status = &cascade.status()[0];
        assert_eq!(
            (&status.state, status.model_in_use.as_str(), status.calls, status.failures),
            (&ProviderState::Up, "m", 2, 1)
        );
    }
}

#[tokio::test]
async fn a_probe_keeps_to_its_time() {
    for format in FORMATS {
        let stub = Stub::start("127.0.0.1:0", Box::new(|_| vec![Act::Hold])).await;
        let looked = format.provider(&stub.url, "", 1).probe(Duration::from_millis(100)).await;
        assert_eq!(looked, Err(Failure::Timeout { stage: Stage::Connect }));
        stub.closed().await;
    }
}

#[tokio::test]
async fn a_server_without_encryption_is_not_reached_with_it() {
    for format in FORMATS {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let answering = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(&status(400, "", "this is plain HTTP")).await.expect("written");
            stream
        };
        let provider = format.provider(&url, "", 1);
        let (looked, _stream) = tokio::join!(provider.probe(Duration::from_secs(20)), answering);
        assert!(matches!(looked, Err(Failure::Unreachable { .. })), "{looked:?}");
    }
}
