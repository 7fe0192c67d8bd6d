//! Floor 1: hands on the world, inside a fence with limits.
//!
//! Everything here reads what others wrote, so everything is bounded in bytes, files and time, and
//! nothing found in a watched folder is ever executed, followed out of it or written to.

pub mod archive;
pub mod collector;
pub mod error;
pub mod folder;
pub mod git;
pub mod machine;
pub mod mcp;
pub mod mind;
pub mod process;
pub mod readings;
pub mod sandbox;
pub mod tool;
pub mod tools;
pub mod usage;

#[cfg(test)]
mod testing;

pub use error::ToolError;
pub use git::git;
