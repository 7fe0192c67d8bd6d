//! What must hold for any bytes from outside. Each check takes bytes, reads them as the house does, and panics with the
//! reason when something does not hold.
//!
//! The fuzz targets search with these checks; `crates/timmy/tests/it/fuzz.rs` repeats them on everything in `corpus`.

pub mod answer_stream;
pub mod archive;
pub mod client_frame;
pub mod config;
pub mod door;
pub mod event_filter;
pub mod gguf_header;
pub mod git_output;
pub mod watched_folder;
