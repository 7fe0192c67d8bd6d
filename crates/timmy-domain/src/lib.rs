//! Floor 0: the words of the house.
//!
//! Nouns, their state machines and the event catalogue. Nothing here reads a clock, a file or a
//! socket; everything is a value or a pure function over values.

pub mod bus;
pub mod event;
pub mod filter;
pub mod ids;
pub mod life;
pub mod message;
pub mod observation;
pub mod problem;
pub mod secret;
pub mod sensitivity;
pub mod settings;
pub mod tally;
pub mod text;
pub mod thought;
pub mod timestamp;

pub use event::{Actor, Audience, Event, NewEvent, Record, Severity};
pub use ids::{MessageId, Seq, ThoughtId};
pub use life::Life;
pub use problem::Problem;
pub use secret::Secret;
pub use sensitivity::Sensitivity;
pub use thought::SeedType;
pub use timestamp::Timestamp;
