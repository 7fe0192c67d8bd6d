//! The whole app, driven through its real wiring: real SQLite file, real threads, real sockets, real processes.
//! Only models are scripted, and the clock is turned by hand where days pass.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::type_complexity,
    reason = "a test fails by panicking with the reason; it drives real processes, waits on threads, and lists its cases in tables"
)]

mod approvals;
mod asked;
mod cli;
mod crash;
mod feed;
mod fuzz;
mod gateway;
mod hostile;
mod house;
mod injection;
mod library;
#[cfg(feature = "engine-llama")]
mod llama;
mod localmind;
mod log;
mod measured;
mod models;
mod offline;
mod openapi;
mod peer;
mod peers;
mod process;
mod produced;
mod pulling;
mod recovery;
mod retention;
mod router_page;
mod routing;
mod security;
mod selfhood;
mod support;
mod talk;
mod tasks;
mod thinking;
mod toolservers;
mod waking;
mod watching;
mod web;
mod wedged;
mod working;
