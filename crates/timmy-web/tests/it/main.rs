//! The server from outside: over real sockets, with a real engine over a temporary home and scripted models.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking, with the reason")]

mod doors;
mod feed;
mod house;
mod nonsense;
mod pages;
mod programs;
