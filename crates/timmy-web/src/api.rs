//! The JSON interface: the same acts as the pages, for programs. One shape of list, one shape of error.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub mod access;
pub mod approvals;
pub mod artifacts;
pub mod backups;
pub mod chat;
pub mod events;
pub mod gateway;
pub mod health;
pub mod models;
pub mod router;
pub mod rules;
pub mod sessions;
pub mod settings;
pub mod status;
pub mod stream;
pub mod tasks;
pub mod thinking;
pub mod watch;

/// A thing as JSON.
pub fn json(value: &impl Serialize) -> Response {
    Json(value).into_response()
}

/// A thing that was made.
pub fn created(value: &impl Serialize) -> Response {
    (StatusCode::CREATED, Json(value)).into_response()
}
