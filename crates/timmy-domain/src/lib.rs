//! Floor 0: the words of the house.
//!
//! Nouns, their state machines and the event catalogue. Nothing here reads a clock, a file or a
//! socket; everything is a value or a pure function over values.

pub mod approval;
pub mod bus;
pub mod digest;
pub mod event;
pub mod filter;
pub mod ids;
pub mod intent;
pub mod life;
pub mod message;
pub mod model;
pub mod observation;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod risk;
pub mod secret;
pub mod sensitivity;
pub mod settings;
pub mod tally;
pub mod task;
pub mod text;
pub mod thought;
pub mod timestamp;

pub use digest::Digest;
pub use event::{Actor, Audience, Event, NewEvent, Record, Severity};
pub use ids::{ApprovalId, MessageId, RuleId, Seq, TaskId, ThoughtId};
pub use life::Life;
pub use problem::Problem;
pub use secret::Secret;
pub use sensitivity::Sensitivity;
pub use thought::SeedType;
pub use timestamp::Timestamp;
