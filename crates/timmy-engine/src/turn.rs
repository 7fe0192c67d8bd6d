//! Rotary positions: pairs of numbers of a head are turned by an angle that grows with the position.
//!
//! Su et al., <https://arxiv.org/abs/2104.09864>. The angles are built up by repeated multiplication in 32 bits, as
//! llama.cpp does, because a model at the edge between two tokens falls to the side its maker saw.

use crate::shape::{Architecture, Turning};

/// The angles of consecutive positions, as cosines and sines.
pub(crate) struct Angles {
    pairs: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
    neighbours: bool,
}

impl Angles {
    /// The angles for `count` positions from `first`. `factors` divide the frequency of each pair.
    pub(crate) fn new(
        turning: &Turning,
        architecture: Architecture,
        factors: Option<&[f32]>,
        first: usize,
        count: usize,
    ) -> Self {
        let pairs = turning.width / 2;
        let mut cosines = Vec::with_capacity(pairs * count);
        let mut sines = Vec::with_capacity(pairs * count);
        let step = turning.base.powf(-2.0 / turning.width as f32);
        let scale = 1.0 / turning.stretch;
        for position in first..first + count {
            let mut angle = position as f32;
            for pair in 0..pairs {
                let factor = factors.and_then(|factors| factors.get(pair)).copied().unwrap_or(1.0);
                let (sine, cosine) = (scale * (angle / factor)).sin_cos();
                cosines.push(cosine * turning.strength);
                sines.push(sine * turning.strength);
                angle *= step;
            }
        }
        Self { pairs, cosines, sines, neighbours: architecture == Architecture::Llama }
    }

    /// Turns the head of the position at `index`. Llama pairs neighbours, all others the two halves.
    pub(crate) fn turn(&self, head: &mut [f32], index: usize) {
        let range = index * self.pairs..(index + 1) * self.pairs;
        let angles = self.cosines[range.clone()].iter().zip(&self.sines[range]);
        if self.neighbours {
            for (pair, (cosine, sine)) in head.chunks_exact_mut(2).zip(angles) {
                let (a, b) = (pair[0], pair[1]);
                pair[0] = a * cosine - b * sine;
                pair[1] = a * sine + b * cosine;
            }
        } else {
            let (low, high) = head[..2 * self.pairs].split_at_mut(self.pairs);
            for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(angles) {
                let (a, b) = (*low, *high);
                *low = a * cosine - b * sine;
                *high = a * sine + b * cosine;
            }
        }
    }
}
