//! The server from outside: over real sockets, with a real engine over a temporary home and scripted models.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking, with the reason")]

mod backups;
mod contract;
mod decide;
mod doors;
mod feed;
mod house;
mod kept;
mod log;
mod nonsense;
mod orders;
mod pages;
mod plans;
mod programs;
mod rich;
mod settings;
mod twins;
mod undo;
mod work;
