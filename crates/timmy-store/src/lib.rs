//! Floor 1: one SQLite file, and the only crate that knows its language.
//!
//! A [`Store`] owns one writer thread and a few reader threads. Work reaches the data only through
//! [`Tx`] (on the writer) and [`Reader`] (on a reader), so every change and its event commit
//! together, and nobody else ever holds a connection. What was acknowledged is on the disk.

mod block_on;
mod chain;
mod check;
mod create;
mod error;
mod log;
mod migrate;
mod readers;
mod row;
mod stats;
mod store;
mod tables;
mod tx;
mod verify;
mod writer;

pub use error::StoreError;
pub use log::{EVENTS_LIMIT_MAX, EventQuery};
pub use readers::Reader;
pub use stats::StoreStats;
pub use store::{Clock, Options, Random, Store};
pub use tables::access::{SessionRow, TokenRow};
pub use tables::folders::{FolderKey, OBSERVATIONS_PER_FOLDER_MAX};
pub use tables::messages::{NewAnswer, NewMessage};
pub use tables::state::Spent;
pub use tables::thoughts::{LIST_LIMIT_MAX, NewThought, ThoughtQuery};
pub use tx::Tx;
pub use verify::{BadRow, ChainReport, CheckReport};
