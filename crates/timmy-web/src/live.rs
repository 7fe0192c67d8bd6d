//! The live feed: every event, as it is committed, to every socket that wants it.
//!
//! A socket remembers only a position. What lies after it comes from the ring of the newest events, or from the store
//! when it lies further back, so nothing is lost or told twice, however slow or late somebody is.

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

use crate::ask::{Asked, position};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::guard::forbidden_origin;
use crate::server::Permit;
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
    permit: Option<Extension<Permit>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let Ok(upgrade) = upgrade else {
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/swarm/events")]).into_response());
    };
    // A browser always says where a socket comes from; a cookie without that was taken from one.
    if visit.who.principal.csrf.is_some() && !headers.contains_key(header::ORIGIN) {
        return Err(forbidden_origin().into());
    }
    let after = position("after", resume.after.as_deref())?;
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(CLIENT_FRAME_BYTES_READ_MAX)
        .max_frame_size(CLIENT_FRAME_BYTES_READ_MAX);
    let sockets = web.sockets.clone();
    let token = sockets.token();
    Ok(upgrade.on_upgrade(move |socket| async move {
        client::attend(&web, &visit.who.principal, after, socket).await;
        drop((permit, token));
    }))
}
