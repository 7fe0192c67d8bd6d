//! Floor 2: everything Timmy does, as reconcilers, reactors and pure decisions.
//!
//! The engine cannot print, read the environment, or know that HTTP exists. Time and chance come
//! from the context, so days can be simulated. Rooms ([`mind`], [`talk`], [`trust`]) do not import
//! each other; they share the files beside this one and influence each other through events.

pub mod agent;
pub mod app;
mod asking;
pub mod attention;
pub mod backup;
pub mod bus;
pub mod chance;
pub mod clock;
pub mod clockwatch;
pub mod ctx;
pub mod decide;
pub mod disk;
pub mod fault;
pub mod granted;
mod heed;
pub mod library;
pub mod meters;
pub mod mind;
pub mod models;
pub mod pulse;
pub mod quiet;
pub mod reactor;
pub mod reconcile;
pub mod report;
pub mod restore;
pub mod retention;
pub mod router;
pub mod scene;
pub mod selfhood;
pub mod settings;
pub mod status;
pub mod supervisor;
pub mod talk;
pub mod telemetry;
pub mod thoughts;
pub mod toolservers;
pub mod trust;
pub mod upkeep;
pub mod work;

pub use app::{App, Parts};
pub use ctx::Ctx;
pub use fault::Fault;
