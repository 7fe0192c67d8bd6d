//! The tools, from outside.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking; the control of each attempt runs outside the fence"
)]

mod hands;
mod mcp;
mod sandbox;
