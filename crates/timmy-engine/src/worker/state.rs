//! How the worker is, for whoever looks from outside.

use super::words::Loaded;

/// What the worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkerPhase {
    /// There is none: nobody asked yet, or nobody asked for long.
    #[default]
    Away,
    /// It reads a model.
    Loading,
    /// It has a model and waits.
    Idle,
    /// It answers.
    Busy,
    /// It died, and is started again later.
    Resting,
}

impl WorkerPhase {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Loading => "loading",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Resting => "resting",
        }
    }
}

/// How the worker is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerState {
    /// What it does.
    pub phase: WorkerPhase,
    /// The model that is loaded.
    pub loaded: Option<Loaded>,
    /// How often one was started.
    pub starts: u64,
    /// How often one died without being told to.
    pub deaths: u64,
    /// How the last one died, in words; empty when none did.
    pub last_death: String,
    /// Questions that wait.
    pub waiting: usize,
    /// Tokens of the last answer in a thousand seconds; 0 while unknown.
    pub tokens_per_kilosecond: u64,
}
