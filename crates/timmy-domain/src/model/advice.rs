//! Which model fits a machine, as a function of what was measured.

use serde::Serialize;

use super::catalogue::{Entry, fetchable};

/// Memory a model needs beside its weights, in bytes: its working space and 8,192 tokens of context.
const BESIDE_BYTES: u64 = 700 * 1024 * 1024;
/// Share of the machine's memory that is left to everything else, in percent.
const LEFT_PERCENT: u64 = 30;
/// Tenths of a second for a token beyond which nobody waits for an answer from the disk.
const TOKEN_TENTHS_MAX: u64 = 300;

/// What was measured. What is 0 is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Memory of the machine, in bytes.
    pub memory_bytes: u64,
    /// Memory that can be had without swapping now, in bytes.
    pub available_bytes: u64,
    /// What may still be written where models lie, in bytes.
    pub disk_free_bytes: u64,
    /// How fast a large file is read there, in bytes a second.
    pub disk_read_bytes_per_second: u64,
    /// How fast memory is read by all processors together, in bytes a second.
    pub memory_read_bytes_per_second: u64,
}

/// How a model fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It lies in memory whole.
    Memory,
    /// It is larger than the memory to spare; its layers are read from the disk for every token, in tenths of a
    /// second for each.
    Streams {
        /// Tenths of a second for a token, at least.
        tenths_per_token: u64,
    },
    /// It would be too slow to wait for.
    TooLarge,
    /// Its file does not fit on the disk.
    NoRoom,
    /// Its size or the machine's is not known.
    Unknown,
}

/// Memory in bytes that a model of `bytes` needs to lie in memory whole.
#[must_use]
pub const fn memory_bytes(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 20).saturating_add(BESIDE_BYTES)
}

/// Memory that may be spent on a model: what is available, but never all but the share of the rest.
#[must_use]
pub fn budget_bytes(machine: Measured) -> u64 {
    let most = machine.memory_bytes / 100 * (100 - LEFT_PERCENT);
    if machine.available_bytes == 0 { most } else { most.min(machine.available_bytes) }
}

/// How a file of `bytes` fits. `here` says that it is on the disk already.
#[must_use]
pub fn fit(bytes: u64, here: bool, machine: Measured) -> Fit {
    if bytes == 0 || machine.memory_bytes == 0 {
        return Fit::Unknown;
    }
    if !here && machine.disk_free_bytes != 0 && bytes > machine.disk_free_bytes {
        return Fit::NoRoom;
    }
    let budget = budget_bytes(machine);
    if memory_bytes(bytes) <= budget {
        return Fit::Memory;
    }
    // What stays in memory is not read again.
    let read = memory_bytes(bytes).saturating_sub(budget).min(bytes);
    let speed = machine.disk_read_bytes_per_second;
    if speed == 0 {
        return Fit::Unknown;
    }
    let tenths_per_token = (read.saturating_mul(10) / speed).max(1);
    if tenths_per_token > TOKEN_TENTHS_MAX { Fit::TooLarge } else { Fit::Streams { tenths_per_token } }
}

/// Tenths of a token that a model of `bytes` can write in a second at most; 0 when that is not known.
///
/// For a token all weights are read once: those in memory as fast as memory is read, the others as fast as the disk. The
/// sums themselves take time on top.
#[must_use]
pub fn tenths_of_tokens(bytes: u64, fit: Fit, machine: Measured) -> u64 {
    let from_disk = match fit {
        Fit::Memory => 0,
        Fit::Streams { .. } => memory_bytes(bytes).saturating_sub(budget_bytes(machine)).min(bytes),
        Fit::TooLarge | Fit::NoRoom | Fit::Unknown => return 0,
    };
    let micros = |bytes: u64, speed: u64| u128::from(bytes).saturating_mul(1_000_000).checked_div(speed.into());
    let Some(memory) = micros(bytes - from_disk, machine.memory_read_bytes_per_second) else { return 0 };
    let disk = if from_disk == 0 { Some(0) } else { micros(from_disk, machine.disk_read_bytes_per_second) };
    disk.map_or(0, |disk| u64::try_from(10_000_000 / (memory + disk).max(1)).unwrap_or(u64::MAX))
}

/// The model to get first: the largest that lies in memory whole and writes; `None` when none does.
#[must_use]
pub fn first(machine: Measured) -> Option<&'static Entry> {
    let fits = |bytes| fit(bytes, false, machine) == Fit::Memory;
    let fitting = fetchable().filter(|(entry, source)| !entry.embeds && fits(source.bytes));
    fitting.max_by_key(|(_, source)| source.bytes).map(|(entry, _)| entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn machine(memory: u64, available: u64, disk: u64, speed: u64) -> Measured {
        Measured {
            memory_bytes: memory * GIB,
            available_bytes: available * GIB,
            disk_free_bytes: disk * GIB,
            disk_read_bytes_per_second: speed * 1_000_000,
            memory_read_bytes_per_second: 0,
        }
    }

    // shows: models: the first model advised is the largest that fits the measured memory
    #[test]
    fn the_first_model_is_the_largest_that_fits() {
        let rows = [
            (machine(32, 28, 100, 500), Some("qwen3-4b")),
            (machine(8, 6, 100, 500), Some("qwen3-4b")),
            (machine(8, 2, 100, 500), Some("qwen3-1.7b")),
            (machine(4, 3, 100, 500), Some("qwen3-1.7b")),
            (machine(2, 2, 100, 500), Some("qwen3-0.6b")),
            (machine(1, 1, 100, 500), None),
            (machine(32, 28, 1, 500), Some("llama3.2-1b")),
            (machine(0, 0, 100, 500), None),
        ];
        for (machine, expected) in rows {
            assert_eq!(first(machine).map(|e| e.name), expected, "{machine:?}");
        }
    }

    // shows: models: how fast a model could be follows from how fast memory and disk were read here
    #[test]
    fn how_fast_a_model_could_be_follows_from_what_was_measured() {
        let fast = |machine| Measured { memory_read_bytes_per_second: 10_000_000_000, ..machine };
        let rows = [
            // 10 GB a second through 1 GB: ten tokens.
            (1_000_000_000, fast(machine(16, 16, 9, 0)), 100),
            // Not measured: nothing is said.
            (1_000_000_000, machine(16, 16, 9, 0), 0),
            // 3.3 of 8 GiB from a disk of 2 GB a second, the rest from memory.
            (8 * GIB, fast(machine(8, 8, 3, 2_000)), 4),
            (40 * GIB, fast(machine(8, 8, 3, 1_000)), 0),
            (0, fast(machine(8, 8, 3, 1_000)), 0),
        ];
        for (bytes, machine, expected) in rows {
            assert_eq!(tenths_of_tokens(bytes, fit(bytes, true, machine), machine), expected, "{bytes} {machine:?}");
        }
    }

    #[test]
    fn how_a_file_fits_follows_from_memory_disk_and_speed() {
        let rows = [
            (0, false, machine(8, 8, 9, 500), Fit::Unknown),
            (4 * GIB, false, machine(16, 16, 9, 500), Fit::Memory),
            (4 * GIB, false, machine(16, 16, 3, 500), Fit::NoRoom),
            (4 * GIB, true, machine(16, 16, 3, 500), Fit::Memory),
            (40 * GIB, true, machine(8, 8, 3, 1_000), Fit::TooLarge),
            (8 * GIB, true, machine(8, 8, 3, 2_000), Fit::Streams { tenths_per_token: 18 }),
            (8 * GIB, true, machine(8, 8, 3, 0), Fit::Unknown),
        ];
        for (bytes, here, machine, expected) in rows {
            assert_eq!(fit(bytes, here, machine), expected, "{bytes} {machine:?}");
        }
    }
}
