//! The short way to a server on this machine: a connection is driven by the call that uses it, without a task beside
//! it, and is kept a moment for the next call.
//!
//! Calls of the gateway come one after the other, and reaching a server anew costs more than all of Timmy's own work.
//! A kept connection is looked at right before it is used again; one that the server has closed meanwhile is left.
//! It may still end at the very moment at which the request is on its way. When not one byte of an answer came, the
//! request goes out once more over a connection of its own, and this server is given no kept one any more: here no
//! answer is lost by that, and none costs money. Over a connection of its own nothing is sent twice.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::CONNECT_MS;

/// Connections to one server that are kept while nobody uses them.
const KEPT_MAX: usize = 4;
/// How long one is kept, in milliseconds. Servers close what is idle after five seconds or more.
const KEPT_MS: u64 = 2_000;
/// Bytes that a server may add to a finished answer before its connection is given up instead of kept.
const REST_BYTES_MAX: usize = 64 * 1024;
/// How long it may take for that, in milliseconds.
const REST_MS: u64 = 500;

/// Why a request was not answered.
pub enum Lost {
    /// Nobody could be reached in time.
    Late,
    /// Nobody could be reached.
    Unreached(io::Error),
    /// The connection ended, or what came is no HTTP.
    Broken(hyper::Error),
}

/// What is sent. A second try shares its bytes with the first.
struct Document(Bytes);

impl Body for Document {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let all = std::mem::take(&mut self.0);
        Poll::Ready((!all.is_empty()).then(|| Ok(Frame::data(all))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// The way to one server.
#[derive(Debug)]
pub struct Straight {
    host: HeaderValue,
    addresses: Vec<SocketAddr>,
    shelf: Arc<Shelf>,
}

/// One connection.
struct Line {
    sender: SendRequest<Document>,
    connection: Connection<TokioIo<Heard>, Document>,
    /// The same socket once more, to see what its end has done.
    socket: std::net::TcpStream,
    /// Whether the server said anything since the last request.
    heard: Arc<AtomicBool>,
    over: bool,
}

/// A socket that remembers whether anything came over it.
struct Heard {
    stream: TcpStream,
    heard: Arc<AtomicBool>,
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        if into.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Line {
    async fn open(addresses: &[SocketAddr]) -> Result<Box<Self>, Lost> {
        let reaching = timeout(Duration::from_millis(CONNECT_MS), TcpStream::connect(addresses));
        let stream = reaching.await.map_err(|_| Lost::Late)?.map_err(Lost::Unreached)?;
        stream.set_nodelay(true).map_err(Lost::Unreached)?;
        let socket = stream.as_fd().try_clone_to_owned().map_err(Lost::Unreached)?.into();
        let heard = Arc::<AtomicBool>::default();
        let stream = Heard { stream, heard: Arc::clone(&heard) };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Lost::Broken)?;
        Ok(Box::new(Self { sender, connection, socket, heard, over: false }))
    }

    /// Lets the connection read and write what it can now.
    fn step(&mut self, cx: &mut Context<'_>) {
        // How it ended is told to whoever waits for an answer or for more of one.
        if !self.over && Pin::new(&mut self.connection).poll(cx).is_ready() {
            self.over = true;
        }
    }

    /// Whether the server has neither closed it nor said anything that nobody asked for.
    fn is_quiet(&self) -> bool {
        matches!(self.socket.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends `request` and waits for the head of its answer. An error holds the request when nothing of it was sent.
    async fn ask(&mut self, request: Request<Document>) -> Result<Response<Incoming>, TrySendError<Request<Document>>> {
        self.heard.store(false, Ordering::Relaxed);
        let mut asked = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|cx| {
            self.step(cx);
            asked.as_mut().poll(cx)
        });
        answered.await
    }
}

/// Connections that nobody uses right now.
#[derive(Default)]
struct Shelf(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    lines: Vec<(Instant, Box<Line>)>,
    /// Whether somebody waits to close the old ones.
    swept: bool,
    /// Whether the server ended one under a request.
    mistrusted: bool,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({} lines)", self.inside().lines.len())
    }
}

impl Shelf {
    fn inside(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that can be used again.
    fn take(&self) -> Option<Box<Line>> {
        let mut inside = self.inside();
        while let Some((since, line)) = inside.lines.pop() {
            if since.elapsed() < Duration::from_millis(KEPT_MS) && line.is_quiet() {
                return Some(line);
            }
        }
        None
    }

    fn put(self: &Arc<Self>, line: Box<Line>) {
        let mut inside = self.inside();
        if inside.mistrusted || inside.lines.len() >= KEPT_MAX {
            return;
        }
        inside.lines.push((Instant::now(), line));
        if !std::mem::replace(&mut inside.swept, true) {
            drop(tokio::spawn(sweep(Arc::downgrade(self))));
        }
    }

    fn mistrust(&self) {
        let mut inside = self.inside();
        inside.mistrusted = true;
        inside.lines.clear();
    }

    /// Closes the old ones. Says whether others are left.
    fn close_old(&self) -> bool {
        let mut inside = self.inside();
        inside.lines.retain(|(since, _)| since.elapsed() < Duration::from_millis(KEPT_MS));
        inside.swept = !inside.lines.is_empty();
        inside.swept
    }
}

async fn sweep(shelf: Weak<Shelf>) {
    loop {
        sleep(Duration::from_millis(KEPT_MS)).await;
        if !shelf.upgrade().is_some_and(|shelf| shelf.close_old()) {
            return;
        }
    }
}

impl Straight {
    /// The way to the server at `shown`, a host with its port, when no name has to be looked up for it.
    pub fn to(shown: &str) -> Option<Self> {
        let addresses = match shown.strip_prefix("localhost:") {
            Some(port) => {
                let port = port.parse().ok()?;
                // The name counts as this machine, so it leads nowhere else.
                vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
            }
            None => vec![shown.parse().ok()?],
        };
        Some(Self { host: HeaderValue::from_str(shown).ok()?, addresses, shelf: Arc::default() })
    }

    /// Posts `body` to the path of `url` and waits for the head of the answer.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: String) -> Result<Reply, Lost> {
        let path = url.parse::<Uri>().ok().and_then(|url| url.into_parts().path_and_query);
        let mut request = Request::new(Document(body.into()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(mut line) = self.shelf.take() {
            let again = again(&request);
            let mut refused = match line.ask(request).await {
                Ok(answer) => return Ok(self.reply(line, answer)),
                Err(refused) => refused,
            };
            request = match refused.take_message() {
                Some(unsent) => unsent,
                None if line.heard.load(Ordering::Relaxed) => return Err(Lost::Broken(refused.into_error())),
                None => {
                    self.shelf.mistrust();
                    again
                }
            };
        }
        let mut line = Line::open(&self.addresses).await?;
        let answer = line.ask(request).await.map_err(|refused| Lost::Broken(refused.into_error()))?;
        Ok(self.reply(line, answer))
    }

    fn reply(&self, line: Box<Line>, answer: Response<Incoming>) -> Reply {
        let (head, body) = answer.into_parts();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            line: Some(line),
            shelf: Arc::clone(&self.shelf),
        }
    }
}

/// The same request once more.
fn again(request: &Request<Document>) -> Request<Document> {
    let mut same = Request::new(Document(request.body().0.clone()));
    request.method().clone_into(same.method_mut());
    request.uri().clone_into(same.uri_mut());
    request.headers().clone_into(same.headers_mut());
    same
}

/// An answer whose head has come. Dropped before its end it closes the connection.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    line: Option<Box<Line>>,
    shelf: Arc<Shelf>,
}

impl Reply {
    /// The next piece of the body; nothing at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, hyper::Error>> {
        let mut stepped = false;
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Ok(Some(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.line = None;
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(None) => {
                    self.keep(cx);
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending if stepped => return Poll::Pending,
                Poll::Pending => {
                    stepped = true;
                    self.line.iter_mut().for_each(|line| line.step(cx));
                }
            }
        }
    }

    /// The body is over: its connection waits for the next call, if it can.
    fn keep(&mut self, cx: &mut Context<'_>) {
        let Some(mut line) = self.line.take() else { return };
        line.step(cx);
        if !line.over && line.sender.is_ready() {
            self.shelf.put(line);
        }
    }

    /// The answer is whole. What the server still adds, such as the end of the body, is read away, after which the
    /// connection can be used again: at once when it has come already, else beside the answer.
    pub fn let_end(mut self) {
        let mut left = REST_BYTES_MAX;
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_chunk(&mut cx) {
                Poll::Ready(Ok(Some(piece))) if piece.len() <= left => left -= piece.len(),
                Poll::Ready(_) => return,
                Poll::Pending => break,
            }
        }
        let rest = async move {
            while let Ok(Some(piece)) = self.chunk().await {
                match left.checked_sub(piece.len()) {
                    Some(less) => left = less,
                    None => return,
                }
            }
        };
        drop(tokio::spawn(timeout(Duration::from_millis(REST_MS), rest)));
    }
}
