//! Floor 4: turns configuration into a running process, and the command line into calls.
//!
//! Nothing imports this crate. It is the only one that reads the environment, the arguments and the
//! home directory, and the only one that writes to the terminal.

pub mod clock;
pub mod commands;
pub mod config;
pub mod door;
#[cfg(debug_assertions)]
pub mod dying;
pub mod handles;
pub mod home;
pub mod log;
pub mod say;
pub mod wire;
