//! Floor 1: one SQLite file, and the only crate that knows its language.
//!
//! A [`Store`] owns one writer thread and a few reader threads. Work reaches the data only through
//! [`Tx`] (on the writer) and [`Reader`] (on a reader), so every change and its event commit
//! together, and nobody else ever holds a connection. What was acknowledged is on the disk.

mod area;
mod backup;
mod block_on;
mod chain;
mod check;
mod checkpoint;
mod command;
mod create;
mod crowd;
mod error;
mod log;
mod migrate;
#[cfg(debug_assertions)]
pub mod moments;
mod readers;
mod row;
mod signing;
mod space;
pub mod spent;
mod stats;
mod store;
mod tables;
mod tx;
mod verify;
mod wal;
pub mod watched;
mod writer;

pub use area::{Area, Imported};
pub use backup::{Contents, Inspection, OnProgress, Still, adopt, copies_beside, is_read_only};
pub use error::StoreError;
pub use log::{EVENTS_LIMIT_MAX, EventCounts, EventPage, EventQuery, Expiry, ROWS_KEPT_MIN, Removed, Thinned};
pub use readers::Reader;
pub use signing::SigningKey;
pub use space::Space;
pub use stats::{StorePace, StoreStats};
pub use store::{Clock, Options, Random, Store};
pub use tables::access::{SessionRow, TokenRow};
pub use tables::approvals::{ApprovalQuery, OVERDUE_BATCH_MAX, ShapeAnswer};
pub use tables::egress::{Egress, EgressSum, Extended, NewEgress, SpendingCaps, SpentUp};
pub use tables::folders::{FolderKey, OBSERVATIONS_PER_FOLDER_MAX};
pub use tables::leases::{LeaseRow, NewLease};
pub use tables::messages::{NewAnswer, NewMessage};
pub use tables::provider_controls::ProviderControl;
pub use tables::provider_metrics::ProviderMetric;
pub use tables::rules::NewRule;
pub use tables::runs::{ARTIFACTS_PER_TASK_MAX, ArtifactRow, NewArtifact, RUN_BYTES_MAX};
pub use tables::state::Spent;
pub use tables::tasks::lists::{TaskCount, TaskPlace, TaskQuery};
pub use tables::tasks::turn::TURN_BATCH_MAX;
pub use tables::tasks::{Made, TASKS_OPEN_MAX};
pub use tables::thoughts::{LIST_LIMIT_MAX, NewThought, ThoughtQuery};
pub use tx::Tx;
pub use verify::{BadRow, ChainReport, CheckReport};
