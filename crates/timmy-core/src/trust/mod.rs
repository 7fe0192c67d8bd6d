//! The room of trust: who may come in, and what they may do.

pub mod access;
pub mod code;
pub mod owner;
pub mod password;
pub mod throttle;
