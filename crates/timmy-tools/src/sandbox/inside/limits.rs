//! How much of the machine: resource limits, and no power over the system.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::{Done, Failure};
use crate::sandbox::order::Order;
use crate::sandbox::tier::Tier;

/// Children are the first to go when the machine runs out of memory.
const OUT_OF_MEMORY_SCORE: &str = "1000";

/// Sets the limits of the order; none can be raised again.
pub(super) fn apply(order: &Order) -> Done<()> {
    // Only asked for: not every system lets it be written.
    fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE).ok();
    let limits = order.policy.limits;
    let all = [
        (Resource::Core, 0),
        (Resource::Data, limits.memory_bytes),
        (Resource::As, limits.address_bytes),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Nproc, processes(order)),
        (Resource::Msgqueue, 0),
        (Resource::Rtprio, 0),
    ];
    for (resource, wanted) in all {
        let had = getrlimit(resource).maximum;
        let most = had.map_or(wanted, |had| had.min(wanted));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| Failure::new("limits", format!("{resource:?}: {error}")))?;
    }
    Ok(())
}

/// In its own user namespace a child is counted alone, with the helper's two processes; elsewhere every process of
/// the user counts, so what runs now is added.
fn processes(order: &Order) -> u64 {
    let limit = order.policy.limits.processes;
    if order.tier == Tier::T3 {
        return limit + 2;
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let running = load.split(['/', ' ']).nth(4).and_then(|all| all.parse::<u64>().ok());
    limit + running.unwrap_or(0)
}

/// Gives up every capability, also those root would get back when a program starts.
pub(super) fn drop_capabilities() -> Done<()> {
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        // Fails for those the kernel does not know, and for whoever has no power to lose.
        rustix::thread::remove_capability_from_bounding_set(one).ok();
    }
    rustix::thread::clear_ambient_capability_set().ok();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(|error| Failure::new("privileges", error))
}
