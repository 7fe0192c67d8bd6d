//! The sessions of browsers as the page Settings ends them: forms, with or without scripts.

use axum::extract::State;
use serde::Deserialize;
use timmy_domain::Problem;

use super::see;
use super::settings::{self, Typed};
use crate::ask::Fields;
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::Answer;
use crate::web::Web;

/// Where the list stands.
const PLACE: &str = "/settings#sessions";

/// Which session is meant.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default)]
    id: String,
}

async fn told(web: &Web, visit: &Visit, done: Result<Note, Problem>) -> Answer {
    match done {
        Ok(note) => Ok(Did::Note(note).on(visit, see(PLACE))),
        Err(problem) => settings::draw(web, visit, Typed { act: Some(problem), ..Typed::default() }).await,
    }
}

/// `POST /settings/sessions/end`: ends one.
pub async fn end(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let done = web.app.access.end_session(&form.id).await.map(|()| Note::SessionEnded);
    told(&web, &visit, done).await
}

/// `POST /settings/sessions/end-others`: ends all but this one.
pub async fn end_others(State(web): State<Web>, visit: Visit) -> Answer {
    let done = web.app.access.end_other_sessions(&visit.who.principal).await.map(|_| Note::SessionsEnded);
    told(&web, &visit, done).await
}
