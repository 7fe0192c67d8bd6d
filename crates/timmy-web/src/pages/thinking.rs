//! The stream of thoughts, chains, and what the owner can do with them.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use timmy_core::clock::local_day;
use timmy_core::mind::seed::weight_percent;
use timmy_core::mind::thinking::{Doing, PURPOSE};
use timmy_domain::thought::{CHAIN_LINKS_MAX, Thought};
use timmy_domain::{Problem, SeedType, Seq, ThoughtId};
use timmy_store::ThoughtQuery;

use super::{doing, gather, home, refused, see, shell};
use crate::ask::{Asked, Fields, Named, Window, no_such};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal, page, page_with};
use crate::look::folders::FolderView;
use crate::look::mind::SeedWeight;
use crate::look::thinking::{ChainPage, Hour, ThinkingPage, ThoughtPart, ThoughtView, ThoughtsPart, chain, hours};
use crate::look::{Absent, Choice, Clock};
use crate::nav;
use crate::web::Web;

/// Thoughts on one page.
const PAGE_THOUGHTS: usize = 30;
/// Thoughts one live fragment holds.
const ROWS_MAX: usize = 50;
/// How long to look whether a thought is refused at once, in milliseconds.
const THINK_LOOK_MS: u64 = 150;
/// How long to wait until the loop has taken notice, in milliseconds.
const YIELD_MS_MAX: u64 = 600;
/// How often to look, in milliseconds.
const YIELD_LOOK_MS: u64 = 20;

/// What the stream is narrowed to.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Narrow {
    seed: Option<String>,
    kept: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl Narrow {
    fn seed(&self) -> Result<Option<SeedType>, Refusal> {
        let said = self.seed.as_deref().filter(|s| !s.is_empty());
        said.map(|s| {
            s.parse()
                .map_err(|e| Refusal(Problem::invalid("bad_seed", format!("It is {e}."), "Choose one of the filters.")))
        })
        .transpose()
    }

    fn kept(&self) -> bool {
        self.kept.as_deref().is_some_and(|k| k == "1" || k == "true")
    }

    fn window(&self) -> Window {
        Window { limit: None, before: self.before.clone(), after: self.after.clone() }
    }

    /// The filter as a query, without the position.
    fn query(&self) -> String {
        match (self.seed.as_deref().filter(|s| !s.is_empty()), self.kept()) {
            (Some(seed), _) => format!("seed={}", crate::door::encoded(seed)),
            (None, true) => "kept=1".to_owned(),
            (None, false) => String::new(),
        }
    }

    fn wanted(&self, before: Option<Seq>, limit: usize) -> Result<ThoughtQuery, Refusal> {
        Ok(ThoughtQuery { before, seed: self.seed()?, kept: self.kept().then_some(true), limit })
    }
}

fn choices(narrow: &Narrow, count: u64) -> Vec<Choice> {
    let query = narrow.query();
    let choice = |label: &str, own: &str, count| Choice {
        label: label.to_owned(),
        href: if own.is_empty() { "/thinking".to_owned() } else { format!("/thinking?{own}") },
        count,
        current: own == query,
    };
    let mut all = vec![choice("All", "", Some(count)), choice("Kept", "kept=1", None)];
    all.extend(SeedType::ALL.iter().map(|seed| choice(seed.name(), &format!("seed={seed}"), None)));
    all
}

/// The thoughts in hours. In the whole stream each one follows the next older one, also where the page ends.
fn drawn(thoughts: &[Thought], whole: bool, clock: &Clock) -> Vec<Hour> {
    let mut hours = hours(thoughts, clock);
    let last = hours.last_mut().and_then(|hour| hour.thoughts.last_mut());
    if let (true, Some(view), Some(thought)) = (whole, last, thoughts.last()) {
        view.linked = thought.parent_id.is_some();
    }
    hours
}

/// The page, with what was typed and why it was refused.
async fn draw(web: &Web, visit: &Visit, narrow: &Narrow, typed: Option<(String, Problem)>) -> Answer {
    let before = narrow.window().before()?;
    let query = narrow.wanted(before, PAGE_THOUGHTS + 1)?;
    let day = local_day(web.app.ctx.clock.as_ref(), web.app.ctx.now());
    let read =
        gather(web, move |r| Ok((r.thoughts(&query)?, r.thought_count()?, r.fewer_counts()?, r.spent(&day, PURPOSE)?)));
    let (around, (mut thoughts, count, fewer, spent)) = read.await?;
    let more = thoughts.len() > PAGE_THOUGHTS;
    thoughts.truncate(PAGE_THOUGHTS);
    let filter = narrow.query();
    let with =
        |rest: &str| if filter.is_empty() { format!("/thinking?{rest}") } else { format!("/thinking?{filter}&{rest}") };
    let clock = web.clock();
    let settings = &web.app.ctx.settings.thinking;
    let mut shell = shell(web, visit, &around, "/thinking");
    shell.notice = typed.as_ref().map(|(_, problem)| refused(problem));
    let code = typed.as_ref().map_or(axum::http::StatusCode::OK, |(_, problem)| super::status_of(problem));
    let weight = |seed: &SeedType| SeedWeight {
        seed: *seed,
        percent: weight_percent(fewer.get(seed).copied().unwrap_or(0)).into(),
    };
    let drawn = ThinkingPage {
        status: doing::thinking_status(web, &clock, visit.csrf()),
        filters: choices(narrow, u64::try_from(count).unwrap_or(0)),
        hours: drawn(&thoughts, filter.is_empty(), &clock),
        absent: absent(web, &filter),
        older: thoughts.last().filter(|_| more).map(|last| with(&format!("before={}", last.seq))),
        newest: before.map(|_| if filter.is_empty() { "/thinking".to_owned() } else { format!("/thinking?{filter}") }),
        weights: SeedType::ALL.iter().map(weight).collect(),
        budget: home::budget(web, spent),
        quiet: if settings.enabled { doing::quiet_hours(web) } else { String::new() },
        folders: around.folders.iter().map(|f| FolderView::of(f, &clock)).collect(),
        typed: typed.map(|(text, _)| text).unwrap_or_default(),
        query: filter,
        shell,
    };
    page_with(code, &drawn)
}

fn absent(web: &Web, filter: &str) -> Absent {
    if !web.app.ctx.settings.thinking.enabled {
        let text = "With it on, Timmy thinks when nobody asks, from six kinds of seeds. Thoughts stay on this machine.";
        return Absent::off("Thinking is off", text).was("[thinking] enabled = false");
    }
    if filter.is_empty() {
        return Absent::empty("No thought yet", format!("Timmy thinks {} when nobody asks.", doing::rhythm(web)));
    }
    Absent::empty("No thought fits this filter", "Keep a thought, or wait for one of this seed.")
        .act("Show all thoughts", "/thinking")
}

/// `GET /thinking`.
pub async fn thinking(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    draw(&web, &visit, &narrow, None).await
}

/// `GET /thinking/rows`: the thoughts after an event.
pub async fn rows(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    let after = narrow.window().after()?.unwrap_or(0);
    let query = narrow.wanted(None, ROWS_MAX)?;
    let mut thoughts = web.app.ctx.store.read(move |r| r.thoughts(&query)).await?;
    thoughts.retain(|t| t.seq > after);
    page(&ThoughtsPart { hours: drawn(&thoughts, narrow.query().is_empty(), &web.clock()), csrf: visit.csrf() })
}

/// `GET /thinking/status`.
pub async fn status(State(web): State<Web>, visit: Visit) -> Answer {
    page(&doing::thinking_status(&web, &web.clock(), visit.csrf()))
}

/// `GET /thinking/{id}`: the chain that led to a thought.
pub async fn thought(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let id: ThoughtId = name.id("thought")?;
    let (around, (links, next)) = gather(&web, move |r| Ok((r.chain(id)?, r.thought_children(id)?))).await?;
    let Some(first) = links.first() else { return Err(no_such("thought", &name.0)) };
    let clock = web.clock();
    let mut shell = shell(&web, &visit, &around, "/thinking");
    shell.title = "Chain of thought".to_owned();
    shell.above = nav::page("/thinking");
    page(&ChainPage {
        shell,
        cut: first.parent_id.is_some() && links.len() >= CHAIN_LINKS_MAX,
        thoughts: chain(&links, &clock, Some(id)),
        next: next
            .iter()
            .map(|t| ThoughtView { at: clock.short(t.created_at), ..ThoughtView::of(t, &clock) })
            .collect(),
    })
}

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
        Ok(thought) if visit.script => changed(&web, &visit, &thought),
        Ok(_) => Ok(see("/thinking")),
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => draw(&web, &visit, &Narrow::default(), Some((form.text, problem))).await,
    }
}

/// After an act on thinking itself: the panel for a script, the page for a form.
fn steered(web: &Web, visit: &Visit) -> Answer {
    if visit.script { page(&doing::thinking_status(web, &web.clock(), visit.csrf())) } else { Ok(see("/thinking")) }
}

/// `POST /thinking/think`. The thought comes by itself: nobody waits for a model here.
pub async fn think(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    let seed = seed_of(form.seed_type.as_deref())?;
    let making = web.app.thinking.clone();
    let asked = tokio::spawn(async move { making.think_now(seed).await });
    // What refuses at once is told at once; a thought in the making is left to appear.
    match tokio::time::timeout(Duration::from_millis(THINK_LOOK_MS), asked).await {
        Ok(Ok(Err(problem))) => Err(problem.into()),
        _ => steered(&web, &visit),
    }
}

/// The seed a call names.
///
/// # Errors
/// When it is none of the six.
pub fn seed_of(said: Option<&str>) -> Result<Option<SeedType>, Refusal> {
    Narrow { seed: said.map(str::to_owned), ..Narrow::default() }.seed()
}

/// `POST /thinking/pause`.
pub async fn pause(State(web): State<Web>, visit: Visit, Fields(form): Fields<Form>) -> Answer {
    web.app.thinking.pause(form.minutes).await?;
    settled(&web, doing::is_paused).await;
    steered(&web, &visit)
}

/// `POST /thinking/resume`.
pub async fn resume(State(web): State<Web>, visit: Visit) -> Answer {
    web.app.thinking.resume().await?;
    settled(&web, |doing| !doing::is_paused(doing)).await;
    steered(&web, &visit)
}

/// `POST /thinking/stop`: gives up the thought in the making, and rests for one interval.
pub async fn stop(State(web): State<Web>, visit: Visit) -> Answer {
    let thinking = &web.app.thinking;
    if matches!(thinking.doing(), Doing::Thinking { .. }) {
        let minutes = web.app.ctx.settings.thinking.interval_seconds.div_ceil(60).max(1);
        let fault = |f: timmy_core::Fault| Problem::unavailable("store_failed", format!("{f}."), "Run `timmy doctor`.");
        // Paused first: a thought that is given up would begin again at once. A pause of the owner's own stays as it is.
        if thinking.situation().await.map_err(fault)?.paused.is_none() {
            thinking.pause(Some(minutes)).await?;
        }
        let held = web.app.ctx.attention.hold();
        settled(&web, |doing| !matches!(doing, Doing::Thinking { .. })).await;
        drop(held);
        settled(&web, doing::is_paused).await;
    }
    steered(&web, &visit)
}

/// Waits a moment until the loop has taken notice, so that the answer shows what is the case.
async fn settled(web: &Web, is_so: impl Fn(&Doing) -> bool) {
    for _ in 0..YIELD_MS_MAX / YIELD_LOOK_MS {
        let doing = web.app.thinking.doing();
        // A thought in the making is finished first.
        if is_so(&doing) || matches!(doing, Doing::Thinking { .. }) && !web.app.ctx.attention.busy() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(YIELD_LOOK_MS)).await;
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
    let thinking = &web.app.thinking;
    let thought = match act {
        Act::Keep(kept) => thinking.keep_thought(id, kept).await?,
        Act::Fewer(fewer) => thinking.fewer_like(id, fewer).await?,
    };
    if visit.script { changed(web, visit, &thought) } else { Ok(to_thought(&thought)) }
}

fn to_thought(thought: &Thought) -> Response {
    see(&format!("/thinking#thought-{}", thought.id)).into_response()
}

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

/// `POST /thinking/{id}/more` and `/unfewer`: takes the wish for fewer back.
pub async fn unfewer(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    mark(&web, &visit, &name, Act::Fewer(false)).await
}
