//! The page of tasks: the queue as it is worked, as a list or a board, and one filtered list.

use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;
use timmy_domain::approval::Subject;
use timmy_domain::task::{Priority, Status, THOUGHT, Task};
use timmy_domain::{Problem, Seq, TaskId, Timestamp};
use timmy_store::{Reader, StoreError, TaskCount, TaskQuery};

use super::{gather_here, refused, shell};
use crate::ask::{Asked, Window};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal, page, show, show_with};
use crate::look::tasks::{AgentsPage, Draft, Group, TaskRow, TasksPage, TasksPart, agents};
use crate::look::{Absent, Choice, Clock, Tone};
use crate::web::Web;

pub mod act;
pub mod artifacts;
pub mod one;

/// Tasks of a filtered list on one page.
const PAGE_TASKS: usize = 40;
/// Tasks that are over and shown in the queue.
const OVER_MAX: usize = 8;
/// Tasks looked through for those that another version made.
const STRANGE_LOOK: usize = 100;
/// Agents that are offered as filters.
const AGENTS_MAX: usize = 6;

/// The groups of the queue: heading, tone, status, and how many are shown.
const GROUPS: [(&str, &str, Tone, Status, usize); 5] = [
    ("waiting", "Waiting for you", Tone::Ember, Status::PendingApproval, 8),
    ("running", "Running", Tone::Live, Status::Running, 5),
    ("next", "Next", Tone::Calm, Status::Approved, 20),
    ("paused", "Paused", Tone::Warn, Status::Paused, 5),
    ("aside", "Laid aside", Tone::Calm, Status::Backlogged, 8),
];

/// What the tasks are narrowed to, and how they are drawn.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Narrow {
    view: Option<String>,
    status: Option<String>,
    priority: Option<String>,
    agent: Option<String>,
    task_type: Option<String>,
    before: Option<String>,
}

fn said(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

impl Narrow {
    /// The narrowing that a form carries along.
    fn carried(query: &str) -> Self {
        let uri = format!("/tasks?{query}").parse::<Uri>().ok();
        uri.and_then(|uri| Query::<Self>::try_from_uri(&uri).ok()).map(|Query(narrow)| narrow).unwrap_or_default()
    }

    fn board(&self) -> bool {
        self.view.as_deref() == Some("board") && !self.is_filtered()
    }

    fn is_filtered(&self) -> bool {
        [&self.status, &self.priority, &self.agent, &self.task_type]
            .into_iter()
            .any(|text| said(text.as_ref()).is_some())
    }

    /// The same as a query, with one word set or taken away.
    fn with(&self, name: &str, value: &str) -> String {
        let own = [
            ("view", &self.view),
            ("status", &self.status),
            ("priority", &self.priority),
            ("agent", &self.agent),
            ("task_type", &self.task_type),
        ];
        let words = own.into_iter().filter_map(|(key, text)| {
            let text = if key == name { Some(value) } else { said(text.as_ref()) };
            text.filter(|text| !text.is_empty()).map(|text| format!("{key}={}", crate::door::encoded(text)))
        });
        words.collect::<Vec<_>>().join("&")
    }

    fn query(&self) -> String {
        self.with("", "")
    }

    fn wanted(&self) -> Result<TaskQuery, Refusal> {
        let bad = |e: timmy_domain::task::NotAWord| {
            Refusal(Problem::invalid("bad_word", format!("This is {e}."), "Choose one of the filters."))
        };
        Ok(TaskQuery {
            status: said(self.status.as_ref()).map(str::parse).transpose().map_err(bad)?,
            priority: said(self.priority.as_ref()).map(str::parse).transpose().map_err(bad)?,
            assigned_to: said(self.agent.as_ref()).map(str::to_ascii_lowercase),
            parent: None,
            kind: said(self.task_type.as_ref()).map(str::to_ascii_lowercase),
            before: self.before()?,
            limit: PAGE_TASKS + 1,
        })
    }

    fn before(&self) -> Result<Option<Seq>, Refusal> {
        Window { before: self.before.clone(), ..Window::default() }.before()
    }
}

fn address(query: &str) -> String {
    if query.is_empty() { "/tasks".to_owned() } else { format!("/tasks?{query}") }
}

fn sum(counts: &[TaskCount], status: Status) -> u64 {
    counts.iter().filter(|one| one.status == status.name()).map(|one| one.count).sum()
}

/// What the store holds for a list: the tasks of each group, and the counts.
struct Found {
    counts: Vec<TaskCount>,
    groups: Vec<(&'static str, Vec<Task>)>,
    /// Those to which a yes needs the password, where one is set.
    guarded: Vec<TaskId>,
    /// Those whose question shows an exact plan, with where it stands.
    planned: Vec<(TaskId, String)>,
}

/// The queue as it is worked. Only groups that hold something are read.
fn queue(r: &Reader<'_>) -> Result<Found, StoreError> {
    let counts = r.task_counts()?;
    let mut groups = Vec::new();
    for (id, _, _, status, most) in GROUPS {
        if sum(&counts, status) > 0 {
            groups.push((id, r.tasks_in_order(status, None, most)?));
        }
    }
    let mut over = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| status.is_over() && sum(&counts, *status) > 0) {
        over.extend(r.tasks_page(&TaskQuery { status: Some(status), limit: OVER_MAX, ..TaskQuery::default() })?);
    }
    over.sort_by_key(|task| std::cmp::Reverse(task.updated_at));
    over.truncate(OVER_MAX);
    if !over.is_empty() {
        groups.push(("over", over));
    }
    // Rows of a newer version are shown as such: nothing here knows what to do with them.
    if counts.iter().any(|one| one.status.parse::<Status>().is_err()) {
        let newest = r.tasks_page(&TaskQuery { limit: STRANGE_LOOK, ..TaskQuery::default() })?;
        groups.push(("strange", newest.into_iter().filter(|task| task.status.known.is_none()).collect()));
    }
    Ok(Found { counts, groups, guarded: Vec::new(), planned: Vec::new() })
}

fn read(r: &Reader<'_>, filtered: bool, wanted: &TaskQuery, now: Timestamp) -> Result<Found, StoreError> {
    let mut found = if filtered {
        let groups = vec![("all", r.tasks_page(wanted)?)];
        Found { counts: r.task_counts()?, groups, guarded: Vec::new(), planned: Vec::new() }
    } else {
        queue(r)?
    };
    let (tasks, mut all) = (found.groups.iter().flat_map(|(_, tasks)| tasks), None);
    for task in tasks.filter(|task| task.status.known == Some(Status::PendingApproval)) {
        match r.approval_pending(&Subject::task(task.id.to_string()))? {
            Some(waiting) if waiting.answered_by_its_task().is_err() => {
                let all = all.get_or_insert(r.approvals_waiting(now)?);
                found.planned.push((task.id, super::approvals::place(&waiting, *all)));
            }
            Some(waiting) if waiting.needs_step_up() => found.guarded.push(task.id),
            _ => {}
        }
    }
    Ok(found)
}

fn group(id: &'static str, tasks: &[Task], counts: &[TaskCount], narrow: &Narrow, clock: &Clock) -> Group {
    if let Some((_, title, tone, status, _)) = GROUPS.into_iter().find(|group| group.0 == id) {
        let count = sum(counts, status);
        let more = (count > tasks.len() as u64).then(|| address(&narrow.with("status", status.name())));
        return Group { id, title, tone, count, rows: TaskRow::in_order(tasks, clock), more };
    }
    let rows: Vec<TaskRow> = tasks.iter().map(|task| TaskRow::of(task, clock)).collect();
    let count = rows.len() as u64;
    let (title, tone) = match id {
        "over" => ("Done lately", Tone::Calm),
        "strange" => ("Not known to this version", Tone::Warn),
        _ => ("Newest first", Tone::Calm),
    };
    // A filtered list is not in the order of the queue, so nothing is moved in it.
    let rows = rows.into_iter().map(|row| TaskRow { moves: false, ..row }).collect();
    Group { id, title, tone, count, rows, more: None }
}

fn part(found: &Found, narrow: &Narrow, clock: &Clock, visit: &Visit) -> TasksPart {
    let shown = found.groups.iter().filter(|(_, tasks)| !tasks.is_empty());
    let absent = if narrow.is_filtered() {
        Absent::empty("No task like this", "Nothing fits what you chose.").act("Show all tasks", "/tasks")
    } else {
        Absent::empty("No task yet", "Make one above, ask for one in Talk, or run `timmy task add`.")
    };
    let mut groups: Vec<Group> = shown.map(|(id, tasks)| group(id, tasks, &found.counts, narrow, clock)).collect();
    let guarded: Vec<String> = found.guarded.iter().map(ToString::to_string).collect();
    for row in groups.iter_mut().flat_map(|group| &mut group.rows) {
        row.step_up = guarded.contains(&row.id);
        let planned = found.planned.iter().find(|(id, _)| id.to_string() == row.id);
        row.decide = planned.map(|(_, place)| place.clone()).unwrap_or_default();
    }
    TasksPart {
        groups,
        step_up: !guarded.is_empty(),
        board: narrow.board(),
        absent,
        query: narrow.query(),
        csrf: visit.csrf(),
    }
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::PendingApproval => "Waiting",
        Status::Approved => "Queued",
        Status::Running => "Running",
        Status::Paused => "Paused",
        Status::Completed => "Done",
        Status::Vetoed => "Vetoed",
        Status::Failed => "Failed",
        Status::Backlogged => "Laid aside",
    }
}

fn statuses(counts: &[TaskCount], narrow: &Narrow) -> Vec<Choice> {
    let own = said(narrow.status.as_ref()).unwrap_or_default().to_owned();
    let choice = |label: &str, value: &str, count: u64| Choice {
        label: label.to_owned(),
        href: address(&narrow.with("status", value)),
        count: Some(count),
        current: own == value,
    };
    let mut all = vec![choice("All", "", counts.iter().map(|one| one.count).sum())];
    for status in Status::ALL {
        let count = sum(counts, status);
        if count > 0 || own == status.name() {
            all.push(choice(word(status), status.name(), count));
        }
    }
    all
}

fn more(counts: &[TaskCount], narrow: &Narrow) -> Vec<Choice> {
    let choice = |name: &str, own: Option<&String>, value: &str| {
        let current = said(own) == Some(value);
        let href = address(&narrow.with(name, if current { "" } else { value }));
        Choice { label: value.to_owned(), href, count: None, current }
    };
    let mut all: Vec<Choice> =
        Priority::ALL.into_iter().map(|one| choice("priority", narrow.priority.as_ref(), one.name())).collect();
    // Thoughts come due by themselves all day; they are looked at apart.
    let thoughts = choice("task_type", narrow.task_type.as_ref(), THOUGHT);
    all.push(Choice { label: "Thoughts".to_owned(), ..thoughts });
    let mut names: Vec<&str> = counts.iter().map(|one| one.assigned_to.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > 1 || narrow.agent.is_some() {
        all.extend(names.into_iter().take(AGENTS_MAX).map(|name| choice("agent", narrow.agent.as_ref(), name)));
    }
    all
}

/// The page, with what was typed and why it was refused.
///
/// # Errors
/// When the filter makes no sense, or the store cannot be read.
pub async fn draw(web: &Web, visit: &Visit, narrow: &Narrow, typed: Option<(Draft, Problem)>) -> Answer {
    let (wanted, filtered, now) = (narrow.wanted()?, narrow.is_filtered(), web.app.ctx.now());
    let (around, mut found) = gather_here(web, move |r| read(r, filtered, &wanted, now)).await?;
    if !web.app.access.has_password().await? {
        found.guarded.clear();
    }
    let mut older = None;
    if let Some((_, tasks)) = found.groups.first_mut().filter(|(id, tasks)| *id == "all" && tasks.len() > PAGE_TASKS) {
        tasks.truncate(PAGE_TASKS);
        older = tasks.last().map(|last| format!("{}&before={}", address(&narrow.query()), last.seq));
    }
    let clock = web.clock();
    let mut shell = shell(web, visit, &around, "/tasks");
    shell.notice = typed.as_ref().map(|(_, problem)| refused(problem));
    let code = typed.as_ref().map_or(axum::http::StatusCode::OK, |(_, problem)| super::status_of(problem));
    let view = |label: &str, word: &str, current| Choice {
        label: label.to_owned(),
        href: address(if word.is_empty() { "" } else { "view=board" }),
        count: None,
        current,
    };
    let drawn = TasksPage {
        shell,
        views: vec![view("List", "", !narrow.board()), view("Board", "board", narrow.board())],
        statuses: statuses(&found.counts, narrow),
        more: more(&found.counts, narrow),
        part: part(&found, narrow, &clock, visit),
        older,
        open: typed.is_some(),
        draft: typed.map(|(draft, _)| draft).unwrap_or_default(),
    };
    show_with(code, visit, &drawn)
}

/// `GET /tasks`.
pub async fn tasks(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    draw(&web, &visit, &narrow, None).await
}

/// The tasks alone, as they are now.
///
/// # Errors
/// As [`draw`].
pub async fn list(web: &Web, visit: &Visit, narrow: &Narrow) -> Answer {
    let (wanted, filtered, now) = (narrow.wanted()?, narrow.is_filtered(), web.app.ctx.now());
    let mut found = web.app.ctx.store.read_here(move |r| read(r, filtered, &wanted, now)).await?;
    for (_, tasks) in &mut found.groups {
        tasks.truncate(PAGE_TASKS);
    }
    if !web.app.access.has_password().await? {
        found.guarded.clear();
    }
    page(&part(&found, narrow, &web.clock(), visit))
}

/// `GET /tasks/rows`.
pub async fn rows(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    list(&web, &visit, &narrow).await
}

/// `GET /agents`.
pub async fn agents_page(State(web): State<Web>, visit: Visit) -> Answer {
    let (around, counts) = gather_here(&web, |r| r.task_counts()).await?;
    show(&visit, &AgentsPage { shell: shell(&web, &visit, &around, "/agents"), agents: agents(&counts) })
}
