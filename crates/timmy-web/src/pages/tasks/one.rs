//! One task: where it stands and why, the work on it, and what can be done.

use axum::extract::State;
use timmy_domain::approval::{Approval, ApprovalStatus, Subject};
use timmy_domain::policy::show;
use timmy_domain::task::{Status, Task, maker};
use timmy_domain::text::plural;
use timmy_domain::{Problem, TaskId};
use timmy_domain::{Record, Seq};
use timmy_store::{ApprovalQuery, ArtifactRow, EventQuery, Reader, StoreError};

use crate::ask::{Named, no_such};
use crate::auth::Visit;
use crate::errors::{Answer, page, show_with};
use crate::look::artifacts::ArtifactView;
use crate::look::events::EventRow;
use crate::look::tasks::{Asked, Draft, StepView, TaskPage, TaskPart, buttons, priority, state};
use crate::look::{Clock, Fact, State as Word, approvals, prose};
use crate::nav;
use crate::pages::{approvals as approvals_page, gather_here, refused, shell, status_of};
use crate::web::Web;

/// Questions about a task that are shown.
const ASKED_MAX: usize = 5;

/// Events of a task that are shown; the others are in the log.
const EVENTS_MAX: usize = 12;
/// Positions of the log that are looked through for them.
const EVENTS_LOOK_MAX: usize = 20_000;
/// Things of a task that can be read on its page.
const READ_MAX: usize = 12;
/// Bytes of one of them that are read.
const READ_BYTES_MAX: usize = 4 * 1024;

/// A task with what stands around it.
struct Found {
    task: Task,
    needs: Vec<Task>,
    ahead: u64,
    asked: Vec<Approval>,
    /// Questions that wait, about whatever.
    waiting: u64,
    artifacts: Vec<ArtifactRow>,
    beginnings: Vec<(Seq, Vec<u8>)>,
    events: Vec<Record>,
}

fn read(r: &Reader<'_>, id: TaskId, query: &ApprovalQuery) -> Result<Option<Found>, StoreError> {
    let Some(task) = r.task(id)? else { return Ok(None) };
    let needs = task.needs.iter().map(|id| r.task(*id)).collect::<Result<Vec<_>, _>>()?;
    let waits = task.status.known == Some(Status::Approved);
    let ahead = if waits { r.tasks_ahead(&task)? } else { 0 };
    let (asked, waiting) = (r.approvals_page(query)?, r.approvals_waiting(query.now)?);
    let artifacts = r.artifacts(id)?;
    let beginnings =
        if artifacts.is_empty() { Vec::new() } else { r.artifact_beginnings(id, READ_MAX, READ_BYTES_MAX)? };
    let of_it = EventQuery {
        task_id: Some(id.to_string()),
        after: Some(task.seq.saturating_sub(1)),
        limit: EVENTS_MAX,
        newest_first: true,
        ..EventQuery::default()
    };
    let events = r.events_page(&of_it, EVENTS_LOOK_MAX)?.records;
    let needs = needs.into_iter().flatten().collect();
    Ok(Some(Found { needs, ahead, asked, waiting, artifacts, beginnings, events, task }))
}

/// Why it stands where it stands, and what comes next.
fn why(found: &Found, clock: &Clock) -> String {
    let Found { task, needs, ahead, .. } = found;
    let Some(status) = task.status.known else {
        return format!("This version does not know the word “{}”, so it leaves the task alone.", task.status);
    };
    match status {
        Status::PendingApproval if task.started_at.is_some() => {
            "It waits for your word about its next step.".to_owned()
        }
        Status::PendingApproval => "It waits for your word before it is begun.".to_owned(),
        Status::Approved => queued(task, needs, *ahead, clock),
        Status::Running => format!("Being worked on, attempt {} of {}.", task.attempts, task.attempts_max),
        Status::Paused => "You paused it. With Resume it takes its turn again.".to_owned(),
        Status::Completed => "It is done.".to_owned(),
        Status::Vetoed => "You did not want it.".to_owned(),
        Status::Failed if task.attempts == 0 => "It was stopped before it was begun.".to_owned(),
        Status::Failed => {
            format!("It did not work out, after {}.", plural(task.attempts.into(), "attempt", "attempts"))
        }
        Status::Backlogged => match task.backlog_reason.as_deref().filter(|why| !why.is_empty()) {
            Some(why) => format!("It is laid aside: {why}"),
            None => "It is laid aside.".to_owned(),
        },
    }
}

/// What a queued task waits for.
fn queued(task: &Task, needs: &[Task], ahead: u64, clock: &Clock) -> String {
    if task.priority.known.is_none() {
        return format!("This version does not know the priority “{}”, so it does not begin it.", task.priority);
    }
    let open = needs.iter().filter(|one| one.status.known != Some(Status::Completed)).count();
    if open > 0 {
        return format!("It waits until {} done:", plural(open as u64, "other task is", "other tasks are"));
    }
    if let Some(at) = task.not_before.filter(|at| *at > clock.now) {
        return format!("It is not begun before {}.", clock.short(at).text);
    }
    match (task.assigned_to.as_str(), ahead) {
        ("owner", _) => "It is yours to do.".to_owned(),
        (_, 0) => "It is the next one.".to_owned(),
        (_, ahead) => format!("{} before it.", plural(ahead, "task comes", "tasks come")),
    }
}

fn steps(task: &Task, clock: &Clock) -> Vec<StepView> {
    let view = |step: &timmy_domain::task::Step| StepView {
        state: match step.status.as_str() {
            "running" => Word::running("Running"),
            "completed" => Word::well("Done"),
            "failed" => Word::failed("Ended"),
            other => Word::resting(crate::look::words::title(other)),
        },
        text: step.description.clone(),
        output: step.output.clone().unwrap_or_default(),
        evidence: step.evidence.iter().map(|line| show::words(line)).collect(),
        at: clock.log(step.started_at),
        running: step.completed_at.is_none(),
    };
    task.steps.iter().map(view).collect()
}

fn facts(task: &Task, clock: &Clock) -> Vec<Fact> {
    let word = priority(task);
    let mut facts = vec![
        Fact::new("Priority", if word.is_empty() { "normal" } else { word.as_str() }),
        Fact::new("Agent", task.assigned_to.clone()).to("/agents"),
        Fact::new("Kind", task.task_type.clone()),
        Fact::new("Made", format!("{} by {}", clock.short(task.created_at).text, maker(&task.created_by))),
    ];
    let times =
        [("Due", task.due), ("Approved", task.approved_at), ("Begun", task.started_at), ("Over", task.completed_at)];
    facts.extend(times.into_iter().filter_map(|(label, at)| at.map(|at| Fact::new(label, clock.short(at).text))));
    facts.push(Fact::new("Attempts", format!("{} of {}", task.attempts, task.attempts_max)));
    if let Some(parent) = task.parent_task_id {
        facts.push(Fact::new("Came from", "the task it belongs to").to(format!("/tasks/{parent}")));
    }
    facts.push(Fact::new("Events", "All of it in the log").to(format!("/swarm/events?q=%22{}%22", task.id)));
    facts.push(Fact::new("Id", task.id.to_string()).mono());
    facts
}

fn artifacts(found: &Found, clock: &Clock) -> Vec<ArtifactView> {
    let beginning = |seq: Seq| found.beginnings.iter().find(|(own, _)| *own == seq).map(|(_, bytes)| bytes.as_slice());
    found.artifacts.iter().map(|row| ArtifactView::of(row, beginning(row.seq), clock)).collect()
}

fn part(found: &Found, has_password: bool, clock: &Clock, visit: &Visit) -> TaskPart {
    let task = &found.task;
    let waits = found.asked.iter().find(|one| one.standing(clock.now) == ApprovalStatus::Pending);
    let waits = waits.filter(|_| task.status.known == Some(Status::PendingApproval));
    let planned = waits.filter(|one| one.answered_by_its_task().is_err());
    TaskPart {
        id: task.id.to_string(),
        state: state(task),
        why: why(found, clock),
        needs: found.needs.iter().map(|one| (state(one), one.title.clone(), format!("/tasks/{}", one.id))).collect(),
        buttons: buttons(task),
        step_up: has_password && waits.is_some_and(Approval::needs_step_up),
        decide: planned.map(|one| approvals_page::place(one, found.waiting)).unwrap_or_default(),
        moves: task.status.known == Some(Status::Approved),
        description: prose::blocks(&task.description),
        result: prose::blocks(task.result.as_deref().unwrap_or_default()),
        steps: steps(task, clock),
        artifacts: artifacts(found, clock),
        over: task.status.known.is_some_and(Status::is_over),
        events: found.events.iter().map(|record| EventRow::of(record, clock)).collect(),
        asked: found
            .asked
            .iter()
            .map(|one| Asked {
                id: one.id.to_string(),
                title: show::words(&one.title),
                state: approvals::state(one.standing(clock.now)),
                at: clock.short(one.created_at),
            })
            .collect(),
        facts: facts(task, clock),
        csrf: visit.csrf(),
    }
}

fn about(web: &Web, id: TaskId) -> ApprovalQuery {
    let subject = Some(Subject::task(id.to_string()));
    ApprovalQuery { subject, limit: ASKED_MAX, ..ApprovalQuery::at(web.app.ctx.now()) }
}

/// The page of one task, with what was typed and why it was refused.
///
/// # Errors
/// When there is none, or the store cannot be read.
pub async fn draw(web: &Web, visit: &Visit, id: TaskId, typed: Option<(Option<Draft>, Problem)>) -> Answer {
    let query = about(web, id);
    let (around, found) = gather_here(web, move |r| read(r, id, &query)).await?;
    let Some(found) = found else { return Err(no_such("task", &id.to_string())) };
    let clock = web.clock();
    let mut shell = shell(web, visit, &around, "/tasks");
    shell.title.clone_from(&found.task.title);
    shell.above = nav::page("/tasks");
    shell.notice = typed.as_ref().map(|(_, problem)| refused(problem));
    let code = typed.as_ref().map_or(axum::http::StatusCode::OK, |(_, problem)| status_of(problem));
    let draft = typed.and_then(|(draft, _)| draft);
    let task = &found.task;
    let drawn = TaskPage {
        part: part(&found, web.app.access.has_password().await?, &clock, visit),
        edits: task.status.known.is_some_and(|status| !matches!(status, Status::Completed | Status::Vetoed)),
        open: draft.is_some(),
        draft: draft.unwrap_or_else(|| said(task, &clock)),
        shell,
    };
    show_with(code, visit, &drawn)
}

/// What a task says, as the form that changes it has it.
pub(super) fn said(task: &Task, clock: &Clock) -> Draft {
    Draft {
        title: task.title.clone(),
        description: task.description.clone(),
        priority: task.priority.to_string(),
        assigned_to: task.assigned_to.clone(),
        due: task.due.map(|due| clock.field(due)).unwrap_or_default(),
        asks: task.requires_approval,
    }
}

/// `GET /tasks/{id}`.
pub async fn task(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    draw(&web, &visit, name.id("task")?, None).await
}

/// `GET /tasks/{id}/part`.
pub async fn fragment(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let id: TaskId = name.id("task")?;
    let query = about(&web, id);
    let found = web.app.ctx.store.read_here(move |r| read(r, id, &query)).await?;
    let Some(found) = found else { return Err(no_such("task", &name.0)) };
    page(&part(&found, web.app.access.has_password().await?, &web.clock(), &visit))
}
