//! How long one piece of work waited for the store, for whoever wants to tell.

use std::cell::Cell;
use std::time::Duration;

tokio::task_local! {
    static SPENT: Cell<Duration>;
}

/// Runs `work` and gives, beside what it answers, how long it waited for reads and writes. Reads at the same time
/// count each; work handed to another task does not count.
pub async fn within<T>(work: impl Future<Output = T>) -> (T, Duration) {
    SPENT
        .scope(Cell::new(Duration::ZERO), async {
            let answer = work.await;
            (answer, SPENT.with(Cell::get))
        })
        .await
}

/// Adds to what the work in hand has waited; without such work it does nothing.
pub(crate) fn note(took: Duration) {
    // Nobody asked: then nothing is added up.
    let _ = SPENT.try_with(|spent| spent.set(spent.get().saturating_add(took)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_waited_inside_is_told_and_what_is_waited_outside_is_not() {
        note(Duration::from_secs(9));
        let (answer, spent) = within(async {
            note(Duration::from_secs(1));
            tokio::task::yield_now().await;
            note(Duration::from_secs(2));
            7
        })
        .await;
        assert_eq!((answer, spent), (7, Duration::from_secs(3)));
    }
}
