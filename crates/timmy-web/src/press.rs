//! Compresses answers for clients that read gzip.
//!
//! Most answers are whole when they come here. Those are pressed in one go with a state that is kept: making a fresh
//! one, and moving a page through a stream of small buffers, took as long as pressing it. Pressing is still the longest
//! part of answering with a page, so the last few answers are remembered: one that says the same as before, which an open
//! page that asks again mostly gets, is not pressed again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use flate2::{Compress, Compression, FlushCompress, Status};
use futures_util::{StreamExt, stream};

/// Bytes from which on an answer is compressed.
const PRESS_BYTES_MIN: u64 = 1_024;
/// Bytes of a whole answer that are pressed in one go, without a pause for others; more goes as it is.
const PRESS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// States that are kept for the next answer. Each holds about a quarter of a megabyte.
const STATES_MAX: usize = 2;
/// Bytes by which room for compressed bytes grows.
const ROOM_BYTES: usize = 8 * 1024;
/// How far back a repetition may lie, as a power of two in bytes (RFC 1951).
const WINDOW_BITS: u8 = 15;

/// Answers that are remembered with what they were pressed to.
const REMEMBERED_MAX: usize = 4;
/// Bytes up to which an answer is remembered; together they hold about a third of a megabyte at most.
const REMEMBERED_BYTES_MAX: usize = 64 * 1024;

static KEPT: Mutex<Vec<Compress>> = Mutex::new(Vec::new());
/// Answers to questions that change nothing, the latest in front.
static REMEMBERED: Mutex<VecDeque<Pressed>> = Mutex::new(VecDeque::new());

/// An answer as it was and pressed.
struct Pressed {
    plain: Bytes,
    small: Bytes,
}

/// What `plain` was pressed to when it was last the same, byte for byte.
fn remembered(plain: &Bytes) -> Option<Bytes> {
    let mut last = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    let at = last.iter().position(|one| one.plain == *plain)?;
    last.swap(0, at);
    last.front().map(|one| one.small.clone())
}

fn remember(plain: Bytes, small: Bytes) {
    if plain.len() <= REMEMBERED_BYTES_MAX {
        let mut last = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
        last.truncate(REMEMBERED_MAX - 1);
        last.push_front(Pressed { plain, small });
    }
}

/// A state to compress with, which goes back when it is done.
struct Kept(Option<Compress>);

impl Kept {
    fn take() -> Self {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(Some(kept.unwrap_or_else(|| Compress::new_gzip(Compression::fast(), WINDOW_BITS))))
    }

    /// Adds what `bytes` come to at the end of `out`. Nothing when the compressor gives up, which no bytes make it do.
    fn press(&mut self, mut bytes: &[u8], end: bool, out: &mut Vec<u8>) -> Option<()> {
        let state = self.0.as_mut()?;
        let flush = if end { FlushCompress::Finish } else { FlushCompress::Sync };
        loop {
            if out.capacity() - out.len() < ROOM_BYTES / 2 {
                out.reserve(ROOM_BYTES);
            }
            let before = state.total_in();
            let status = state.compress_vec(bytes, out, flush).ok()?;
            let read = usize::try_from(state.total_in() - before).ok()?;
            bytes = bytes.get(read..)?;
            // Room that is left says that nothing is held back.
            let done = if end { status == Status::StreamEnd } else { bytes.is_empty() && out.len() < out.capacity() };
            if done {
                return Some(());
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(mut state) = self.0.take() else { return };
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < STATES_MAX {
            state.reset();
            kept.push(state);
        }
    }
}

/// Whether the client reads gzip.
#[must_use]
pub fn reads_gzip(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|accepted| {
        accepted.split(',').any(|one| {
            let mut parts = one.split(';').map(str::trim);
            parts.next() == Some("gzip") && !parts.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    })
}

/// Whether pressing makes an answer with these headers smaller, and does not hold it up.
fn worth(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let small = kind.starts_with("image/") && !kind.starts_with("image/svg");
    !headers.contains_key(header::CONTENT_ENCODING) && !small && !kind.starts_with("text/event-stream")
}

/// What a request says about how its answer may be sent.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its client reads gzip.
    reads: bool,
    /// Its answer has no body.
    bodiless: bool,
    /// It only asks. The answer to a post may show a secret this once; it does not stay in memory.
    asks: bool,
}

impl Asked {
    /// What `request` says.
    pub fn of(request: &Request) -> Self {
        let method = request.method();
        let (bodiless, asks) = (method == Method::HEAD, method == Method::GET);
        Self { reads: reads_gzip(request.headers()), bodiless, asks }
    }
}

/// Compresses the answer to one request.
pub async fn press(asked: Asked, mut response: Response) -> Response {
    let Asked { reads, bodiless, asks } = asked;
    let size = response.body().size_hint().exact();
    let fits = size.is_none_or(|bytes| (PRESS_BYTES_MIN..=PRESS_BYTES_MAX).contains(&bytes));
    if bodiless || !fits || response.status().is_informational() || !worth(response.headers()) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !reads {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let pressed = match size {
        Some(_) => match whole(body, asks).await {
            Ok(small) => Body::from(small),
            Err(plain) => return Response::from_parts(parts, plain),
        },
        None => flowing(body.into_data_stream()),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::ACCEPT_RANGES);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(parts, pressed)
}

/// A whole body pressed, or as it was. It is remembered where that is wanted.
async fn whole(body: Body, asks: bool) -> Result<Bytes, Body> {
    let plain = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|broken| Body::from_stream(stream::once(async move { Err::<Bytes, _>(broken) })))?;
    if let Some(small) = asks.then(|| remembered(&plain)).flatten() {
        return Ok(small);
    }
    let mut small = Vec::with_capacity(plain.len() / 4 + ROOM_BYTES);
    if Kept::take().press(&plain, true, &mut small).is_none() {
        return Err(Body::from(plain));
    }
    small.shrink_to_fit();
    let small = Bytes::from(small);
    if asks {
        remember(plain, small.clone());
    }
    Ok(small)
}

/// A body pressed piece by piece; what has come is sent on at once.
fn flowing(body: BodyDataStream) -> Body {
    let pieces = stream::unfold(Some((body, Kept::take())), |going| async move {
        let (mut body, mut state) = going?;
        let gone = || axum::Error::new(std::io::Error::other("the compressor gave up"));
        let mut small = Vec::new();
        match body.next().await {
            Some(Ok(piece)) => match state.press(&piece, false, &mut small) {
                Some(()) => Some((Ok(Bytes::from(small)), Some((body, state)))),
                None => Some((Err(gone()), None)),
            },
            Some(Err(broken)) => Some((Err(broken), None)),
            None => Some((state.press(&[], true, &mut small).map(|()| Bytes::from(small)).ok_or_else(gone), None)),
        }
    });
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::{Next, from_fn};
    use axum::routing::get;
    use flate2::read::GzDecoder;
    use tower::ServiceExt;

    use super::*;

    fn unpacked(small: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        GzDecoder::new(small).read_to_end(&mut plain).expect("gzip");
        plain
    }

    #[test]
    fn a_kept_state_presses_each_answer_as_if_it_were_the_first() {
        for round in 0..5_u8 {
            for size in [0, 1, 1_024, 70_000, 1_000_000] {
                let plain: Vec<u8> =
                    (0..size).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap_or(0) ^ round).collect();
                let mut small = Vec::new();
                assert!(Kept::take().press(&plain, true, &mut small).is_some());
                assert_eq!(unpacked(&small), plain, "{size} bytes in round {round}");
            }
        }
        assert!(KEPT.lock().expect("kept").len() <= STATES_MAX);
    }

    #[tokio::test]
    async fn an_answer_that_is_the_same_is_remembered_and_one_that_differs_is_pressed() {
        let text = |digit: usize| format!("{digit} of an answer as long as this one. ").repeat(200);
        let same = |digit: usize| Body::from(text(digit));
        let first = whole(same(1), true).await.expect("pressed");
        let again = whole(same(1), true).await.expect("pressed");
        assert_eq!(first.as_ptr(), again.as_ptr(), "the same bytes, not pressed again");
        let other = whole(same(2), true).await.expect("pressed");
        assert_ne!(unpacked(&other), unpacked(&first));
        // What a post is answered with is never kept.
        let told = whole(same(3), false).await.expect("pressed");
        assert!(!REMEMBERED.lock().expect("remembered").iter().any(|one| one.small == told));
        for more in 10..30 {
            whole(same(more), true).await.expect("pressed");
            assert_eq!(unpacked(&whole(same(more), true).await.expect("pressed")), text(more).as_bytes());
        }
        let huge = whole(Body::from("h".repeat(REMEMBERED_BYTES_MAX + 1)), true).await.expect("pressed");
        let last = REMEMBERED.lock().expect("remembered");
        assert!(last.len() <= REMEMBERED_MAX && !last.iter().any(|one| one.small == huge));
    }

    #[test]
    fn noise_that_does_not_become_smaller_comes_out_whole() {
        let mut noise = 1_u64;
        let plain: Vec<u8> = (0..300_000)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                noise.to_be_bytes()[0]
            })
            .collect();
        let mut small = Vec::new();
        let mut state = Kept::take();
        for piece in plain.chunks(50_000) {
            assert!(state.press(piece, false, &mut small).is_some());
        }
        assert!(state.press(&[], true, &mut small).is_some());
        assert_eq!(unpacked(&small), plain);
    }

    #[test]
    fn gzip_that_is_refused_is_not_sent() {
        let of = |text: &'static str| {
            reads_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]))
        };
        assert!(of("gzip") && of("deflate, gzip;q=1.0"));
        assert!(!of("") && !of("gzip;q=0") && !of("x-gzip") && !of("identity"));
    }

    async fn pressing(request: Request, next: Next) -> Response {
        let asked = Asked::of(&request);
        press(asked, next.run(request).await).await
    }

    async fn asked(path: &str, method: Method, accepts: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        let slow = || async {
            let pieces = (0..40).map(|i| Ok::<_, std::io::Error>(format!("piece {i} of a long answer\n")));
            Body::from_stream(stream::iter(pieces))
        };
        let torn = || async {
            let pieces = [Ok("a beginning"), Err(std::io::Error::other("torn"))];
            Body::from_stream(stream::iter(pieces))
        };
        let app = Router::new()
            .route("/long", get(|| async { "as long as it takes. ".repeat(400) }))
            .route("/short", get(|| async { "short" }))
            .route("/image", get(|| async { ([(header::CONTENT_TYPE, "image/png")], "p".repeat(5_000)) }))
            .route("/slow", get(slow))
            .route("/torn", get(torn))
            .layer(from_fn(pressing));
        let request = Request::builder().method(method).uri(path).header(header::ACCEPT_ENCODING, accepts);
        let answer = app.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.map(|b| b.to_vec()).unwrap_or_default();
        (parts.status, parts.headers, body)
    }

    #[tokio::test]
    async fn whole_and_flowing_answers_are_pressed_and_others_left_alone() {
        let (_, headers, body) = asked("/long", Method::GET, "gzip").await;
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
        assert!(body.len() < 400);
        assert_eq!(unpacked(&body), "as long as it takes. ".repeat(400).as_bytes());
        let (_, headers, body) = asked("/slow", Method::GET, "gzip").await;
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
        assert!(unpacked(&body).ends_with(b"piece 39 of a long answer\n"));
        let (_, headers, body) = asked("/long", Method::GET, "identity").await;
        assert_eq!(headers[header::VARY], "accept-encoding");
        assert!(!headers.contains_key(header::CONTENT_ENCODING) && body.len() == 8_400);
        for path in ["/short", "/image"] {
            assert!(!asked(path, Method::GET, "gzip").await.1.contains_key(header::CONTENT_ENCODING), "{path}");
        }
        let (_, headers, body) = asked("/long", Method::HEAD, "gzip").await;
        assert!(body.is_empty() && !headers.contains_key(header::CONTENT_ENCODING));
        // Broken off, never ended as if it were whole.
        assert!(asked("/torn", Method::GET, "gzip").await.2.is_empty());
    }
}
