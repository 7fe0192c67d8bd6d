//! Connections that are kept for the next call: used again while the server holds them, left when it does not, made
//! anew when they end at the wrong moment, and never a reason to blame anybody.

use std::sync::{Arc, Mutex};

use timmy_llm::{Cascade, ProviderState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::{FORMATS, Format, patient, request};

/// What the server does with one request of one connection, both counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Answers, with the length in the head.
    Answer,
    /// Answers in chunks.
    Chunks,
    /// Answers in chunks and holds the last one back until it is told.
    Late,
    /// Answers and closes the connection without having said so.
    AnswerAndClose,
    /// Answers, and says something that nobody asked for.
    AnswerAndMore,
    /// Reads the request and closes the connection.
    Close,
    /// Begins to answer and closes the connection.
    HalfAHead,
}

pub type Plan = fn(connection: usize, request: usize) -> Then;

/// A server that keeps its connections.
pub struct Server {
    pub url: String,
    /// The connection over which each chat came, and what was asked.
    chats: Arc<Mutex<Vec<(usize, String)>>>,
    /// Connections that are closed, by either side.
    closed: mpsc::UnboundedReceiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(format: Format, plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let chats: Arc<Mutex<Vec<(usize, String)>>> = Arc::default();
        let (tell, closed) = mpsc::unbounded_channel();
        let seen = Arc::clone(&chats);
        let task = tokio::spawn(async move {
            // Only connections over which a chat comes are counted.
            let count = Arc::new(Mutex::new(0));
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, tell, count) = (Arc::clone(&seen), tell.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    if let Some(number) = serve(stream, format, plan, &seen, &count).await {
                        let _ = tell.send(number);
                    }
                });
            }
        });
        Self { url, chats, closed, task }
    }

    /// The connection over which each chat came.
    pub fn chats(&self) -> Vec<usize> {
        self.chats.lock().expect("not poisoned").iter().map(|(connection, _)| *connection).collect()
    }

    /// What was asked in chat `number`, head and body.
    fn asked(&self, number: usize) -> String {
        self.chats.lock().expect("not poisoned")[number].1.clone()
    }

    /// Waits until connection `number` is closed.
    async fn closes(&mut self, number: usize) {
        let patience = std::time::Duration::from_secs(crate::PATIENCE_SECONDS);
        while tokio::time::timeout(patience, self.closed.recv()).await.expect("it closes") != Some(number) {}
    }
}

/// Serves one connection; gives its number when chats came over it.
async fn serve(
    mut stream: TcpStream,
    format: Format,
    plan: Plan,
    seen: &Mutex<Vec<(usize, String)>>,
    count: &Mutex<usize>,
) -> Option<usize> {
    stream.set_nodelay(true).expect("a socket");
    let (mut number, mut asked) = (None, 0);
    while let Some(request) = read_request(&mut stream).await {
        if !request.starts_with("POST") {
            let body = r#"{"object":"list","data":[{"id":"m"}],"models":[{"name":"m"}],"version":"0.12.3"}"#;
            let _ = stream.write_all(&whole(body)).await;
            continue;
        }
        let connection = *number.get_or_insert_with(|| {
            let mut count = count.lock().expect("not poisoned");
            *count += 1;
            *count - 1
        });
        seen.lock().expect("not poisoned").push((connection, request));
        let then = plan(connection, asked);
        asked += 1;
        let body = [format.token("Here."), format.end()].concat();
        let written = match then {
            Then::Close => return number,
            Then::Answer | Then::AnswerAndClose => whole(&body),
            Then::AnswerAndMore => [whole(&body), b"HTTP/1.1 408 x\r\ncontent-length: 0\r\n\r\n".to_vec()].concat(),
            Then::Chunks => [chunked(&body), b"0\r\n\r\n".to_vec()].concat(),
            Then::Late => chunked(&body),
            Then::HalfAHead => b"HTTP/1.1 200".to_vec(),
        };
        let _ = stream.write_all(&written).await;
        if matches!(then, Then::AnswerAndClose | Then::HalfAHead) {
            return number;
        }
    }
    number
}

fn whole(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.len()).into_bytes()
}

/// The next request, head and body; nothing when the other side has closed.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}

async fn said(cascade: &Cascade) -> String {
    cascade.complete(&request("x"), &patient()).await.expect("an answer").content
}

// shows: models: calls of a model on this machine that follow each other share one connection
#[tokio::test]
async fn calls_that_follow_each_other_share_one_connection() {
    for format in FORMATS {
        for plan in [(|_, _| Then::Answer) as Plan, |_, _| Then::Chunks] {
            let server = Server::start(format, plan).await;
            let cascade = Cascade::new(vec![format.provider(&server.url, "", 20_000)]);
            for _ in 0..3 {
                assert_eq!(said(&cascade).await, "Here.");
            }
            assert_eq!(server.chats(), [0, 0, 0], "{format:?}");
        }
    }
}

// shows: models: a connection that the server closed meanwhile is no failure of anybody
#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_left() {
    for format in FORMATS {
        let mut server = Server::start(format, |_, _| Then::AnswerAndClose).await;
        let cascade = Cascade::new(vec![format.provider(&server.url, "", 20_000)]);
        for number in 0..3 {
            assert_eq!(said(&cascade).await, "Here.");
            server.closes(number).await;
        }
        assert_eq!(server.chats(), [0, 1, 2], "{format:?}");
        let status = &cascade.status()[0];
        assert_eq!((&status.state, status.failures), (&ProviderState::Up, 0));
    }
}

// shows: models: a kept connection that ends under a request is no failure: the same server is asked once more over a new one
#[tokio::test]
async fn a_kept_connection_that_ends_under_a_request_is_made_anew_once() {
    for format in FORMATS {
        let server = Server::start(format, |_, asked| if asked == 0 { Then::Answer } else { Then::Close }).await;
        let provider = format.provider(&server.url, "", 20_000);
        let cascade = Cascade::new(vec![provider]);
        // It is the only one, so nobody else could have answered the second call.
        for _ in 0..2 {
            let answer = cascade.complete(&request("x"), &patient()).await.expect("an answer");
            assert_eq!((answer.content.as_str(), answer.attempts.len()), ("Here.", 0), "{format:?}");
        }
        assert_eq!(server.chats(), [0, 0, 1], "{format:?}");
        assert_eq!(server.asked(1), server.asked(2), "{format:?}: the same words again");
        let status = &cascade.status()[0];
        assert_eq!((&status.state, status.failures, status.circuit()), (&ProviderState::Up, 0, "closed"));
        assert_eq!((status.known[0].in_a_row, status.known[0].failures), (0, 0));
        // It happens once: this server is given no kept connection any more.
        for _ in 0..2 {
            assert_eq!(said(&cascade).await, "Here.");
        }
        assert_eq!(server.chats(), [0, 0, 1, 2, 3], "{format:?}");
    }
}

// shows: models: what is asked once more over a new connection is asked once more only, and a beginning of an answer is never asked for again
#[tokio::test]
async fn nothing_is_sent_a_third_time_and_nothing_after_a_byte_of_an_answer() {
    for format in FORMATS {
        // Each connection after the first one ends under its first request too.
        let hangs = |connection, asked| if connection + asked == 0 { Then::Answer } else { Then::Close };
        let server = Server::start(format, hangs).await;
        let provider = format.provider(&server.url, "", 20_000);
        for expected in [Ok("Here.".to_owned()), Err("server_fault")] {
            let asked = provider.chat(&request("x"), &patient()).await;
            assert_eq!(asked.map(|c| c.content).map_err(|f| f.word()), expected, "{format:?}");
        }
        assert_eq!(server.chats(), [0, 0, 1], "{format:?}");

        let half = |_, asked| if asked == 0 { Then::Answer } else { Then::HalfAHead };
        let server = Server::start(format, half).await;
        let provider = format.provider(&server.url, "", 20_000);
        for expected in [Ok("Here.".to_owned()), Err("server_fault")] {
            let asked = provider.chat(&request("x"), &patient()).await;
            assert_eq!(asked.map(|c| c.content).map_err(|f| f.word()), expected, "{format:?}");
        }
        assert_eq!(server.chats(), [0, 0], "{format:?}");
    }
}

#[tokio::test]
async fn a_connection_over_which_more_was_said_than_asked_is_left() {
    let server = Server::start(Format::OpenAi, |_, _| Then::AnswerAndMore).await;
    let cascade = Cascade::new(vec![Format::OpenAi.provider(&server.url, "", 20_000)]);
    for _ in 0..3 {
        assert_eq!(said(&cascade).await, "Here.");
    }
    assert_eq!(server.chats(), [0, 1, 2]);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_end_of_its_body() {
    let server = Server::start(Format::OpenAi, |_, _| Then::Late).await;
    let cascade = Cascade::new(vec![Format::OpenAi.provider(&server.url, "", 20_000)]);
    assert_eq!((said(&cascade).await, said(&cascade).await), ("Here.".to_owned(), "Here.".to_owned()));
    assert_eq!(server.chats(), [0, 1], "the first is still busy with its end");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_soon() {
    let mut server = Server::start(Format::OpenAi, |_, _| Then::Answer).await;
    let cascade = Cascade::new(vec![Format::OpenAi.provider(&server.url, "", 20_000)]);
    assert_eq!(said(&cascade).await, "Here.");
    tokio::time::pause();
    for _ in 0..5 {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    server.closes(0).await;
    assert_eq!(said(&cascade).await, "Here.");
    assert_eq!(server.chats(), [0, 1]);
}
