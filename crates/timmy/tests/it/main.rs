//! The whole app, driven through its real wiring: real SQLite file, real threads, real sockets, real processes.
//! Only models are scripted, and the clock is turned by hand where days pass.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::type_complexity,
    reason = "a test fails by panicking with the reason; it drives real processes, waits on threads, and lists its cases in tables"
)]

mod cli;
mod crash;
mod feed;
mod house;
mod models;
mod process;
mod selfhood;
mod support;
mod talk;
mod thinking;
mod watching;
mod web;
