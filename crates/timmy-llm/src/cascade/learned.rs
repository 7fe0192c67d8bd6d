//! How fast a model was: time to its first word by the length of the prompt, the extra time of a cold start, and
//! tokens a second. Newer calls count more.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Tokens up to which a prompt belongs to each size; the last size has no bound.
pub const SIZES: [u64; 4] = [512, 2_048, 8_192, 32_768];
/// How much a new call counts against all before it.
const NEWEST: f64 = 0.2;
/// A model that was not used for this long counts as cold, in milliseconds.
pub const COLD_MS: u64 = 300_000;
/// An answer that was written in less than this came in one piece, and says nothing about how fast it was written; in
/// milliseconds.
const WRITTEN_MS_MIN: u64 = 20;
/// What a call may take beyond what it took before, in milliseconds.
const GRACE_MS: f64 = 3_000.0;
/// By how many times the usual time and its spread a first word may be late.
const LATE: f64 = 3.0;

/// A mean that follows, and how far values lie from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// How far values lie from it on average.
    pub spread: f64,
    /// Values so far.
    pub count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        if self.count == 0 {
            (self.mean, self.spread) = (value, value / 2.0);
        } else {
            self.spread += NEWEST * ((value - self.mean).abs() - self.spread);
            self.mean += NEWEST * (value - self.mean);
        }
        self.count = self.count.saturating_add(1);
    }
}

/// What was learned of one model of one provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Speeds {
    /// Milliseconds to the first word of a warm model, by the size of the prompt.
    #[serde(default)]
    pub first_ms: [Mean; SIZES.len() + 1],
    /// Milliseconds to the first word of a cold model.
    #[serde(default)]
    pub cold_ms: Mean,
    /// Tokens written each second after the first word.
    #[serde(default)]
    pub tokens_per_second: Mean,
}

/// The size a prompt of `tokens` belongs to.
#[must_use]
pub fn size(tokens: u64) -> usize {
    SIZES.iter().position(|bound| tokens <= *bound).unwrap_or(SIZES.len())
}

impl Speeds {
    /// Learns from an answer: `prompt` tokens read, the first word after `first`, `written` tokens in `took` in all.
    pub fn learn(&mut self, prompt: u64, cold: bool, first: Duration, written: u64, took: Duration) {
        let ms = first.as_secs_f64() * 1_000.0;
        if cold {
            self.cold_ms.add(ms);
        } else {
            self.first_ms[size(prompt)].add(ms);
        }
        let writing = took.saturating_sub(first);
        if written > 1 && writing >= Duration::from_millis(WRITTEN_MS_MIN) {
            // Counts of tokens stay far below what a double holds exactly.
            #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
            self.tokens_per_second.add((written - 1) as f64 / writing.as_secs_f64());
        }
    }

    /// Learns that no first word came within `waited`. Otherwise a model that became slower would be given up each
    /// time just before its first word, for ever.
    pub fn learn_late(&mut self, prompt: u64, cold: bool, waited: Duration) {
        let ms = waited.as_secs_f64() * 1_000.0;
        let known = if cold { &mut self.cold_ms } else { &mut self.first_ms[size(prompt)] };
        if known.count > 0 && ms > known.mean {
            known.add(ms);
        }
    }

    /// How long its first word may take for a prompt of `tokens`; nothing while nothing is known.
    #[must_use]
    pub fn patience(&self, tokens: u64, cold: bool) -> Option<Duration> {
        let known = if cold { self.cold_ms } else { self.first_ms[size(tokens)] };
        let ms = (known.mean + known.spread).mul_add(LATE, GRACE_MS);
        (known.count > 0).then(|| Duration::from_secs_f64((ms / 1_000.0).clamp(0.0, 86_400.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: models: time to the first word and tokens a second are learned by model and size of the prompt, cold starts apart
    #[test]
    fn speeds_follow_what_happens_and_cold_starts_stand_apart() {
        let mut speeds = Speeds::default();
        let ms = Duration::from_millis;
        assert_eq!(speeds.patience(100, false), None);
        for _ in 0..30 {
            speeds.learn(100, false, ms(200), 101, ms(2_200));
        }
        speeds.learn(100, true, ms(40_000), 2, ms(40_500));
        assert!((speeds.first_ms[0].mean - 200.0).abs() < 1.0 && speeds.first_ms[0].spread < 1.0, "{speeds:?}");
        assert!((speeds.cold_ms.mean - 40_000.0).abs() < 1.0);
        assert!(speeds.tokens_per_second.mean < 50.0 && speeds.tokens_per_second.mean > 40.0, "{speeds:?}");
        assert_eq!(speeds.patience(100, false).map(|p| p.as_secs()), Some(3));
        assert_eq!(speeds.patience(100, true).map(|p| p.as_secs()), Some(183));
        assert_eq!(speeds.patience(9_000, false), None, "another size is another matter");
        for _ in 0..30 {
            speeds.learn(100, false, ms(2_000), 101, ms(4_000));
        }
        assert!(speeds.first_ms[0].mean > 1_990.0, "it forgets: {speeds:?}");
        assert_eq!([1, 512, 513, 40_000].map(size), [0, 0, 1, 4]);
    }
}
