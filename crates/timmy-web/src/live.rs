//! The live feed: every event, as it is committed, to every socket that wants it.
//!
//! A socket remembers only a position. What lies after it comes from the ring of the newest events, or from the store
//! when it lies further back, so nothing is lost or told twice, however slow or late somebody is.

use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use timmy_domain::Problem;
use timmy_domain::problem::Kind;

use crate::ask::{Asked, position};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::guard::forbidden_origin;
use crate::web::Web;

pub mod client;
pub mod pace;
pub mod ring;
pub mod wire;

/// Bytes a frame of a client may have.
pub const CLIENT_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Bytes up to which a frame is still read, so that its sender hears why it is refused.
const CLIENT_FRAME_BYTES_READ_MAX: usize = 64 * 1024;
/// Bytes a socket buffers for reading. Clients say little.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes a socket gathers before it writes.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;

/// Sockets at once, where the system grants as many file handles.
pub const SOCKETS_MAX: usize = 8_192;
/// Sockets at once on a system that grants few.
const SOCKETS_MIN: usize = 64;
/// File handles that are left to everything else.
const HANDLES_ELSEWHERE: u64 = 2_048;

/// How many sockets may be open at once when the process may hold `handles` files; `None` for no limit.
#[must_use]
pub fn sockets_max(handles: Option<u64>) -> usize {
    let left = handles.map_or(u64::MAX, |h| h.saturating_sub(HANDLES_ELSEWHERE));
    usize::try_from(left).unwrap_or(usize::MAX).clamp(SOCKETS_MIN, SOCKETS_MAX)
}

fn no_place() -> Problem {
    Problem::new(
        Kind::TooMany,
        "too_many_sockets",
        "As many live connections are open as this process may hold.",
        "Close some that are no longer needed; pages go on without one.",
    )
}

/// Where a socket goes on.
#[derive(Deserialize)]
pub struct Resume {
    after: Option<String>,
}

/// `GET /swarm/live`: upgrades to a WebSocket; anything else is shown the way to the page.
pub async fn upgrade(
    State(web): State<Web>,
    visit: Visit,
    Asked(resume): Asked<Resume>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let after = position("after", resume.after.as_deref())?;
    let Ok(upgrade) = upgrade else {
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/swarm/events")]).into_response());
    };
    // A browser always says where a socket comes from; a cookie without that was taken from one.
    if visit.who.principal.csrf.is_some() && !headers.contains_key(header::ORIGIN) {
        return Err(forbidden_origin().into());
    }
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(CLIENT_FRAME_BYTES_READ_MAX)
        .max_frame_size(CLIENT_FRAME_BYTES_READ_MAX);
    let Ok(place) = Arc::clone(&web.places).try_acquire_owned() else {
        return Err(no_place().into());
    };
    let sockets = web.sockets.clone();
    let token = sockets.token();
    Ok(upgrade.on_upgrade(move |socket| async move {
        client::attend(&web, &visit.who.principal, after, socket).await;
        drop((place, token));
    }))
}
