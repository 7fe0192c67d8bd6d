//! Work that wakes itself goes on in place.
//!
//! The pieces of one connection wake each other: what reads the request and what answers it are one task. A task that
//! is woken while it runs is queued again and another thread is called to take it, which costs more than a whole
//! page. Here such a call only has the work looked at once more, before anybody else hears of it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often in a row work may wake itself before others have their turn.
const ROUNDS_MAX: usize = 16;

/// Hears who calls while the work is looked at, and passes every other call on.
#[derive(Default)]
struct Bell {
    out: AtomicWaker,
    /// Whether the work is looked at right now.
    inside: AtomicBool,
    /// Whether somebody has called since the last look began.
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order: a call that `inside` holds back here is seen by whoever ends the look and then asks for it.
        self.rung.store(true, Ordering::SeqCst);
        if !self.inside.load(Ordering::SeqCst) {
            self.out.wake();
        }
    }
}

/// `work`, which is looked at again at once when it woke itself.
pub async fn quietly<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    poll_fn(|outer| {
        bell.out.register(outer.waker());
        for _ in 0..ROUNDS_MAX {
            // Read as well as written: what a caller did before a call that is taken away here is seen by this look.
            bell.rung.swap(false, Ordering::SeqCst);
            bell.inside.store(true, Ordering::SeqCst);
            let looked = work.as_mut().poll(&mut Context::from_waker(&waker));
            bell.inside.store(false, Ordering::SeqCst);
            if looked.is_ready() || !bell.rung.load(Ordering::SeqCst) {
                return looked;
            }
        }
        outer.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts the calls that reach it.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Wakes itself `times` times, then waits for a call from outside, whose waker it leaves in `seen`.
    fn restless(times: usize, seen: Arc<AtomicWaker>, looks: Arc<AtomicUsize>) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            if looks.fetch_add(1, Ordering::SeqCst) < times {
                cx.waker().wake_by_ref();
            }
            seen.register(cx.waker());
            Poll::Pending
        })
    }

    #[test]
    fn work_that_wakes_itself_is_looked_at_again_without_a_call_outside() {
        let (counted, seen, looks) = (Arc::new(Counted::default()), Arc::default(), Arc::default());
        let waker = Waker::from(Arc::clone(&counted));
        let mut work = pin!(quietly(restless(3, Arc::clone(&seen), Arc::clone(&looks))));
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!((looks.load(Ordering::SeqCst), counted.0.load(Ordering::SeqCst)), (4, 0));
        // From outside every call is passed on.
        seen.wake();
        assert_eq!(counted.0.load(Ordering::SeqCst), 1);
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(looks.load(Ordering::SeqCst), 5);
    }

    #[test]
    fn work_that_never_rests_gives_others_their_turn() {
        let (counted, seen, looks) = (Arc::new(Counted::default()), Arc::default(), Arc::default());
        let waker = Waker::from(Arc::clone(&counted));
        let mut work = pin!(quietly(restless(usize::MAX, seen, Arc::clone(&looks))));
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!((looks.load(Ordering::SeqCst), counted.0.load(Ordering::SeqCst)), (ROUNDS_MAX, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_call_from_another_thread_is_lost() {
        let (to, mut from) = tokio::sync::mpsc::channel(1);
        let sending = tokio::spawn(async move {
            for n in 0..20_000_u32 {
                to.send(n).await.expect("somebody listens");
            }
        });
        let heard = tokio::spawn(quietly(async move {
            let mut count = 0;
            while let Some(n) = from.recv().await {
                assert_eq!(n, count);
                count += 1;
                if n % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            count
        }));
        sending.await.expect("sent");
        assert_eq!(heard.await.expect("heard"), 20_000);
    }
}
