//! The page of the router: the ladder, the last requests, budgets, what left, and the what-if box.

use axum::extract::State;
use serde::Deserialize;
use timmy_domain::thought::Place;
use timmy_domain::{Problem, Timestamp};
use timmy_llm::{Failure, TaskClass};
use timmy_store::{Egress, EgressSum, Reader, StoreError};
use tokio::time::Instant;

use super::{gather_here, refused, shell, status_of};
use crate::api::router::explain::{Asking, TOKENS_USUAL, WouldAsk};
use crate::ask::{Asked, position};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal, page, show_with};
use crate::look::router::rung::{Around, Rung};
use crate::look::router::{
    self as look, LadderPart, LeftRow, LogPart, RequestRow, RouterPage, Staying, WhatIf, WouldBe, budget, sum,
};
use crate::look::{Choice, Clock, State as Word, Tone};
use crate::web::Web;

pub mod act;

/// Where it is.
pub const ROUTE: &str = "/router/status";
/// Requests that are told, of those that the cascade remembers for its beats.
pub const REQUESTS_MAX: usize = 50;
/// Lines of the ledger on one page.
const LEFT_MAX: usize = 12;
/// Days whose sums are shown, today included.
const DAYS: u64 = 7;
/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// What the page is asked for: the part of the ledger, and what is supposed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Wanted {
    before: Option<String>,
    task_class: Option<String>,
    sensitivity: Option<String>,
    tokens: Option<String>,
    tools: Option<String>,
    vision: Option<String>,
}

impl Wanted {
    fn asking(&self) -> Asking {
        let Self { before: _, task_class, sensitivity, tokens, tools, vision } = self.clone();
        Asking { task_class, sensitivity, tokens, tools, vision }
    }

    fn before(&self) -> Result<i64, Refusal> {
        Ok(position("before", self.before.as_deref())?.unwrap_or(0))
    }
}

/// What the store holds about it.
struct Found {
    today: Vec<EgressSum>,
    tasks: Vec<EgressSum>,
    days: Vec<EgressSum>,
    left: Vec<Egress>,
}

/// The day a time lies in, as the ledger writes it.
fn day(at: Timestamp) -> String {
    at.to_utc().date().to_string()
}

fn read(r: &Reader<'_>, now: Timestamp, before: i64) -> Result<Found, StoreError> {
    let today = day(now);
    let first = day(now.minus(std::time::Duration::from_secs((DAYS - 1) * DAY_SECONDS)));
    Ok(Found {
        today: r.egress_by_provider(&today)?,
        tasks: r.egress_by_task(&today)?,
        days: r.egress_by_day(&first)?,
        left: r.egress(before, LEFT_MAX + 1)?,
    })
}

fn staying(web: &Web, clock: &Clock) -> Staying {
    let cascade = &web.app.ctx.cascade;
    let until = cascade.local_for().map(|left| clock.second(clock.now.plus(left)));
    let remote = cascade.status().iter().any(|p| p.place == Place::Remote);
    Staying::of(cascade.offline(), until, remote)
}

fn ladder_part(web: &Web, visit: &Visit, today: &[EgressSum]) -> LadderPart {
    let clock = web.clock();
    let cascade = &web.app.ctx.cascade;
    let staying = staying(web, &clock);
    let (all, recent, trials) = (cascade.status(), cascade.recent(), web.app.router.trials());
    let spent: Vec<(String, u64)> =
        today.iter().map(|s| (s.of.clone(), s.cost_micros.saturating_add(s.reserved_micros))).collect();
    let stays = match (staying.offline, &staying.until) {
        (true, _) => "Timmy works offline.",
        (false, Some(_)) => "Everything stays on this machine for now.",
        (false, None) => "",
    };
    let (counted, now, caps) = (cascade.figures(), Instant::now(), cascade.rules().caps);
    let in_all = spent.iter().fold(0_u64, |sum, (_, micros)| sum.saturating_add(*micros));
    let around = Around {
        recent: &recent,
        spent: &spent,
        cap: caps.provider,
        day_used_up: caps.day.is_some_and(|cap| in_all >= cap),
        counted: &counted,
        now,
        trials: &trials,
        stays,
        clock,
    };
    let movable = all.iter().filter(|p| p.place != Place::Reflex).count();
    let rungs = all.iter().enumerate().map(|(at, p)| Rung::of(at + 1, movable, p, &around)).collect();
    LadderPart { staying, rungs, csrf: visit.csrf() }
}

/// The budgets of this day. Each task's is named by its id, as far as any task cost something.
fn budgets(web: &Web, found: &Found) -> Vec<crate::look::Gauge> {
    let caps = web.app.ctx.cascade.rules().caps;
    let of = |sums: &[EgressSum], get: fn(&EgressSum) -> u64| sums.iter().map(get).fold(0, u64::saturating_add);
    let (spent, reserved) = (of(&found.today, |s| s.cost_micros), of(&found.today, |s| s.reserved_micros));
    let mut all = vec![budget("All models today", spent, reserved, caps.day)];
    all.extend(
        found.today.iter().map(|s| budget(format!("{} today", s.of), s.cost_micros, s.reserved_micros, caps.provider)),
    );
    all.extend(found.tasks.iter().map(|s| {
        let short: String = s.of.chars().take(8).collect();
        budget(format!("Task {short}"), s.cost_micros, s.reserved_micros, caps.task)
    }));
    all
}

fn log_part(web: &Web, found: &Found, before: i64) -> LogPart {
    let (clock, now) = (web.clock(), Instant::now());
    let recent = web.app.ctx.cascade.recent();
    let ended = |at: Instant| clock.log(clock.now.minus(now.saturating_duration_since(at)));
    let older = found.left.get(LEFT_MAX - 1).filter(|_| found.left.len() > LEFT_MAX);
    LogPart {
        requests: recent.iter().take(REQUESTS_MAX).map(|call| RequestRow::of(call, ended(call.ended))).collect(),
        recording: web.app.ctx.cascade.rules().recorder.is_some(),
        budgets: budgets(web, found),
        days: found.days.iter().map(|s| (s.of.clone(), sum(s))).collect(),
        left: found.left.iter().take(LEFT_MAX).map(|line| LeftRow::of(line, &clock)).collect(),
        older: older.map(|line| format!("{ROUTE}?before={}#left", line.id)),
        query: if before > 0 { format!("?before={before}") } else { String::new() },
    }
}

fn would_be(would: &WouldAsk, first: bool) -> WouldBe {
    let model = timmy_domain::text::one_line(&would.model);
    let whom = if model.is_empty() { would.provider.clone() } else { format!("{} · {model}", would.provider) };
    let place = if would.place == Place::Reflex { "by rules, when every model failed" } else { would.place.phrase() };
    let (state, text) = match &would.failure {
        Some(Failure::Privacy { what }) => (Word::new(Tone::Calm, "lock", "Passed by"), what.clone()),
        Some(failure) => (Word::off("Passed by"), failure.to_string()),
        None if would.place == Place::Reflex => (Word::resting("Speaks last"), place.to_owned()),
        None if first => (Word::well("Asked first"), place.to_owned()),
        None => (Word::resting("Asked next"), place.to_owned()),
    };
    WouldBe { state, whom, text: timmy_domain::text::one_line(&text) }
}

/// What would happen, in one sentence.
fn said(would: &[WouldAsk]) -> String {
    let asked: Vec<&WouldAsk> = would.iter().filter(|w| w.failure.is_none()).collect();
    let models: Vec<&&WouldAsk> = asked.iter().filter(|w| w.place != Place::Reflex).collect();
    let first = match (models.first(), asked.first()) {
        (Some(model), _) => format!("{} would be asked first.", model.provider),
        (None, Some(_)) => "No model would be asked; reflex would speak.".to_owned(),
        (None, None) => "Nobody would be asked.".to_owned(),
    };
    let leaves: Vec<&str> = models.iter().filter(|w| w.place == Place::Remote).map(|w| w.provider.as_str()).collect();
    let away = match (leaves.is_empty(), models.first().is_some_and(|m| m.place == Place::Remote)) {
        (true, _) => "Nothing would leave this machine.".to_owned(),
        (false, true) => format!("It would leave this machine, to {}.", leaves.join(" or ")),
        (false, false) => format!("It would leave this machine only if those before fail, to {}.", leaves.join(" or ")),
    };
    format!("{first} {away}")
}

fn what_if(web: &Web, asking: &Asking) -> Result<WhatIf, Problem> {
    let supposed = asking.supposed()?;
    let would = if asking.is_some() { supposed.explain(web) } else { Vec::new() };
    let first = would.iter().position(|w| w.failure.is_none());
    let class = |class: TaskClass| Choice {
        label: crate::look::words::title(class.name()),
        href: class.name().to_owned(),
        count: None,
        current: class == supposed.class,
    };
    Ok(WhatIf {
        classes: TaskClass::ALL.into_iter().filter(|c| *c != TaskClass::Embedding).map(class).collect(),
        local_only: supposed.label == timmy_domain::Sensitivity::LocalOnly,
        tokens: if asking.is_some() { supposed.tokens } else { TOKENS_USUAL },
        tools: supposed.tools,
        vision: supposed.vision,
        said: if would.is_empty() { String::new() } else { said(&would) },
        rows: would.iter().enumerate().map(|(at, w)| would_be(w, Some(at) == first)).collect(),
    })
}

/// The page, and why the last act was refused.
///
/// # Errors
/// When what is asked for makes no sense, or the store cannot be read.
pub async fn draw(web: &Web, visit: &Visit, wanted: &Wanted, problem: Option<Problem>) -> Answer {
    let (now, before) = (web.app.ctx.now(), wanted.before()?);
    let what_if = what_if(web, &wanted.asking())?;
    let (around, found) = gather_here(web, move |r| read(r, now, before)).await?;
    let machine = web.app.ctx.readings.machine(now).await;
    let busy = web.app.ctx.cascade.figures().iter().map(|provider| provider.busy).sum();
    let mut shell = shell(web, visit, &around, ROUTE);
    shell.notice = problem.as_ref().map(refused);
    let code = problem.as_ref().map_or(axum::http::StatusCode::OK, status_of);
    let drawn = RouterPage {
        ladder: ladder_part(web, visit, &found.today),
        log: log_part(web, &found, before),
        what_if,
        machine: look::machine(&machine, busy),
        shell,
    };
    show_with(code, visit, &drawn)
}

/// `GET /router/status`.
pub async fn status(State(web): State<Web>, visit: Visit, Asked(wanted): Asked<Wanted>) -> Answer {
    draw(&web, &visit, &wanted, None).await
}

/// The ladder alone, as it is now.
///
/// # Errors
/// When the store cannot be read.
pub async fn rungs(web: &Web, visit: &Visit) -> Answer {
    let today = day(web.app.ctx.now());
    let today = web.app.ctx.store.read_here(move |r| r.egress_by_provider(&today)).await?;
    page(&ladder_part(web, visit, &today))
}

/// `GET /router/status/ladder`.
pub async fn ladder(State(web): State<Web>, visit: Visit) -> Answer {
    rungs(&web, &visit).await
}

/// `GET /router/status/log`.
pub async fn log(State(web): State<Web>, _: Visit, Asked(wanted): Asked<Wanted>) -> Answer {
    let (now, before) = (web.app.ctx.now(), wanted.before()?);
    let found = web.app.ctx.store.read_here(move |r| read(r, now, before)).await?;
    page(&log_part(&web, &found, before))
}
