//! Connections that are kept for the next call: used again while the server holds them, left when it does not, and
//! never a reason to send anything twice or to blame anybody.

use std::sync::{Arc, Mutex};

use timmy_llm::{Cascade, Failure, ProviderState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::{FORMATS, Format, patient, request};

/// What the server does with one request of one connection, both counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
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
}

type Plan = fn(connection: usize, request: usize) -> Then;

/// A server that keeps its connections.
struct Server {
    url: String,
    /// The connection over which each chat came.
    chats: Arc<Mutex<Vec<usize>>>,
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
    async fn start(format: Format, plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let chats: Arc<Mutex<Vec<usize>>> = Arc::default();
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
    fn chats(&self) -> Vec<usize> {
        self.chats.lock().expect("not poisoned").clone()
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
    seen: &Mutex<Vec<usize>>,
    count: &Mutex<usize>,
) -> Option<usize> {
    stream.set_nodelay(true).expect("a socket");
    let (mut number, mut asked) = (None, 0);
    while let Some(head) = read_request(&mut stream).await {
        if !head.starts_with("POST") {
            let body = r#"{"object":"list","data":[{"id":"m"}],"models":[{"name":"m"}],"version":"0.12.3"}"#;
            let _ = stream.write_all(&whole(body)).await;
            continue;
        }
        let connection = *number.get_or_insert_with(|| {
            let mut count = count.lock().expect("not poisoned");
            *count += 1;
            *count - 1
        });
        seen.lock().expect("not poisoned").push(connection);
        let then = plan(connection, asked);
        asked += 1;
        let body = [format.token("Here."), format.end()].concat();
        let written = match then {
            Then::Close => return number,
            Then::Answer | Then::AnswerAndClose => whole(&body),
            Then::AnswerAndMore => [whole(&body), b"HTTP/1.1 408 x\r\ncontent-length: 0\r\n\r\n".to_vec()].concat(),
            Then::Chunks => [chunked(&body), b"0\r\n\r\n".to_vec()].concat(),
            Then::Late => chunked(&body),
        };
        let _ = stream.write_all(&written).await;
        if then == Then::AnswerAndClose {
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

/// The head of the next request, its body read as well; nothing when the other side has closed.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).await.ok()?;
    Some(head)
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

// shows: models: nothing is sent twice over a kept connection that ends, and nobody is blamed for it
#[tokio::test]
async fn a_kept_connection_that_ends_under_a_request_is_told_and_nothing_is_sent_twice() {
    for format in FORMATS {
        let server = Server::start(format, |_, asked| if asked == 0 { Then::Answer } else { Then::Close }).await;
        let cascade = Cascade::new(vec![format.provider(&server.url, "", 20_000)]);
        assert_eq!(said(&cascade).await, "Here.");
        let error = cascade.complete(&request("x"), &patient()).await.expect_err("it hangs up");
        let failures: Vec<_> = error.attempts.into_iter().map(|attempt| attempt.failure).collect();
        assert_eq!((failures, server.chats()), (vec![Failure::HungUp], vec![0, 0]), "{format:?}");
        let status = &cascade.status()[0];
        assert_eq!((status.circuit(), status.known[0].in_a_row, status.known[0].failures), ("closed", 0, 0));
        // It happens once: this server is given no kept connection any more.
        for _ in 0..3 {
            assert_eq!(said(&cascade).await, "Here.");
        }
        assert_eq!(server.chats(), [0, 0, 1, 2, 3], "{format:?}");
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
