//! Counting: figures that many threads may raise at once, each for a few nanoseconds.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds for things that should take less than a second, in microseconds.
pub const QUICK_MICROS: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 10_000_000];
/// Upper bounds for things that take as long as a model does, in microseconds.
pub const SLOW_MICROS: &[u64] =
    &[100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 180_000_000];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// `more` more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// The number so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How many of something there are at this moment.
#[derive(Debug, Default)]
pub struct Level(AtomicI64);

impl Level {
    /// One more, until the value returned is dropped.
    pub fn hold<L: std::ops::Deref<Target = Self>>(of: L) -> Held<L> {
        of.0.fetch_add(1, Relaxed);
        Held(of)
    }

    /// How many there are; never negative.
    #[must_use]
    pub fn get(&self) -> u64 {
        u64::try_from(self.0.load(Relaxed)).unwrap_or(0)
    }
}

/// One of a [`Level`], as long as it lives.
#[derive(Debug)]
pub struct Held<L: std::ops::Deref<Target = Level>>(L);

impl<L: std::ops::Deref<Target = Level>> Drop for Held<L> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// How long things took, counted in classes.
#[derive(Debug)]
pub struct Histogram {
    bounds_micros: &'static [u64],
    /// One for each bound, and one for what is longer than the last.
    counts: Box<[AtomicU64]>,
    sum_micros: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// Upper bound in seconds, and how many took at most as long; the bounds grow, and so do the counts.
    pub upto: Vec<(f64, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long all took together, in seconds.
    pub sum_seconds: f64,
}

impl Spread {
    /// Within how many seconds at least `percent` of them ended, as far as the classes tell; `None` when there were
    /// none, or when so many took longer than the last class holds.
    #[must_use]
    pub fn within(&self, percent: u64) -> Option<f64> {
        let wanted = self.count.saturating_mul(percent.min(100)).div_ceil(100);
        let class = self.upto.iter().find(|(_, count)| *count >= wanted);
        class.filter(|_| self.count > 0).map(|(seconds, _)| *seconds)
    }
}

impl Histogram {
    /// A histogram with these upper bounds in microseconds, the smallest first.
    #[must_use]
    pub fn new(bounds_micros: &'static [u64]) -> Self {
        let counts = (0..=bounds_micros.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds_micros, counts, sum_micros: AtomicU64::new(0) }
    }

    /// Something took `took`.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = self.bounds_micros.iter().position(|bound| micros <= *bound).unwrap_or(self.bounds_micros.len());
        if let Some(count) = self.counts.get(class) {
            count.fetch_add(1, Relaxed);
        }
        self.sum_micros.fetch_add(micros, Relaxed);
    }

    /// The figures now. While others count, the sum may be ahead of the classes by what they are just adding.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let mut count = 0;
        let mut upto = Vec::with_capacity(self.bounds_micros.len());
        for (bound, class) in self.bounds_micros.iter().zip(&self.counts) {
            count += class.load(Relaxed);
            upto.push((Duration::from_micros(*bound).as_secs_f64(), count));
        }
        count += self.counts.last().map_or(0, |longer| longer.load(Relaxed));
        let sum = Duration::from_micros(self.sum_micros.load(Relaxed));
        Spread { upto, count, sum_seconds: sum.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_as_long_as_a_bound_counts_below_it_and_all_counts_add_up() {
        let histogram = Histogram::new(&[10, 100]);
        for micros in [0, 10, 11, 100, 101, 5_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let spread = histogram.spread();
        assert_eq!(spread.upto, [(0.000_01, 2), (0.000_1, 4)]);
        assert_eq!((spread.count, (spread.sum_seconds * 1e6).round()), (6, 5_222.0));
        for bounds in [QUICK_MICROS, SLOW_MICROS] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "bounds grow");
        }
    }

    #[test]
    fn a_spread_tells_within_which_time_a_share_ended() {
        let histogram = Histogram::new(SLOW_MICROS);
        assert_eq!(histogram.spread().within(50), None, "nothing happened");
        for ms in [50, 60, 70, 400] {
            histogram.observe(Duration::from_millis(ms));
        }
        let spread = histogram.spread();
        assert_eq!((spread.within(50), spread.within(75), spread.within(95)), (Some(0.1), Some(0.1), Some(0.5)));
        histogram.observe(Duration::from_secs(3_600));
        assert_eq!(histogram.spread().within(95), None, "longer than the last class");
    }

    #[test]
    fn a_level_falls_again_when_its_holder_goes() {
        let level = Level::default();
        let one = Level::hold(&level);
        let two = Level::hold(&level);
        assert_eq!(level.get(), 2);
        drop(one);
        assert_eq!(level.get(), 1);
        drop(two);
        assert_eq!(level.get(), 0);
    }
}
