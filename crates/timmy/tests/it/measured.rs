//! The house measured from outside: metrics, log lines, times of an answer, traces, and the Health page.

mod health;
mod logs;
mod metrics;
mod text;
mod traces;

/// A house that does only what it is asked.
pub const QUIET: [(&str, &str); 2] =
    [("TIMMY__CASCADE__PROVIDERS", "scripted,reflex"), ("TIMMY__THINKING__INTERVAL_SECONDS", "86400")];
