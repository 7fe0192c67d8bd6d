//! The agent: how a task becomes calls of a model and of tools, step by step, each of which survives the process.
//!
//! [`machine`] decides, as a pure function over a value that is a row of the store; [`worker`] does what it says and
//! writes the row before and after each step; [`prompt`] is how the model is asked. It lies beside the rooms, since it
//! joins the queue with the policy.

mod around;
pub(crate) mod away;
pub mod machine;
mod own;
pub mod profile;
pub mod prompt;
pub mod worker;
