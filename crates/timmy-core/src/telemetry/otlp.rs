//! Spans as OTLP writes them in JSON (OpenTelemetry protocol 1.x, "JSON Protobuf Encoding"): ids in hexadecimal,
//! 64-bit numbers as text, kinds and states as numbers.

use serde_json::{Value as Json, json};
use timmy_domain::Timestamp;

use super::{Span, Value};
use crate::chance::hex;

/// State code of a span that failed (`STATUS_CODE_ERROR`).
const FAILED: u8 = 2;
/// State code of a span nothing is said about (`STATUS_CODE_UNSET`).
const UNSET: u8 = 0;

/// One request for a collector.
#[must_use]
pub fn request(spans: &[Span], instance: &str) -> Json {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [
        attribute("service.name", &Value::Word("timmy")),
        attribute("service.version", &Value::Word(version)),
        attribute("service.instance.id", &Value::name(instance)),
    ];
    json!({
        "resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{
                "scope": {"name": "timmy", "version": version},
                "spans": spans.iter().map(span).collect::<Vec<_>>(),
            }],
        }],
    })
}

fn span(span: &Span) -> Json {
    let mut attributes: Vec<Json> = span.values.iter().map(|(key, value)| attribute(key, value)).collect();
    if let Some(why) = span.failed {
        attributes.push(attribute("error.type", &Value::Word(why)));
    }
    let mut json = json!({
        "traceId": hex(&span.context.trace),
        "spanId": hex(&span.context.span),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanos(span.began),
        "endTimeUnixNano": nanos(span.ended),
        "attributes": attributes,
        "status": {"code": if span.failed.is_some() { FAILED } else { UNSET }},
    });
    if let Some(parent) = span.parent {
        json["parentSpanId"] = hex(&parent).into();
    }
    json
}

fn nanos(at: Timestamp) -> String {
    (i128::from(at.micros().max(0)) * 1_000).to_string()
}

fn attribute(key: &str, value: &Value) -> Json {
    let value = match value {
        Value::Word(word) => json!({"stringValue": word}),
        Value::Name(name) => json!({"stringValue": name}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
    };
    json!({"key": key, "value": value})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Context, Kind};

    #[test]
    fn a_span_is_written_as_the_protocol_wants_it() {
        let began = Timestamp::from_micros(1_700_000_000_000_001);
        let spans = [Span {
            context: Context { trace: [0xab; 16], span: [1; 8] },
            parent: Some([2; 8]),
            name: "GET /talk".to_owned(),
            kind: Kind::Server,
            began,
            ended: began.plus(std::time::Duration::from_micros(5)),
            values: vec![("http.response.status_code", Value::Number(200)), ("http.route", Value::Word("/talk"))],
            failed: Some("timeout"),
        }];
        let json = request(&spans, "run-1");
        let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "ab".repeat(16));
        assert_eq!((&span["spanId"], &span["parentSpanId"]), (&json!("01".repeat(8)), &json!("02".repeat(8))));
        assert_eq!(span["startTimeUnixNano"], "1700000000000001000");
        assert_eq!(span["endTimeUnixNano"], "1700000000000006000");
        assert_eq!((&span["kind"], &span["status"]["code"]), (&json!(2), &json!(2)));
        let status = json!({"key": "http.response.status_code", "value": {"intValue": "200"}});
        assert_eq!(span["attributes"][0], status);
        assert_eq!(span["attributes"][2], json!({"key": "error.type", "value": {"stringValue": "timeout"}}));
        let service = json!({"key": "service.name", "value": {"stringValue": "timmy"}});
        assert_eq!(json["resourceSpans"][0]["resource"]["attributes"][0], service);
    }
}
