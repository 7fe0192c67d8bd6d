//! The room of work: what is to be done, and doing it.

pub mod due;
pub mod processor;
pub mod queue;
pub mod review;
