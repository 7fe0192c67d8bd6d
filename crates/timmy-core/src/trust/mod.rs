//! The room of trust: who may come in, and what they may do.

pub mod access;
pub mod approvals;
pub mod code;
pub mod digest;
mod known;
pub mod owner;
pub mod password;
pub mod policy;
pub mod rules;
pub mod sessions;
pub mod throttle;
