//! What the machine has left: load, memory, disk. Each figure is absent where the system does not tell it.

use std::fs;
use std::path::Path;
use std::thread;

/// The state of the machine and of this process at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Processes waiting or running, as means over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Processors this process may use.
    pub cores: Option<usize>,
    /// Memory of this process in bytes: its proportional share, or what is resident where that is not told.
    pub process_bytes: Option<u64>,
    /// Memory of the machine in bytes.
    pub memory_total_bytes: Option<u64>,
    /// Memory of the machine that can be had without swapping, in bytes.
    pub memory_available_bytes: Option<u64>,
    /// Size of the disk that holds the given path, in bytes.
    pub disk_total_bytes: Option<u64>,
    /// What this user may still write to that disk, in bytes.
    pub disk_free_bytes: Option<u64>,
}

/// Measures the machine, and the disk that holds `path`. Reads a few small system files; takes well under a millisecond.
#[must_use]
pub fn measure(path: &Path) -> Machine {
    let memory = fs::read_to_string("/proc/meminfo").ok();
    let field = |name| memory.as_deref().and_then(|text| kilobytes(text, name));
    let share = fs::read_to_string("/proc/self/smaps_rollup").ok();
    let resident = || fs::read_to_string("/proc/self/status").ok().and_then(|text| kilobytes(&text, "VmRSS"));
    let disk = rustix::fs::statvfs(path).ok();
    Machine {
        load: fs::read_to_string("/proc/loadavg").ok().and_then(|text| load(&text)),
        cores: thread::available_parallelism().ok().map(usize::from),
        process_bytes: share.and_then(|text| kilobytes(&text, "Pss")).or_else(resident),
        memory_total_bytes: field("MemTotal"),
        memory_available_bytes: field("MemAvailable"),
        disk_total_bytes: disk.as_ref().map(|d| d.f_blocks.saturating_mul(d.f_frsize)),
        disk_free_bytes: disk.as_ref().map(|d| d.f_bavail.saturating_mul(d.f_frsize)),
    }
}

/// The three means of `/proc/loadavg`.
fn load(text: &str) -> Option<[f64; 3]> {
    let mut means = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || means.next()?.ok().filter(|mean| mean.is_finite() && *mean >= 0.0);
    Some([next()?, next()?, next()?])
}

/// The value of a line `Name:  123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kilobytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_read_and_nonsense_is_absent() {
        assert_eq!(load("0.52 0.58 1.59 1/257 12345\n"), Some([0.52, 0.58, 1.59]));
        for bad in ["", "0.1 0.2", "a b c", "NaN 1 1", "-1 0 0"] {
            assert_eq!(load(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn memory_fields_are_found_by_their_whole_name_and_given_in_bytes() {
        let text =
            "MemTotal:       16316412 kB\nMemFree: 5 kB\nMemAvailable:    2048 kB\nPss_Dirty: 1 kB\nPss:   7 kB\n";
        assert_eq!(kilobytes(text, "MemTotal"), Some(16_316_412 * 1024));
        assert_eq!(kilobytes(text, "MemAvailable"), Some(2048 * 1024));
        assert_eq!(kilobytes(text, "Pss"), Some(7 * 1024));
        assert_eq!(kilobytes(text, "VmRSS"), None);
        assert_eq!(kilobytes("Pss: many kB", "Pss"), None);
        assert_eq!(kilobytes(&format!("Pss: {} kB", u64::MAX), "Pss"), None);
    }

    #[test]
    fn a_missing_path_leaves_only_the_disk_absent() {
        let machine = measure(Path::new("/nowhere/at/all"));
        assert_eq!((machine.disk_total_bytes, machine.disk_free_bytes), (None, None));
        assert!(machine.cores.is_some());
        let here = measure(Path::new("."));
        assert!(here.disk_total_bytes >= here.disk_free_bytes && here.disk_total_bytes.is_some());
    }
}
