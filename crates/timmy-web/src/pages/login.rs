//! Coming in and going out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use timmy_domain::text::{cut, one_line};

use super::{back, see};
use crate::ask::{Asked, Fields};
use crate::auth::{self, SESSION_COOKIE, Via, Visit};
use crate::errors::{Answer, Style, page_with};
use crate::guard::local_path;
use crate::look::door::LoginPage;
use crate::look::{Notice, State as Word};
use crate::web::Web;

/// Characters of a browser's name that are kept with its session.
const LABEL_CHARS_MAX: usize = 80;

/// Where to go after the door.
#[derive(Debug, Default, Deserialize)]
pub struct Next {
    next: Option<String>,
}

fn draw(web: &Web, headers: &HeaderMap, status: StatusCode, next: Option<&str>, notice: Option<Notice>) -> Answer {
    let (theme, density) = auth::look(headers);
    page_with(
        status,
        &LoginPage {
            theme,
            density,
            host: web.machine.clone(),
            version: web.version.clone(),
            next: next.and_then(local_path).unwrap_or_default().to_owned(),
            notice,
        },
    )
}

/// `GET /login`.
pub async fn login(State(web): State<Web>, headers: HeaderMap, Asked(next): Asked<Next>) -> Answer {
    draw(&web, &headers, StatusCode::OK, next.next.as_deref(), None)
}

/// What the form carries.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default)]
    code: String,
    next: Option<String>,
}

/// `POST /login`: exchanges a code for a session.
pub async fn enter(State(web): State<Web>, headers: HeaderMap, Fields(form): Fields<Form>) -> Answer {
    let browser = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("a browser");
    let label = cut(&one_line(browser), LABEL_CHARS_MAX);
    match web.app.access.log_in(&form.code, &label).await {
        Ok(session) => {
            let cookie =
                auth::set_cookie(SESSION_COOKIE, session.cookie.expose(), session.lifetime.as_secs(), "Strict");
            let mut response = back(form.next.as_deref(), "/");
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(problem) if Style::of("/login", &headers) == Style::Page => {
            let notice = Notice {
                state: Word::failed("That code does not open"),
                text: format!("{} {}", problem.message, problem.hint),
            };
            draw(&web, &headers, super::status_of(&problem), form.next.as_deref(), Some(notice))
        }
        Err(problem) => Err(problem.into()),
    }
}

/// `POST /logout`.
pub async fn leave(State(web): State<Web>, visit: Visit) -> Answer {
    if visit.who.via == Via::Cookie {
        web.app.access.log_out(&visit.who.principal).await?;
    }
    let mut response = see("/login").into_response();
    if let Some(cookie) = auth::set_cookie(SESSION_COOKIE, "", 0, "Strict") {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
