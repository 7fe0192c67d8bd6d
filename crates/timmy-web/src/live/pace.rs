//! How fast: slots of the feed, and how often a client may speak. Pure, so that tests turn the hands.

use std::time::Duration;

use tokio::time::Instant;

/// Frames a client may send in one second.
pub const CLIENT_FRAMES_MAX: u32 = 20;

/// Slots in time, at most one frame in each. The first frame after a rest leaves at once and opens a slot; what comes
/// while a slot is open waits for its end and leaves together.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    length: Duration,
    open_until: Option<Instant>,
}

impl Slots {
    /// Slots for at most `frames` a second.
    #[must_use]
    pub fn new(frames: u64) -> Self {
        // Rounded up, so that rounding never makes room for one more.
        Self { length: Duration::from_nanos(1_000_000_000_u64.div_ceil(frames.max(1))), open_until: None }
    }

    /// How long one slot is.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// When the next frame may leave: `now`, or at the end of the open slot.
    #[must_use]
    pub fn due(&self, now: Instant) -> Instant {
        self.open_until.map_or(now, |until| until.max(now))
    }

    /// A frame left at `now`.
    pub fn sent(&mut self, now: Instant) {
        self.open_until = Some(now + self.length);
    }
}

/// How far a client is behind that does not take what it is sent: frames that would have left meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Behind {
    frames: u64,
    max: u64,
    seen: i64,
}

impl Behind {
    /// Nothing is behind; `max` frames may be. The log stands at `head`.
    #[must_use]
    pub const fn new(max: u64, head: i64) -> Self {
        Self { frames: 0, max, seen: head }
    }

    /// A slot went by and the log stands at `head`: `true` when the client is too far behind.
    pub fn slot(&mut self, head: i64) -> bool {
        if head > self.seen {
            self.seen = head;
            self.frames += 1;
        }
        self.frames > self.max
    }
}

/// How often a client spoke within the running second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    since: Instant,
    frames: u32,
}

impl Rate {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { since: now, frames: 0 }
    }

    /// The client speaks: `false` when that is once too often.
    pub fn spoke(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.frames += 1;
        self.frames <= CLIENT_FRAMES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_leaves_at_once_and_the_rest_of_the_slot_together_at_its_end() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut slots = Slots::new(10);
        assert_eq!(slots.due(at(0)), at(0), "after a rest at once");
        slots.sent(at(0));
        for (now, due) in [(1, 100), (50, 100), (99, 100), (100, 100), (250, 250)] {
            assert_eq!(slots.due(at(now)), at(due), "at {now} ms");
        }
        slots.sent(at(100));
        assert_eq!(slots.due(at(101)), at(200));
    }

    #[test]
    fn never_more_frames_in_a_second_than_allowed() {
        for frames in [1, 7, 10, 1_000] {
            let start = Instant::now();
            let (mut slots, mut now, mut sent) = (Slots::new(frames), start, 0);
            while now < start + Duration::from_secs(1) {
                slots.sent(now);
                sent += 1;
                now = slots.due(now);
            }
            assert!(sent <= frames, "{sent} of {frames}");
        }
    }

    #[test]
    fn a_client_is_behind_by_the_frames_it_missed_not_by_the_time_that_passed() {
        let mut behind = Behind::new(2, 10);
        assert!(!(0..1_000).any(|_| behind.slot(10)), "nothing happened, so nothing was missed");
        assert!(!behind.slot(11));
        assert!(!behind.slot(500));
        assert!(behind.slot(501));
    }

    #[test]
    fn a_client_may_speak_twenty_times_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        assert!((0..20).all(|_| rate.spoke(start)));
        assert!(!rate.spoke(start + Duration::from_millis(999)));
        assert!(rate.spoke(start + Duration::from_secs(1)));
    }
}
