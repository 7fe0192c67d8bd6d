//! The room of the mind: thinking, what thoughts grow from, and the folders Timmy looks at.

pub mod prompt;
pub mod rest;
pub mod seed;
pub mod thinking;
pub mod watch;
