//! Randomness as the engine sees it: bytes from the context, so that a week of thoughts can be replayed.

use std::sync::Arc;

/// Fills a buffer with random bytes.
pub type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// The only source of randomness for everything Timmy does.
#[derive(Clone)]
pub struct Chance(Arc<Fill>);

impl Chance {
    /// Randomness that comes from `fill`: the system's in the binary, a seeded one in tests.
    #[must_use]
    pub fn new(fill: Arc<Fill>) -> Self {
        Self(fill)
    }

    /// The source itself, for the store.
    #[must_use]
    pub fn source(&self) -> Arc<Fill> {
        Arc::clone(&self.0)
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        (self.0)(&mut out);
        out
    }

    /// A number from 0 up to and without 1.
    #[must_use]
    pub fn unit(&self) -> f64 {
        let high = u32::from_le_bytes(self.bytes());
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    /// An index below `len`; 0 when `len` is 0.
    #[must_use]
    pub fn below(&self, len: usize) -> usize {
        let wide = u64::from_le_bytes(self.bytes());
        usize::try_from(wide.checked_rem(len as u64).unwrap_or(0)).unwrap_or(0)
    }

    /// An index drawn with the chances `weights`; `None` when all are zero.
    #[must_use]
    pub fn weighted(&self, weights: &[u32]) -> Option<usize> {
        let total: u64 = weights.iter().map(|&w| u64::from(w)).sum();
        let mut left = u64::from_le_bytes(self.bytes()).checked_rem(total)?;
        weights.iter().position(|&w| {
            let here = left < u64::from(w);
            left = left.saturating_sub(u64::from(w));
            here
        })
    }
}

/// Bytes as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
    out
}
