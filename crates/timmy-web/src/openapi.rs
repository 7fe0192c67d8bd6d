//! The JSON interface described for programs, as OpenAPI 3.1.
//!
//! `openapi/calls.rs` has a line for every call; shapes of bodies come from the structs that read them, shapes of
//! answers stand in `openapi/answers.rs`. Tests compare both with the table of routes and with what is really answered.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Header, InfoBuilder, OpenApiBuilder, PathItem, PathsBuilder, Ref,
    ResponseBuilder, Server,
};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::SESSION_COOKIE;
use crate::routes;

#[expect(dead_code, reason = "shapes are only described here; what has them is made where the things live")]
mod answers;
mod call;
mod calls;
mod words;

use answers::Refused;
use call::{JSON, REFUSALS, Shapes};

/// What the document says about all calls.
const ABOUT: &str = "Everything Timmy's pages can do, for programs.\n\n\
    Bodies are JSON, or forms with the same fields; a body holds at most 1 MiB. A list is `{\"items\":[…],\"next\"}`, \
    newest first unless it says otherwise, and `limit` is at most 1,000. An empty field of a query counts as absent. \
    A refusal is `{\"error\":{\"code\",\"message\",\"hint\"}}`; 503 means that no model answers or that the disk cannot be written, \
    and no input is answered with another 5xx. Times are UTC. Fields may be added; unknown ones are to be ignored.";

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut document = serde_json::to_value(document()).unwrap_or_default();
    allow_empty(&mut document);
    format!("{document:#}\n")
});

static TAG: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(TEXT.as_bytes());
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
});

/// Says of each field of a query that it may be empty, as an empty field of a form is; utoipa has no word for that.
fn allow_empty(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = paths.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut());
    let parameters = operations.filter_map(|operation| operation.get_mut("parameters")?.as_array_mut()).flatten();
    for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
        parameter["allowEmptyValue"] = true.into();
    }
}

/// The document, as it is served and as it stands in `docs/openapi.json`.
#[must_use]
pub fn text() -> &'static str {
    &TEXT
}

fn document() -> utoipa::openapi::OpenApi {
    let mut shapes = Shapes::new();
    words::all(&mut shapes);
    shapes.insert(Refused::name().into_owned(), Refused::schema());
    let mut parts = Vec::new();
    Refused::schemas(&mut parts);
    shapes.extend(parts);
    let mut paths = PathsBuilder::new().build();
    for call in calls::calls() {
        let path = call.path;
        let (method, operation) = call.build(routes::door_of(path), &mut shapes);
        match paths.paths.get_mut(path) {
            Some(item) => item.merge_operations(PathItem::new(method, operation)),
            None => {
                paths.paths.insert(path.to_owned(), PathItem::new(method, operation));
            }
        }
    }
    let about = InfoBuilder::new().title("Timmy").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    OpenApiBuilder::new()
        .info(about.build())
        .servers(Some([Server::new("/")]))
        .paths(paths)
        .components(Some(components(shapes)))
        .build()
}

fn components(shapes: Shapes) -> utoipa::openapi::Components {
    let mut components = ComponentsBuilder::new().schemas_from_iter(shapes);
    for (status, name, what) in REFUSALS {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Refused::name()))).build();
        let mut response = ResponseBuilder::new().description(what).content(JSON, content);
        if status == 401 {
            response = response.header("WWW-Authenticate", Header::new(words::text("^Bearer$")));
        }
        if matches!(status, 429 | 503) {
            response = response.header("Retry-After", Header::new(words::number(0, None)));
        }
        components = components.response(name, response);
    }
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "A token of `timmy token create`, with the scope that the call names: `read` is part of `operate`, and both of \
         `admin`.",
    ));
    let session = ApiKeyValue::with_description(
        SESSION_COOKIE,
        "The session of a browser. Acts also need `Origin`, or the session's word in `X-CSRF-Token` or in the form.",
    );
    components
        .security_scheme("token", SecurityScheme::Http(token.build()))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .build()
}

/// `GET /openapi.json`: the document, or 304 to whoever has it.
pub async fn served(headers: HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let tag = HeaderValue::from_static(&TAG);
    if known.is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == *TAG)) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(JSON)),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    (headers, text()).into_response()
}

#[cfg(test)]
mod tests;
