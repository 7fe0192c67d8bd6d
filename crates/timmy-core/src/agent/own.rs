//! Tools for Timmy's own list: looking at tasks, adding one, and putting one earlier, later, aside or back.
//!
//! What he adds carries the nonce of its plan as its key: the same plan carried out twice makes one task.

use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::{Act, Edit};
use timmy_domain::task::{Priority, Status, Task};
use timmy_domain::{Actor, Problem, TaskId};
use timmy_store::TaskQuery;
use timmy_tools::ToolError;
use timmy_tools::tool::outcome::Outcome;
use timmy_tools::tool::{BoxFuture, Running, Scope, Tool, ToolSpec};

use crate::work::queue::Queue;

/// Tasks that one look shows.
const LISTED_MAX: usize = 50;

/// All of them.
pub(super) fn all(queue: &Queue) -> Vec<Box<dyn Tool>> {
    vec![Box::new(List::new(queue.clone())), Box::new(Add::new(queue.clone())), Box::new(Change::new(queue.clone()))]
}

fn refused(problem: Problem) -> ToolError {
    ToolError::refused(problem.code, problem.message, problem.hint)
}

fn foreign() -> ToolError {
    ToolError::refused("plan_foreign", "The plan is not one this version makes; nothing was done.", "Plan it anew.")
}

fn line(task: &Task) -> String {
    format!("{} [{}, {}] {}", task.id, task.status, task.priority, task.title)
}

/// Shows open tasks.
struct List {
    spec: ToolSpec,
    queue: Queue,
}

impl List {
    fn new(queue: Queue) -> Self {
        let properties = json!({"status": {"type": "string", "description": "Only tasks that stand so, such as approved, running or backlogged."}});
        let about = "Lists tasks of the queue, newest first, with their ids.";
        // Titles may repeat what was read outside when the task was made.
        Self { spec: ToolSpec::new("task_list", RiskClass::Read, Taint::Tool, about, &properties, &[]), queue }
    }
}

#[derive(Deserialize)]
struct Listed {
    status: Option<String>,
}

impl Tool for List {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, args: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let listed: Listed = Listed::deserialize(&args).map_err(|_| foreign())?;
            if let Some(word) = &listed.status {
                word.parse::<Status>().map_err(|e| {
                    ToolError::permanent("bad_status", format!("{word} is {e}."), "Use one of these words.")
                })?;
            }
            Ok(scope.plan(&self.spec, args))
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, _: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let listed: Listed = Listed::deserialize(&plan.args).map_err(|_| foreign())?;
            let status = listed.status.and_then(|word| word.parse().ok());
            let query = TaskQuery { status, limit: LISTED_MAX, ..TaskQuery::default() };
            let tasks = self.queue.list(query).await.map_err(refused)?;
            let lines: Vec<String> = tasks.iter().map(line).collect();
            let text = if lines.is_empty() { "There is none.".to_owned() } else { lines.join("\n") };
            Ok(Outcome { evidence: vec![format!("{} tasks listed", tasks.len())], text, ..Outcome::default() })
        })
    }
}

/// Adds a task.
struct Add {
    spec: ToolSpec,
    queue: Queue,
}

impl Add {
    fn new(queue: Queue) -> Self {
        let properties = json!({
            "title": {"type": "string", "description": "What is to be done, in one line."},
            "description": {"type": "string", "format": "text", "description": "More about it."},
            "priority": {"type": "string", "enum": ["low", "normal", "high"], "description": "How soon it is wanted."},
        });
        let about = "Adds a task to the queue. It waits for the owner's word before it is begun.";
        Self { spec: ToolSpec::new("task_add", RiskClass::WriteOwn, Taint::Own, about, &properties, &["title"]), queue }
    }
}

#[derive(Deserialize)]
struct Added {
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    priority: Option<Priority>,
}

impl Tool for Add {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, args: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let mut plan = scope.plan(&self.spec, args);
            plan.undo = Some("The task can be vetoed.".to_owned());
            Ok(plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, _: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let added: Added = Added::deserialize(&plan.args).map_err(|_| foreign())?;
            let mut new = NewTask::titled(added.title, Actor::Timmy);
            new.description = added.description;
            new.priority = added.priority.unwrap_or(Priority::Normal);
            new.parent_task_id = plan.task_id.as_deref().and_then(|id| id.parse().ok());
            new.idempotency_key = Some(format!("plan:{}", plan.nonce));
            let made = self.queue.create(new).await.map_err(refused)?;
            let text = format!("Added: {}", line(&made.task));
            let evidence = vec![format!("task {} is in the queue", made.task.id)];
            Ok(Outcome { text, evidence, was_done: !made.is_new, ..Outcome::default() })
        })
    }
}

/// Puts a task earlier, later, aside or back.
struct Change {
    spec: ToolSpec,
    queue: Queue,
}

impl Change {
    fn new(queue: Queue) -> Self {
        let properties = json!({
            "id": {"type": "string", "description": "The id of the task."},
            "act": {"type": "string", "enum": ["shelve", "resume", "low", "normal", "high"], "description": "shelve lays it aside, resume takes it up again, the others set its priority."},
            "reason": {"type": "string", "description": "Why, in a few words."},
        });
        let about = "Lays a task aside, takes it up again, or gives it another priority.";
        Self {
            spec: ToolSpec::new("task_change", RiskClass::WriteOwn, Taint::Own, about, &properties, &["id", "act"]),
            queue,
        }
    }
}

#[derive(Deserialize)]
struct Changed {
    id: TaskId,
    act: String,
    #[serde(default)]
    reason: String,
}

impl Tool for Change {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, args: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let changed = Changed::deserialize(&args)
                .map_err(|_| ToolError::permanent("bad_id", "The id is not one of a task.", "Look with task_list."))?;
            self.queue.get(changed.id).await.map_err(refused)?;
            let mut plan = scope.plan(&self.spec, args);
            plan.undo = Some("The owner can set it back on the page Tasks.".to_owned());
            Ok(plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, _: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let changed = Changed::deserialize(&plan.args).map_err(|_| foreign())?;
            let act = match changed.act.as_str() {
                "shelve" => Act::Backlog(changed.reason),
                "resume" => Act::Unbacklog,
                word => {
                    let priority = word.parse::<Priority>().map_err(|_| foreign())?;
                    Act::Modify(Edit { priority: Some(priority), ..Edit::default() })
                }
            };
            let task = self.queue.act(changed.id, act, Actor::Timmy, "agent").await.map_err(refused)?;
            let evidence = vec![format!("task {} is {} with priority {}", task.id, task.status, task.priority)];
            Ok(Outcome { text: line(&task), evidence, ..Outcome::default() })
        })
    }
}
