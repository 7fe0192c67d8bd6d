//! Who is there: what a request shows, and whom the engine knows by it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use timmy_core::trust::access::Principal;
use timmy_domain::Problem;
use timmy_domain::problem::Kind;

use crate::did::{DID_COOKIE, Did};
use crate::errors::Refusal;
use crate::keys::OwnKeys;
use crate::look::{Density, Side, Theme};
use crate::nav;
use crate::web::Web;

/// The cookie that holds the session's secret.
pub const SESSION_COOKIE: &str = "timmy_session";
/// The cookie that remembers the theme.
pub const THEME_COOKIE: &str = "timmy_theme";
/// The cookie that remembers the density.
pub const DENSITY_COOKIE: &str = "timmy_density";
/// The cookie that remembers how wide the side is.
pub const SIDE_COOKIE: &str = "timmy_side";
/// The cookie that remembers the keys of the device.
pub const KEYS_COOKIE: &str = "timmy_keys";
/// Bytes of a secret that is looked at.
const SECRET_BYTES_MAX: usize = 256;

/// Through which kind of key somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A browser's cookie.
    Cookie,
    /// A program's token.
    Bearer,
}

/// Somebody who came in.
#[derive(Clone, Debug)]
pub struct Who {
    /// What they may do.
    pub principal: Principal,
    /// How they came in.
    pub via: Via,
}

/// What a device remembers beside theme and density.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// How wide the side is.
    pub side: Side,
    /// Its keys.
    pub keys: OwnKeys,
    /// What was done a moment ago, to be told on the next page.
    pub did: Option<Did>,
}

/// As what a page is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As a page.
    #[default]
    Page,
    /// As Markdown.
    Markdown,
}

impl Shape {
    /// The shape that a request to `path`, which the table of routes names `route`, wants: Markdown by its address, or
    /// because it prefers that.
    #[must_use]
    pub fn of(route: &str, path: &str, headers: &HeaderMap) -> Self {
        let wanted = nav::has_twin(route) && (path.ends_with(".md") || prefers_markdown(headers));
        if wanted { Self::Markdown } else { Self::Page }
    }
}

/// Whether `Accept` names Markdown, and no page before it.
fn prefers_markdown(headers: &HeaderMap) -> bool {
    let weight = |kind: &str| {
        let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(kind));
            if !named {
                return None;
            }
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())
        })
    };
    weight("text/markdown").is_some_and(|markdown| markdown > 0.0 && markdown >= weight("text/html").unwrap_or(0.0))
}

/// What a request looks like to the pages: who, how it wants to look, and where it is.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who is there.
    pub who: Who,
    /// The theme.
    pub theme: Theme,
    /// The density.
    pub density: Density,
    /// What else the device remembers.
    pub device: Device,
    /// As what a page is wanted.
    pub shape: Shape,
    /// The address with its query.
    pub path: String,
    /// Whether a script of the page asks, and wants only the changed part.
    pub script: bool,
    /// The page on which the script runs, as it says.
    pub page: String,
}

impl Visit {
    /// The word that forms of this session carry.
    #[must_use]
    pub fn csrf(&self) -> String {
        self.who.principal.csrf.clone().unwrap_or_default()
    }
}

impl FromRequestParts<Web> for Visit {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Refusal(nobody()))
    }
}

/// The refusal of somebody who showed nothing, or nothing that is known.
#[must_use]
pub fn nobody() -> Problem {
    Problem::new(
        Kind::Unauthenticated,
        "unauthenticated",
        "Nobody is logged in.",
        "Run `timmy login` for a browser, or `timmy token create --name NAME` for a program.",
    )
}

/// The value of the cookie `name`.
#[must_use]
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// The token of an `Authorization` header.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whoever shows a good key. A token that is shown decides alone, also when a cookie is there.
///
/// # Errors
/// When nobody does, or when the store fails.
pub async fn who(web: &Web, headers: &HeaderMap) -> Result<Who, Problem> {
    let access = &web.app.access;
    let fits = |secret: &&str| !secret.is_empty() && secret.len() <= SECRET_BYTES_MAX;
    let (found, via) = if headers.contains_key(header::AUTHORIZATION) {
        match bearer(headers).filter(fits) {
            Some(token) => (access.by_token(token).await?, Via::Bearer),
            None => (None, Via::Bearer),
        }
    } else {
        match cookie(headers, SESSION_COOKIE).filter(fits) {
            Some(secret) => (access.by_cookie(secret).await?, Via::Cookie),
            None => (None, Via::Cookie),
        }
    };
    found.map(|principal| Who { principal, via }).ok_or_else(nobody)
}

/// A cookie for this site alone that scripts cannot read.
#[must_use]
pub fn set_cookie(name: &str, value: &str, seconds: u64, same_site: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}")).ok()
}

/// Theme and density as the cookies remember them.
#[must_use]
pub fn look(headers: &HeaderMap) -> (Theme, Density) {
    let word = |name| cookie(headers, name).unwrap_or_default();
    (Theme::from_name(word(THEME_COOKIE)), Density::from_name(word(DENSITY_COOKIE)))
}

/// What else the cookies remember.
#[must_use]
pub fn device(headers: &HeaderMap) -> Device {
    let word = |name| cookie(headers, name).unwrap_or_default();
    Device {
        side: Side::from_name(word(SIDE_COOKIE)),
        keys: OwnKeys::parse(word(KEYS_COOKIE)),
        did: Did::parse(word(DID_COOKIE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let headers = with(header::COOKIE, "a=1; xtimmy_session=no; timmy_session=yes=; timmy_theme=dark");
        assert_eq!(cookie(&headers, SESSION_COOKIE), Some("yes="));
        assert_eq!(look(&headers), (Theme::Dark, Density::Comfortable));
        assert_eq!(cookie(&HeaderMap::new(), SESSION_COOKIE), None);
    }

    #[test]
    fn markdown_is_wanted_by_address_or_by_preference() {
        let of = |route: &str, path: &str, accept: &'static str| Shape::of(route, path, &with(header::ACCEPT, accept));
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        assert_eq!(of("/talk", "/talk", browser), Shape::Page);
        assert_eq!(of("/talk", "/talk", "*/*"), Shape::Page);
        assert_eq!(of("/talk.md", "/talk.md", browser), Shape::Markdown);
        assert_eq!(of("/index.md", "/index.md", browser), Shape::Markdown);
        assert_eq!(of("/thinking/{id}", "/thinking/1.md", browser), Shape::Markdown);
        assert_eq!(of("/talk", "/talk", "text/markdown, text/html;q=0.9"), Shape::Markdown);
        assert_eq!(of("/talk", "/talk", "text/markdown"), Shape::Markdown);
        assert_eq!(of("/talk", "/talk", "text/markdown;q=0"), Shape::Page);
        assert_eq!(of("/talk", "/talk", "text/html, text/markdown;q=0.5"), Shape::Page);
        assert_eq!(of("/thinking/rows", "/thinking/rows.md", "text/markdown"), Shape::Page);
        assert_eq!(of("/api/events/{seq}", "/api/events/1.md", "text/markdown"), Shape::Page);
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        assert_eq!(bearer(&with(header::AUTHORIZATION, "Bearer abc")), Some("abc"));
        assert_eq!(bearer(&with(header::AUTHORIZATION, "bearer  abc ")), Some("abc"));
        assert_eq!(bearer(&with(header::AUTHORIZATION, "Basic abc")), None);
        assert_eq!(bearer(&with(header::AUTHORIZATION, "Bearer")), None);
    }
}
