//! The backups on the page of settings, and "Back up now".

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use timmy_core::backup::{Part, Why};
use timmy_domain::Problem;
use timmy_domain::problem::Kind;

use super::see;
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::{Answer, page};
use crate::look::backups::BackupsPart;
use crate::web::Web;

/// How long to look whether the backup is refused or done at once, in milliseconds.
const LOOK_MS: u64 = 1_500;

/// `POST /settings/backup`: begins a backup. A small home has it when the page comes back; a large one
/// sees it grow.
pub async fn make(State(web): State<Web>, visit: Visit) -> Answer {
    let backups = web.app.backups.clone();
    // On its own: the owner may leave the page meanwhile.
    let made = tokio::spawn(async move { backups.make(Part::Home, Why::Owner).await });
    match tokio::time::timeout(Duration::from_millis(LOOK_MS), made).await {
        // One is being made already, which is what was wanted.
        Ok(Ok(Err(problem))) if problem.kind != Kind::Conflict => Err(problem.into()),
        Ok(Ok(Ok(_))) => Ok(Did::Note(Note::BackedUp).on(&visit, done(&visit))),
        _ => Ok(Did::Note(Note::BackingUp).on(&visit, done(&visit))),
    }
}

/// Back to the page; a script is there already.
fn done(visit: &Visit) -> Response {
    if visit.script { StatusCode::NO_CONTENT.into_response() } else { see("/settings#backups") }
}

/// The backups as the page shows them.
///
/// # Errors
/// When the folder or the store cannot be read.
pub async fn part(web: &Web) -> Result<BackupsPart, Problem> {
    let (backups, settings) = (&web.app.backups, &web.app.ctx.settings.backup);
    let (lying, drill) = (backups.list().await?, backups.last_drill().await?);
    let nightly = if settings.enabled {
        format!("One is made by itself every night at {}.", settings.at)
    } else {
        "None is made by itself: [backup] enabled = false.".to_owned()
    };
    let words = (backups.folder().display().to_string(), nightly);
    Ok(BackupsPart::of(&lying, drill.as_ref(), backups.making().as_ref(), words, &web.clock()))
}

/// `GET /settings/backups`: the list, for the open page.
pub async fn backups(State(web): State<Web>, _: Visit) -> Answer {
    page(&part(&web).await?)
}
