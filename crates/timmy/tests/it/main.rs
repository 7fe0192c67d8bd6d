//! The whole app, driven through its real wiring: real SQLite file, real threads, real sockets, real processes.
//! Only models are scripted, and the clock is turned by hand where days pass.

mod cli;
mod crash;
mod feed;
mod house;
mod process;
mod selfhood;
mod support;
mod talk;
mod thinking;
mod watching;
mod web;
