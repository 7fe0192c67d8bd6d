//! The door in front of every route: host, origin, size, key, scope and form are looked at here. `live.rs`
//! alone adds that the socket of a browser must name its origin.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, StreamExt};
use timmy_core::trust::access::Scope;
use timmy_domain::Problem;
use timmy_domain::problem::Kind;
use timmy_domain::text::{cut, one_line};
use tokio::time::{Instant, timeout_at};

use crate::ask::{self, BODY_BYTES_MAX, Encoding};
use crate::auth::{self, Shape, Via, Visit, Who};
use crate::did;
use crate::errors::{self, Broken, Refusal, Style};
use crate::guard::{self, Origin};
use crate::lasting;
use crate::measure;
use crate::routes::{self, Door};
use crate::web::Web;

/// Bytes of a refused body that are read away, so that the client hears the refusal instead of a broken connection.
const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long that may take, in seconds.
const DRAIN_SECONDS: u64 = 5;
/// How long a body may take to arrive, in seconds.
const BODY_SECONDS_MAX: u64 = 30;
/// Bytes of a body where the door is open for everybody: a login form with the longest password and way back.
const STRANGER_BODY_BYTES_MAX: usize = 16 * 1024;
/// Characters of a panic's message that are kept.
const PANIC_CHARS_MAX: usize = 300;

/// The address at which a connection arrived.
#[derive(Clone, Copy, Debug)]
pub struct Reached(pub IpAddr);

/// The door.
pub async fn door(web: &Web, request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let style = Style::of(request.uri().path(), request.headers());
    let look = auth::look(request.headers());
    let method = request.method().clone();
    let (visit, response) = match admit(web, request).await {
        Ok((visit, request)) => {
            let answering = measure::traced(web, visit.as_ref(), request, next);
            let answered = AssertUnwindSafe(answering).catch_unwind().await;
            let response = match answered {
                Ok(response) => response,
                Err(panic) => {
                    let what = words(panic.as_ref());
                    broken(web, method.as_str(), &path, what).await
                }
            };
            let response = match &visit {
                Some(visit) => lasting::watched(web, &visit.who.principal, response),
                None => response,
            };
            (visit, response)
        }
        Err(Refusal(problem)) => {
            if problem.kind == Kind::Unauthenticated && style == Style::Page {
                return to_login(&path, guard::is_unsafe(&method));
            }
            (None, Refusal(problem).into_response())
        }
    };
    let mut response = match style {
        Style::Json => response,
        Style::Page => did::forget(visit.as_ref(), errors::draw(web, visit.as_ref(), look, response).await),
    };
    measure::came(&mut response, visit.as_ref());
    response
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    cut(&one_line(said.unwrap_or("a panic without words")), PANIC_CHARS_MAX)
}

/// A handler panicked: told once, and the process goes on.
async fn broken(web: &Web, method: &str, path: &str, what: String) -> Response {
    // Without the query, which may hold words of the owner.
    let route = path.split('?').next().unwrap_or_default();
    let message = format!("{method} {} panicked: {what}", cut(&one_line(route), 120));
    web.app.ctx.capture("web", &message, "answers this request with a fault page and goes on").await;
    Broken(what).into_response()
}

/// To the login page and, after it, back to where somebody wanted to go.
fn to_login(path: &str, acts: bool) -> Response {
    let back = guard::local_path(path).filter(|p| !acts && *p != "/");
    let to = back.map_or_else(|| "/login".to_owned(), |p| format!("/login?next={}", encoded(p)));
    let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/login"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// `text` as one value of a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Lets a request in, with who it is of, or says why not. What a refused request still sends is read away.
async fn admit(web: &Web, request: Request) -> Result<(Option<Visit>, Request), Refusal> {
    let (parts, body) = request.into_parts();
    let body = body.into_data_stream();
    let (who, origin) = match known(web, &parts).await {
        Ok(known) => known,
        Err(problem) => {
            // A client that waits to be told to go on has sent nothing.
            if !parts.headers.contains_key(header::EXPECT) {
                drain(body);
            }
            return Err(problem.into());
        }
    };
    // Read as a whole here: a handler that has no use for a body would otherwise leave it on the connection.
    let mut request = axum::http::Request::from_parts(parts, gathered(body, body_bytes_max(who.is_some())).await?);
    let Some(who) = who else { return Ok((None, request.map(Body::from))) };
    let acts = guard::is_unsafe(request.method());
    if who.via == Via::Cookie && acts {
        meant(&request, &who, origin)?;
    }
    let visit = visit(&request, who);
    if visit.who.via == Via::Cookie && (acts || !visit.script) {
        web.app.thinking.owner_was_here();
    }
    request.extensions_mut().insert(visit.clone());
    Ok((Some(visit), request.map(Body::from)))
}

/// Who a request is of, and where it comes from; nobody where the door is open.
async fn known(web: &Web, request: &Parts) -> Result<(Option<Who>, Origin), Problem> {
    let headers = &request.headers;
    let host = guard::host_of(headers, &request.uri)?;
    let reached = request.extensions.get::<Reached>().map(|r| r.0);
    if !web.hosts.allow(host, reached) {
        return Err(guard::forbidden_host());
    }
    let origin = guard::origin(headers, host);
    let acts = guard::is_unsafe(&request.method);
    if origin == Origin::Foreign && (acts || headers.contains_key(header::UPGRADE)) {
        return Err(guard::forbidden_origin());
    }
    let door = request.extensions.get::<MatchedPath>().map_or(Door::Owner, |path| routes::door_of(path.as_str()));
    let bytes_max = body_bytes_max(door != Door::Open);
    if declared_bytes(headers).is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(ask::too_large(bytes_max));
    }
    if door == Door::Open {
        return Ok((None, origin));
    }
    let who = auth::who(web, headers).await?;
    let needed = match (door, acts) {
        (Door::Admin, _) => Scope::Admin,
        (Door::Reader, _) => Scope::Read,
        (Door::Models, true) => Scope::Models,
        (_, true) => Scope::Operate,
        (_, false) => Scope::Read,
    };
    if !may(who.principal.scope, door, needed) {
        return Err(forbidden_scope(needed));
    }
    Ok((Some(who), origin))
}

/// Whether somebody with `scope` comes through `door`, where `needed` is asked for.
fn may(scope: Scope, door: Door, needed: Scope) -> bool {
    // Whoever may ask the models may see which there are.
    scope.covers(needed) || (door == Door::Models && scope == Scope::Models)
}

/// Bytes a body may hold. A stranger has nothing long to say: many connections at once must not fill the memory.
fn body_bytes_max(known: bool) -> usize {
    if known { BODY_BYTES_MAX } else { STRANGER_BODY_BYTES_MAX }
}

/// The whole body, within its bounds.
async fn gathered(mut body: BodyDataStream, bytes_max: usize) -> Result<Bytes, Refusal> {
    let broken_off = || Problem::invalid("broken_off", "The body broke off, or came too slowly.", "Send it again.");
    let until = Instant::now() + Duration::from_secs(BODY_SECONDS_MAX);
    let mut whole = Vec::new();
    while let Some(more) = timeout_at(until, body.next()).await.map_err(|_| broken_off())? {
        let more = more.map_err(|_| broken_off())?;
        if whole.len() + more.len() > bytes_max {
            drain(body);
            return Err(ask::too_large(bytes_max).into());
        }
        whole.extend_from_slice(&more);
    }
    Ok(whole.into())
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn forbidden_scope(needed: Scope) -> Problem {
    Problem::new(
        Kind::Forbidden,
        "forbidden_scope",
        format!("This needs the scope {}, which the token does not have.", needed.name()),
        "Make a token with `timmy token create --scope`.",
    )
}

fn visit(request: &axum::http::Request<Bytes>, who: Who) -> Visit {
    let headers = request.headers();
    let (theme, density) = auth::look(headers);
    let route = request.extensions().get::<MatchedPath>().map_or("", |path| path.as_str());
    let page = headers.get("hx-current-url").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    Visit {
        who,
        theme,
        density,
        device: auth::device(headers),
        shape: Shape::of(route, request.uri().path(), headers),
        path: request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned(),
        script: headers.get("hx-request").is_some_and(|v| v == "true"),
        page,
    }
}

/// Whether a browser's act was meant, by the session's word in the header or in the form.
fn meant(request: &axum::http::Request<Bytes>, who: &Who, origin: Origin) -> Result<(), Problem> {
    let encoding = Encoding::of(request.headers());
    let form = matches!(encoding, Encoding::Form | Encoding::Other);
    let mut shown = request.headers().get("x-csrf-token").and_then(|v| v.to_str().ok()).map(str::to_owned);
    if shown.is_none() && encoding == Encoding::Form {
        // The word is made of hexadecimal digits, so no form writes it in another way.
        let word = request.body().split(|b| *b == b'&').find_map(|pair| pair.strip_prefix(b"csrf="));
        shown = word.map(|word| String::from_utf8_lossy(word).into_owned());
    }
    guard::meant(form, origin, shown.as_deref(), who.principal.csrf.as_deref().unwrap_or_default())
}

/// Reads a refused body away in the background, within its bounds.
fn drain(mut body: BodyDataStream) {
    tokio::spawn(tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS), async move {
        let mut bytes = 0;
        while let Some(Ok(more)) = body.next().await {
            bytes += more.len();
            if bytes > DRAIN_BYTES_MAX {
                return;
            }
        }
    }));
}

#[cfg(test)]
mod tests;
