//! One file for each noun that has a table.

pub(crate) mod access;
pub(crate) mod approvals;
mod cursors;
pub(crate) mod egress;
mod fewer;
pub(crate) mod folders;
pub(crate) mod leases;
pub(crate) mod messages;
mod models;
pub(crate) mod provider_controls;
pub(crate) mod provider_metrics;
mod retry;
pub(crate) mod rules;
pub(crate) mod runs;
mod sent_back;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod thoughts;
