//! Coming in and going out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Deserializer};
use timmy_domain::Secret;
use timmy_domain::problem::Kind;

use super::{back, see};
use crate::ask::{Asked, Fields};
use crate::auth::{self, SESSION_COOKIE, Via, Visit};
use crate::errors::{Answer, Style, page_with, retry_after};
use crate::guard::local_path;
use crate::look::door::LoginPage;
use crate::look::{Notice, State as Word};
use crate::web::Web;

/// Where to go after the door.
#[derive(Debug, Default, Deserialize)]
pub struct Next {
    next: Option<String>,
}

async fn draw(
    web: &Web,
    headers: &HeaderMap,
    status: StatusCode,
    next: Option<&str>,
    notice: Option<Notice>,
) -> Answer {
    let (theme, density) = auth::look(headers);
    page_with(
        status,
        &LoginPage {
            theme,
            density,
            host: web.machine.clone(),
            version: web.version.clone(),
            next: next.and_then(local_path).unwrap_or_default().to_owned(),
            // A store that cannot be read must not hide the door.
            password: web.app.access.has_password().await.unwrap_or(false),
            notice,
        },
    )
}

/// `GET /login`.
pub async fn login(State(web): State<Web>, headers: HeaderMap, Asked(next): Asked<Next>) -> Answer {
    draw(&web, &headers, StatusCode::OK, next.next.as_deref(), None).await
}

/// What the form carries: a code or a password.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default)]
    code: String,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Secret>,
    next: Option<String>,
}

/// Text that must not be shown again; an empty field counts as absent.
///
/// # Errors
/// When it is no text.
pub fn secret<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

/// `POST /login`: exchanges a code or the password for a session.
pub async fn enter(State(web): State<Web>, headers: HeaderMap, Fields(form): Fields<Form>) -> Answer {
    let browser = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("a browser");
    let label = timmy_core::trust::sessions::browser(browser);
    let tried = match &form.password {
        Some(password) => web.app.access.log_in_by_password(password, &label).await,
        None => web.app.access.log_in(&form.code, &label).await,
    };
    match tried {
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
            let word = match (problem.kind, form.password.is_some()) {
                (Kind::TooMany, _) => "The door is closed for a while",
                (_, true) => "That password does not open",
                (_, false) => "That code does not open",
            };
            let notice = Notice { state: Word::failed(word), text: format!("{} {}", problem.message, problem.hint) };
            let status = super::status_of(&problem);
            let mut page = draw(&web, &headers, status, form.next.as_deref(), Some(notice)).await?;
            retry_after(&problem, &mut page);
            Ok(page)
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
