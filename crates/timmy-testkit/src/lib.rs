//! Development only: a clock that is turned by hand, randomness that repeats, and engines over temporary homes.

#![expect(clippy::expect_used, reason = "a test kit fails a test by panicking, with the reason")]

pub mod chance;
pub mod clock;
pub mod engine;
pub mod spoil;

pub use chance::seeded;
pub use clock::FakeClock;
pub use engine::{Engine, engine, routed};
pub use spoil::spoil;
