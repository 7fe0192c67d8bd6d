//! Home and its parts.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use timmy_core::clock::local_day;
use timmy_core::mind::thinking::PURPOSE;
use timmy_core::trust::digest::{Ruled, digest};
use timmy_domain::message::Message;
use timmy_domain::observation::Observation;
use timmy_domain::policy::show;
use timmy_domain::task::Task;
use timmy_domain::text::plural;
use timmy_domain::thought::Thought;
use timmy_domain::{MessageId, Problem, Timestamp};
use timmy_store::{Reader, Spent, StoreError};

use super::{Around, doing, gather_here, models, now, shell, status, undo};
use crate::ask::Asked;
use crate::auth::Visit;
use crate::errors::{Answer, page, show_with};
use crate::look::folders::{FolderView, SeenView};
use crate::look::home::{HomePage, NowPart, RailPart, RuledRow, Undoing, WaitingRow};
use crate::look::mind::Budget;
use crate::look::tasks;
use crate::look::thinking::ThoughtView;
use crate::look::{Absent, Clock, PulsePart, State as Word, Tone, Way};
use crate::web::Web;

/// Thoughts on Home.
const THOUGHTS_MAX: usize = 2;
/// Things that ran by a rule on Home; all of them are in the JSON interface.
const RULED_MAX: usize = 5;
/// Things seen on Home.
const SEEN_MAX: usize = 5;

/// What Home needs from the store.
struct Rows {
    thoughts: Vec<Thought>,
    seen: Vec<Observation>,
    question: Option<Message>,
    spent: Spent,
    /// What a rule let run, and the task that has it undone, where that was asked for.
    ruled: Vec<(Ruled, Option<Task>)>,
}

impl Rows {
    fn read(r: &Reader<'_>, question: Option<MessageId>, day: &str, now: Timestamp) -> Result<Self, StoreError> {
        let undone = |one: Ruled| {
            let asked = if undo::can_be(&one) { undo::asked(r, &one.plan_hash)?.0 } else { None };
            Ok((one, asked))
        };
        Ok(Self {
            thoughts: r.latest_thoughts(THOUGHTS_MAX)?,
            seen: r.observations(SEEN_MAX)?,
            question: question.map(|id| r.message(id)).transpose()?.flatten(),
            spent: r.spent(day, PURPOSE)?,
            ruled: digest(r, now, RULED_MAX)?.into_iter().map(undone).collect::<Result<_, StoreError>>()?,
        })
    }
}

async fn read(web: &Web) -> Result<(Around, Rows), crate::errors::Refusal> {
    let question = doing::question(web);
    let day = local_day(web.app.ctx.clock.as_ref(), web.app.ctx.now());
    let now = web.app.ctx.now();
    gather_here(web, move |r| Rows::read(r, question, &day, now)).await
}

/// What may be spent on thinking today, and was; `None` when it is off or unlimited.
#[must_use]
pub fn budget(web: &Web, spent: Spent) -> Option<Budget> {
    let settings = &web.app.ctx.settings.thinking;
    let bounded = settings.enabled && settings.daily_calls > 0 && settings.daily_tokens > 0;
    let plain = |n: i64| u64::try_from(n).unwrap_or(0);
    bounded.then(|| Budget::new(plain(spent.calls), settings.daily_calls, plain(spent.tokens), settings.daily_tokens))
}

fn ruled(one: &Ruled, asked: Option<&Task>, clock: &Clock) -> RuledRow {
    let how = one.undo.as_deref().map_or("Nobody here knows how it is undone.".to_owned(), show::words);
    let undo = match asked {
        Some(task) => Some(Undoing::Asked(tasks::state(task), format!("/tasks/{}", task.id))),
        None => undo::can_be(one).then(|| Undoing::Offered(one.plan_hash.to_string())),
    };
    RuledRow {
        undo,
        title: show::words(&one.title),
        href: one.task_id.as_ref().map_or("/approvals#rules".to_owned(), |id| format!("/tasks/{id}")),
        sub: format!("Risk {} of 100, by your rule. {how}", one.risk),
        at: clock.short(one.at),
    }
}

fn now_part(web: &Web, clock: &Clock, visit: &Visit, around: &Around, rows: &Rows) -> NowPart {
    let waiting = status(web, around).waiting.into_iter().map(|w| WaitingRow {
        state: Word::new(Tone::Ember, "waiting", "Waiting for you"),
        title: w.title,
        href: w.href.clone(),
        sub: w.detail,
        act: Some(Way::new(w.act, w.href)),
    });
    let mut waiting: Vec<WaitingRow> = waiting.collect();
    if around.unnamed() > 0 {
        waiting.push(WaitingRow {
            state: Word::new(Tone::Ember, "waiting", "Waiting for you"),
            title: plural(around.unnamed() as u64, "more question waits", "more questions wait"),
            href: "/approvals".to_owned(),
            sub: "All of them stand on Approvals.".to_owned(),
            act: Some(Way::new("Decide", "/approvals")),
        });
    }
    let mut thoughts: Vec<ThoughtView> = rows.thoughts.iter().map(|t| ThoughtView::of(t, clock)).collect();
    if let [first, second] = thoughts.as_mut_slice() {
        first.linked = rows.thoughts[0].parent_id.is_some_and(|id| id.to_string() == second.id);
    }
    let settings = &web.app.ctx.settings.thinking;
    NowPart {
        waiting,
        ruled: rows.ruled.iter().map(|(one, asked)| ruled(one, asked.as_ref(), clock)).collect(),
        lit: !around.folders.is_empty(),
        doing: doing::line(web, clock, rows.question.as_ref().map(|m| m.content.as_str())),
        thoughts,
        no_thought: if settings.enabled {
            let text = format!("Timmy thinks {} when nobody asks. The first thought appears here.", doing::rhythm(web));
            Absent::empty("No thought yet", text).act("Think now", "/thinking")
        } else {
            Absent::off("Thinking is off", "With it on, Timmy thinks when nobody asks.")
                .was("[thinking] enabled = false")
        },
        seen: rows.seen.iter().map(|seen| SeenView::of(seen, clock)).collect(),
        watches: !around.folders.is_empty(),
        csrf: visit.csrf(),
    }
}

fn rail_part(web: &Web, clock: &Clock, visit: &Visit, rows: &Rows) -> RailPart {
    let (next, next_why) = doing::next(web, clock);
    RailPart {
        models: models::rows(web),
        budget: budget(web, rows.spent),
        next,
        next_why,
        off: !web.app.ctx.settings.thinking.enabled,
        paused: doing::is_paused(&web.app.thinking.doing()),
        csrf: visit.csrf(),
    }
}

/// Home, with what was typed into the path field when it was refused.
///
/// # Errors
/// When the store cannot be read.
pub async fn draw(web: &Web, visit: &Visit, typed: Option<(String, Problem)>) -> Answer {
    let (around, rows) = read(web).await?;
    let clock = web.clock();
    let code = typed.as_ref().map_or(StatusCode::OK, |(_, problem)| super::status_of(problem));
    let (path_typed, path_problem) =
        typed.map(|(path, problem)| (path, format!("{} {}", problem.message, problem.hint))).unwrap_or_default();
    let home = HomePage {
        shell: shell(web, visit, &around, "/"),
        part: now_part(web, &clock, visit, &around, &rows),
        rail: rail_part(web, &clock, visit, &rows),
        folders: around.folders.iter().map(|f| FolderView::of(f, &clock)).collect(),
        path_typed,
        path_problem,
        no_model: models::missing(web),
    };
    show_with(code, visit, &home)
}

/// `GET /`.
pub async fn home(State(web): State<Web>, visit: Visit) -> Answer {
    draw(&web, &visit, None).await
}

/// `GET /now`: what changes on Home.
pub async fn now_fragment(State(web): State<Web>, visit: Visit) -> Answer {
    let (around, rows) = read(&web).await?;
    page(&now_part(&web, &web.clock(), &visit, &around, &rows))
}

/// `GET /now/rail`.
pub async fn rail_fragment(State(web): State<Web>, visit: Visit) -> Answer {
    let (_, rows) = read(&web).await?;
    page(&rail_part(&web, &web.clock(), &visit, &rows))
}

/// How the Pulse is wanted.
#[derive(Deserialize)]
pub struct Hero {
    hero: Option<String>,
}

/// `GET /pulse`.
pub async fn pulse_fragment(State(web): State<Web>, _: Visit, Asked(wanted): Asked<Hero>) -> Answer {
    let (around, ()) = gather_here(&web, |_| Ok(())).await?;
    let hero = wanted.hero.is_some_and(|h| h == "1");
    page(&PulsePart { now: now(&web, &web.clock(), &around), hero })
}
