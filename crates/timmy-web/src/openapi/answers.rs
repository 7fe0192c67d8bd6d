//! The shapes of answers. They are described here and made where the things live; a test compares the two for every
//! call, so that neither says more than the other.

mod gateway;
mod house;
mod keys;
mod mind;
mod models;
mod router;
mod trust;
mod work;

pub use gateway::{GatewayAnswer, GatewayContinuation, GatewayModel, GatewayModels, GatewayVectors};
pub use house::{Alive, Folder, Greeting, Health, Ready, Refused, Status, Verified};
pub use keys::{
    Backups, LoginCode, MadeBackup, NewToken, PasswordState, Revoked, Session, SessionsEnded, Setting, Token,
};
pub use mind::{Completed, Event, Message, Paused, Providers, Reply, Stopped, Thought};
pub use models::{Catalogue, FoundModel, Model, ModelAssignment, ModelPull, ModelUnassigned};
pub use router::{
    EgressLine, LocalUntil, ProviderMetrics, ProviderTrial, RouterConfig, RouterProvider, RouterStatus, WouldBeAsked,
};
pub use trust::{Approval, BatchItem, Explained, Rule, RuleRevoked, RuleSuggestion, RuledRun};
pub use work::{Artifact, Queue, Task, TaskCounts, TaskDone, TaskPosition};
