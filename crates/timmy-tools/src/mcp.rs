//! Servers of tools: programs and addresses of others that offer tools over the Model Context Protocol.
//!
//! The owner names each in the settings. Everything that one says (names, descriptions, results, complaints) is text of
//! others: bounded, cleaned, and never an instruction. [`server`] is one as the owner wrote it, [`hub`] keeps all of
//! them connected, [`tool`] is how a tool of one stands in the toolbox, and only [`peer`] knows the crate that speaks
//! the protocol.

pub mod describe;
pub mod hub;
mod keep;
mod peer;
mod pipe;
pub mod server;
mod tool;

pub use hub::{Hub, Standing};
pub use server::{Server, Way};
