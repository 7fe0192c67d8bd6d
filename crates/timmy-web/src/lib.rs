//! Floor 3: what people see in a browser, and the API.
//!
//! One table of routes ([`routes`]), one door in front of them ([`door`]), pages that are views filled
//! from the engine, a JSON interface with one shape of error, and one live feed. Nothing here decides
//! anything about Timmy: it reads the store, calls the engine, and shows what came of it.

mod api;
mod ask;
mod assets;
mod auth;
pub mod client;
pub mod desk;
pub mod did;
mod door;
pub mod dry;
mod errors;
mod guard;
mod headers;
pub mod keys;
mod lasting;
mod live;
pub mod look;
mod mcp;
mod measure;
pub mod metrics;
pub mod nav;
pub mod openapi;
mod pages;
pub mod palette;
mod press;
mod quiet;
mod resources;
pub mod routes;
mod server;
pub mod settings;
mod sheet;
mod stall;
mod surface;
pub mod verbs;
mod web;

pub use server::{router, serve};
pub use web::WebParts;
