//! What the owner can do with thinking from the pages: put a thought in, ask for one, pause, resume, stop, keep, want fewer.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use timmy_core::mind::rest::Pause;
use timmy_core::mind::thinking::Doing;
use timmy_domain::problem::Kind;
use timmy_domain::thought::Thought;
use timmy_domain::{Problem, ThoughtId};

use super::thinking::{self, Narrow};
use super::{doing, see};
use crate::ask::{Fields, Named};
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::{Answer, page};
use crate::look::thinking::{ThoughtPart, ThoughtView};
use crate::web::Web;

/// How long to look whether a thought is refused at once, in milliseconds.
const THINK_LOOK_MS: u64 = 150;
/// How long to wait until the loop has taken notice, in milliseconds.
const SETTLE_MS_MAX: u64 = 600;
/// How often to look, in milliseconds.
const SETTLE_LOOK_MS: u64 = 20;

/// What a form of the page carries.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default, alias = "content")]
    text: String,
    seed_type: Option<String>,
    minutes: Option<u64>,
}

/// `POST /thinking/inject`.
pub async fn inject(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    match web.app.thinking.inject(&form.text).await {
        Ok(thought) => {
            // Whoever has no model is told at once, instead of waiting for a thought that cannot come.
            let note = if super::models::missing(&web).is_some() { Note::PutInAlone } else { Note::PutIn };
            let answer = if visit.script { changed(&web, &visit, &thought)? } else { see("/thinking") };
            Ok(Did::Note(note).on(&visit, answer))
        }
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => thinking::draw(&web, &visit, &Narrow::default(), Some((form.text, problem))).await,
    }
}

/// After an act on thinking itself: the panel for a script, the page for a form.
fn steered(web: &Web, visit: &Visit) -> Answer {
    if visit.script { page(&doing::thinking_status(web, &web.clock(), visit.csrf())) } else { Ok(see("/thinking")) }
}

/// `POST /thinking/think`. The thought comes by itself: nobody waits for a model here.
pub async fn think(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let seed = thinking::seed_of(form.seed_type.as_deref())?;
    let making = web.app.thinking.clone();
    let asked = tokio::spawn(async move { making.think_now(seed).await });
    // What refuses at once is told at once; a thought in the making is left to appear.
    match tokio::time::timeout(Duration::from_millis(THINK_LOOK_MS), asked).await {
        Ok(Ok(Err(problem))) => {
            let note = calm(&problem).ok_or(problem)?;
            Ok(Did::Note(note).on(&visit, steered(&web, &visit)?))
        }
        _ => steered(&web, &visit),
    }
}

/// What is no failure: nothing is new, or a thought is on its way.
fn calm(problem: &Problem) -> Option<Note> {
    match problem.code {
        "nothing_new" => Some(Note::NothingNew),
        "thinking_already" => Some(Note::Making),
        "yielded" => Some(Note::GaveWay),
        _ => None,
    }
}

/// `POST /thinking/pause`.
pub async fn pause(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    web.app.thinking.pause(form.minutes).await?;
    settled(&web, |doing| doing::is_paused(doing) || matches!(doing, Doing::Thinking { .. })).await;
    Ok(Did::Paused(form.minutes).on(&visit, steered(&web, &visit)?))
}

/// `POST /thinking/resume`.
pub async fn resume(State(web): State<Web>, visit: Visit) -> Answer {
    let ended = web.app.thinking.resume().await?;
    settled(&web, |doing| !doing::is_paused(doing)).await;
    let answer = steered(&web, &visit)?;
    let left = match ended {
        // Nothing was paused, so nothing was done that could be taken back.
        None => return Ok(answer),
        Some(Pause::Open) => None,
        Some(Pause::Until(at)) => Some(at.since(web.app.ctx.now()).as_secs().div_ceil(60).max(1)),
    };
    Ok(Did::Resumed(left).on(&visit, answer))
}

/// `POST /thinking/stop`: gives up the thought in the making.
pub async fn stop(State(web): State<Web>, visit: Visit) -> Answer {
    match web.app.thinking.stop_thought() {
        // It ended by itself while the owner reached for the button.
        Err(problem) if problem.kind != Kind::Conflict => return Err(problem.into()),
        _ => settled(&web, |doing| !matches!(doing, Doing::Thinking { .. })).await,
    }
    steered(&web, &visit)
}

/// Waits a moment until the loop has taken notice, so that the answer shows what is the case.
async fn settled(web: &Web, is_so: impl Fn(&Doing) -> bool) {
    for _ in 0..SETTLE_MS_MAX / SETTLE_LOOK_MS {
        if is_so(&web.app.thinking.doing()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(SETTLE_LOOK_MS)).await;
    }
}

/// One changed thought for a script.
fn changed(web: &Web, visit: &Visit, thought: &Thought) -> Answer {
    let mut view = ThoughtView::of(thought, &web.clock());
    view.linked = thought.parent_id.is_some();
    view.current = visit.page.ends_with(&format!("/thinking/{}", thought.id));
    page(&ThoughtPart { thought: view, csrf: visit.csrf() })
}

async fn mark(web: &Web, visit: &Visit, name: &Named, act: Act) -> Answer {
    let id: ThoughtId = name.id("thought")?;
    let thought = match act {
        Act::Keep(kept) => web.app.thinking.keep_thought(id, kept).await?,
        Act::Fewer(fewer) => web.app.thinking.fewer_like(id, fewer).await?,
    };
    let did = match act {
        Act::Keep(true) => Did::Kept(id),
        Act::Keep(false) => Did::Released(id),
        Act::Fewer(true) => Did::Fewer(id),
        Act::Fewer(false) => Did::Unfewer(id),
    };
    let answer = if visit.script { changed(web, visit, &thought)? } else { to_thought(&thought) };
    Ok(did.on(visit, answer))
}

fn to_thought(thought: &Thought) -> Response {
    see(&format!("/thinking#thought-{}", thought.id)).into_response()
}

#[derive(Clone, Copy)]
enum Act {
    Keep(bool),
    Fewer(bool),
}

/// `POST /thinking/{id}/keep`.
pub async fn keep(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    mark(&web, &visit, &name, Act::Keep(true)).await
}

/// `POST /thinking/{id}/release`.
pub async fn release(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    mark(&web, &visit, &name, Act::Keep(false)).await
}

/// `POST /thinking/{id}/fewer`.
pub async fn fewer(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    mark(&web, &visit, &name, Act::Fewer(true)).await
}

/// `POST /thinking/{id}/more`: takes the wish for fewer back.
pub async fn unfewer(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    mark(&web, &visit, &name, Act::Fewer(false)).await
}
