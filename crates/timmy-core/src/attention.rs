//! Whether the owner speaks right now. A thought in the making yields at once when he does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use timmy_domain::Timestamp;
use tokio::sync::watch;

/// Counts the turns of talk in flight, and remembers when the owner last said something.
#[derive(Clone)]
pub struct Attention(Arc<watch::Sender<usize>>, Arc<AtomicI64>);

/// As long as this lives, the owner is being served.
pub struct Held(Arc<watch::Sender<usize>>);

impl Default for Attention {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)), Arc::default())
    }
}

impl Attention {
    /// Begins to serve the owner, until the value returned is dropped.
    #[must_use]
    pub fn hold(&self) -> Held {
        self.0.send_modify(|turns| *turns += 1);
        Held(Arc::clone(&self.0))
    }

    /// The owner said something at `at`.
    pub fn seen(&self, at: Timestamp) {
        self.1.store(at.micros(), Ordering::Relaxed);
    }

    /// When the owner last said something in this run; the epoch when he has not.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        Timestamp::from_micros(self.1.load(Ordering::Relaxed))
    }

    /// Whether the owner is being served.
    #[must_use]
    pub fn busy(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Completes when the owner begins to speak; at once when he does already.
    pub async fn until_busy(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|turns| *turns > 0).await;
    }

    /// Completes when nobody is being served; at once when nobody is.
    pub async fn until_free(&self) {
        let _ = self.0.subscribe().wait_for(|turns| *turns == 0).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|turns| *turns = turns.saturating_sub(1));
    }
}
