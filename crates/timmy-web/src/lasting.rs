//! Answers that take long, such as a stream of events: they end when the key that opened them is withdrawn.

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use timmy_core::trust::access::Principal;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};

use crate::web::Web;

/// Seconds between two looks at whether the key is still good. One that is withdrawn is noticed at once; this finds
/// sessions whose time is over.
const RECHECK_SECONDS: u64 = 60;

/// An answer that is still being written.
struct Lasting {
    web: Web,
    who: Principal,
    body: BodyDataStream,
    withdrawals: watch::Receiver<u64>,
    look_at: Instant,
    ended: bool,
}

impl Lasting {
    /// The next piece; an error, which breaks the connection off, once the key is no longer good.
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        loop {
            tokio::select! {
                biased;
                _ = self.withdrawals.changed() => {}
                () = sleep_until(self.look_at) => {}
                piece = self.body.next() => return piece,
            }
            self.look_at = Instant::now() + Duration::from_secs(RECHECK_SECONDS);
            // A store that cannot be read at the moment shuts nobody out.
            if matches!(self.web.app.access.still_good(&self.who).await, Ok(false)) {
                // Broken off rather than ended, so that nobody takes half an export for a whole one.
                return Some(Err(axum::Error::new(std::io::Error::other("the key is no longer good"))));
            }
        }
    }
}

/// `response` as it is when it is written at once; else one that lasts only as long as the key of `who`.
#[must_use]
pub fn watched(web: &Web, who: &Principal, response: Response) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let (web, who) = (web.clone(), who.clone());
    response.map(|body| {
        let mut withdrawals = web.app.access.withdrawals();
        // A key that was withdrawn between the door and here is found by the first look.
        withdrawals.mark_changed();
        let look_at = Instant::now() + Duration::from_secs(RECHECK_SECONDS);
        let lasting = Lasting { web, who, body: body.into_data_stream(), withdrawals, look_at, ended: false };
        let pieces = stream::unfold(lasting, |mut lasting| async move {
            if lasting.ended {
                return None;
            }
            let piece = lasting.next().await?;
            lasting.ended = piece.is_err();
            Some((piece, lasting))
        });
        // What compresses an answer asks once more after its end.
        Body::from_stream(pieces.fuse())
    })
}
