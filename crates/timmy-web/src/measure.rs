//! Measures every request: counts it, writes its log line, tells whoever is logged in what took how long, and puts
//! it into a trace.
//!
//! The times of an answer go only to somebody who came in: how long a lookup took tells a stranger about what was
//! looked up.

use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use timmy_core::telemetry::{Context, Kind, Value};
use timmy_domain::tally::Level;
use timmy_store::spent;
use tokio::time::Instant;

use crate::auth::Visit;
use crate::surface::{NOWHERE, verb};
use crate::web::Web;

/// The header that tells what took how long (W3C Server Timing).
const TIMING: HeaderName = HeaderName::from_static("server-timing");
/// The header in which another program names its trace (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// On an answer: it is for somebody who came in, and this is their name.
#[derive(Clone, Debug)]
struct Came(String);

/// On an answer: drawing it took this long.
#[derive(Clone, Copy, Debug)]
pub struct Rendered(pub Duration);

/// Counts a request whose client goes away: its answer is dropped before it is there.
struct Going<'w>(Option<&'w Web>);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        if let Some(web) = self.0 {
            web.surface.aborted.one();
        }
    }
}

/// Notes on `response` who came in.
pub fn came(response: &mut Response, visit: Option<&Visit>) {
    if let Some(visit) = visit {
        response.extensions_mut().insert(Came(visit.who.principal.name.clone()));
    }
}

/// Measures one request, which `answer` answers.
pub async fn watch<F: Future<Output = Response>>(
    web: &Web,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let began = Instant::now();
    let _in_flight = Level::hold(web.surface.in_flight.clone());
    let mut going = Going(Some(web));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let (mut response, db) = spent::within(answer(request)).await;
    let took = began.elapsed();
    going.0 = None;
    let route = route.as_ref().map_or(NOWHERE, MatchedPath::as_str);
    let status = response.status().as_u16();
    web.surface.answered(route, &method, status, took);
    let came = response.extensions_mut().remove::<Came>();
    let rendered = response.extensions_mut().remove::<Rendered>().map_or(Duration::ZERO, |r| r.0);
    tracing::debug!(
        method = verb(&method),
        route,
        status,
        duration_us = micros(took),
        // As it was made, before it is compressed; absent when it is still coming.
        bytes = response.body().size_hint().exact(),
        principal = came.as_ref().map(|came| came.0.as_str()),
        "request"
    );
    if came.is_some()
        && let Ok(timing) = HeaderValue::from_str(&timing(db, rendered, took))
    {
        response.headers_mut().insert(TIMING, timing);
    }
    response
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// Times in milliseconds, as the header wants them.
fn timing(db: Duration, rendered: Duration, total: Duration) -> String {
    let millis = |took: Duration| took.as_secs_f64() * 1_000.0;
    format!("db;dur={:.3}, render;dur={:.3}, total;dur={:.3}", millis(db), millis(rendered), millis(total))
}

/// Answers `request` as a piece of a trace. Only who came in may name the trace it belongs to.
pub async fn traced(web: &Web, visit: Option<&Visit>, request: Request, next: Next) -> Response {
    let telemetry = &web.app.ctx.telemetry;
    if telemetry.endpoint().is_none() {
        return next.run(request).await;
    }
    let method = verb(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or(NOWHERE, MatchedPath::as_str).to_owned();
    let named = request.headers().get(TRACEPARENT).and_then(|value| Context::parse(value.to_str().ok()?));
    let mut span = telemetry.begin_under(&format!("{method} {route}"), Kind::Server, named.filter(|_| visit.is_some()));
    span.set("http.request.method", Value::Word(method));
    span.set("http.route", Value::name(&route));
    // A request whose client goes away leaves a span that says so.
    span.fail("aborted");
    let response = span.within(next.run(request)).await;
    span.well();
    span.set("http.response.status_code", Value::Number(response.status().as_u16().into()));
    if response.status().is_server_error() {
        span.fail("server_error");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_milliseconds() {
        let of = Duration::from_micros;
        assert_eq!(timing(of(1), of(0), of(12_345)), "db;dur=0.001, render;dur=0.000, total;dur=12.345");
    }
}
