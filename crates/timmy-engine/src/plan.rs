//! What stays in memory and what is read in each pass: a decision over sizes.
//!
//! Streaming reads each layer with explicit reads into a ring of slots, and not through a map of the file. A map leaves
//! the choice of what stays to the kernel, which drops the least recently used page: with a cyclic walk through a file
//! that does not fit, that is exactly the page needed next, so each pass reads everything, in small pieces, while the
//! arithmetic waits. Here as many layers stay as fit, only the overflow is read, in large pieces, ahead of the
//! arithmetic, and past the page cache. (A map of our own would also need `unsafe`, which this house forbids.)

use crate::error::EngineError;

/// Layers that are read ahead, besides the one in use.
pub const RING_SLOTS: usize = 3;
/// What the engine takes besides weights and the memory of a context: its code, tables, vocabulary, states.
pub const OVERHEAD_BYTES: u64 = 12 << 20;

/// What stays and what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For each stage (layers, then the head), whether it stays.
    pub stays: Vec<bool>,
    /// Bytes of stages that stay, and of the ring.
    pub weight_bytes: u64,
    /// Bytes read in each pass.
    pub read_bytes: u64,
    /// The least budget with which a plan exists, in bytes.
    pub needed_bytes: u64,
}

impl Plan {
    /// Whether anything is read in each pass.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.read_bytes > 0
    }
}

/// Decides from the bytes of each stage and of a full context. Stages that are read lie evenly between those that
/// stay, so that reading goes on while they are computed.
///
/// # Errors
/// A budget below the ring, the context and the overhead.
pub fn plan(stages: &[u64], context_bytes: u64, budget_bytes: Option<u64>) -> Result<Plan, EngineError> {
    let all: u64 = stages.iter().sum();
    let largest = stages.iter().copied().max().unwrap_or(0);
    // Slots that are full, the one in use, the one being filled, and the room of the read itself.
    let ring = largest.saturating_mul(RING_SLOTS as u64);
    let fixed = context_bytes.saturating_add(OVERHEAD_BYTES);
    let needed_bytes = fixed.saturating_add(ring.min(all));
    let whole = Plan { stays: vec![true; stages.len()], weight_bytes: all, read_bytes: 0, needed_bytes };
    let Some(budget_bytes) = budget_bytes else { return Ok(whole) };
    if all.saturating_add(fixed) <= budget_bytes {
        return Ok(whole);
    }
    if budget_bytes < needed_bytes {
        return Err(EngineError::TooLarge { needed_bytes, budget_bytes });
    }
    let room = budget_bytes - needed_bytes;
    let most = (0..stages.len()).rev().map(|count| spread(stages.len(), count));
    let fitting = most.map(|stays| (kept(stages, &stays), stays)).find(|(kept, _)| *kept <= room);
    let (kept, stays) = fitting.unwrap_or_else(|| (0, vec![false; stages.len()]));
    Ok(Plan { stays, weight_bytes: kept + ring, read_bytes: all - kept, needed_bytes })
}

fn kept(stages: &[u64], stays: &[bool]) -> u64 {
    stages.iter().zip(stays).filter(|(_, stays)| **stays).map(|(bytes, _)| bytes).sum()
}

/// `count` of `all` places, spread evenly.
fn spread(all: usize, count: usize) -> Vec<bool> {
    (0..all).map(|place| (place + 1) * count / all > place * count / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn without_a_budget_or_with_a_large_one_all_stays() {
        let stages = [10 * MB; 33];
        for budget in [None, Some(330 * MB + 8 * MB + OVERHEAD_BYTES)] {
            let plan = plan(&stages, 8 * MB, budget).unwrap();
            assert!(!plan.streams() && plan.weight_bytes == 330 * MB, "{plan:?}");
        }
    }

    // shows: engine: with too little memory as many layers stay as fit, and only the others are read
    #[test]
    fn as_many_stay_as_fit_and_they_lie_evenly() {
        let stages = [10 * MB; 32];
        let budget = 8 * MB + OVERHEAD_BYTES + 30 * MB + 165 * MB;
        let plan = plan(&stages, 8 * MB, Some(budget)).unwrap();
        assert_eq!(plan.stays.iter().filter(|stays| **stays).count(), 16);
        assert_eq!(plan.read_bytes, 160 * MB);
        assert!(plan.stays.windows(3).all(|three| three.contains(&true) && three.contains(&false)));
        assert!(plan.weight_bytes + 8 * MB + OVERHEAD_BYTES <= budget);
    }

    #[test]
    fn below_the_ring_it_is_refused_with_what_is_needed() {
        let refused = plan(&[10 * MB; 32], 8 * MB, Some(40 * MB)).unwrap_err();
        let EngineError::TooLarge { needed_bytes, budget_bytes } = refused else { panic!("{refused}") };
        assert_eq!(budget_bytes, 40 * MB);
        let plan = plan(&[10 * MB; 32], 8 * MB, Some(needed_bytes)).unwrap();
        assert!(plan.stays.iter().all(|stays| !stays));
    }

    // shows: engine: the share of a model that fits decides whether it stays or is streamed, and how much is read
    #[test]
    fn the_share_of_the_model_that_fits_decides() {
        let stages = [12 * MB; 33];
        let all: u64 = stages.iter().sum();
        let fixed = 8 * MB + OVERHEAD_BYTES;
        // Hundredths of the model in memory; hundredths of it, rounded up, that are read in each pass, none when it stays whole.
        for (share, read) in [(200, 0), (100, 0), (99, 13), (80, 31), (60, 52), (40, 70), (25, 85), (10, 100)] {
            let plan = plan(&stages, 8 * MB, Some(all * share / 100 + fixed)).unwrap();
            assert_eq!(plan.streams(), share < 100, "{share} %");
            assert_eq!((plan.read_bytes * 100).div_ceil(all), read, "{share} %");
        }
        assert!(plan(&stages, 8 * MB, Some(all * 9 / 100 + fixed)).is_err(), "not even the ring fits");
    }
}
