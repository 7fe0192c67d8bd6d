//! What a call brings along: fields, queries, names in the address. What does not fit is refused in one shape.

use std::fmt;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::{Form, RequestExt};
use serde::de::{DeserializeOwned, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use timmy_domain::problem::Kind;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Problem, Seq};

use crate::auth::{Shape, Visit};
use crate::errors::Refusal;

/// Bytes a body may hold.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Things any list may return.
pub const LIMIT_MAX: usize = 1_000;
/// Characters of a parser's complaint that are passed on.
const COMPLAINT_CHARS_MAX: usize = 200;

/// The refusal of a body that is over its bound.
#[must_use]
pub fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Kind::TooLarge, "too_large", format!("The body is over {bytes_max} bytes."), "Send less at once.")
}

fn unreadable(why: &str, hint: &str) -> Refusal {
    let why = cut(&one_line(why), COMPLAINT_CHARS_MAX);
    Problem::invalid("unreadable", format!("The request cannot be read: {}.", why.trim_end_matches('.')), hint).into()
}

/// The whole body, within its bound.
///
/// # Errors
/// When it is longer, or breaks off.
pub async fn body(request: Request) -> Result<Bytes, Refusal> {
    request.extract::<Bytes, _>().await.map_err(|rejected| {
        if rejected.status() == 413 {
            too_large(BODY_BYTES_MAX).into()
        } else {
            unreadable("the body broke off", "Send it again.")
        }
    })
}

/// What kind of body it is, by its `Content-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON.
    Json,
    /// A form.
    Form,
    /// Not said.
    Unsaid,
    /// Something else.
    Other,
}

impl Encoding {
    /// The encoding a request declares.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(said) = headers.get(header::CONTENT_TYPE) else { return Self::Unsaid };
        let kind = said.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            "application/json" => Self::Json,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// The fields of a body, as JSON or as a form. No body at all is one without fields.
pub struct Fields<T>(pub T);

impl<T: DeserializeOwned + 'static, S: Send + Sync> FromRequest<S> for Fields<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, inner) = request.into_parts();
        let encoding = Encoding::of(&parts.headers);
        let form = (encoding == Encoding::Form).then(|| parts.clone());
        let bytes = body(Request::from_parts(parts, inner)).await?;
        let hint = "/openapi.json describes every call with its fields.";
        match (encoding, form) {
            _ if bytes.is_empty() => serde_json::from_str("{}").map(Self).map_err(|e| unreadable(&e.to_string(), hint)),
            // Fields have names; a list of values in the order of the fields would be understood too.
            (Encoding::Json, _) if bytes.trim_ascii_start().first() != Some(&b'{') => {
                Err(unreadable("its body is no object with fields", hint))
            }
            (Encoding::Json, _) => {
                serde_json::from_slice(&bytes).map(Self).map_err(|e| unreadable(&e.to_string(), hint))
            }
            (_, Some(parts)) => {
                let form = Request::from_parts(parts, bytes.into()).extract::<Form<T>, _>().await;
                form.map(|Form(fields)| Self(fields)).map_err(|e| unreadable(&e.body_text(), hint))
            }
            _ => Err(unreadable(
                "its Content-Type is neither JSON nor a form",
                "Send it with Content-Type: application/json.",
            )),
        }
    }
}

/// The query of an address.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(asked)| Self(asked))
            .map_err(|e| unreadable(&e.body_text(), "Correct the part after the question mark."))
    }
}

/// The one name in an address.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        // The address of a Markdown twin ends like a file; the name is what stands before.
        let twin = parts.extensions.get::<Visit>().is_some_and(|visit| visit.shape == Shape::Markdown);
        let plain = |name: String| match name.strip_suffix(".md") {
            Some(plain) if twin => plain.to_owned(),
            _ => name,
        };
        path.map(|Path(name)| Self(plain(name))).map_err(|_| no_such("thing", ""))
    }
}

impl Named {
    /// The name as an id or a number.
    ///
    /// # Errors
    /// When it is none: then there is no such thing either.
    pub fn id<T: FromStr>(&self, what: &'static str) -> Result<T, Refusal> {
        self.0.parse().map_err(|_| no_such(what, &self.0))
    }
}

/// The two names in an address: of a thing, and of something that belongs to it.
pub struct Two(pub Named, pub Named);

impl<S: Send + Sync> FromRequestParts<S> for Two {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        path.map(|Path((one, other))| Self(Named(one), Named(other))).map_err(|_| no_such("thing", ""))
    }
}

/// The refusal of a name that names nothing.
#[must_use]
pub fn no_such(what: &str, name: &str) -> Refusal {
    let name = cut(&one_line(name), 64);
    let message =
        if name.is_empty() { format!("There is no such {what}.") } else { format!("There is no {what} {name}.") };
    Problem::unknown("unknown", message, "The lists show what there is, with ids.").into()
}

/// The window on a list: how many, and where to go on. Empty fields of a form count as absent.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Window {
    /// How many at most.
    pub limit: Option<String>,
    /// Only what stands before this cursor.
    pub before: Option<String>,
    /// Only what stands after this cursor.
    pub after: Option<String>,
}

impl Window {
    /// How many, `usual` when it is not said.
    ///
    /// # Errors
    /// When it is no number from 1 to [`LIMIT_MAX`].
    pub fn limit(&self, usual: usize) -> Result<usize, Refusal> {
        let Some(said) = self.limit.as_deref().filter(|s| !s.is_empty()) else { return Ok(usual) };
        said.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n)).ok_or_else(|| {
            let message = format!("`limit` is a whole number from 1 to {LIMIT_MAX}.");
            Problem::invalid("bad_limit", message, "Follow `next` to get more than that.").into()
        })
    }

    /// The position before which to look.
    ///
    /// # Errors
    /// When it is no position.
    pub fn before(&self) -> Result<Option<Seq>, Refusal> {
        position("before", self.before.as_deref())
    }

    /// The position after which to look.
    ///
    /// # Errors
    /// When it is no position.
    pub fn after(&self) -> Result<Option<Seq>, Refusal> {
        position("after", self.after.as_deref())
    }
}

/// A position of the log as it stands in a query.
///
/// # Errors
/// When it is none.
pub fn position(name: &str, said: Option<&str>) -> Result<Option<Seq>, Refusal> {
    let Some(said) = said.filter(|s| !s.is_empty()) else { return Ok(None) };
    let seq = said.parse::<Seq>().ok().filter(|seq| *seq >= 0).ok_or_else(|| {
        Problem::invalid(
            "bad_position",
            format!("`{name}` is a whole number from 0 on."),
            "Use `next` of the page before, or `seq` of an event.",
        )
    })?;
    Ok(Some(seq))
}

/// A whole number of a body, as a number or as the text of a form. `5.0` is whole, as JSON has it; an empty field is
/// absent.
///
/// # Errors
/// When it is none, or below zero.
pub fn whole<'d, D: Deserializer<'d>>(from: D) -> Result<Option<u64>, D::Error> {
    /// The greatest number up to which every whole one has its own floating-point number.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    struct Whole;
    impl<'d> Visitor<'d> for Whole {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number from 0 on")
        }
        fn visit_none<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_some<D: Deserializer<'d>>(self, from: D) -> Result<Self::Value, D::Error> {
            from.deserialize_any(self)
        }
        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number))
        }
        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
            u64::try_from(number).map(Some).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
        }
        fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
            let fits = number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number);
            fits.then_some(Some(number as u64)).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            if text.is_empty() {
                return Ok(None);
            }
            text.parse().map(Some).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    from.deserialize_option(Whole)
}

/// Whether a switch of a query is on.
///
/// # Errors
/// When it is neither on nor off.
pub fn switch(name: &str, said: Option<&str>) -> Result<bool, Refusal> {
    match said.unwrap_or_default() {
        "" | "false" | "0" => Ok(false),
        "true" | "1" => Ok(true),
        _ => {
            let message = format!("`{name}` is true or false.");
            Err(Problem::invalid("bad_switch", message, "Leave it out for false.").into())
        }
    }
}

/// A list as every call gives it. `items` may hold one more than `limit`; that one only tells that there is more.
pub fn list<T: serde::Serialize>(
    mut items: Vec<T>,
    limit: usize,
    cursor: impl Fn(&T) -> serde_json::Value,
) -> serde_json::Value {
    // A list of the greatest length cannot look one further, so it always names a cursor.
    let more = items.len() > limit || (limit == LIMIT_MAX && items.len() == limit);
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(&cursor);
    serde_json::json!({"items": items, "next": next})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_within_its_bounds_or_refused() {
        let of = |limit: &str| Window { limit: Some(limit.to_owned()), ..Window::default() }.limit(20).ok();
        assert_eq!((of(""), of("1"), of("1000")), (Some(20), Some(1), Some(1_000)));
        for bad in ["0", "1001", "-1", "1.5", "many", "99999999999999999999", "１"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_whole_number_is_a_number_without_a_fraction() {
        let of = |json: &str| whole(&mut serde_json::Deserializer::from_str(json)).ok();
        for (json, number) in [("5", Some(5)), ("5.0", Some(5)), ("1e3", Some(1_000)), ("null", None)] {
            assert_eq!(of(json), Some(number), "{json}");
        }
        for bad in ["5.5", "-1", "-1.0", "1e300", "true", "[5]", "\"5 \"", "\"many\""] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_position_is_a_number_from_zero_on() {
        assert_eq!(position("after", Some("0")).ok(), Some(Some(0)));
        assert_eq!(position("after", None).ok(), Some(None));
        for bad in ["-1", "x", "9223372036854775808"] {
            assert!(position("after", Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_names_a_cursor_only_when_there_is_more() {
        let next = |count: usize, limit| list((0..count).collect(), limit, |n| serde_json::json!(n))["next"].clone();
        assert_eq!(next(3, 3), serde_json::Value::Null);
        assert_eq!(next(4, 3), 2);
        assert_eq!(next(0, 3), serde_json::Value::Null);
        assert_eq!(next(1_000, 1_000), 999);
    }

    #[test]
    fn the_encoding_is_what_the_header_says() {
        let of = |kind: &'static str| {
            Encoding::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, header::HeaderValue::from_static(kind))]))
        };
        assert_eq!(of("application/json; charset=utf-8"), Encoding::Json);
        assert_eq!(of("application/problem+json"), Encoding::Json);
        assert_eq!(of("application/x-www-form-urlencoded"), Encoding::Form);
        assert_eq!(of("text/plain"), Encoding::Other);
        assert_eq!(Encoding::of(&HeaderMap::new()), Encoding::Unsaid);
    }
}
