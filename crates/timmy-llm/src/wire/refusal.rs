//! What a server means when it refuses: status, headers and words become one typed reason.

use std::time::Duration;

use serde_json::Value;
use timmy_domain::Secret;
use timmy_domain::text::{cut, one_line};

use super::date;
use crate::failure::Failure;

/// Characters of a server's words, of a shape that is not known, in which a reason is looked for.
const PLAIN_CHARS_MAX: usize = 1_000;
/// Characters of a server's words that are kept.
const DETAIL_CHARS_MAX: usize = 300;
/// The longest wait a server may ask for, in seconds.
const RETRY_AFTER_SECONDS_MAX: f64 = 86_400.0;

/// Words that mean a request is too long: OpenAI's code, llama.cpp's type, and how servers put it.
const TOO_LONG: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size",
    "context length",
    "context size",
    "context window",
    "prompt is too long",
];
/// Words that mean the content is refused: OpenAI's and Azure's, OpenRouter's, xAI's.
const REFUSED: &[&str] = &[
    "content_filter",
    "content_policy",
    "content management policy",
    "requires moderation",
    "input was flagged",
    "violates usage guidelines",
    "safety_check",
];
/// Words that mean the account has no credit.
const NO_CREDIT: &[&str] = &[
    "insufficient_quota",
    "insufficient credit",
    "credit balance",
    "billing_error",
    "billing_hard_limit",
    "usage limits",
    "spending limit",
];
/// Kinds of refusal that come inside of an answer, where no status says more.
const BUSY: &[&str] = &["overloaded_error", "rate_limit_error", "rate_limit_exceeded"];
const NO_ENTRY: &[&str] = &["authentication_error", "permission_error", "invalid_api_key"];

/// What a server said when it refused.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// The HTTP status; 200 when the refusal came inside an answer.
    pub status: u16,
    /// When to ask again, from the headers.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: &'a [u8],
}

impl Refusal<'_> {
    /// The reason. `key` is taken out of the words, should a server repeat it.
    #[must_use]
    pub fn failure(&self, key: &Secret) -> Failure {
        let text = String::from_utf8_lossy(self.body);
        let parsed: Option<Value> = serde_json::from_str(&text).ok();
        let said = said(parsed.as_ref(), &text);
        let means = |words: &[&str]| words.iter().any(|w| said.contains(w));
        let detail = detail(parsed.as_ref(), key);
        let status = if self.status == 200 { status_within(parsed.as_ref()).unwrap_or(200) } else { self.status };
        match status {
            // A proxy says so with the same status with which others refuse the key.
            403 if means(REFUSED) => Failure::ContentPolicy,
            401 | 403 => Failure::Auth,
            _ if status == 402 || means(NO_CREDIT) => Failure::Billing { until: date::first_in(&detail) },
            // 529 is how Anthropic says that it is overloaded.
            429 | 529 => Failure::RateLimited { retry_after: self.retry_after },
            _ if means(TOO_LONG) => Failure::ContextLength,
            _ if means(REFUSED) => Failure::ContentPolicy,
            _ if means(&["does not support tools"]) => {
                Failure::Unsupported { what: "this model calls no tools".to_owned() }
            }
            200 if is_kind(parsed.as_ref(), BUSY) => Failure::RateLimited { retry_after: self.retry_after },
            200 if is_kind(parsed.as_ref(), NO_ENTRY) => Failure::Auth,
            200 | 500..=599 if !detail.is_empty() => Failure::ServerFault { detail },
            200 => Failure::ServerFault { detail: "it did not say why".to_owned() },
            500..=599 => Failure::ServerError { status },
            status => Failure::BadRequest { status, detail },
        }
    }
}

/// The status that a refusal inside of an answer names as its code, as OpenRouter does.
fn status_within(body: Option<&Value>) -> Option<u16> {
    let code = body?.pointer("/error/code")?.as_u64()?;
    u16::try_from(code).ok().filter(|code| (400..=599).contains(code))
}

/// The server's own names and words for its refusal, in small letters. What else a body holds may be what was asked,
/// said back. One of another shape is looked at as it is.
fn said(body: Option<&Value>, text: &str) -> String {
    let Some(Value::Object(_)) = body else { return cut(text, PLAIN_CHARS_MAX).to_ascii_lowercase() };
    let places = ["/error/type", "/error/code", "/error/message", "/error", "/code", "/type", "/message", "/detail"];
    let words = places.into_iter().filter_map(|at| body?.pointer(at)?.as_str());
    words.collect::<Vec<_>>().join("\n").to_ascii_lowercase()
}

/// Whether the server calls its refusal one of `kinds`, as `error.type` or `error.code`.
fn is_kind(body: Option<&Value>, kinds: &[&str]) -> bool {
    let named = |at| body.and_then(|b| b.pointer(at)).and_then(Value::as_str);
    ["/error/type", "/error/code"].into_iter().filter_map(named).any(|kind| kinds.contains(&kind))
}

/// The server's own words: `error.message`, `error`, `message` or `detail`, as servers of both formats put them.
fn detail(body: Option<&Value>, key: &Secret) -> String {
    let Some(body) = body else { return String::new() };
    let places = [body.pointer("/error/message"), body.get("error"), body.get("message"), body.get("detail")];
    let words = places.into_iter().flatten().find_map(Value::as_str).unwrap_or_default();
    let words = if key.is_empty() { words.to_owned() } else { words.replace(key.expose(), "•••") };
    cut(&one_line(&words), DETAIL_CHARS_MAX)
}

/// `retry-after-ms`, else `Retry-After` in seconds or as a date, which is measured by the server's own clock.
#[must_use]
pub fn retry_after(header: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let number = |name: &str| header(name)?.trim().parse::<f64>().ok();
    let date = |name: &str| date::http(&header(name)?);
    let until = || Some(date("retry-after")?.since(date("date")?).as_secs_f64());
    let seconds = number("retry-after-ms").map(|ms| ms / 1_000.0).or_else(|| number("retry-after")).or_else(until)?;
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(RETRY_AFTER_SECONDS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use timmy_domain::Timestamp;

    #[test]
    fn each_refusal_has_its_reason() {
        let key = Secret::new("sk-123".to_owned());
        let fault = |detail: &str| Failure::ServerFault { detail: detail.to_owned() };
        let bad = |status, detail: &str| Failure::BadRequest { status, detail: detail.to_owned() };
        let rows = [
            (401, r#"{"error":{"message":"bad key sk-123"}}"#, Failure::Auth),
            (403, "", Failure::Auth),
            (
                403,
                r#"{"error":{"code":403,"message":"m requires moderation on OpenAI. Your input was flagged for \"x\".","metadata":{"reasons":["x"]}}}"#,
                Failure::ContentPolicy,
            ),
            (
                403,
                r#"{"code":"The caller does not have permission","error":"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X"}"#,
                Failure::ContentPolicy,
            ),
            (403, r#"{"error":{"message":"no access","metadata":{"input":"content_filter"}}}"#, Failure::Auth),
            (400, r#"{"error":{"message":"no","input":"insufficient_quota until 2026-12-01"}}"#, bad(400, "no")),
            (422, r#"{"detail":[{"msg":"too long","input":"my credit balance and usage limits"}]}"#, bad(422, "")),
            (400, "insufficient_quota", Failure::Billing { until: None }),
            (200, r#"{"error":{"code":402,"message":"no"}}"#, Failure::Billing { until: None }),
            (200, r#"{"error":{"code":403,"message":"Your input was flagged"}}"#, Failure::ContentPolicy),
            (200, r#"{"error":{"code":429,"message":"slow down"}}"#, Failure::RateLimited { retry_after: None }),
            (200, r#"{"error":{"code":502,"message":"upstream failed"}}"#, fault("upstream failed")),
            (402, "", Failure::Billing { until: None }),
            (429, r#"{"error":{"code":"insufficient_quota"}}"#, Failure::Billing { until: None }),
            (429, "", Failure::RateLimited { retry_after: None }),
            (400, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#, Failure::ContextLength),
            (400, r#"{"error":{"type":"exceed_context_size_error"}}"#, Failure::ContextLength),
            (400, r#"{"error":{"code":"content_filter"}}"#, Failure::ContentPolicy),
            (
                400,
                r#"{"error":"m does not support tools"}"#,
                Failure::Unsupported { what: "this model calls no tools".into() },
            ),
            (400, r#"{"error":{"message":"no\nsense sk-123"}}"#, bad(400, "no sense •••")),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#,
                Failure::Billing { until: Timestamp::parse("2026-12-01T00:00:00Z").ok() },
            ),
            (529, r#"{"error":{"type":"overloaded_error"}}"#, Failure::RateLimited { retry_after: None }),
            (200, r#"{"error":{"type":"overloaded_error"}}"#, Failure::RateLimited { retry_after: None }),
            (200, r#"{"error":{"type":"authentication_error"}}"#, Failure::Auth),
            (301, "<html>", bad(301, "")),
            (500, "<html>", Failure::ServerError { status: 500 }),
            (500, r#"{"error":"requires more system memory"}"#, fault("requires more system memory")),
            (200, r#"{"error":{"message":"the model crashed"}}"#, fault("the model crashed")),
        ];
        for (status, body, expected) in rows {
            let refusal = Refusal { status, retry_after: None, body: body.as_bytes() };
            assert_eq!(refusal.failure(&key), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_wait_is_read_in_seconds_or_milliseconds_and_bounded() {
        let of = |name: &'static str, value: &'static str| retry_after(|n| (n == name).then(|| value.to_owned()));
        assert_eq!(of("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(of("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(of("retry-after", "1e99"), Some(Duration::from_secs(86_400)));
        let dated = |n: &str| match n {
            "date" => Some("Wed, 21 Oct 2026 07:28:00 GMT".to_owned()),
            "retry-after" => Some("Wed, 21 Oct 2026 07:28:09 GMT".to_owned()),
            _ => None,
        };
        assert_eq!(retry_after(dated), Some(Duration::from_secs(9)));
        for refused in ["-1", "NaN", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(of("retry-after", refused), None, "{refused}");
        }
    }
}
