//! The queue for programs: making tasks, reading them, and every act on them.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::decide;
use timmy_core::work::queue::{BULK_MAX, Place};
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::{Act, Edit};
use timmy_domain::task::{self, Priority, RANK_UNKNOWN, Status, Task};
use timmy_domain::{Actor, Problem, Secret, TaskId, Timestamp};
use timmy_store::{LIST_LIMIT_MAX, TaskCount, TaskPlace, TaskQuery};
use utoipa::ToSchema;

use super::{created, json as answer};
use crate::ask::{Asked, Fields, Named, Window, list};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal};
use crate::pages::login::secret;
use crate::web::Web;

/// Tasks in a list when nobody says how many.
const USUAL: usize = 100;

fn word<T: std::str::FromStr<Err = task::NotAWord>>(text: Option<&str>) -> Result<Option<T>, Problem> {
    let said = text.map(str::trim).filter(|text| !text.is_empty()).map(str::parse::<T>);
    said.transpose()
        .map_err(|e| Problem::invalid("bad_word", format!("This is {e}."), "Leave it out, or use one of those."))
}

fn moment(what: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let said = text.filter(|text| !text.trim().is_empty()).map(Timestamp::parse);
    said.transpose()
        .map_err(|_| Problem::invalid("bad_time", format!("`{what}` is no time."), "Write it as 2027-01-31T12:00:00Z."))
}

fn sum(counts: &[TaskCount], which: impl Fn(&TaskCount) -> bool) -> u64 {
    counts.iter().filter(|one| which(one)).map(|one| one.count).sum()
}

fn task_id(text: &str) -> Result<TaskId, Problem> {
    text.parse().map_err(|_| Problem::unknown("unknown_task", "This is no id of a task.", "Look at the list of tasks."))
}

/// Which tasks.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    status: Option<String>,
    priority: Option<String>,
    assigned_to: Option<String>,
    task_type: Option<String>,
}

/// `GET /api/tasks?status=&priority=&assigned_to=&limit=&before=`: newest first.
pub async fn tasks(
    State(web): State<Web>,
    _: Visit,
    Asked(which): Asked<Which>,
    Asked(window): Asked<Window>,
) -> Answer {
    let limit = window.limit(USUAL)?;
    let query = TaskQuery {
        status: word::<Status>(which.status.as_deref())?,
        priority: word::<Priority>(which.priority.as_deref())?,
        assigned_to: which.assigned_to.filter(|agent| !agent.is_empty()).map(|agent| agent.to_ascii_lowercase()),
        parent: None,
        kind: which.task_type.filter(|kind| !kind.is_empty()).map(|kind| kind.to_ascii_lowercase()),
        before: window.before()?,
        limit: (limit + 1).min(LIST_LIMIT_MAX),
    };
    Ok(answer(&list(web.app.queue.list(query).await?, limit, |task: &Task| json!(task.seq))))
}

/// A task to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewTask)]
pub struct Wanted {
    /// What is to be done, in one line.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// More about it.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// What kind of work it is.
    #[schema(pattern = "^[A-Za-z0-9_.:/-]{0,80}$")]
    task_type: Option<String>,
    /// How soon it is wanted: low, normal, high or urgent.
    priority: Option<String>,
    /// Which agent is to do it.
    #[schema(pattern = "^[A-Za-z0-9_.:/-]{0,80}$")]
    assigned_to: Option<String>,
    /// Whether it waits for the owner's word.
    requires_approval: Option<bool>,
    /// By when it is wanted.
    due: Option<String>,
    /// The task it came from.
    parent_task_id: Option<String>,
    /// Tasks that have to be completed before it.
    #[schema(max_items = 20)]
    needs: Option<Vec<String>>,
    /// A word that makes it once only: the second time answers 200 with the task of the first.
    #[schema(pattern = "^[A-Za-z0-9_.:/-]{1,80}$")]
    idempotency_key: Option<String>,
}

/// `POST /api/tasks`.
pub async fn create(State(web): State<Web>, _: Visit, Fields(wanted): Fields<Wanted>) -> Answer {
    let needs: Result<Vec<TaskId>, Problem> = wanted.needs.iter().flatten().map(|id| task_id(id)).collect();
    let new = NewTask {
        description: wanted.description.unwrap_or_default(),
        task_type: wanted.task_type.unwrap_or_default(),
        assigned_to: wanted.assigned_to.unwrap_or_default(),
        priority: word(wanted.priority.as_deref())?.unwrap_or(Priority::Normal),
        requires_approval: wanted.requires_approval,
        due: moment("due", wanted.due.as_deref())?,
        parent_task_id: wanted.parent_task_id.as_deref().map(task_id).transpose()?,
        needs: needs?,
        idempotency_key: wanted.idempotency_key,
        ..NewTask::titled(wanted.title, Actor::Owner)
    };
    let made = web.app.queue.create(new).await?;
    Ok(if made.is_new { created(&made.task) } else { answer(&made.task) })
}

/// `GET /api/tasks/{id}`.
pub async fn one(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.queue.get(name.id("task")?).await?))
}

/// `GET /api/tasks/counts`: by status, and all together.
pub async fn counts(State(web): State<Web>, _: Visit) -> Answer {
    let found = web.app.ctx.store.read(|r| r.task_counts()).await.map_err(|e| e.problem())?;
    let mut out = serde_json::Map::new();
    for status in Status::ALL {
        out.insert(status.name().to_owned(), json!(sum(&found, |one| one.status == status.name())));
    }
    out.insert("total".to_owned(), json!(sum(&found, |_| true)));
    Ok(answer(&Value::Object(out)))
}

/// A place in the order of the queue as a cursor: rank of the priority, position, age.
fn cursor(task: &Task) -> String {
    let rank = task.priority.known.map_or(RANK_UNKNOWN, Priority::rank);
    format!("{rank}_{}_{}", task.position, task.seq)
}

fn place_of(cursor: &str) -> Option<TaskPlace> {
    let mut parts = cursor.split('_').map(str::parse::<i64>);
    let place = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    parts.next().is_none().then_some(place)
}

/// `GET /api/tasks/backlog?limit=&after=`: in the order of the queue.
pub async fn backlog(State(web): State<Web>, _: Visit, Asked(window): Asked<Window>) -> Answer {
    let limit = window.limit(USUAL)?;
    let after = window.after.filter(|text| !text.is_empty()).map(|text| {
        let bad =
            || Problem::invalid("bad_cursor", "`after` is no place in the queue.", "Use `next` of the page before.");
        place_of(&text).ok_or_else(bad)
    });
    let (after, limit_more) = (after.transpose()?, (limit + 1).min(LIST_LIMIT_MAX));
    let read = web.app.ctx.store.read(move |r| r.tasks_in_order(Status::Backlogged, after, limit_more));
    let tasks = read.await.map_err(|e| e.problem())?;
    Ok(answer(&list(tasks, limit, |task: &Task| json!(cursor(task)))))
}

/// What an act may bring along.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TaskWord)]
pub struct Said {
    /// Why; at most 500 characters of it are kept.
    reason: Option<String>,
    /// What came of it, for `complete`.
    result: Option<String>,
    /// The owner's password, where one is set and the question asks for it.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
    /// Another title, for `modify`.
    title: Option<String>,
    /// Another description, for `modify`.
    description: Option<String>,
    /// Another agent, for `modify`.
    assigned_to: Option<String>,
    /// Another priority, for `modify`.
    priority: Option<String>,
    /// Another time by which it is wanted, for `modify`; an empty one takes it away.
    due: Option<String>,
}

impl Said {
    fn edit(&self) -> Result<Edit, Problem> {
        let agent = self.assigned_to.as_deref().map(|name| task::name("assigned_to", name));
        Ok(Edit {
            title: self.title.as_deref().map(task::title).transpose()?,
            description: self.description.as_deref().map(task::description).transpose()?,
            assigned_to: agent.transpose()?.map(|agent| agent.to_ascii_lowercase()),
            priority: word(self.priority.as_deref())?,
            due: self.due.as_deref().map(|due| moment("due", Some(due))).transpose()?,
        })
    }
}

/// The act that `verb` names.
fn act(verb: &str, said: &Said) -> Result<Act, Problem> {
    let why = said.reason.clone().unwrap_or_default();
    Ok(match verb {
        "approve" => Act::Approve,
        "veto" => Act::Veto(why),
        "pause" => Act::Pause,
        "resume" => Act::Resume,
        "cancel" => Act::Cancel(why),
        "retry" => Act::Retry,
        "backlog" => Act::Backlog(why),
        "unbacklog" => Act::Unbacklog,
        "complete" => Act::Complete(said.result.clone().unwrap_or_default()),
        "modify" => Act::Modify(said.edit()?),
        _ => {
            return Err(Problem::invalid(
                "bad_act",
                "A task knows approve, veto, modify, pause, resume, cancel, retry, backlog, unbacklog and complete.",
                "Use one of those.",
            ));
        }
    })
}

async fn done(web: &Web, visit: &Visit, name: &Named, verb: &str, said: Said) -> Answer {
    let (id, act) = (name.id("task")?, act(verb, &said)?);
    let task = decide::act(&web.app, id, act, &visit.who.principal.name, said.password.as_ref()).await?;
    Ok(answer(&task))
}

macro_rules! verbs {
    ($($verb:ident)*) => {$(
        #[doc = concat!("`POST /api/tasks/{id}/", stringify!($verb), "`.")]
        pub async fn $verb(State(web): State<Web>, visit: Visit, name: Named, Fields(said): Fields<Said>) -> Answer {
            done(&web, &visit, &name, stringify!($verb), said).await
        }
    )*};
}
verbs!(approve veto pause resume cancel retry unbacklog complete modify);

/// `POST /api/tasks/{id}/backlog`.
pub async fn lay_aside(State(web): State<Web>, visit: Visit, name: Named, Fields(said): Fields<Said>) -> Answer {
    done(&web, &visit, &name, "backlog", said).await
}

/// Where a task goes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TaskPlace)]
pub struct Where {
    /// `top` or `bottom` among those of its priority.
    to: Option<String>,
    /// Directly before this task.
    before: Option<String>,
    /// Directly behind this task.
    after: Option<String>,
}

/// `POST /api/tasks/{id}/move`.
pub async fn place(State(web): State<Web>, _: Visit, name: Named, Fields(to): Fields<Where>) -> Answer {
    let place = match (to.to.as_deref(), to.before.as_deref(), to.after.as_deref()) {
        (Some("top"), None, None) => Place::Top,
        (Some("bottom"), None, None) => Place::Bottom,
        (None, Some(other), None) => Place::Before(task_id(other)?),
        (None, None, Some(other)) => Place::After(task_id(other)?),
        _ => {
            let message = "Exactly one of `to` (top or bottom), `before` and `after` says where a task goes.";
            return Err(Problem::invalid("bad_place", message, "Name one of them.").into());
        }
    };
    Ok(answer(&web.app.queue.place(name.id("task")?, place, Actor::Owner).await?))
}

/// One act on several tasks.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TaskBatch)]
pub struct Batch {
    /// Which; at most 500.
    #[schema(max_items = 500)]
    ids: Vec<String>,
    /// The act, as its address names it.
    #[schema(pattern = "^(approve|veto|modify|pause|resume|cancel|retry|backlog|unbacklog|complete)$")]
    act: String,
    /// Why, for all of them.
    reason: Option<String>,
    /// The owner's password, where one is set and a question about one of them says `step_up`.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
}

/// `POST /api/tasks/bulk`: each by itself; one that cannot be says why.
pub async fn bulk(State(web): State<Web>, visit: Visit, Fields(batch): Fields<Batch>) -> Answer {
    if batch.ids.len() > BULK_MAX {
        let message = format!("An act is done with at most {BULK_MAX} tasks at once.");
        return Err(Problem::invalid("batch_too_large", message, "Send several.").into());
    }
    let said = Said { reason: batch.reason, ..Said::default() };
    let act = act(&batch.act, &said)?;
    let (mut items, mut proof) = (Vec::new(), decide::Proof::of(batch.password.as_ref()));
    for text in &batch.ids {
        let done = match task_id(text) {
            Ok(id) => decide::act_with(&web.app, id, act.clone(), &visit.who.principal.name, &mut proof).await,
            Err(problem) => Err(problem),
        };
        items.push(match done {
            Ok(task) => json!({"id": text, "task": task, "error": null}),
            Err(problem) => json!({"id": text, "task": null, "error": problem}),
        });
    }
    Ok(answer(&json!({"items": items, "next": null})))
}

async fn standing(web: &Web, agent: String) -> Result<Value, Refusal> {
    let asked = agent.to_ascii_lowercase();
    let read = web.app.ctx.store.read(move |r| {
        let running = TaskQuery {
            status: Some(Status::Running),
            assigned_to: Some(asked.clone()),
            limit: 1,
            ..TaskQuery::default()
        };
        Ok((r.tasks_page(&running)?.pop(), r.task_pick(&asked, &[])?, r.task_counts()?))
    });
    let (current, next, counts) = read.await.map_err(|e| e.problem())?;
    let of = agent.to_ascii_lowercase();
    let ahead = sum(&counts, |one| one.assigned_to == of && ["approved", "running"].contains(&one.status.as_str()));
    Ok(json!({
        "assigned_to": agent, "is_working": current.is_some(), "current": current, "next": next, "tasks_ahead": ahead,
    }))
}

/// Whose queue.
#[derive(Debug, Default, Deserialize)]
pub struct Whose {
    assigned_to: Option<String>,
}

/// `GET /api/queue/status?assigned_to=`.
pub async fn status(State(web): State<Web>, _: Visit, Asked(whose): Asked<Whose>) -> Answer {
    let agent = whose.assigned_to.filter(|agent| !agent.is_empty());
    let agent = agent.unwrap_or_else(|| task::birth::AGENT.to_owned());
    Ok(answer(&standing(&web, agent).await?))
}

/// `GET /api/queue/agent/{name}`.
pub async fn agent(State(web): State<Web>, _: Visit, Named(name): Named) -> Answer {
    Ok(answer(&standing(&web, name).await?))
}

/// `GET /api/queue/position/{id}`: 1 is next; null when it does not wait for its turn.
pub async fn position(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let task = web.app.queue.get(name.id("task")?).await?;
    let id = task.id;
    let read =
        web.app.ctx.store.read(move |r| Ok((r.tasks_ahead(&task)?, r.task_counts()?, r.task_unmet(&task)?, task)));
    let (ahead, counts, unmet, task) = read.await.map_err(|e| e.problem())?;
    let approved = Status::Approved.name();
    let total = sum(&counts, |one| one.assigned_to == task.assigned_to && one.status == approved);
    let waits = task.status.known == Some(Status::Approved) && unmet.is_empty();
    let (position, ahead) = if waits { (Some(ahead + 1), Some(ahead)) } else { (None, None) };
    Ok(answer(
        &json!({"id": id, "status": task.status, "position": position, "ahead": ahead, "total": total, "waits_for": unmet}),
    ))
}
