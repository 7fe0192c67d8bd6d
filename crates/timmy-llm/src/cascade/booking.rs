//! A place in the books before a call leaves. Books that are slow hold nobody up: the call goes on without whoever it
//! was for.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::money::{Books, Leaving};
use crate::failure::Failure;

/// Enters `leaving` until `by`, unless the caller gives up before.
///
/// # Errors
/// [`Failure::Budget`] with why it must not leave, [`Failure::Cancelled`].
pub async fn enter(
    books: &Arc<dyn Books>,
    leaving: Leaving,
    by: Instant,
    cancel: &CancellationToken,
) -> Result<i64, Failure> {
    if cancel.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    let (told, mut line) = oneshot::channel();
    let of = Arc::clone(books);
    // A task of its own: what is entered when nobody waits for it any more must not stay reserved.
    drop(tokio::spawn(async move {
        let entered = of.enter(&leaving).await;
        if let Err(Ok(late)) = told.send(entered) {
            of.settle(late, 0, false);
        }
    }));
    let slow = || Failure::Budget { what: "the ledger of what leaves could not be written in time".to_owned() };
    let given_up = tokio::select! {
        biased;
        () = cancel.cancelled() => Failure::Cancelled,
        entered = &mut line => return entered.unwrap_or_else(|_| Err("nobody keeps the books".to_owned()))
            .map_err(|what| Failure::Budget { what }),
        () = sleep_until(by) => slow(),
    };
    line.close();
    if let Ok(Ok(entered)) = line.try_recv() {
        books.settle(entered, 0, false);
    }
    Err(given_up)
}
