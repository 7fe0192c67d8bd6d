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
mod door;
mod errors;
mod guard;
mod headers;
mod live;
pub mod look;
pub mod nav;
mod pages;
pub mod routes;
mod server;
pub mod settings;
mod web;

pub use server::{router, serve};
pub use web::WebParts;
