//! Tasks and the queue they stand in.

use utoipa::ToSchema;

use crate::openapi::words::{Id, Moment, Position};

/// One thing to be done. Words that this version does not know come as they are stored.
#[derive(ToSchema)]
pub struct Task {
    /// Its id.
    id: Id,
    /// What it is, in one line.
    title: String,
    /// More about it; may be empty.
    description: String,
    /// What kind of work it is.
    task_type: String,
    /// Which agent is to do it.
    assigned_to: String,
    /// Who wanted it: `owner`, `timmy`, `system`, or `program:` with the name of a token.
    created_by: String,
    /// `pending_approval`, `approved`, `running`, `paused`, `completed`, `vetoed`, `failed` or `backlogged`.
    status: String,
    /// `low`, `normal`, `high` or `urgent`.
    priority: String,
    /// Whether it waits for the owner before it is begun.
    requires_approval: bool,
    /// Whether whoever made it asked for a rule to approve it.
    auto_approve: bool,
    /// When it was approved.
    #[schema(required)]
    approved_at: Option<Moment>,
    /// The task it came from.
    #[schema(required)]
    parent_task_id: Option<Id>,
    /// What came of it, or why it failed.
    #[schema(required)]
    result: Option<String>,
    /// The work on it, oldest first.
    steps: Vec<TaskStep>,
    /// Its place in the owner's order among those of the same priority; smaller comes first.
    position: i64,
    /// When it should be done.
    #[schema(required)]
    due: Option<Moment>,
    /// Why it was laid aside.
    #[schema(required)]
    backlog_reason: Option<String>,
    /// How often it was begun.
    attempts: u64,
    /// How often it may be begun.
    attempts_max: u64,
    /// Seconds it may run at a time.
    time_limit_seconds: u64,
    /// The word that makes it once only.
    #[schema(required)]
    idempotency_key: Option<String>,
    /// Tasks that have to be completed before it.
    needs: Vec<Id>,
    /// Before when it is not begun.
    #[schema(required)]
    not_before: Option<Moment>,
    /// Whether it was set aside because its workers died of it.
    quarantined: bool,
    /// When it was made.
    created_at: Moment,
    /// When it was last begun.
    #[schema(required)]
    started_at: Option<Moment>,
    /// When it was over.
    #[schema(required)]
    completed_at: Option<Moment>,
    /// When it was last changed.
    updated_at: Moment,
    /// How often it was changed.
    version: i64,
    /// The event of its making.
    seq: Position,
}

/// One step of the work on a task.
#[derive(ToSchema)]
pub struct TaskStep {
    /// What is done in it.
    description: String,
    /// `running`, `completed`, `failed`, `waiting` or `backlogged`.
    status: String,
    /// When it began.
    started_at: Moment,
    /// When it ended.
    #[schema(required)]
    completed_at: Option<Moment>,
    /// What came of it, shortened.
    #[schema(required)]
    output: Option<String>,
    /// What shows that it was done, one line each.
    evidence: Vec<String>,
}

/// Something a task produced. `/tasks/{id}/artifacts/{n}/file` gives its bytes.
#[derive(ToSchema)]
pub struct Artifact {
    /// Its number.
    n: Position,
    /// `before` when it is what a file held before it was changed, `made`, or `output`.
    kind: String,
    /// A name for people.
    name: String,
    /// Its media type.
    media_type: String,
    /// The hash of its bytes.
    sha256: String,
    /// How many bytes it has.
    bytes: i64,
    /// When it came.
    created_at: Moment,
    /// Whether the owner found it good.
    #[schema(required)]
    good: Option<bool>,
    /// The owner's word about it.
    #[schema(required)]
    note: Option<String>,
    /// Its beginning, when one thing is asked for and it is words.
    #[schema(required)]
    text: Option<String>,
}

/// How many tasks stand where.
#[derive(ToSchema)]
pub struct TaskCounts {
    /// Wait for the owner's word.
    pending_approval: u64,
    /// May be begun.
    approved: u64,
    /// Are worked on.
    running: u64,
    /// Were stopped for now.
    paused: u64,
    /// Are done.
    completed: u64,
    /// Were not wanted.
    vetoed: u64,
    /// Did not work out.
    failed: u64,
    /// Are laid aside.
    backlogged: u64,
    /// All of them, also those whose status this version does not know.
    total: u64,
}

/// What became of an act on one of several tasks.
#[derive(ToSchema)]
pub struct TaskDone {
    /// Which task.
    id: String,
    /// The task, when it was done.
    #[schema(required, value_type = Option<Object>)]
    task: Option<Task>,
    /// Why it was not.
    #[schema(required, value_type = Option<Object>)]
    error: Option<String>,
}

/// Where a task stands in the queue of its agent.
#[derive(ToSchema)]
pub struct TaskPosition {
    /// The task.
    id: Id,
    /// Its status.
    status: String,
    /// 1 is next; `null` when it does not wait for its turn.
    #[schema(required)]
    position: Option<u64>,
    /// How many come before it.
    #[schema(required)]
    ahead: Option<u64>,
    /// Approved tasks of its agent.
    total: u64,
    /// The tasks that have to be completed before its turn can come.
    waits_for: Vec<Id>,
}

/// The queue of one agent.
#[derive(ToSchema)]
pub struct Queue {
    /// The agent.
    assigned_to: String,
    /// Whether it works on something.
    is_working: bool,
    /// What it works on.
    #[schema(required)]
    current: Option<Task>,
    /// What comes next.
    #[schema(required)]
    next: Option<Task>,
    /// How many are approved or run.
    tasks_ahead: u64,
}
