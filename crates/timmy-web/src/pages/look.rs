//! Theme, density and the width of the side: remembered by the browser, each device its own.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::back;
use crate::ask::Fields;
use crate::auth::{DENSITY_COOKIE, SIDE_COOKIE, THEME_COOKIE, Visit, set_cookie};
use crate::errors::Answer;
use crate::look::{Density, Side, Theme};

/// How long a device remembers its look, in seconds: one year.
pub const REMEMBER_SECONDS: u64 = 365 * 86_400;

/// What the forms carry.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    theme: Option<String>,
    density: Option<String>,
    side: Option<String>,
    back: Option<String>,
}

/// `POST /look`.
pub async fn choose(visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let mut response =
        if visit.script { StatusCode::NO_CONTENT.into_response() } else { back(form.back.as_deref(), "/") };
    let theme = form.theme.as_deref().map(|t| (THEME_COOKIE, Theme::from_name(t).name()));
    let density = form.density.as_deref().map(|d| (DENSITY_COOKIE, Density::from_name(d).name()));
    let side = form.side.as_deref().map(|s| (SIDE_COOKIE, Side::from_name(s).name()));
    for (name, value) in theme.into_iter().chain(density).chain(side) {
        if let Some(cookie) = set_cookie(name, value, REMEMBER_SECONDS, "Lax") {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}
