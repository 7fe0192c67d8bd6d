//! How many threads to compute with: counted, and where that leaves a choice, tried.
//!
//! Threads that compute together wait for each other at every step. On a machine that is busy with other things, two
//! can be a hundred times slower than one, so the number of processors alone decides nothing.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Threads at most; more only wait for the memory.
pub const THREADS_MAX: usize = 16;
/// How long each side of the trial lasts, in milliseconds.
const TRIAL_MS: u64 = 100;
/// Steps between two waits in the trial, about a small matrix.
const STEPS: u64 = 20_000;

/// The number for this machine as it is now. Takes up to a quarter of a second.
#[must_use]
pub fn found() -> usize {
    let quota = std::thread::available_parallelism().map_or(1, usize::from);
    let count = wished(physical(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()), quota);
    if count == 1 || rounds(count) <= rounds(1) { 1 } else { count }
}

/// All real cores within the quota but one, which is for everything else.
fn wished(physical: Option<usize>, quota: usize) -> usize {
    physical.unwrap_or(quota).min(quota).saturating_sub(1).clamp(1, THREADS_MAX)
}

/// Real cores, two threads of one counted once.
fn physical(cpuinfo: &str) -> Option<usize> {
    let mut cores = BTreeSet::new();
    let mut package = "";
    for line in cpuinfo.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim() {
            "physical id" => package = value.trim(),
            "core id" => {
                cores.insert((package, value.trim()));
            }
            _ => {}
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

/// Work done in the time of a trial by so many threads that wait for each other after each step.
fn rounds(threads: usize) -> u64 {
    let (barrier, stop) = (Barrier::new(threads), AtomicBool::new(false));
    let until = Instant::now() + Duration::from_millis(TRIAL_MS);
    let done = std::thread::scope(|scope| {
        let one = |first: bool| {
            let (barrier, stop) = (&barrier, &stop);
            move || {
                let mut rounds = 0_u64;
                loop {
                    std::hint::black_box((0..STEPS).fold(rounds, |sum, n| sum.wrapping_mul(31).wrapping_add(n)));
                    rounds += 1;
                    if first {
                        stop.store(Instant::now() >= until, Ordering::SeqCst);
                    }
                    barrier.wait();
                    let over = stop.load(Ordering::SeqCst);
                    barrier.wait();
                    if over {
                        return rounds;
                    }
                }
            }
        };
        for _ in 1..threads {
            scope.spawn(one(false));
        }
        one(true)()
    });
    done * threads as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_core_is_left_for_everything_else() {
        let rows = [(Some(4), 8, 3), (Some(8), 2, 1), (Some(1), 1, 1), (None, 6, 5), (None, 0, 1), (Some(64), 64, 16)];
        for (physical, quota, expected) in rows {
            assert_eq!(wished(physical, quota), expected, "{physical:?} within {quota}");
        }
    }

    #[test]
    fn two_threads_of_a_core_count_once() {
        let core = |package: u8, core: u8| format!("processor: 0\nphysical id : {package}\ncore id\t: {core}\n\n");
        assert_eq!(physical(&[core(0, 0), core(0, 0), core(0, 1), core(1, 0)].concat()), Some(3));
        assert_eq!(physical("processor: 0\nmodel name: x\n"), None);
    }

    #[test]
    fn the_trial_ends() {
        assert!(rounds(1) > 0 && rounds(2) > 0);
    }
}
