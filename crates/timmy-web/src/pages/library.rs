//! The page of models: what is here, what comes, and what there is to get.

use axum::extract::State;
use serde::Deserialize;
use timmy_domain::Problem;
use timmy_domain::model::advice;
use timmy_domain::task::birth::AGENT;

use super::{gather_here, refused, see, shell, status_of};
use crate::ask::Fields;
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::{Answer, Refusal, page, show_with};
use crate::look::library::{self as look, Coming, FromAddress, ModelHere, ModelsPage, ModelsPart, ToGet};
use crate::web::Web;

/// Where it is.
const ROUTE: &str = "/models";

/// What changes on the page.
async fn part(web: &Web, visit: &Visit) -> Result<ModelsPart, Refusal> {
    let library = &web.app.library;
    let (machine, speeds) = library.measured().await;
    let (models, offers) = (library.list(None).await?, library.offers(machine).await?);
    let running = library.running(machine).await?;
    let used = web.app.ctx.model_of(AGENT).await;
    let advised = advice::first(machine).map(|entry| entry.name);
    let pulls = library.pulls.list();
    let comes = |name: &str| pulls.iter().any(|pull| pull.name == name && pull.state.runs());
    let mut to_get: Vec<ToGet> =
        offers.iter().filter(|o| !o.installed && !comes(o.name)).map(|o| ToGet::of(o, advised)).collect();
    // What can be had at a press comes first.
    to_get.sort_by_key(|offer| !offer.fetchable);
    let measured_at = speeds.measured_at.map(|at| web.clock().short(at).text).unwrap_or_default();
    Ok(ModelsPart {
        here: models.iter().map(|model| ModelHere::of(model, used.as_deref(), &running)).collect(),
        to_get,
        coming: pulls.iter().map(Coming::of).collect(),
        machine: look::machine(machine),
        speed: look::speed(speeds, &measured_at),
        measuring: speeds.measuring,
        csrf: visit.csrf(),
    })
}

async fn draw(web: &Web, visit: &Visit, problem: Option<Problem>, from: FromAddress) -> Answer {
    let (around, ()) = gather_here(web, |_| Ok(())).await?;
    let mut shell = shell(web, visit, &around, ROUTE);
    shell.notice = problem.as_ref().map(refused);
    let code = problem.as_ref().map_or(axum::http::StatusCode::OK, status_of);
    show_with(code, visit, &ModelsPage { part: part(web, visit).await?, from, shell })
}

/// `GET /models/parts`.
pub async fn parts(State(web): State<Web>, visit: Visit) -> Answer {
    page(&part(&web, &visit).await?)
}

/// `GET /models`.
pub async fn models(State(web): State<Web>, visit: Visit) -> Answer {
    draw(&web, &visit, None, FromAddress::default()).await
}

/// What a form names.
#[derive(Debug, Deserialize)]
pub struct Form {
    name: String,
    #[serde(default)]
    active: String,
}

async fn done(web: &Web, visit: &Visit, act: Result<Did, Problem>) -> Answer {
    match act {
        Ok(did) => Ok(did.on(visit, see(ROUTE))),
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => draw(web, visit, Some(problem), FromAddress::default()).await,
    }
}

/// `POST /models/pull`.
pub async fn pull(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let begun = web.app.library.pulls.start(&form.name).await.map(|_| Did::Note(Note::ModelComes));
    done(&web, &visit, begun).await
}

/// A file at an address.
#[derive(Debug, Deserialize)]
pub struct Address {
    name: String,
    url: String,
    #[serde(default)]
    sha256: String,
}

/// `POST /models/fetch`.
pub async fn fetch(State(web): State<Web>, visit: Visit, Fields(form): Fields<Address>) -> Answer {
    let Address { name, url, sha256 } = form;
    let checked = Some(sha256.as_str()).filter(|sum| !sum.trim().is_empty());
    match web.app.library.pulls.start_from(name.trim(), &url, checked).await {
        Ok(pull) => {
            let note = if pull.checksum_known { Note::ModelComes } else { Note::ModelUnverified };
            Ok(Did::Note(note).on(&visit, see(ROUTE)))
        }
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => draw(&web, &visit, Some(problem), FromAddress { name, url, sha256 }).await,
    }
}

/// `POST /models/cancel`.
pub async fn cancel(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let stopped = web.app.library.pulls.cancel(&form.name).map(|_| Did::Note(Note::ModelStopped));
    done(&web, &visit, stopped).await
}

/// `POST /models/use`.
pub async fn choose(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let used = web.app.library.assign(AGENT, &form.name).await.map(|_| Did::Note(Note::ModelUsed));
    done(&web, &visit, used).await
}

/// `POST /models/switch`.
pub async fn switch(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let switched = web.app.library.switch(&form.name, form.active == "1").await;
    done(&web, &visit, switched.map(|_| Did::Note(Note::ModelSwitched))).await
}

/// `POST /models/remove`.
pub async fn remove(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let gone = web.app.library.remove(&form.name).await;
    done(&web, &visit, gone.map(|model| Did::ModelRemoved(model.name))).await
}

/// `POST /models/restore`.
pub async fn restore(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let back = web.app.library.restore(&form.name).await.map(|_| Did::Note(Note::ModelBack));
    done(&web, &visit, back).await
}
