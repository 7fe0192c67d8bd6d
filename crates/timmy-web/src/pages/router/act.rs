//! The owner's hand on the router: order, switches, circuits, the local-only hour, and trying a provider out.

use axum::extract::State;
use serde::Deserialize;
use timmy_domain::Problem;
use timmy_llm::Control;
use tokio_util::sync::CancellationToken;

use super::{ROUTE, Wanted, draw, rungs};
use crate::ask::{Asked, Fields};
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::Answer;
use crate::pages::see;
use crate::web::Web;

/// Minutes for which everything can be kept here at once.
const MINUTES_MAX: u64 = 1_440;

/// What a button or an undo says, in its address or as fields.
#[derive(Debug, Default, Deserialize)]
pub struct Said {
    name: Option<String>,
    up: Option<String>,
    down: Option<String>,
    on: Option<String>,
    off: Option<String>,
    names: Option<String>,
    minutes: Option<String>,
}

impl Said {
    fn or(self, form: Self) -> Self {
        Self {
            name: self.name.or(form.name),
            up: self.up.or(form.up),
            down: self.down.or(form.down),
            on: self.on.or(form.on),
            off: self.off.or(form.off),
            names: self.names.or(form.names),
            minutes: self.minutes.or(form.minutes),
        }
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

fn unsaid() -> Problem {
    Problem::invalid("nothing_said", "It was not said which provider this is about.", "Use the buttons.")
}

/// After an act: the ladder for a script, else the page.
async fn answered(web: &Web, visit: &Visit, act: Result<Did, Problem>) -> Answer {
    match act {
        Ok(did) => {
            let answer = if visit.script { rungs(web, visit).await? } else { see(ROUTE) };
            Ok(did.on(visit, answer))
        }
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => draw(web, visit, &Wanted::default(), Some(problem)).await,
    }
}

/// `POST /router/move?up=NAME`, or `down=NAME`.
pub async fn shift(
    State(web): State<Web>,
    visit: Visit,
    Asked(asked): Asked<Said>,
    Fields(form): Fields<Said>,
) -> Answer {
    let said = asked.or(form);
    let done = match (&said.up, &said.down) {
        (Some(name), _) => web.app.router.shift(name, true).await,
        (None, Some(name)) => web.app.router.shift(name, false).await,
        (None, None) => Err(unsaid()),
    };
    answered(&web, &visit, done.map(Did::RouterOrdered)).await
}

/// `POST /router/order`: the providers in this order, their names parted by commas; none for that of the settings.
pub async fn order(State(web): State<Web>, visit: Visit, Fields(said): Fields<Said>) -> Answer {
    let names = said.names.unwrap_or_default();
    let names: Vec<String> =
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let done = async {
        let before = web.app.router.own_order().await?;
        web.app.router.order(names).await?;
        Ok(Did::RouterOrdered(before))
    };
    let done = done.await;
    answered(&web, &visit, done).await
}

/// `POST /router/switch?off=NAME`, or `on=NAME`.
pub async fn switch(
    State(web): State<Web>,
    visit: Visit,
    Asked(asked): Asked<Said>,
    Fields(form): Fields<Said>,
) -> Answer {
    let said = asked.or(form);
    let done = match (said.off, said.on) {
        (Some(name), _) => {
            web.app.router.control(&name, Control::Disable).await.map(|()| Did::RouterSwitched(name, true))
        }
        (None, Some(name)) => {
            web.app.router.control(&name, Control::Enable).await.map(|()| Did::RouterSwitched(name, false))
        }
        (None, None) => Err(unsaid()),
    };
    answered(&web, &visit, done).await
}

/// `POST /router/reset?name=NAME`: every rest and hold of it is forgotten.
pub async fn reset(
    State(web): State<Web>,
    visit: Visit,
    Asked(asked): Asked<Said>,
    Fields(form): Fields<Said>,
) -> Answer {
    let said = asked.or(form);
    let done = web.app.router.control(said.name(), Control::ResetCircuit).await;
    answered(&web, &visit, done.map(|()| Did::RouterReset(said.name().to_owned()))).await
}

/// `POST /router/unreset`: takes that back.
pub async fn unreset(State(web): State<Web>, visit: Visit, Fields(said): Fields<Said>) -> Answer {
    let done = web.app.router.remember(said.name()).await;
    answered(&web, &visit, done.map(|()| Did::Note(Note::RestsBack))).await
}

/// `POST /router/local?minutes=`: keeps everything on this machine so long; 0 ends it.
pub async fn local(
    State(web): State<Web>,
    visit: Visit,
    Asked(asked): Asked<Said>,
    Fields(form): Fields<Said>,
) -> Answer {
    let said = asked.or(form).minutes.filter(|text| !text.trim().is_empty());
    let minutes = said.map_or(Some(timmy_core::router::LOCAL_MINUTES), |text| text.trim().parse().ok());
    let before = web.app.ctx.cascade.local_for().map_or(0, |left| left.as_secs().div_ceil(60));
    let done = match minutes.filter(|minutes| *minutes <= MINUTES_MAX) {
        Some(minutes) => {
            let kept = web.app.router.keep_local((minutes > 0).then_some(minutes)).await;
            kept.map(|_| Did::Local { minutes, before })
        }
        None => Err(Problem::invalid("too_long", "`minutes` is at most 1440.", "Choose a shorter time.")),
    };
    answered(&web, &visit, done).await
}

/// `POST /router/test?name=NAME`: asks it one small question. Nobody waits for that: its rung shows how it goes.
pub async fn test(
    State(web): State<Web>,
    visit: Visit,
    Asked(asked): Asked<Said>,
    Fields(form): Fields<Said>,
) -> Answer {
    let said = asked.or(form);
    let begun = web.app.router.begin_trial(said.name(), CancellationToken::new());
    answered(&web, &visit, begun.map(|_| Did::Note(Note::TrialBegun))).await
}

/// `POST /router/stop?name=NAME`: gives the trial up.
pub async fn stop(
    State(web): State<Web>,
    visit: Visit,
    Asked(asked): Asked<Said>,
    Fields(form): Fields<Said>,
) -> Answer {
    let said = asked.or(form);
    let stopped = web.app.router.cancel_trial(said.name());
    answered(&web, &visit, stopped.map(|()| Did::Note(Note::TrialStopped))).await
}
