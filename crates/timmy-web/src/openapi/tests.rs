use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::routes::{Route, TABLE};

/// Routes outside `api` that programs call all the same.
const ALSO: [&str; 1] = ["/swarm/events/export"];

/// Whether programs call it: everything that is neither drawn for people nor a file of a page.
fn is_for_programs(route: &Route) -> bool {
    // `/mcp` describes itself, in a protocol of its own.
    let people = |handler: &str| ["pages::", "assets::", "mcp::"].iter().any(|place| handler.starts_with(place));
    let handlers = route.handlers.replace(' ', "");
    ALSO.contains(&route.path) || handlers.split(',').any(|handler| !people(handler))
}

fn read() -> Value {
    serde_json::from_str(text()).expect("the document is JSON")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let verbs = item.as_object().expect("an item");
            verbs.iter().map(move |(verb, operation)| (verb.to_uppercase(), path.clone(), operation.clone()))
        })
        .collect()
}

// shows: api: the OpenAPI document and the table of routes name the same calls
#[test]
fn every_route_for_programs_is_described_and_every_description_has_a_route() {
    let described: BTreeSet<String> =
        operations(&read()).into_iter().map(|(verb, path, _)| format!("{verb} {path}")).collect();
    let routed: BTreeSet<String> = TABLE
        .iter()
        .filter(|route| is_for_programs(route))
        .flat_map(|route| route.verbs.split(", ").map(|verb| format!("{verb} {}", route.path)))
        .collect();
    let missing: Vec<_> = routed.difference(&described).collect();
    let ghosts: Vec<_> = described.difference(&routed).collect();
    assert!(
        missing.is_empty(),
        "routes without a description: {missing:?}; add a line to crates/timmy-web/src/openapi/calls.rs, and its \
         answer to openapi/answers/"
    );
    assert!(ghosts.is_empty(), "descriptions without a route: {ghosts:?}; see crates/timmy-web/src/openapi/calls.rs");
    assert_eq!(operations(&read()).len(), calls::calls().len(), "no call is described twice");
}

#[test]
fn every_call_has_a_name_of_its_own_its_parameters_and_its_refusals() {
    let mut names = BTreeSet::new();
    for (verb, path, operation) in operations(&read()) {
        let what = format!("{verb} {path}");
        assert!(names.insert(operation["operationId"].as_str().expect("a name").to_owned()), "{what}");
        assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty() && !s.ends_with('.')), "{what}");
        let given: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let wanted: BTreeSet<&str> = path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(given, wanted, "{what}");
        let open = routes::door_of(&path) == routes::Door::Open;
        assert_eq!(operation["security"].as_array().expect("keys").is_empty(), open, "{what}");
        let answers = operation["responses"].as_object().expect("answers");
        assert!(answers.keys().any(|status| status.starts_with(['1', '2'])), "{what}");
        let standard: &[&str] = if open { &["403", "413", "422"] } else { &["401", "403", "413", "422", "503"] };
        for status in standard {
            assert!(answers.contains_key(*status), "{what} says nothing of {status}");
        }
        assert!(verb != "GET" || operation["requestBody"].is_null(), "{what} looks and takes no body");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_shape_is_used() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = read();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let place = reference.strip_prefix('#').expect("a place in this document");
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(found.contains(&reference) || name == "WrongMethod", "nothing uses {reference}");
        }
    }
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn whoever_has_the_document_is_not_sent_it_again() {
    let ask = |tags: Option<&str>| {
        let tags = tags.map(|tags| (header::IF_NONE_MATCH, HeaderValue::from_str(tags).expect("a header")));
        served(HeaderMap::from_iter(tags))
    };
    let first = ask(None).await;
    let tag = first.headers()[header::ETAG].to_str().expect("text").to_owned();
    assert_eq!(
        (first.status(), &first.headers()[header::CONTENT_TYPE]),
        (StatusCode::OK, &JSON.parse().expect("type"))
    );
    let body = axum::body::to_bytes(first.into_body(), usize::MAX).await.expect("a body");
    assert_eq!(body, text().as_bytes());
    // What compresses an answer weakens its tag.
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        assert_eq!(ask(Some(&known)).await.status(), StatusCode::NOT_MODIFIED, "{known}");
    }
    assert_eq!(ask(Some("\"other\"")).await.status(), StatusCode::OK);
}
