//! Refusals and faults: one shape for programs, one page for people.

use askama::Template;
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use timmy_domain::Problem;
use timmy_domain::problem::Kind;
use timmy_store::StoreError;
use tokio::time::Instant;

use crate::auth::{Shape, Visit};
use crate::look::failure::{BareFailurePage, Failure, FailurePage};
use crate::look::markdown::{self, Twin};
use crate::look::{Density, Theme};
use crate::measure::Rendered;
use crate::pages;
use crate::sheet::Sheet;
use crate::web::Web;

/// Headers a page leaves with, and some more.
const PAGE_HEADERS_MAX: usize = 24;

/// A refusal on its way out. It leaves as JSON; the door draws it as a page for a browser.
#[derive(Clone, Debug)]
pub struct Refusal(pub Problem);

/// What a handler gives.
pub type Answer = Result<Response, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self(error.problem())
    }
}

/// A fault of the house on its way out: a handler that panicked.
#[derive(Clone, Debug)]
pub struct Broken(pub String);

fn json(status: StatusCode, code: &str, message: &str, hint: &str) -> Response {
    let body = serde_json::json!({"error": {"code": code, "message": message, "hint": hint}});
    (status, Json(body)).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = self.0;
        let status = StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let mut response = json(status, problem.code, &problem.message, &problem.hint);
        if problem.kind == Kind::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        retry_after(&problem, &mut response);
        response.extensions_mut().insert(problem);
        response
    }
}

/// Says in the header when it is worth trying again, when that is known.
pub fn retry_after(problem: &Problem, response: &mut Response) {
    if let Some(seconds) = problem.retry_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
}

impl IntoResponse for Broken {
    fn into_response(self) -> Response {
        let hint = "Everything else goes on. The fault is recorded in the event log.";
        let mut response = json(StatusCode::INTERNAL_SERVER_ERROR, "fault", "Timmy made a mistake here.", hint);
        response.extensions_mut().insert(self);
        response
    }
}

/// No such page or thing.
#[must_use]
pub fn unknown_route() -> Problem {
    Problem::unknown(
        "unknown_route",
        "No page and no call has this address.",
        "Choose a page from the navigation; programs find every call in /openapi.json.",
    )
}

/// The answer to an address that leads nowhere.
pub async fn not_found() -> Refusal {
    Refusal(unknown_route())
}

/// The answer to a verb that an address does not know.
pub async fn wrong_method() -> Response {
    let problem = Problem::new(
        Kind::Unknown,
        "wrong_method",
        "This address does not know that verb.",
        "/openapi.json lists every call with its verbs.",
    );
    let mut response = Refusal(problem).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// In which form a request wants its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For programs and for scripts of the pages.
    Json,
    /// For people.
    Page,
}

impl Style {
    /// The style for a request to `path` with `headers`.
    #[must_use]
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        let accepts = |kind: &str| {
            let lines = headers.get_all(header::ACCEPT).iter();
            lines.filter_map(|line| line.to_str().ok()).any(|line| line.contains(kind))
        };
        let program = path.starts_with("/api/")
            || path.starts_with("/thinking/api")
            || headers.contains_key(header::AUTHORIZATION)
            || headers.contains_key("hx-request");
        if program || !accepts("text/html") { Self::Json } else { Self::Page }
    }
}

/// A page from its template.
///
/// # Errors
/// When the template cannot be drawn.
pub fn page(template: &impl Template) -> Answer {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
///
/// # Errors
/// When the template cannot be drawn.
pub fn page_with(status: StatusCode, template: &impl Template) -> Answer {
    let began = Instant::now();
    let mut sheet = Sheet::take();
    template.render_into(sheet.text()).map_err(|error| {
        Problem::unavailable("page_failed", format!("The page could not be drawn: {error}."), "Load it again.")
    })?;
    let mut response = (status, Html(sheet.into_bytes())).into_response();
    // Room for all that is added on the way out, at once: growing in steps moved the headers three times.
    response.headers_mut().reserve(PAGE_HEADERS_MAX);
    response.extensions_mut().insert(Rendered(began.elapsed()));
    Ok(response)
}

/// A page with a Markdown twin, as what was asked for.
///
/// # Errors
/// When the template cannot be drawn.
pub fn show(visit: &Visit, view: &(impl Template + Twin)) -> Answer {
    show_with(StatusCode::OK, visit, view)
}

/// A page with a Markdown twin and another status.
///
/// # Errors
/// When the template cannot be drawn.
pub fn show_with(status: StatusCode, visit: &Visit, view: &(impl Template + Twin)) -> Answer {
    let mut response = match visit.shape {
        Shape::Page => page_with(status, view)?,
        Shape::Markdown => {
            let kind = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
            (status, kind, markdown::twin(view)).into_response()
        }
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    Ok(response)
}

/// Draws a refusal or fault as a page. `visit` is there when somebody came in.
pub async fn draw(web: &Web, visit: Option<&Visit>, look: (Theme, Density), response: Response) -> Response {
    let clock = web.clock();
    let at = clock.second(clock.now);
    let failure = if let Some(problem) = response.extensions().get::<Problem>() {
        Failure { status: response.status().as_u16(), ..Failure::of(problem, at) }
    } else if let Some(Broken(what)) = response.extensions().get::<Broken>() {
        Failure::fault(what.clone(), None, at)
    } else {
        return response;
    };
    let status = response.status();
    let shell = match visit {
        Some(visit) => pages::shell_alone(web, visit, &failure.state.word).await.ok(),
        None => None,
    };
    let drawn = match shell {
        Some(shell) => page_with(status, &FailurePage { shell, failure }),
        None => page_with(status, &BareFailurePage { theme: look.0, density: look.1, failure }),
    };
    match drawn {
        Ok(mut page) => {
            if let Some(problem) = response.extensions().get::<Problem>() {
                retry_after(problem, &mut page);
            }
            page
        }
        Err(_) => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn every_kind_of_refusal_has_its_status_and_shape() {
        let kinds = [
            (Kind::Invalid, 422),
            (Kind::Unauthenticated, 401),
            (Kind::Forbidden, 403),
            (Kind::Unknown, 404),
            (Kind::Conflict, 409),
            (Kind::TooLarge, 413),
            (Kind::TooMany, 429),
            (Kind::Unavailable, 503),
        ];
        for (kind, status) in kinds {
            let response = Refusal(Problem::new(kind, "code", "What.", "How.")).into_response();
            assert_eq!(response.status().as_u16(), status);
            assert!(response.extensions().get::<Problem>().is_some());
        }
    }

    #[test]
    fn programs_and_scripts_get_json_and_browsers_get_pages() {
        let of = |path: &str, pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
            Style::of(path, &HeaderMap::from_iter(headers))
        };
        let browser = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        assert_eq!(of("/talk", &[browser]), Style::Page);
        assert_eq!(of("/nowhere", &[browser]), Style::Page);
        assert_eq!(of("/talk", &[browser, ("hx-request", "true")]), Style::Json);
        assert_eq!(of("/talk", &[browser, ("authorization", "Bearer x")]), Style::Json);
        assert_eq!(of("/talk", &[("accept", "*/*")]), Style::Json);
        assert_eq!(of("/talk", &[]), Style::Json);
        assert_eq!(of("/api/status", &[browser]), Style::Json);
        assert_eq!(of("/thinking/api", &[browser]), Style::Json);
    }
}
