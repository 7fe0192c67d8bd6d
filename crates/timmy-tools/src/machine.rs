//! What the machine has left: load, memory, disk. Each figure is absent where the system does not tell it.

use std::fs;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;

/// Bytes of a piece of the file by which a disk is measured, and how many there are.
const SPEED_PIECE_BYTES: usize = 1024 * 1024;
const SPEED_PIECES: usize = 32;
/// Memory that is read to see how fast that is, in bytes; more than most caches hold.
const MEMORY_READ_BYTES: usize = 128 * 1024 * 1024;
/// How often.
const MEMORY_READS: usize = 4;
/// Processors that read it at once, at most.
const READERS_MAX: usize = 64;

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
    /// Swap space of the machine in bytes.
    pub swap_total_bytes: Option<u64>,
    /// Swap space that is free, in bytes.
    pub swap_free_bytes: Option<u64>,
    /// How much work waits for processor, memory and disk; absent where the kernel does not measure it.
    pub pressure: Pressure,
    /// Size of the disk that holds the given path, in bytes.
    pub disk_total_bytes: Option<u64>,
    /// What this user may still write to that disk, in bytes.
    pub disk_free_bytes: Option<u64>,
}

/// The share of the last ten seconds in which something waited, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Waited for a processor.
    pub cpu: Option<f64>,
    /// Waited for memory.
    pub memory: Option<f64>,
    /// Waited for a disk.
    pub io: Option<f64>,
}

/// Reads the pressure of the machine (Linux, "Pressure Stall Information").
fn pressure() -> Pressure {
    let of = |what: &str| fs::read_to_string(format!("/proc/pressure/{what}")).ok().and_then(|text| waited(&text));
    Pressure { cpu: of("cpu"), memory: of("memory"), io: of("io") }
}

/// The share of the line `some avg10=1.25 avg60=…`.
fn waited(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    let share = line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
    share.parse().ok().filter(|share: &f64| share.is_finite() && *share >= 0.0)
}

/// Bytes of the files below `path`, at most `entries_max` of which are looked at; links are not followed. The flag
/// says whether that was all of them.
#[must_use]
pub fn folder_bytes(path: &Path, entries_max: usize) -> (u64, bool) {
    let (mut bytes, mut seen) = (0_u64, 0_usize);
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > entries_max {
                return (bytes, false);
            }
            // Of a link this tells about the link itself.
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) if meta.is_file() => bytes = bytes.saturating_add(meta.len()),
                _ => {}
            }
        }
    }
    (bytes, true)
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
        swap_total_bytes: field("SwapTotal"),
        swap_free_bytes: field("SwapFree"),
        pressure: pressure(),
        disk_total_bytes: disk.as_ref().map(|d| d.f_blocks.saturating_mul(d.f_frsize)),
        disk_free_bytes: disk.as_ref().map(|d| d.f_bavail.saturating_mul(d.f_frsize)),
    }
}

/// Load of the last minute for each processor this process may use; `None` where the system does not tell. Reads far less
/// than [`measure`].
#[must_use]
pub fn load_per_core() -> Option<f64> {
    let [minute, ..] = load(&fs::read_to_string("/proc/loadavg").ok()?)?;
    let cores = u32::try_from(thread::available_parallelism().ok()?.get()).ok()?;
    Some(minute / f64::from(cores))
}

/// What this user may still write to the disk that holds `path`, in bytes.
#[must_use]
pub fn disk_free_bytes(path: &Path) -> Option<u64> {
    rustix::fs::statvfs(path).ok().map(|d| d.f_bavail.saturating_mul(d.f_frsize))
}

/// How fast the disk that holds `folder` is read, in bytes a second: a file is written there, taken out of the memory of
/// the system, and read. `None` when that cannot be done.
#[must_use]
pub fn disk_read_bytes_per_second(folder: &Path) -> Option<u64> {
    let path = folder.join(format!(".speed-{}", std::process::id()));
    read_speed(&path)
}

/// How fast all processors together read memory, in bytes a second: each compares the halves of its own share of a piece
/// that few caches hold, several times. Takes a good part of a second, so it is nothing for a thread that serves.
#[must_use]
pub fn memory_read_bytes_per_second() -> u64 {
    let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
    let piece = vec![1_u8; MEMORY_READ_BYTES];
    let began = std::time::Instant::now();
    thread::scope(|scope| {
        for share in piece.chunks(MEMORY_READ_BYTES.div_ceil(readers)) {
            scope.spawn(move || {
                for _ in 0..MEMORY_READS {
                    let (one, other) = std::hint::black_box(share).split_at(share.len() / 2);
                    // They are the same, so each byte has to be read to find out.
                    std::hint::black_box(other.starts_with(one));
                }
            });
        }
    });
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    ((MEMORY_READ_BYTES * MEMORY_READS) as u64).saturating_mul(1_000_000) / micros
}

fn read_speed(path: &Path) -> Option<u64> {
    let mut piece = vec![0_u8; SPEED_PIECE_BYTES];
    // Not zeros, which some disks never write.
    for (n, byte) in piece.iter_mut().enumerate() {
        *byte = u8::try_from(n % 251).unwrap_or(0);
    }
    let mut file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(path).ok()?;
    // Without a name it is gone with this process, however that ends.
    fs::remove_file(path).ok()?;
    for _ in 0..SPEED_PIECES {
        file.write_all(&piece).ok()?;
    }
    file.sync_all().ok()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).ok()?;
    file.rewind().ok()?;
    let began = std::time::Instant::now();
    for _ in 0..SPEED_PIECES {
        file.read_exact(&mut piece).ok()?;
    }
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    Some((SPEED_PIECES as u64 * SPEED_PIECE_BYTES as u64).saturating_mul(1_000_000) / micros)
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
    fn pressure_is_the_share_of_the_last_ten_seconds() {
        let text = "some avg10=1.25 avg60=0.10 avg300=0.00 total=12\nfull avg10=9.00 avg60=0.00 total=0\n";
        assert_eq!(waited(text), Some(1.25));
        for bad in ["", "full avg10=1.0", "some avg60=1.0", "some avg10=much", "some avg10=NaN"] {
            assert_eq!(waited(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_folder_is_summed_up_within_its_bound_and_without_following_links() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("in")).expect("made");
        fs::write(dir.path().join("a"), "12345").expect("written");
        fs::write(dir.path().join("in/b"), "123").expect("written");
        std::os::unix::fs::symlink("/", dir.path().join("out")).expect("linked");
        assert_eq!(folder_bytes(dir.path(), 100), (8, true));
        assert!(!folder_bytes(dir.path(), 2).1);
        assert_eq!(folder_bytes(Path::new("/nowhere/at/all"), 9), (0, true));
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
