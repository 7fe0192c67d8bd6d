//! Which token comes next: a choice by chance among the likely ones, the same for the same seed.

use serde::{Deserialize, Serialize};

/// Tokens looked back on for the penalty of repetition.
pub const REPEAT_TOKENS: usize = 64;

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// How freely; 0 always takes the likeliest token.
    pub temperature: f32,
    /// Only so many of the likeliest tokens; 0 for all.
    pub top_k: usize,
    /// Only the likeliest tokens that together have this share; 1 for all.
    pub top_p: f32,
    /// Only tokens at least this likely, measured by the likeliest; 0 for all.
    pub min_p: f32,
    /// What a token that was there lately is divided by; 1 for no penalty.
    pub repeat_penalty: f32,
    /// The same seed gives the same choices.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.7, top_k: 40, top_p: 0.95, min_p: 0.05, repeat_penalty: 1.0, seed: 0 }
    }
}

/// Chooses tokens, one after the other.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    state: u64,
}

impl Sampler {
    /// A chooser at its beginning. Values out of their range count as the nearest one within.
    #[must_use]
    pub fn new(sampling: Sampling) -> Self {
        let sane = |value: f32, low: f32, high: f32| if value.is_nan() { low } else { value.clamp(low, high) };
        let sampling = Sampling {
            temperature: sane(sampling.temperature, 0.0, 10.0),
            top_p: sane(sampling.top_p, 0.0, 1.0),
            min_p: sane(sampling.min_p, 0.0, 1.0),
            repeat_penalty: sane(sampling.repeat_penalty, 0.1, 10.0),
            ..sampling
        };
        Self { sampling, state: sampling.seed }
    }

    /// The next token. `recent` is what came before, oldest first; tokens at minus infinity are never chosen while
    /// another is left. Gives `None` when none is left.
    pub fn choose(&mut self, logits: &mut [f32], recent: &[u32]) -> Option<u32> {
        self.penalise(logits, recent);
        if self.sampling.temperature <= 0.0 {
            return likeliest(logits);
        }
        let mut left = self.shortlist(logits);
        let best = left.first()?.1;
        let mut total = 0.0;
        for (_, weight) in &mut left {
            *weight = ((*weight - best) / self.sampling.temperature).exp();
            total += *weight;
        }
        let kept = cut(&left, total, self.sampling);
        let total: f32 = kept.iter().map(|(_, weight)| weight).sum();
        let mut at = self.chance() * total;
        for (token, weight) in kept {
            at -= weight;
            if at <= 0.0 {
                return Some(*token);
            }
        }
        kept.last().map(|(token, _)| *token)
    }

    fn penalise(&self, logits: &mut [f32], recent: &[u32]) {
        let penalty = self.sampling.repeat_penalty;
        if (penalty - 1.0).abs() < f32::EPSILON {
            return;
        }
        let mut lately = recent[recent.len().saturating_sub(REPEAT_TOKENS)..].to_vec();
        lately.sort_unstable();
        lately.dedup();
        for token in lately {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }

    /// The likeliest tokens, likeliest first; of equals the one with the smaller number.
    fn shortlist(&self, logits: &[f32]) -> Vec<(u32, f32)> {
        let numbered = (0_u32..).zip(logits.iter().copied());
        let mut all: Vec<(u32, f32)> = numbered.filter(|(_, l)| l.is_finite()).collect();
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let k = self.sampling.top_k;
        if k > 0 && k < all.len() {
            all.select_nth_unstable_by(k, order);
            all.truncate(k);
        }
        all.sort_unstable_by(order);
        all
    }

    /// A number from 0 to 1. The generator is SplitMix64 (Steele, Lea and Flood, 2014).
    fn chance(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u16::try_from((z ^ (z >> 31)) >> 48).unwrap_or_default();
        f32::from(high) / f32::from(u16::MAX)
    }
}

/// The likeliest token; of equals the one with the smallest number.
fn likeliest(logits: &[f32]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (token, logit) in (0_u32..).zip(logits.iter().copied()) {
        if logit > best.map_or(f32::NEG_INFINITY, |(_, most)| most) {
            best = Some((token, logit));
        }
    }
    best.map(|(token, _)| token)
}

/// What of `left`, likeliest first, is within the shares.
fn cut(left: &[(u32, f32)], total: f32, sampling: Sampling) -> &[(u32, f32)] {
    let mut share = 0.0;
    let mut kept = 0;
    for (_, weight) in left {
        // The likeliest has the weight 1.
        if kept > 0 && (*weight < sampling.min_p || share >= sampling.top_p * total) {
            break;
        }
        share += weight;
        kept += 1;
    }
    &left[..kept]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(sampling: Sampling, logits: &[f32], recent: &[u32]) -> Option<u32> {
        Sampler::new(sampling).choose(&mut logits.to_vec(), recent)
    }

    #[test]
    fn without_temperature_the_likeliest_comes_and_of_equals_the_first() {
        let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
        let rows: [(&[f32], Option<u32>); 5] = [
            (&[0.0, 3.0, 3.0], Some(1)),
            (&[f32::NAN, -1.0], Some(1)),
            (&[f32::NEG_INFINITY, f32::NEG_INFINITY], None),
            (&[], None),
            (&[-5.0], Some(0)),
        ];
        for (logits, expected) in rows {
            assert_eq!(choose(greedy, logits, &[]), expected, "{logits:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_choices_and_another_one_others() {
        let logits: Vec<f32> = (0_u8..50).map(|n| f32::from(n % 7)).collect();
        let all = Sampling { temperature: 2.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Sampling::default() };
        let run = |seed| {
            let mut sampler = Sampler::new(Sampling { seed, ..all });
            (0..40).filter_map(|_| sampler.choose(&mut logits.clone(), &[])).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert_eq!(run(7).len(), 40);
    }

    #[test]
    fn each_bound_leaves_the_unlikely_out() {
        let logits = [5.0, 4.9, 0.0, -20.0];
        let free = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Sampling::default() };
        let rows = [
            (Sampling { top_k: 1, ..free }, vec![0]),
            (Sampling { top_k: 2, ..free }, vec![0, 1]),
            (Sampling { top_p: 0.0, ..free }, vec![0]),
            (Sampling { top_p: 0.9, ..free }, vec![0, 1]),
            (Sampling { min_p: 0.5, ..free }, vec![0, 1]),
            (Sampling { temperature: 0.000_1, ..free }, vec![0]),
        ];
        for (sampling, expected) in rows {
            let mut seen = Vec::new();
            for seed in 0..300 {
                seen.extend(choose(Sampling { seed, ..sampling }, &logits, &[]));
            }
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen, expected, "{sampling:?}");
        }
    }

    #[test]
    fn what_was_there_lately_becomes_less_likely() {
        let greedy = Sampling { temperature: 0.0, repeat_penalty: 2.0, ..Sampling::default() };
        assert_eq!(choose(greedy, &[3.0, 2.0], &[0]), Some(1));
        assert_eq!(choose(greedy, &[-1.0, -1.5], &[0]), Some(1));
        let long_ago: Vec<u32> = std::iter::once(0).chain([9; REPEAT_TOKENS]).collect();
        assert_eq!(choose(greedy, &[3.0, 2.0], &long_ago), Some(0));
    }
}
