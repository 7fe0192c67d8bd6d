//! The owner's password as the page Settings changes it: one form, with or without scripts.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use timmy_domain::{Problem, Secret};

use super::login::secret;
use super::see;
use super::settings::{self, Typed};
use crate::api;
use crate::ask::Fields;
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::{Answer, Style, retry_after};
use crate::web::Web;

/// What the form carries. `remove` is there when the password is to go.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default, deserialize_with = "secret")]
    current: Option<Secret>,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Secret>,
    #[serde(default, deserialize_with = "secret")]
    again: Option<Secret>,
    remove: Option<String>,
}

/// Does what the form asks for.
async fn act(web: &Web, visit: &Visit, form: &Form) -> Result<(Note, u64), Problem> {
    let access = &web.app.access;
    let typed = |field: &Option<Secret>| field.clone().unwrap_or_default();
    if form.remove.is_some() {
        access.prove_current(&typed(&form.current)).await?;
        return Ok((Note::PasswordRemoved, access.remove_password(&visit.who.principal).await?));
    }
    let (password, again) = (typed(&form.password), typed(&form.again));
    if password != again {
        return Err(Problem::invalid(
            "passwords_differ",
            "The two new passwords differ.",
            "Type the same one twice. Nothing was changed.",
        ));
    }
    // What is refused anyhow must not cost a try.
    timmy_core::trust::password::check(password.expose())?;
    access.prove_current(&typed(&form.current)).await?;
    Ok((Note::PasswordSet, access.set_password(&password, &visit.who.principal).await?))
}

/// `POST /settings/password`: sets, changes or (with `remove`) takes away the password.
pub async fn change(State(web): State<Web>, visit: Visit, headers: HeaderMap, Fields(form): Fields<Form>) -> Answer {
    match act(&web, &visit, &form).await {
        Ok((note, ended)) if Style::of(settings::ROUTE, &headers) == Style::Json && !visit.script => {
            Ok(api::json(&json!({"set": note == Note::PasswordSet, "sessions_ended": ended})))
        }
        Ok((note, _)) => Ok(Did::Note(note).on(&visit, see(settings::ROUTE))),
        Err(problem) if Style::of(settings::ROUTE, &headers) == Style::Page => {
            let typed = Typed { act: Some(problem.clone()), ..Typed::default() };
            let mut page = settings::draw(&web, &visit, typed).await?;
            retry_after(&problem, &mut page);
            Ok(page)
        }
        Err(problem) => Err(problem.into()),
    }
}
