//! One file for each noun that has a table.

pub(crate) mod access;
mod cursors;
mod fewer;
pub(crate) mod folders;
pub(crate) mod messages;
mod retry;
pub(crate) mod state;
pub(crate) mod thoughts;
