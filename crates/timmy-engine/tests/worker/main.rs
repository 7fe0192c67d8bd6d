//! The engine as a provider, through the real worker process, with models made here.

#![expect(clippy::expect_used, reason = "a test fails by panicking with the reason")]

mod answers;
mod faults;
mod held;
#[cfg(feature = "engine-llama")]
mod llama;
mod runner;
mod support;
mod vectors;
