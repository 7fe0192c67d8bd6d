//! Pointing Timmy at folders, from Home.

use axum::extract::State;
use serde::Deserialize;

use super::{home, see};
use crate::ask::{Fields, Named};
use crate::auth::Visit;
use crate::errors::{Answer, page};
use crate::look::folders::{FolderView, FoldersPart};
use crate::web::Web;

/// What the form carries.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default)]
    path: String,
}

async fn part(web: &Web, visit: &Visit) -> Answer {
    let folders = web.app.watch.list().await?;
    let clock = web.clock();
    page(&FoldersPart { folders: folders.iter().map(|f| FolderView::of(f, &clock)).collect(), csrf: visit.csrf() })
}

/// `POST /watch/add`.
pub async fn add(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    match web.app.watch.add(&form.path).await {
        Ok(_) if visit.script => part(&web, &visit).await,
        Ok(_) => Ok(see("/#folders")),
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => home::draw(&web, &visit, Some((form.path, problem))).await,
    }
}

/// `POST /watch/{id}/remove`.
pub async fn remove(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    web.app.watch.remove(&name.0).await?;
    if visit.script { part(&web, &visit).await } else { Ok(see("/#folders")) }
}

/// `GET /watch/rows`.
pub async fn rows(State(web): State<Web>, visit: Visit) -> Answer {
    part(&web, &visit).await
}
