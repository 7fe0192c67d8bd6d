//! What this process uses: processor, memory, files, threads. Each figure is absent where the system does not tell it.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What this process uses at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time it took since its start, of all threads together.
    pub cpu: Duration,
    /// Memory that is resident, in bytes.
    pub resident_bytes: Option<u64>,
    /// Memory as its proportional share, in bytes: what is shared with others counts in part.
    pub share_bytes: Option<u64>,
    /// Memory of it that was swapped out, in bytes.
    pub swapped_bytes: Option<u64>,
    /// Files, sockets and other handles that are open.
    pub open_files: Option<u64>,
    /// How many may be open.
    pub open_files_max: Option<u64>,
    /// Its threads.
    pub threads: Option<u64>,
}

/// Measures this process. Reads a few small system files; takes well under a millisecond.
#[must_use]
pub fn measure() -> Usage {
    let status = fs::read_to_string("/proc/self/status").ok();
    let status = |name| status.as_deref().and_then(|text| number(text, name));
    let share = fs::read_to_string("/proc/self/smaps_rollup").ok();
    let kilobytes = |value: Option<u64>| value.and_then(|kilobytes| kilobytes.checked_mul(1024));
    Usage {
        cpu: cpu(),
        resident_bytes: kilobytes(status("VmRSS")),
        share_bytes: kilobytes(share.as_deref().and_then(|text| number(text, "Pss"))),
        swapped_bytes: kilobytes(status("VmSwap")),
        open_files: open_files(),
        open_files_max: getrlimit(Resource::Nofile).current,
        threads: status("Threads"),
    }
}

/// Processor time of this process since its start.
#[must_use]
pub fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Open handles, without the one that looks.
fn open_files() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.filter(Result::is_ok).count();
    u64::try_from(listed).ok()?.checked_sub(1)
}

/// The number of a line `Name:  123` or `Name:  123 kB`.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let text = "VmRSSx:\t1 kB\nVmRSS:\t  2048 kB\nThreads:\t7\nPss_Dirty: 4 kB\nPss:    3 kB\nVmSwap:\n";
        assert_eq!(number(text, "VmRSS"), Some(2048));
        assert_eq!(number(text, "Threads"), Some(7));
        assert_eq!(number(text, "Pss"), Some(3));
        assert_eq!((number(text, "VmSwap"), number(text, "State")), (None, None));
    }

    #[test]
    fn a_file_that_is_opened_is_counted_and_work_takes_time() {
        let before = measure();
        let kept: Vec<_> = (0..8).map(|_| fs::File::open("/proc/self/status")).collect();
        let after = measure();
        // Other tests of this process open and close files too, so only the direction of a few more is sure.
        assert!(kept.iter().all(Result::is_ok) && after.open_files >= Some(8), "{after:?}");
        assert!(after.cpu >= before.cpu && after.threads >= Some(1), "{after:?}");
        assert!(after.open_files_max.is_none_or(|max| Some(max) >= after.open_files), "{after:?}");
    }
}
