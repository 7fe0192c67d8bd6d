//! Refusals in the shape that OpenAI's clients read, with the house's hint beside it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use timmy_domain::Problem;
use timmy_domain::problem::Kind;

use crate::errors::{Refusal, retry_after};

/// A refusal of the gateway on its way out.
#[derive(Clone, Debug)]
pub struct Refused(pub Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.0)
    }
}

/// The class of error by which OpenAI's clients choose their exception.
const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthenticated => "authentication_error",
        Kind::Forbidden => "permission_error",
        Kind::TooMany => "rate_limit_error",
        Kind::Unavailable => "server_error",
        _ => "invalid_request_error",
    }
}

/// The body of a refusal.
#[must_use]
pub fn body(problem: &Problem) -> Value {
    json!({"error": {
        "message": format!("{} {}", problem.message, problem.hint),
        "type": class(problem.kind),
        "param": null,
        "code": problem.code,
        "hint": problem.hint,
    }})
}

/// No model answered, which is told as such whatever the last reason was; what the caller can mend stays as it is.
#[must_use]
pub fn no_model(problem: Problem) -> Problem {
    if problem.kind != Kind::Unavailable || problem.code == "stopping" {
        return problem;
    }
    Problem { code: "no_model", ..problem }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let problem = self.0;
        let status = StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let mut response = (status, Json(body(&problem))).into_response();
        retry_after(&problem, &mut response);
        response
    }
}
