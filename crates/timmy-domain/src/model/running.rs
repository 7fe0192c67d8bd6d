//! How a model file would be run on this machine, known before it is loaded: which way its weights come, and what a
//! token takes at least.

use serde::{Deserialize, Serialize};

use super::advice::Measured;

/// How the weights of a model come to the arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// All layers stay in memory.
    #[default]
    Resident,
    /// Some layers stay, the others are read from the disk for each token.
    Streamed,
    /// The system keeps of the file what it can and reads the rest when it is needed.
    Mapped,
}

/// What computes a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum By {
    /// The engine of the house.
    #[default]
    #[serde(rename = "own")]
    Own,
    /// llama.cpp, where it is built in.
    #[serde(rename = "llama.cpp")]
    Llama,
}

/// What the header of a model file means for whoever runs it, with the memory that may be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// What would run it.
    pub by: By,
    /// The way that is taken.
    pub way: Way,
    /// Memory that may be taken, in bytes.
    pub budget_bytes: u64,
    /// The least memory the file can be run with, in bytes.
    pub needed_bytes: u64,
    /// Memory from which on all of it stays, in bytes.
    pub whole_bytes: u64,
    /// Its layers.
    pub layers: u64,
    /// Those that stay in memory.
    pub resident_layers: u64,
    /// Weights that a token goes through, in bytes.
    pub weights_per_token_bytes: u64,
    /// Bytes that are read from the disk for a token; where the system chooses what stays, the most it may be.
    pub read_per_token_bytes: u64,
}

/// The same for the owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// The model.
    pub name: String,
    /// What would run it; `None` when nothing can.
    pub by: Option<By>,
    /// The way that is taken; `None` when it cannot be run.
    pub way: Option<Way>,
    /// Memory that may be taken, in bytes; 0 when it cannot be run, as all that follow.
    pub budget_bytes: u64,
    /// The least memory the file can be run with, in bytes.
    pub needed_bytes: u64,
    /// Memory from which on all of it stays, in bytes.
    pub whole_bytes: u64,
    /// Its layers.
    pub layers: u64,
    /// Those that stay in memory.
    pub resident_layers: u64,
    /// Bytes that are read from the disk for a token.
    pub read_per_token_bytes: u64,
    /// What a token takes at least, in milliseconds; 0 while the machine is not measured.
    pub milliseconds_per_token: u64,
    /// All of that in plain words: what stays, what is read, how long a token takes, or why it cannot be run.
    pub words: String,
}

/// What a token takes at least, in milliseconds; `None` while what counts is not measured. Reading goes on beside the
/// arithmetic, so the slower of the two decides.
#[must_use]
pub fn milliseconds_per_token(weighed: &Weighed, machine: Measured) -> Option<u64> {
    let through = |bytes: u64, speed: u64| bytes.saturating_mul(1_000).checked_div(speed);
    let memory = through(weighed.weights_per_token_bytes, machine.memory_read_bytes_per_second);
    if weighed.way == Way::Resident {
        return memory.map(|memory| memory.max(1));
    }
    let disk = through(weighed.read_per_token_bytes, machine.disk_read_bytes_per_second)?;
    Some(disk.max(memory.unwrap_or(0)).max(1))
}

impl Running {
    /// A model that can be run.
    #[must_use]
    pub fn of(name: &str, weighed: &Weighed, machine: Measured) -> Self {
        let milliseconds = milliseconds_per_token(weighed, machine);
        let budget = size(weighed.budget_bytes);
        let Weighed { layers, resident_layers: stay, read_per_token_bytes: read, .. } = *weighed;
        let by = if weighed.by == By::Llama { "run by llama.cpp: " } else { "" };
        let way = match weighed.way {
            Way::Resident => {
                format!("stays in memory whole, {} of the {budget} it may take", size(weighed.whole_bytes))
            }
            Way::Streamed => format!(
                "larger than the {budget} of memory it may take: {stay} of {layers} layers stay, {} are read from the \
                 disk for each token",
                size(read)
            ),
            Way::Mapped => format!(
                "larger than the {budget} of memory it may take: the system chooses what stays, and up to {} are read \
                 from the disk for each token",
                size(read)
            ),
        };
        let least = match (milliseconds, weighed.way) {
            (None, _) => "how long a token takes is not measured yet".to_owned(),
            (Some(ms), Way::Mapped) => format!("up to {} a token", seconds(ms)),
            (Some(ms), _) => format!("at least {} a token", seconds(ms)),
        };
        Self {
            name: name.to_owned(),
            by: Some(weighed.by),
            way: Some(weighed.way),
            budget_bytes: weighed.budget_bytes,
            needed_bytes: weighed.needed_bytes,
            whole_bytes: weighed.whole_bytes,
            layers,
            resident_layers: stay,
            read_per_token_bytes: read,
            milliseconds_per_token: milliseconds.unwrap_or(0),
            words: format!("{by}{way}, {least}"),
        }
    }

    /// A model that cannot be run; `why` is a clause.
    #[must_use]
    pub fn refused(name: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            by: None,
            way: None,
            budget_bytes: 0,
            needed_bytes: 0,
            whole_bytes: 0,
            layers: 0,
            resident_layers: 0,
            read_per_token_bytes: 0,
            milliseconds_per_token: 0,
            words: format!("cannot be run: {why}"),
        }
    }
}

/// Bytes for people: `1.3 GB`.
fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// A time for people: `0.04 s`, `1.8 s`.
fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        1_000.. => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("0.{:02} s", milliseconds.div_ceil(10).min(99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn weighed(way: Way, read_mb: u64) -> Weighed {
        Weighed {
            by: if way == Way::Mapped { By::Llama } else { By::Own },
            way,
            budget_bytes: 2_000 * MB,
            needed_bytes: 400 * MB,
            whole_bytes: 1_500 * MB,
            layers: 32,
            resident_layers: if way == Way::Resident { 32 } else { 12 },
            weights_per_token_bytes: 1_200 * MB,
            read_per_token_bytes: read_mb * MB,
        }
    }

    // shows: engine: which way a model's weights come and what a token takes at least is said in plain words before it is loaded
    #[test]
    fn the_way_and_the_time_are_told_in_words() {
        let machine = |disk_mb: u64, memory_mb: u64| Measured {
            disk_read_bytes_per_second: disk_mb * MB,
            memory_read_bytes_per_second: memory_mb * MB,
            ..Measured::default()
        };
        let whole = "stays in memory whole, 1.5 GB of the 2.0 GB it may take";
        let streams = "larger than the 2.0 GB of memory it may take: 12 of 32 layers stay, 900 MB are read from the \
                       disk for each token";
        let mapped = "run by llama.cpp: larger than the 2.0 GB of memory it may take: the system chooses what stays, \
                      and up to 900 MB are read from the disk for each token";
        let rows = [
            (weighed(Way::Resident, 0), machine(500, 10_000), 120, format!("{whole}, at least 0.12 s a token")),
            (
                weighed(Way::Resident, 0),
                machine(500, 0),
                0,
                format!("{whole}, how long a token takes is not measured yet"),
            ),
            (weighed(Way::Streamed, 900), machine(500, 10_000), 1_800, format!("{streams}, at least 1.8 s a token")),
            (weighed(Way::Streamed, 900), machine(9_000, 10_000), 120, format!("{streams}, at least 0.12 s a token")),
            (
                weighed(Way::Streamed, 900),
                machine(0, 1),
                0,
                format!("{streams}, how long a token takes is not measured yet"),
            ),
            (weighed(Way::Mapped, 900), machine(500, 10_000), 1_800, format!("{mapped}, up to 1.8 s a token")),
        ];
        for (weighed, machine, milliseconds, words) in rows {
            let running = Running::of("m", &weighed, machine);
            assert_eq!((running.milliseconds_per_token, running.words.as_str()), (milliseconds, words.as_str()));
            assert_eq!(running.way, Some(weighed.way));
        }
        assert_eq!(Running::refused("m", "it is too large").words, "cannot be run: it is too large");
    }
}
