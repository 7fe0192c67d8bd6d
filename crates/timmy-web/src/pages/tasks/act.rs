//! What the owner can do with tasks from the pages: make one, change it, move it, and every act on one or several.

use axum::extract::State;
use serde::Deserialize;
use timmy_core::decide;
use timmy_core::work::queue::{BULK_MAX, Place};
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::{Act, Edit};
use timmy_domain::task::{self, Priority};
use timmy_domain::{Actor, Problem, Secret, TaskId, Timestamp};

use super::one::said;
use super::{Narrow, address, list};
use crate::ask::{Asked, Fields, Named};
use crate::auth::Visit;
use crate::did::{Bulk, Did, Note, Said};
use crate::errors::Answer;
use crate::look::tasks::Draft;
use crate::pages::login::secret;
use crate::pages::see;
use crate::web::Web;

/// What a form of the pages carries.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    /// The list it stands in; none on the page of a task.
    query: Option<String>,
    reason: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Secret>,
}

/// After an act: the list for a script, else the page the form stood on.
async fn answered(web: &Web, visit: &Visit, query: Option<&str>, id: TaskId, did: &Did) -> Answer {
    let answer = match query {
        Some(query) if visit.script => list(web, visit, &Narrow::carried(query)).await?,
        Some(query) => see(&address(&Narrow::carried(query).query())),
        None => see(&format!("/tasks/{id}")),
    };
    Ok(did.on(visit, answer))
}

/// The act that `verb` names, and what is said about it.
fn act(verb: &str, why: String, id: TaskId) -> Option<(Act, Did)> {
    Some(match verb {
        "approve" => (Act::Approve, Did::TaskApproved(id)),
        "veto" => (Act::Veto(why), Did::Note(Note::TaskVetoed)),
        "pause" => (Act::Pause, Did::TaskPaused(id)),
        "resume" => (Act::Resume, Did::Note(Note::TaskResumed)),
        "cancel" => (Act::Cancel(why), Did::Note(Note::TaskCancelled)),
        "retry" => (Act::Retry, Did::Note(Note::TaskRetried)),
        "backlog" => (Act::Backlog(why), Did::TaskAside(id)),
        "unbacklog" => (Act::Unbacklog, Did::TaskTakenUp(id)),
        "complete" => (Act::Complete(why), Did::Note(Note::TaskDone)),
        _ => return None,
    })
}

async fn done(web: &Web, visit: &Visit, name: &Named, verb: &str, form: Form) -> Answer {
    let id: TaskId = name.id("task")?;
    let Some((act, did)) = act(verb, form.reason.unwrap_or_default(), id) else {
        return Err(Problem::invalid("bad_act", "A task knows no such act.", "Use the buttons.").into());
    };
    match decide::act(&web.app, id, act, &visit.who.principal.name, form.password.as_ref()).await {
        Ok(_) => answered(web, visit, form.query.as_deref(), id, &did).await,
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => super::one::draw(web, visit, id, Some((None, problem))).await,
    }
}

macro_rules! verbs {
    ($($verb:ident)*) => {$(
        #[doc = concat!("`POST /tasks/{id}/", stringify!($verb), "`.")]
        pub async fn $verb(State(web): State<Web>, visit: Visit, name: Named, Fields(form): Fields<Form>) -> Answer {
            done(&web, &visit, &name, stringify!($verb), form).await
        }
    )*};
}
verbs!(approve veto pause resume cancel retry backlog unbacklog complete);

/// Where a task goes.
#[derive(Debug, Default, Deserialize)]
pub struct Where {
    to: Option<String>,
    before: Option<String>,
    after: Option<String>,
    position: Option<i64>,
    priority: Option<String>,
    query: Option<String>,
}

/// `POST /tasks/{id}/move?to=|before=|after=`.
pub async fn place(
    State(web): State<Web>,
    visit: Visit,
    name: Named,
    Asked(asked): Asked<Where>,
    Fields(form): Fields<Where>,
) -> Answer {
    let id: TaskId = name.id("task")?;
    let was = web.app.queue.get(id).await?;
    let named = |text: Option<&String>| text.and_then(|text| text.parse::<TaskId>().ok());
    let to = asked.to.as_deref().or(form.to.as_deref());
    let before = named(asked.before.as_ref().or(form.before.as_ref()));
    let after = named(asked.after.as_ref().or(form.after.as_ref()));
    let place = match (to, before, after) {
        (Some("top"), ..) => Place::Top,
        (Some("bottom"), ..) => Place::Bottom,
        (_, Some(other), _) => Place::Before(other),
        (_, _, Some(other)) => Place::After(other),
        _ => {
            let message = "It was not said where the task goes.";
            return Err(Problem::invalid("bad_place", message, "Use the arrows.").into());
        }
    };
    web.app.queue.place(id, place, Actor::Owner).await?;
    let did = match was.priority.known {
        Some(priority) => Did::TaskMoved(id, was.position, priority),
        None => Did::Note(Note::TaskEdited),
    };
    answered(&web, &visit, form.query.as_deref(), id, &did).await
}

/// `POST /tasks/{id}/put`: back to where it stood.
pub async fn put(State(web): State<Web>, visit: Visit, name: Named, Fields(form): Fields<Where>) -> Answer {
    let id: TaskId = name.id("task")?;
    let priority = form.priority.as_deref().and_then(|word| word.parse::<Priority>().ok());
    let (Some(position), Some(priority)) = (form.position, priority) else {
        return Err(Problem::invalid("bad_place", "It was not said where the task stood.", "Use the arrows.").into());
    };
    web.app.queue.act(id, Act::Move(position, priority), Actor::Owner, &visit.who.principal.name).await?;
    answered(&web, &visit, Some(""), id, &Did::Note(Note::TaskPutBack)).await
}

/// The form that makes or changes a task.
#[derive(Debug, Default, Deserialize)]
pub struct Typed {
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    priority: String,
    #[serde(default)]
    assigned_to: String,
    #[serde(default)]
    due: String,
    asks: Option<String>,
}

impl Typed {
    fn draft(self) -> Draft {
        let Self { title, description, priority, assigned_to, due, asks } = self;
        Draft { title, description, priority, assigned_to, due, asks: asks.is_some() }
    }

    fn due(&self, web: &Web) -> Result<Option<Timestamp>, Problem> {
        let said = self.due.trim();
        if said.is_empty() {
            return Ok(None);
        }
        web.clock()
            .typed(said)
            .map(Some)
            .ok_or_else(|| Problem::invalid("bad_time", "This is no day with a time.", "Write it as 2027-01-31T12:00."))
    }

    fn priority(&self) -> Result<Option<Priority>, Problem> {
        let said = self.priority.trim();
        let bad = |e: task::NotAWord| Problem::invalid("bad_word", format!("This is {e}."), "Choose one of the list.");
        (!said.is_empty()).then(|| said.parse().map_err(bad)).transpose()
    }

    fn new_task(&self, web: &Web) -> Result<NewTask, Problem> {
        Ok(NewTask {
            description: self.description.clone(),
            assigned_to: self.assigned_to.clone(),
            priority: self.priority()?.unwrap_or(Priority::Normal),
            requires_approval: self.asks.is_some().then_some(true),
            due: self.due(web)?,
            ..NewTask::titled(self.title.clone(), Actor::Owner)
        })
    }

    fn edit(&self, web: &Web) -> Result<Edit, Problem> {
        let agent = self.assigned_to.trim();
        let agent = (!agent.is_empty()).then(|| task::name("agent", agent)).transpose()?;
        Ok(Edit {
            title: Some(task::title(&self.title)?),
            description: Some(task::description(&self.description)?),
            assigned_to: agent.map(|agent| agent.to_ascii_lowercase()),
            priority: self.priority()?,
            due: Some(self.due(web)?),
        })
    }
}

/// `POST /tasks/new`.
pub async fn make(State(web): State<Web>, visit: Visit, Fields(typed): Fields<Typed>) -> Answer {
    let made = match typed.new_task(&web) {
        Ok(new) => web.app.queue.create(new).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(made) => answered(&web, &visit, Some(""), made.task.id, &Did::TaskMade(made.task.id)).await,
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => super::draw(&web, &visit, &Narrow::default(), Some((typed.draft(), problem))).await,
    }
}

/// `POST /tasks/{id}/modify`.
pub async fn modify(State(web): State<Web>, visit: Visit, name: Named, Fields(typed): Fields<Typed>) -> Answer {
    let id: TaskId = name.id("task")?;
    let before = said(&web.app.queue.get(id).await?, &web.clock());
    let changed = match typed.edit(&web) {
        Ok(edit) => decide::act(&web.app, id, Act::Modify(edit), &visit.who.principal.name, None).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(_) => {
            let did = Said::of(id, before).map_or(Did::Note(Note::TaskEdited), Did::TaskSaid);
            answered(&web, &visit, None, id, &did).await
        }
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => super::one::draw(&web, &visit, id, Some((Some(typed.draft()), problem))).await,
    }
}

/// `POST /tasks/bulk`: one act on the chosen tasks, each by itself.
pub async fn bulk(State(web): State<Web>, visit: Visit, Fields(fields): Fields<Vec<(String, String)>>) -> Answer {
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    // One by one from the boxes of the list, or all in one word from the notice that takes an act back.
    let chosen = fields.iter().filter(|(key, _)| key == "id").map(|(_, id)| id.as_str());
    let named = chosen.chain(field("ids").unwrap_or_default().split(','));
    let ids: Vec<TaskId> = named.filter_map(|id| id.parse().ok()).take(BULK_MAX).collect();
    let (verb, why) = (field("act").unwrap_or_default(), field("reason").unwrap_or_default());
    let password = field("password").filter(|typed| !typed.is_empty()).map(|typed| Secret::new(typed.to_owned()));
    let (mut changed, mut refused, mut proof) = (Vec::new(), Vec::new(), decide::Proof::of(password.as_ref()));
    for id in &ids {
        let Some((act, _)) = act(verb, why.to_owned(), *id) else { break };
        match decide::act_with(&web.app, *id, act, &visit.who.principal.name, &mut proof).await {
            Ok(_) => changed.push(*id),
            Err(problem) => refused.push((*id, problem)),
        }
    }
    let did = came_to(&web, verb, changed, &refused).await;
    let narrow = Narrow::carried(field("query").unwrap_or_default());
    let answer = if visit.script { list(&web, &visit, &narrow).await? } else { see(&address(&narrow.query())) };
    Ok(did.on(&visit, answer))
}

/// What an act on several tasks came to; those that were refused are named with the reason.
async fn came_to(web: &Web, verb: &str, changed: Vec<TaskId>, refused: &[(TaskId, Problem)]) -> Did {
    let (count, mut named) = (changed.len() as u64, Vec::new());
    if let (true, Some(bulk)) = (refused.is_empty(), Bulk::of(verb, changed)) {
        return Did::Bulk(bulk);
    }
    for (id, problem) in refused.iter().take(Did::NAMED_MAX) {
        let task = web.app.queue.get(*id).await;
        named.push((task.map(|task| task.title).unwrap_or_default(), problem.message.clone()));
    }
    Did::several(count, refused.len() as u64, &named)
}
