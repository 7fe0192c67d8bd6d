//! Pointing Timmy at folders, from Home and Settings.

use axum::extract::State;
use serde::Deserialize;

use super::settings::{self, Typed};
use super::{home, see};
use crate::ask::{Fields, Named};
use crate::auth::Visit;
use crate::did::Did;
use crate::errors::{Answer, page};
use crate::look::folders::{FolderView, FoldersPart};
use crate::web::Web;

/// What the form carries.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default)]
    path: String,
    back: Option<String>,
}

impl Form {
    /// Whether the form stood in Settings; otherwise on Home.
    fn in_settings(&self) -> bool {
        self.back.as_deref().is_some_and(|back| back.starts_with(settings::ROUTE))
    }

    fn back(&self) -> &'static str {
        if self.in_settings() { "/settings#folders" } else { "/#folders" }
    }
}

async fn part(web: &Web, visit: &Visit) -> Answer {
    let folders = web.app.watch.list().await?;
    let clock = web.clock();
    page(&FoldersPart { folders: folders.iter().map(|f| FolderView::of(f, &clock)).collect(), csrf: visit.csrf() })
}

/// `POST /watch/add`.
pub async fn add(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    match web.app.watch.add(&form.path).await {
        Ok(folder) => {
            let answer = if visit.script { part(&web, &visit).await? } else { see(form.back()) };
            Ok(Did::Watched(folder.id).on(&visit, answer))
        }
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) if form.in_settings() => {
            let typed = Typed { folder: Some((form.path, problem)), ..Typed::default() };
            settings::draw(&web, &visit, typed).await
        }
        Err(problem) => home::draw(&web, &visit, Some((form.path, problem))).await,
    }
}

/// `POST /watch/{id}/remove`.
pub async fn remove(State(web): State<Web>, visit: Visit, name: Named, Fields(form): Fields<Form>) -> Answer {
    let gone = web.app.watch.remove(&name.0).await?;
    let answer = if visit.script { part(&web, &visit).await? } else { see(form.back()) };
    Ok(Did::Unwatched(gone.path).on(&visit, answer))
}

/// `GET /watch/rows`.
pub async fn rows(State(web): State<Web>, visit: Visit) -> Answer {
    part(&web, &visit).await
}
