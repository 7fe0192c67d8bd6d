//! The stream of thoughts, and chains of them.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;
use timmy_core::clock::local_day;
use timmy_core::mind::seed::weight_percent;
use timmy_core::mind::thinking::PURPOSE;
use timmy_domain::thought::{CHAIN_LINKS_MAX, Thought};
use timmy_domain::{Problem, SeedType, Seq, ThoughtId};
use timmy_store::ThoughtQuery;

use super::{doing, gather_here, home, refused, shell};
use crate::ask::{Asked, Named, Window, no_such};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal, page, show, show_with};
use crate::look::folders::FolderView;
use crate::look::mind::{SeedWeight, SeedsPart};
use crate::look::thinking::{ChainPage, Hour, ThinkingPage, ThoughtView, ThoughtsPart, chain, hours};
use crate::look::{Absent, Choice, Clock};
use crate::nav;
use crate::web::Web;

/// Thoughts on one page.
const PAGE_THOUGHTS: usize = 20;
/// Thoughts one live fragment holds.
const ROWS_MAX: usize = 50;

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

/// How likely each seed is, after so many wishes for fewer.
fn weights(fewer: &BTreeMap<SeedType, u64>) -> Vec<SeedWeight> {
    let weight = |seed: &SeedType| SeedWeight {
        seed: *seed,
        percent: weight_percent(fewer.get(seed).copied().unwrap_or(0)).into(),
    };
    SeedType::ALL.iter().map(weight).collect()
}

/// The page, with what was typed and why it was refused.
///
/// # Errors
/// When the filter makes no sense, or the store cannot be read.
pub async fn draw(web: &Web, visit: &Visit, narrow: &Narrow, typed: Option<(String, Problem)>) -> Answer {
    let before = narrow.window().before()?;
    let query = narrow.wanted(before, PAGE_THOUGHTS + 1)?;
    let day = local_day(web.app.ctx.clock.as_ref(), web.app.ctx.now());
    let read = gather_here(web, move |r| {
        Ok((r.thoughts(&query)?, r.thought_count()?, r.fewer_counts()?, r.spent(&day, PURPOSE)?))
    });
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
    let drawn = ThinkingPage {
        status: doing::thinking_status(web, &clock, visit.csrf()),
        filters: choices(narrow, u64::try_from(count).unwrap_or(0)),
        hours: drawn(&thoughts, filter.is_empty(), &clock),
        absent: absent(web, &filter),
        older: thoughts.last().filter(|_| more).map(|last| with(&format!("before={}", last.seq))),
        newest: before.map(|_| if filter.is_empty() { "/thinking".to_owned() } else { format!("/thinking?{filter}") }),
        weights: weights(&fewer),
        budget: home::budget(web, spent),
        quiet: if settings.enabled { doing::quiet_hours(web) } else { String::new() },
        folders: around.folders.iter().map(|f| FolderView::of(f, &clock)).collect(),
        typed: typed.map(|(text, _)| text).unwrap_or_default(),
        query: filter,
        shell,
    };
    show_with(code, visit, &drawn)
}

fn absent(web: &Web, filter: &str) -> Absent {
    if !web.app.ctx.settings.thinking.enabled {
        let text = "With it on, Timmy thinks when nobody asks, from six kinds of seeds. Thoughts stay on this machine.";
        return Absent::off("Thinking is off", text).was("[thinking] enabled = false");
    }
    if filter.is_empty() {
        return Absent::empty("No thought yet", format!("Timmy thinks {} when nobody asks.", doing::rhythm(web)));
    }
    let (title, text) = if filter.starts_with("kept") {
        ("No thought is kept yet", "Keep a thought, and it is found here for good.")
    } else {
        ("No thought of this seed yet", "Seeds are drawn by chance. The first thought of this one appears here.")
    };
    Absent::empty(title, text).act("Show all thoughts", "/thinking")
}

/// `GET /thinking`.
pub async fn thinking(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    draw(&web, &visit, &narrow, None).await
}

/// `GET /thinking/seeds`: how likely each seed is.
pub async fn seeds(State(web): State<Web>, _: Visit) -> Answer {
    let fewer = web.app.ctx.store.read(|r| r.fewer_counts()).await?;
    page(&SeedsPart { weights: weights(&fewer) })
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
    let (around, (links, next)) = gather_here(&web, move |r| Ok((r.chain(id)?, r.thought_children(id)?))).await?;
    let Some(first) = links.first() else { return Err(no_such("thought", &name.0)) };
    let clock = web.clock();
    let mut shell = shell(&web, &visit, &around, "/thinking");
    shell.title = "Chain of thought".to_owned();
    shell.above = nav::page("/thinking");
    let chain = ChainPage {
        shell,
        cut: first.parent_id.is_some() && links.len() >= CHAIN_LINKS_MAX,
        thoughts: chain(&links, &clock, Some(id)),
        next: next
            .iter()
            .map(|t| ThoughtView { at: clock.short(t.created_at), ..ThoughtView::of(t, &clock) })
            .collect(),
    };
    show(&visit, &chain)
}

/// The seed a call names.
///
/// # Errors
/// When it is none of the six.
pub fn seed_of(said: Option<&str>) -> Result<Option<SeedType>, Refusal> {
    Narrow { seed: said.map(str::to_owned), ..Narrow::default() }.seed()
}
