//! The shapes of answers. They are described here and made where the things live; a test compares the two for every
//! call, so that neither says more than the other.

mod house;
mod keys;
mod mind;
mod trust;
mod work;

pub use house::{Alive, Folder, Greeting, Health, Ready, Refused, Status, Verified};
pub use keys::{
    Backups, LoginCode, MadeBackup, NewToken, PasswordState, Revoked, Session, SessionsEnded, Setting, Token,
};
pub use mind::{Completed, Event, Message, Paused, Providers, Reply, Stopped, Thought};
pub use trust::{Approval, BatchItem, Explained, Rule, RuleRevoked, RuleSuggestion, RuledRun};
pub use work::{Artifact, Queue, Task, TaskCounts, TaskDone, TaskPosition};
