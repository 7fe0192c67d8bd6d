//! What the owner can set about the engine, and what follows from this machine where he sets nothing.

use timmy_domain::settings;

use crate::runner::RUNNERS;

settings! {
    /// The engine: models that run inside Timmy, with nothing else installed.
    pub struct EngineSettings in "engine" {
        /// The model: a name in the folder for models, the path of a GGUF file, or one that Ollama keeps, such as
        /// "llama3.1:8b". Empty takes the largest in the folder for models that fits into memory.
        model: String = String::new(), BytesMax(4_096);
        /// The model that makes vectors of texts, named in the same way; one that makes nothing else, such as MiniLM, BGE or
        /// Nomic Embed, does it best. It runs in a worker of its own. Empty leaves that to the model above.
        embedding_model: String = String::new(), BytesMax(4_096);
        /// What runs models: `own` is the engine of the house, `llama.cpp` the other one where it is built in, and `auto`
        /// takes the other one only for files that the engine of the house does not know.
        runner: String = "auto".to_owned(), OneOf(RUNNERS);
        /// Memory for the model, in MiB; what does not fit is read from the disk again and again. 0 takes three
        /// quarters of what is free when Timmy starts.
        memory_mb: u64 = 0, Range(0, 4_194_304);
        /// Threads to compute with; 0 lets the engine find out.
        threads: u64 = 0, Range(0, 256);
        /// Tokens the model reads and writes at most in one request; 0 takes what it was made for, up to 8,192.
        context: u64 = 0, Range(0, 1_048_576);
        /// How long a model stays loaded after its last answer, in seconds.
        idle_unload_seconds: u64 = 600, Range(1, 604_800);
        /// How much the engine steps back behind everything else on this machine, 0 to 19.
        niceness: u64 = 10, Range(0, 19);
    }
}

/// The least memory that is taken for a model, in bytes.
const MEMORY_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// What is taken where the system does not tell how much is free, in bytes.
const MEMORY_BYTES_UNKNOWN: u64 = 2 * 1024 * 1024 * 1024;
/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;

impl EngineSettings {
    /// Memory for the model in bytes; `meminfo` is what the system tells of its memory.
    #[must_use]
    pub fn memory_bytes(&self, meminfo: &str) -> u64 {
        if self.memory_mb > 0 {
            return self.memory_mb.saturating_mul(MIB);
        }
        let free = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let kib = free.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.map_or(MEMORY_BYTES_UNKNOWN, |kib| (kib.saturating_mul(1024) / 4 * 3).max(MEMORY_BYTES_MIN))
    }

    /// Tokens to look back on, where the owner set a number.
    #[must_use]
    pub fn context_tokens(&self) -> Option<usize> {
        usize::try_from(self.context).ok().filter(|tokens| *tokens > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_the_owner_says_or_three_quarters_of_what_is_free() {
        let set = |memory_mb| EngineSettings { memory_mb, ..EngineSettings::default() };
        let free = "MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n";
        let rows = [
            (set(100), free, 100 * MIB),
            (set(0), free, 6_144_000_000),
            (set(0), "MemAvailable: 1000 kB\n", MEMORY_BYTES_MIN),
            (set(0), "", MEMORY_BYTES_UNKNOWN),
        ];
        for (settings, meminfo, expected) in rows {
            assert_eq!(settings.memory_bytes(meminfo), expected, "{} {meminfo:?}", settings.memory_mb);
        }
    }
}
