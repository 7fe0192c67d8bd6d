//! Randomness that repeats.

use std::sync::{Arc, Mutex, PoisonError};

use timmy_core::chance::Chance;

/// Randomness that starts from `seed` and repeats exactly (SplitMix64, Steele et al. 2014).
#[must_use]
pub fn seeded(seed: u64) -> Chance {
    let state = Mutex::new(seed);
    Chance::new(Arc::new(move |out: &mut [u8]| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in out.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }))
}
