//! The server: connections in, bounded in number and in time, and an orderly end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use timmy_domain::tally::{Held, Level};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Layer, ServiceExt};

use crate::ask::BODY_BYTES_MAX;
use crate::door::{self, Reached};
use crate::quiet::quietly;
use crate::stall::Stalling;
use crate::web::{Web, WebParts};
use crate::{headers, measure, press, routes};

/// Connections at once; one more waits until another one has gone. Sockets of the live feed are counted apart.
pub const CONNECTIONS_MAX: usize = 1_024;
/// How long a client may take to send the head of a request, in seconds.
const HEAD_SECONDS: u64 = 10;
/// Bytes the head of a request may have.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Bytes a connection buffers for reading and for writing.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Headers a request may have.
const HEADERS_MAX: usize = 64;
/// Bytes the system buffers for a client that does not read; what is more waits here, where it is counted.
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// How long a client may take to read anything at all of what it is sent, in seconds. Longer than what the live feed
/// grants to one that stalls, so that it hears from the feed why it is closed.
const STALLED_SECONDS: u64 = 60;
/// How long requests in flight may take when the server stops, in seconds.
const DRAIN_SECONDS: u64 = 5;
/// How long to wait when no connection can be taken, such as when no file handles are left, in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 200;

/// The place of a connection, and its mark in the figures.
type Place = (OwnedSemaphorePermit, Held<Arc<Level>>);

/// The routes of these parts as a service for the same process. Ends with the engine.
pub fn router(parts: WebParts) -> Router {
    let stop = parts.app.ctx.stop.clone();
    assemble(&Web::new(parts, stop))
}

fn assemble(web: &Web) -> Router {
    let layers = (from_fn_with_state(web.clone(), pass), DefaultBodyLimit::max(BODY_BYTES_MAX));
    routes::routed().layer(layers).with_state(web.clone())
}

/// What every request passes on its way in, and every answer on its way out. One layer, for each costs a copy of the
/// request and of what waits for its answer.
async fn pass(State(web): State<Web>, request: Request, next: Next) -> Response {
    let asked = press::Asked::of(&request);
    let answer = measure::watch(&web, request, |request| door::door(&web, request, next)).await;
    let mut response = press::press(asked, answer).await;
    headers::add(&mut response);
    response
}

/// Serves `parts` on `listener` until `stop` is cancelled, then ends in an orderly way: nobody new comes in, sockets
/// of the live feed are closed with 1001, requests in flight get five seconds.
///
/// # Errors
/// When the listener has no address.
pub async fn serve(listener: TcpListener, parts: WebParts, stop: CancellationToken) -> io::Result<()> {
    let web = Web::new(WebParts { address: listener.local_addr()?, ..parts }, stop.clone());
    let app = assemble(&web);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let taken = tokio::select! {
            taken = take(&listener, &places) => taken,
            () = stop.cancelled() => break,
        };
        if let Some((stream, permit)) = taken {
            let open = Level::hold(Arc::clone(&web.surface.connections));
            connections.spawn(quietly(connection(stream, app.clone(), (permit, open), stop.clone())));
        }
    }
    drop(listener);
    connections.close();
    web.sockets.close();
    let drained = tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS), async {
        connections.wait().await;
        web.sockets.wait().await;
    });
    if drained.await.is_err() {
        tracing::warn!(seconds = DRAIN_SECONDS, "some requests did not end in time");
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn take(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "no connection can be taken");
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            None
        }
    }
}

/// Serves one connection. Its place is free again when it ends, or when it becomes a socket of the live feed.
async fn connection(stream: TcpStream, app: Router, _place: Place, stop: CancellationToken) {
    // Both only make it faster or leaner; a system that refuses them serves all the same.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES);
    let Ok(reached) = stream.local_addr() else { return };
    let mark = tower::util::MapRequestLayer::new(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Reached(reached.ip()));
        request.map(axum::body::Body::new)
    });
    let service = mark.layer(app).map_err(|never: Infallible| match never {});
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS))
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let io = TokioIo::new(Stalling::new(stream, Duration::from_secs(STALLED_SECONDS)));
    let serving = builder.serve_connection(io, hyper_util::service::TowerToHyperService::new(service)).with_upgrades();
    tokio::pin!(serving);
    tokio::select! {
        // A client that breaks off is no fault of the house.
        _ = serving.as_mut() => {}
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}
